"""Jobs of a run that failed, such as folds: what is told of them, and the exit status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chrombpnet_core.errors import counted

__all__ = ["Failure", "FoldsFailed", "Job", "Numbered"]


class Numbered(Protocol):
    """A job that can be done anywhere: hashable, with a place among the others; its text names it."""

    @property
    def index(self) -> int:
        """From 0."""


@dataclass(frozen=True)
class Job:
    """A fold, or with ``bias_only`` the choice of the bias threshold factor on it."""

    index: int
    bias_only: bool = False

    def __str__(self) -> str:
        """Name it, for messages."""
        return "bias models" if self.bias_only else f"fold {self.index}"


@dataclass(frozen=True)
class Failure:
    """A job that failed, why, and whether that is for the user to mend."""

    job: Numbered
    reason: str
    user: bool

    def __str__(self) -> str:
        """Name it, for messages."""
        return f"{self.job} failed: {self.reason}"


class FoldsFailed(Exception):
    """Some folds, or other jobs, failed; the message has a line for each."""

    def __init__(self, failures: list[Failure], of: int) -> None:
        self.failures = sorted(failures, key=lambda each: each.job.index)
        self.exit_status = 2 if all(each.user for each in failures) else 1
        others = "" if of == len(failures) else f"; done: {counted(of - len(failures), 'others')}"
        super().__init__(
            "\n".join(
                [
                    *map(str, self.failures),
                    f"{len(failures)} of {of} failed{others}; the same command does only what is missing",
                ]
            )
        )
