"""What has been looked at of a run's inputs: what was found, what is wrong, what could not be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from chrombpnet_core.errors import InputError, InputErrors, printable
from chrombpnet_core.genome import Fold, NameMismatch, Naming, name_mismatches
from tasks.steps.dataset_files import CheckedInputs

__all__ = ["Inspection"]

_LONGEST_NAME = 60


@dataclass
class Inspection:
    """Findings so far, which later checks build on.

    Attributes
    ----------
    seen
        What was looked at → what was found, in words.
    problems
        What is wrong with → each thing that would stop a run.
    unseen
        What could not be looked at → why.
    faults
        Faults of disk or network met on the way.
    naming
        How other files than the genome name chromosomes.
    sizes
        Chromosomes in use → length in bp; None where the genome is not in order.
    folds
        Those that are in order, by name.
    regions
        Usable regions by what they are.
    names
        Input → chromosome → number of reads or regions, 0 where that is not known.
    """

    seen: list[tuple[str, str]] = field(default_factory=list)
    problems: list[tuple[str, InputError]] = field(default_factory=list)
    unseen: list[tuple[str, str]] = field(default_factory=list)
    faults: list[OSError] = field(default_factory=list)
    naming: Naming = field(default_factory=Naming)
    sizes: dict[str, int] | None = None
    folds: dict[str, Fold] = field(default_factory=dict)
    regions: dict[str, pd.DataFrame] = field(default_factory=dict)
    names: dict[str, dict[str, int]] = field(default_factory=dict)

    def look(self, what: str, look: Callable[[], str]) -> None:
        """Look at one thing; what is wrong with it is kept and does not stop the others.

        Parameters
        ----------
        what
            What is looked at.
        look
            Returns what it found, in words; nothing where that is not worth a line.
        """
        try:
            found = look()
        except InputError as error:
            for problem in error.problems if isinstance(error, InputErrors) else [error]:
                if str(problem) not in {str(known) for _, known in self.problems}:
                    self.problems.append((what, problem))
        except OSError as error:
            self.faults.append(error)
            self.unseen.append((what, f"{type(error).__name__}: {error}"))
        else:
            if found:
                self.seen.append((what, found))

    def require(self) -> None:
        """Raise what is wrong: one :class:`InputError` of all problems, or the first fault of disk or network."""
        problems = [problem for _, problem in self.problems]
        if problems:
            raise problems[0] if len(problems) == 1 else InputErrors(problems)
        if self.faults:
            raise self.faults[0]

    def checked(self) -> CheckedInputs:
        """Give what later steps need, once all is in order."""
        self.require()
        peaks, nonpeaks = (len(self.regions.get(what, ())) for what in ("peaks", "nonpeaks"))
        return CheckedInputs(tuple(self.folds.values()), peaks, nonpeaks, sum((self.sizes or {}).values()), self.naming)

    def lines(self) -> Iterator[str]:
        """Put it in words: what was looked at, what was not, and last what would stop a run, or that nothing would."""
        if self.seen:
            yield "looked at:"
            yield from _table(self.seen)
        if self.sizes and self.names:
            yield from self._name_lines(self.sizes, self.names)
        if self.unseen:
            yield "not looked at:"
            yield from _table(self.unseen)
        if self.problems:
            yield "a run would stop at: " + ", ".join(dict.fromkeys(what for what, _ in self.problems))
            yield from (f"{number:>3}. {problem}" for number, (_, problem) in enumerate(self.problems, 1))
        elif not self.faults:
            yield "in order: " + ", ".join(dict.fromkeys(what for what, _ in self.seen))

    def _name_lines(self, sizes: dict[str, int], names: Mapping[str, dict[str, int]]) -> Iterator[str]:
        mismatches = []
        for what, counts in names.items():
            try:
                mismatches += name_mismatches(sizes, {what: counts}, self.naming)
            except InputError as error:  # two names would become one: no table can be made of that
                yield f"chromosome names of {what}: {error}"
        if not any(mismatch.unknown for mismatch in mismatches):
            yield "chromosome names: in order"
        else:
            yield "chromosome names:"
        width = max(len(mismatch.what) for mismatch in mismatches) if mismatches else 0
        for mismatch in mismatches:
            yield from _mismatch_lines(mismatch, width, len(sizes))
        if any(mismatch.twins for mismatch in mismatches) and not self.naming.auto:
            yield '  names differ by a rule: give `alias="auto"`'


def _table(rows: list[tuple[str, str]]) -> Iterator[str]:
    width = max(len(what) for what, _ in rows)
    return (f"  {what:<{width}}  {words}" for what, words in rows)


def _shown(name: str) -> str:
    return printable(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")


def _mismatch_lines(mismatch: NameMismatch, width: int, chromosomes: int) -> Iterator[str]:
    """Say of one input what it lacks: a line, and one more for each kind of trouble."""
    shared = chromosomes - len(mismatch.missing)
    yield f"  {mismatch.what:<{width}}  {shared:,} of {chromosomes:,} chromosomes"
    for words, names in (("not in the genome", list(mismatch.unknown)), ("missing", mismatch.missing if shared else [])):
        if names:
            twins = mismatch.twins if words != "missing" else {}
            shown = [_shown(name) + (f" (the genome's {twins[name]})" if name in twins else "") for name in names[:6]]
            more = f" and {len(names) - 6:,} more" if len(names) > 6 else ""
            yield f"  {'':<{width}}  {words}: {', '.join(shown)}{more}"
