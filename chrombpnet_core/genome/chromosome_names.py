"""Chromosome names: the genome's, other files' names for them, and those to leave out.

The genome decides. Every other input may use other names, by the rules of :func:`same_chromosome` or a table of the user's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chrombpnet_core.errors import Faults, InputError
from chrombpnet_core.formats import numbered_lines

__all__ = [
    "ALIAS_ADVICE",
    "AUTO_ALIASES",
    "NameMismatch",
    "Naming",
    "is_mitochondrial",
    "name_mismatches",
    "read_aliases",
    "same_chromosome",
]

AUTO_ALIASES = "auto"
"""In place of a table: names are matched by the rules of :func:`same_chromosome`."""

_MITOCHONDRIA = {"m", "mt", "mito", "mitochondrion", "mitochondrion_genome", "mtdna"}
_MITOCHONDRION = ("chrM", "chrMT", "M", "MT", "Mito", "chrMito", "mitochondrion")


def same_chromosome(name: str, known: Iterable[str]) -> str | None:
    """Find the one name that means the same chromosome: chr1 and 1, chrM and MT, ChrI and chrI.

    Parameters
    ----------
    name
        As one file has it.
    known
        Names that another file has; ``name`` itself may be among them.

    Returns
    -------
    str or None
        The other file's name; None where no name, or more than one, means the same.

    Examples
    --------
    >>> same_chromosome("MT", ["chr1", "chrM"])
    'chrM'
    """
    known = set(known)
    if name in known:
        return name
    plain = _plain(name)
    others = [other for other in known if _plain(other) == plain]
    return others[0] if len(others) == 1 else None


def is_mitochondrial(name: str) -> bool:
    """Tell whether a chromosome's name is one that genomes give to their mitochondria.

    Parameters
    ----------
    name
        Such as ``chrM``, ``MT``, ``Mito`` (yeast), ``MtDNA`` (worm), ``mitochondrion_genome`` (fly).

    Returns
    -------
    bool
        Whether it is; a name that is a mere number of a sequence archive does not tell.
    """
    return name.lower().removeprefix("chr").lstrip("_") in _MITOCHONDRIA


def _plain(name: str) -> str:
    if name in _MITOCHONDRION:
        return "mt"
    return name.lower().removeprefix("chromosome").removeprefix("chr").lstrip("_")


def read_aliases(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a table of two columns: a name as other files have it, and the genome's name for it.

    Parameters
    ----------
    path
        Columns are separated by tabs or blanks.

    Returns
    -------
    dict
        Other files' name → the genome's name.

    Raises
    ------
    InputError
        For a line of other than two columns, or a name given two meanings.
    """
    aliases, faults = dict[str, str](), Faults(str(path))
    for number, line in numbered_lines(path, "aliases"):
        fields = line.split("\t") if "\t" in line else line.split()
        where = f"{path}, line {number}"
        if len(fields) != 2:
            expected = "two columns: a name, and the genome's name for it"
            faults.add(InputError(where, expected=expected, found=repr(line)))
        elif aliases.setdefault(fields[0], fields[1]) != fields[1]:
            both = f"{aliases[fields[0]]} and {fields[1]}"
            faults.add(InputError(f"{where}: {fields[0]} is given two meanings", found=both, remedy="keep one line for it"))
    faults.refuse()
    return aliases


ALIAS_ADVICE = 'give `alias="auto"`, or '
"""Begins what to do about a name that the genome writes in another way, where names are read by :class:`Naming`."""


@dataclass(frozen=True)
class Naming:
    """Rules by which chromosome names in other files are read.

    Attributes
    ----------
    aliases
        Name in a file → the genome's name.
    auto
        Whether names that the genome lacks are matched by :func:`same_chromosome` as well.
    excluded
        The genome's chromosomes to leave out, such as mitochondria and chloroplasts.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    auto: bool = False
    excluded: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> Naming:
        """Make of JSON types what :meth:`to_json` gave; of None, names that are taken as they are."""
        content = content or {}
        return cls(
            dict(content.get("aliases", {})), bool(content.get("auto", False)), frozenset(content.get("excluded", ()))
        )

    def to_json(self) -> dict[str, object] | None:
        """Give the rules as JSON types, or None where they change nothing."""
        if self == Naming():
            return None
        return {"aliases": dict(self.aliases), "auto": self.auto, "excluded": sorted(self.excluded)}

    def sizes(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Drop the chromosomes that are to be left out.

        Parameters
        ----------
        sizes
            Chromosome → length in bp.

        Returns
        -------
        dict
            The same without those that are excluded.

        Raises
        ------
        InputError
            Where one to leave out is not there, or none remain.
        """
        for name in sorted(self.excluded):
            if name not in sizes:
                raise InputError(
                    f"chromosome {name} is to be left out, but the genome has no such chromosome",
                    found=", ".join([*sizes][:5]) + ", …",
                    remedy=_advice(name, sizes),
                )
        remaining = {name: size for name, size in sizes.items() if name not in self.excluded}
        if not remaining:
            raise InputError("all chromosomes are to be left out", remedy="leave out fewer")
        return remaining

    def translate(self, names: Iterable[str], sizes: Mapping[str, int]) -> dict[str, str]:
        """Find the genome's names for the names of one file.

        Parameters
        ----------
        names
            As the file has them.
        sizes
            The genome's chromosomes.

        Returns
        -------
        dict
            Name → the genome's name, of those that differ; names that the genome has stay.

        Raises
        ------
        InputError
            Where two different names of one file would become one.
        """
        names = list(dict.fromkeys(names))
        known = {*sizes, *self.excluded}
        changed = {}
        for name in names:
            new = self.aliases.get(name) or (same_chromosome(name, known) if self.auto and name not in known else name)
            if new is not None and new != name:
                changed[name] = new
        taken: dict[str, str] = {name: name for name in names if name not in changed}
        for old, new in changed.items():
            if taken.setdefault(new, old) != old:
                raise InputError(
                    f"chromosomes {taken[new]} and {old} would both be called {new}",
                    remedy="write a table of aliases that keeps them apart",
                )
        return changed


def _advice(name: str, sizes: Mapping[str, int]) -> str:
    other = same_chromosome(name, sizes)
    return f"the genome calls it {other}" if other else ""


@dataclass(frozen=True)
class NameMismatch:
    """Chromosomes that one input and the genome do not share.

    Attributes
    ----------
    what
        The input.
    unknown
        Names the genome lacks → how many reads or regions they have, 0 where that is not known.
    twins
        Those of them that the genome has under another name.
    missing
        The genome's chromosomes that the input lacks.
    """

    what: str
    unknown: dict[str, int]
    twins: dict[str, str]
    missing: list[str]


def name_mismatches(
    sizes: Mapping[str, int], inputs: Mapping[str, Mapping[str, int]], naming: Naming | None = None
) -> list[NameMismatch]:
    """Compare the names of every input with the genome's.

    Parameters
    ----------
    sizes
        The chromosomes in use.
    inputs
        Input → name → number of reads or regions, or any number where that is not known.
    naming
        How names are read.

    Returns
    -------
    list of NameMismatch
        One of each input, in their order.
    """
    naming = naming or Naming()
    mismatches = []
    for what, counts in inputs.items():
        changed = naming.translate(counts, sizes)
        read = {changed.get(name, name): count for name, count in counts.items()}
        unknown = {name: count for name, count in read.items() if name not in sizes and name not in naming.excluded}
        twins = {name: other for name in unknown if (other := same_chromosome(name, sizes))}
        mismatches.append(NameMismatch(what, unknown, twins, [name for name in sizes if name not in read]))
    return mismatches
