"""Messages: one line, whatever is in them, and the same in another process."""

from __future__ import annotations

import pickle

import pytest

from chrombpnet_core.errors import DivergedError, InputError, InputErrors, ModelFileError, ShiftError, counted, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chr1\x1b[2J", r"chr1\x1b[2J"),  # clears a terminal
        ("a\x9b31mb", r"a\x9b31mb"),  # the same in C1
        ("a\u202egnp.exe", r"a\u202egnp.exe"),  # turns the writing direction
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("\udcffx\x00\x07", r"\udcffx\x00\x07"),
        ("Ångström 中 → µ\t1\n2", "Ångström 中 → µ\t1\n2"),
    ],
)
def test_what_is_no_text_is_escaped(text, shown):
    assert printable(text) == shown
    assert shown.split("\t")[0] in str(InputError(f"file {text}"))
    assert str(InputError("a", found=text)).isprintable()


@pytest.mark.parametrize(
    ("number", "what", "words"),
    [(1, "folds", "1 fold"), (0, "folds", "0 folds"), (1, "files of steps", "1 file of steps"), (1200, "bp", "1,200 bp")],
)
def test_one_is_no_plural(number, what, words):
    assert counted(number, what) == words


@pytest.mark.parametrize("part", ["what", "expected", "found", "remedy"])
@pytest.mark.parametrize("letters", ["A", "A ", "\x1b"])
def test_megabytes_are_cut(part, letters):
    message = str(InputError(**{"what": "x.bed, line 3", part: letters * 1_000_000}))
    assert len(message) < 8000
    assert "letters)" in message


def test_errors_pass_to_another_process_as_they_are():
    errors = [InputError("a.", expected="b", remedy="c."), DivergedError(), ShiftError("x" * 400), ModelFileError("m")]
    for error in [*errors, InputErrors(errors)]:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
