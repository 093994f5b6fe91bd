"""Errors that people can mend: one clear line each, never retried."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DivergedError", "InputError", "InputErrors", "ModelFileError", "ShiftError", "Stopped"]


class InputError(Exception):
    """An error in the user's input; the message says where, what was expected and found, and what to do.

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
        parts = [what.rstrip(".")]
        if expected:
            parts.append(f"expected {expected}" + (f", found {found}" if found else ""))
        elif found:
            parts.append(f"found {found}")
        if remedy:
            parts.append(remedy.rstrip("."))
        super().__init__(" ".join("; ".join(parts).split()))


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

    def __str__(self) -> str:
        """Put them below each other."""
        numbered = [f"{number:>3}. {problem}" for number, problem in enumerate(self.problems, 1)]
        return "\n".join([f"{len(numbered)} problems:", *numbered])


class ShiftError(InputError):
    """The enzyme shift of the reads is non-standard or the evidence disagrees."""


class DivergedError(InputError):
    """A model's predictions or contributions are not finite: its training diverged."""

    def __init__(self, what: str = "the model predicts values that are not finite") -> None:
        super().__init__(what, remedy="its training diverged; train it again with a lower `learning_rate`")


class ModelFileError(InputError):
    """A model file is not one that ChromBPNet can use."""


class Stopped(Exception):
    """A training was asked to stop and has written its checkpoint: the same command goes on from there."""
