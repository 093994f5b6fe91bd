"""Log lines and standard output: what a terminal could take for commands is escaped."""

from __future__ import annotations

import logging
import sys

import pytest

from flows.cli.main import main
from flows.dataset import Failure, FoldsFailed, Job
from flows.environment import show_log
from tasks.runs import record_run, recording

NAMES = ["a\x1b[2Jb", "a\u202eb", "a\x9b1mb\r"]
"""Clears a screen, turns the writing direction, colours and overwrites a line."""


def test_control_characters_do_not_reach_the_terminal(capsys):
    logger = logging.getLogger("chrombpnet_core")
    before = logger.handlers, logger.propagate, logger.level
    try:
        show_log()
        logging.getLogger("chrombpnet_core.genome").warning("%s: é \t%s", "a\x1b[2J.bed", "\u202e\x9b1m\r")
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])
    assert capsys.readouterr().err.endswith("warning: a\\x1b[2J.bed: é \t\\u202e\\x9b1m\\r\n")


@pytest.mark.parametrize("name", NAMES)
def test_paths_that_commands_print_are_escaped(tmp_path, capsys, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_text("x")
    assert main(["verify", str(folder)]) == 0
    printed = capsys.readouterr()
    assert name.encode("unicode_escape").decode() in printed.out
    assert name not in printed.out + printed.err


@pytest.mark.parametrize("name", NAMES)
def test_errors_that_status_repeats_are_escaped(tmp_path, capsys, name):
    output, store = str(tmp_path / "out"), str(tmp_path / "store")
    files = {"genome": "g.fa", "chrom_sizes": "sizes", "peaks": "p.bed", "nonpeaks": "n.bed", "folds": ["f.json"]}
    spec = {"id": "x", "assay": "ATAC", "reads": {"bam": ["r.bam"]}, "output": output, **files}
    record_run(spec, store, {})
    with pytest.raises(RuntimeError), recording(store, output, "fold_0", {}):
        raise RuntimeError(f"{name}: such an error")
    capsys.readouterr()
    assert main(["status", output]) == 0
    printed = capsys.readouterr().out
    assert name.strip().encode("unicode_escape").decode() in printed
    assert name.strip() not in printed


@pytest.mark.parametrize("name", NAMES)
def test_errors_of_arguments_and_folds_are_escaped(capsys, monkeypatch, name):
    with pytest.raises(SystemExit):
        main(["verify", "store", name])

    def failed(_):
        raise FoldsFailed([Failure(Job(0), f"{name}: such an error", user=True)], 1)

    monkeypatch.setattr("flows.cli.runs.verify", failed)
    assert main(["verify", "store"]) == 2
    printed = capsys.readouterr().err
    assert printed.count(name.strip().encode("unicode_escape").decode()) == 2
    assert name.strip() not in printed


def test_standard_output_is_the_users_again_after_a_command(tmp_path, capsys):
    before = sys.stdout
    assert main(["verify", str(tmp_path / "absent")]) == 2
    assert sys.stdout is before
