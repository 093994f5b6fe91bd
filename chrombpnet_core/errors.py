"""Errors that people can mend: one clear line each, never retried."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = [
    "DamagedError",
    "DivergedError",
    "Faults",
    "InputError",
    "InputErrors",
    "ModelFileError",
    "ShiftError",
    "Stopped",
    "counted",
    "printable",
]

_LONGEST = {"what": 1500, "expected": 1000, "found": 400, "remedy": 1000}
_LONGEST_WORD = 500
_SHOWN, _MOST = 3, 1000  # faults of one file that are shown, and that are looked for


def printable(text: str) -> str:
    r"""Escape what a terminal or a reader could take for something else than text.

    Parameters
    ----------
    text
        Anything, such as a name out of a file.

    Returns
    -------
    str
        The same with control characters (those of terminals too), marks of writing direction, invisible letters and
        undecodable bytes written as ``\x1b`` or ``\u202e``; line ends and tabs stay.

    Examples
    --------
    >>> printable("chr1\x1b[2J")
    'chr1\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def counted(number: int, what: str) -> str:
    """Say how many there are.

    Parameters
    ----------
    number
        How many.
    what
        What they are, in the plural: its first word loses its s where there is one.

    Returns
    -------
    str
        Such as "1 fold" or "1,200 regions of the test chromosomes".

    Examples
    --------
    >>> counted(1, "peaks on chr1"), counted(0, "folds"), counted(1200, "peaks")
    ('1 peak on chr1', '0 folds', '1,200 peaks')
    """
    noun, space, rest = what.partition(" ")
    return f"{number:,} {noun.removesuffix('s') if number == 1 else noun}{space}{rest}"


def _cut(text: str, longest: int) -> str:
    text = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda word: _cut_at(word[0], _LONGEST_WORD // 4), text)
    return _cut_at_most(text, longest)


def _cut_at_most(text: str, longest: int) -> str:
    return _cut_at(text, longest) if len(text) > longest else text


def _cut_at(text: str, longest: int) -> str:
    return f"{text[:longest]}… ({len(text):,} letters)"


def _as_it_was(kind: type[InputError], message: str) -> InputError:
    error = kind.__new__(kind)
    error.args = (message,)
    return error


class InputError(Exception):
    """An error in the user's input; the message says where, what was expected and found, and what to do.

    It is one line: megabytes out of a file are cut, control characters are escaped.

    Parameters
    ----------
    what
        What is wrong, with file, line or chromosome in front, such as ``peaks.bed, line 3: start is 'x'``.
    expected
        What was expected.
    found
        What was found instead.
    remedy
        What the user can do about it.
    """

    def __init__(self, what: str, *, expected: str = "", found: str = "", remedy: str = "") -> None:
        what, expected, found, remedy = (
            _cut(text, _LONGEST[part])
            for part, text in (("what", what), ("expected", expected), ("found", found), ("remedy", remedy))
        )
        parts = [what.rstrip(".")]
        if expected:
            parts.append(f"expected {expected}" + (f", found {found}" if found else ""))
        elif found:
            parts.append(f"found {found}")
        if remedy:
            parts.append(remedy.rstrip("."))
        super().__init__(printable(" ".join("; ".join(parts).split())))

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Let the message pass to another process as it is."""
        return _as_it_was, (type(self), str(self))


class InputErrors(InputError):
    """Several errors in the user's inputs, told at once: a line each, numbered.

    Parameters
    ----------
    problems
        The errors, at least two.
    """

    def __init__(self, problems: Sequence[InputError]) -> None:
        Exception.__init__(self, problems)
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Let the errors pass to another process."""
        return type(self), (self.problems,)

    def __str__(self) -> str:
        """Put them below each other."""
        numbered = [f"{number:>3}. {problem}" for number, problem in enumerate(self.problems, 1)]
        return "\n".join([f"{len(numbered)} problems:", *numbered])


class Faults:
    """Faults of one file, for one message: a single one as it is, of several the count and the first three.

    Parameters
    ----------
    where
        Names the file.
    """

    def __init__(self, where: str) -> None:
        self._where, self._first, self._count = where, list[InputError](), 0

    def add(self, fault: InputError) -> None:
        """Note a fault, whose message begins with the file; there is no use in reading on after very many."""
        self._count += 1
        self._first += [fault] if self._count <= _SHOWN else []
        if self._count == _MOST:
            self.refuse()

    def refuse(self) -> None:
        """Raise what was noted, if anything was."""
        if self._count == 1:
            raise self._first[0]
        if self._first:
            shown = [_cut_at_most(str(fault).removeprefix(self._where).lstrip(":, "), 400) for fault in self._first]
            number = f"{self._count:,}" + (" and more" if self._count == _MOST else "")
            rest = "; …" if self._count > _SHOWN else ""
            raise InputError(f"{self._where}: {number} problems: {'; '.join(shown)}{rest}")


class ShiftError(InputError):
    """The enzyme shift of the reads is non-standard or the evidence disagrees."""


class DivergedError(InputError):
    """A model's predictions or contributions are not finite: its training diverged."""

    def __init__(self, what: str = "the model predicts values that are not finite") -> None:
        super().__init__(what, remedy="its training diverged; train it again with a lower `learning_rate`")


class ModelFileError(InputError):
    """A model file is not one that ChromBPNet can use."""


class DamagedError(Exception):
    """A file's bytes are truncated or damaged; the message says where and how, whoever reads the file names it."""


class Stopped(Exception):
    """A training was asked to stop and has written its checkpoint: the same command goes on from there."""
