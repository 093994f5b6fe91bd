"""Progress: no rate before there is one, lines of a log file that only progress writes, times in words."""

from __future__ import annotations

import io
import sys

import pytest
from tqdm import tqdm

from chrombpnet_core.progress import bar, readable_time


def _aged(progress, seconds):
    """Let a bar have begun so long ago."""
    progress.start_t -= seconds
    progress.last_print_t -= seconds
    return progress


def test_a_line_tells_how_much_the_rate_and_the_time_left(capsys):
    with _aged(bar("reading reads", 2_580_000, "B"), 10) as progress:
        progress.update(1_000_000)
    assert capsys.readouterr().err == "  reading reads: 1M/2.58M B, 100k/s, 16 s left\n"


def test_a_log_line_between_writes_no_progress(capsys):
    with _aged(bar("reading reads", 100, "B"), 10) as progress:
        tqdm.write("12:00:00  nonpeaks: started", file=sys.stderr)
        assert "?" not in str(progress)
        assert str(progress) == "  reading reads: 0/100 B"
    assert capsys.readouterr().err == "12:00:00  nonpeaks: started\n"


def test_what_was_done_before_is_no_rate(capsys):
    with _aged(bar("epoch 2/8", 900, "examples", initial=600), 10) as progress:
        assert str(progress) == "  epoch 2/8: 600/900 examples"
        progress.set_postfix_str("loss 3.20", refresh=False)
        progress.update(100)
    assert capsys.readouterr().err == "  epoch 2/8: 700/900 examples, 10/s, 20 s left, loss 3.20\n"


def test_without_a_total_there_is_no_time_left(capsys):
    with _aged(bar("reading variants", None, "variants"), 10) as progress:
        progress.update(5)
    assert capsys.readouterr().err == "  reading variants: 5 variants, 0.5/s\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    with _aged(bar("explaining", 477, "regions"), 10) as progress:
        progress.update(132)
        shown = str(progress)
    assert shown.startswith("  explaining:  28%|")
    assert "132/477 regions, 13.2/s, 26 s left" in shown


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (89, "89 s"), (754, "13 min"), (9000, "2.5 h"), (9e4, "25 h")])
def test_times_in_words(seconds, words):
    assert readable_time(seconds) == words
