"""Folds: which chromosomes train, validate and test a model."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import Faults, InputError, counted
from chrombpnet_core.formats import read_json
from chrombpnet_core.genome._even_groups import divide_evenly, even_half
from chrombpnet_core.genome.chromosome_names import ALIAS_ADVICE, Naming, same_chromosome

__all__ = ["SPLITS", "Fold", "make_fold", "make_folds", "read_fold", "read_fold_chromosomes"]

log = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
"""Uses of a chromosome in a fold."""

_UNEVEN = 2.0  # times that the largest test split may exceed the smallest before it is said


@dataclass(frozen=True)
class Fold:
    """Chromosomes that train, validate and test one model: disjoint, none empty."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def split_of(self, chrom: str) -> str | None:
        """Find the use of a chromosome: ``train``, ``valid``, ``test`` or None."""
        return next((split for split in SPLITS if chrom in getattr(self, split)), None)

    def to_json(self) -> str:
        """Format the fold as the reference's JSON."""
        return json.dumps({split: list(getattr(self, split)) for split in ("test", "valid", "train")}, indent=1) + "\n"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the reference's JSON."""
        Path(path).write_text(self.to_json())


def read_fold(path: str | os.PathLike[str], sizes: dict[str, int], naming: Naming | None = None) -> Fold:
    """Read and check ``{"train": [...], "valid": [...], "test": [...]}``.

    Parameters
    ----------
    path
        A JSON file.
    sizes
        The chromosomes in use.
    naming
        How the fold's names are read; chromosomes that it leaves out are dropped from the fold.

    Returns
    -------
    Fold
        With the genome's names.

    Raises
    ------
    InputError
        Where it is no such JSON, a split is missing or empty, a chromosome is unknown or given twice.
    """
    return make_fold(read_json(path, "fold"), sizes, str(path), naming)


def read_fold_chromosomes(path: str | os.PathLike[str]) -> list[str]:
    """Read all chromosome names in a fold file, as they stand there.

    Parameters
    ----------
    path
        A JSON file.

    Returns
    -------
    list of str
        Names of train, valid and test.
    """
    return [name for names in _named_splits(read_json(path, "fold"), str(path)).values() for name in names]


def _named_splits(content: object, where: str) -> dict[str, list[str]]:
    """Check the form of a fold: the names of each split."""
    form = '{"train": [...], "valid": [...], "test": [...]}'
    if not isinstance(content, dict):
        raise InputError(where, expected=form, found=type(content).__name__)
    faults = Faults(where)
    for split in SPLITS:
        names = content.get(split)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            expected = f"a list of chromosome names, as in {form}"
            faults.add(InputError(f"{where}: '{split}'", expected=expected, found=repr(names)))
    faults.refuse()
    return {split: content[split] for split in SPLITS}


def make_fold(content: object, sizes: dict[str, int], where: str, naming: Naming | None = None) -> Fold:
    """Check a fold.

    Parameters
    ----------
    content
        Split → chromosome names, as in a fold file.
    sizes
        The chromosomes in use.
    where
        Begins error messages.
    naming
        How the fold's names are read.

    Returns
    -------
    Fold
        With the genome's names.

    Raises
    ------
    InputError
        As of :func:`read_fold`.

    Examples
    --------
    >>> sizes = {"chr1": 900, "chr2": 500, "chr3": 100}
    >>> make_fold({"train": ["chr1"], "valid": ["chr2"], "test": ["chr3"]}, sizes, "my fold")
    Fold(train=('chr1',), valid=('chr2',), test=('chr3',))
    """
    renames = naming is not None
    named, naming = _named_splits(content, where), naming or Naming()
    changed = naming.translate([name for names in named.values() for name in names], sizes)
    splits = {
        split: [new for new in (changed.get(name, name) for name in names) if new not in naming.excluded]
        for split, names in named.items()
    }
    faults, split_of = Faults(where), dict[str, str]()
    for split, names in splits.items():
        if not names:
            left = f" but those left out ({', '.join(named[split])})" if named[split] else ""
            faults.add(InputError(f"{where}: '{split}' has no chromosomes{left}", remedy="name at least one"))
        for name in names:
            if name not in sizes:
                faults.add(_unknown(name, split, where, sizes, renames))
            elif name in split_of:
                both = f"'{split_of[name]}' and in '{split}'" if split_of[name] != split else f"'{split}' twice"
                faults.add(InputError(f"{where}: chromosome {name} is in {both}", remedy="keep it in one place"))
            split_of.setdefault(name, split)
    faults.refuse()
    return Fold(*(tuple(splits[split]) for split in SPLITS))


def _unknown(name: str, split: str, where: str, sizes: dict[str, int], renames: bool) -> InputError:
    other = same_chromosome(name, sizes)
    advice = (
        f"the genome calls it {other}: {ALIAS_ADVICE if renames else ''}rename it"
        if other
        else "remove it, or use the sizes file of the fold's assembly"
    )
    return InputError(f"{where}: chromosome {name} of '{split}' is not in the chromosome sizes", remedy=advice)


def make_folds(sizes: Mapping[str, int], peaks: Mapping[str, int] | None = None, k: int = 5, seed: int = 1234) -> list[Fold]:
    """Divide the chromosomes into ``k`` folds that are even in length and in number of peaks.

    Every chromosome with peaks is in the test split of exactly one fold and in the valid split of at most one. A fold
    validates on that half of the next fold's test chromosomes which comes nearest to 1 / (2 k) of the whole (all of
    them where there is one only): with ``k`` of 5, about 20 % test, 10 % validate and 70 % train, much as in the folds
    that are in use for the human genome. Chromosomes without peaks (many scaffolds) train in every fold: they give
    background, but nothing to judge a model by.

    The division begins greedily, largest first, and goes on by moves and exchanges of chromosomes until none makes the
    squares of the groups' shares of bases and peaks smaller in sum.

    Parameters
    ----------
    sizes
        Chromosome → length in bp.
    peaks
        Chromosome → number of peaks; 0 where absent. None: every chromosome counts, by its length alone.
    k
        Number of folds, at least 2.
    seed
        Of the different beginnings that are tried.

    Returns
    -------
    list of Fold
        In the order of their first test chromosome in ``sizes``; chromosomes of a split in the order of ``sizes``.

    Raises
    ------
    InputError
        Where there are too few chromosomes with peaks: ``k``, and 4 for a ``k`` of 2; or a peak's is not known.
    """
    chroms = list(sizes)
    counts = sizes if peaks is None else peaks
    unknown = [chrom for chrom in counts if chrom not in sizes]
    if unknown:
        raise InputError(
            f"chromosome {unknown[0]} of the peaks is not in the chromosome sizes",
            remedy="use the sizes file of the peaks' assembly",
        )
    usable = np.array([number for number, chrom in enumerate(chroms) if counts.get(chrom, 0) > 0], dtype=np.int64)
    _require_enough([chroms[number] for number in usable], k, "chromosomes" if peaks is None else "chromosomes with peaks")
    shares = np.array([(sizes[chroms[number]], counts[chroms[number]]) for number in usable], dtype=np.float64)
    shares /= shares.sum(axis=0)
    rng = np.random.default_rng(seed)
    group_of = divide_evenly(shares, k, 2 if k == 2 else 1, rng)
    groups = sorted((np.flatnonzero(group_of == group) for group in range(k)), key=lambda members: members[0])
    _say_uneven([shares[members].sum(axis=0) for members in groups])
    halves = [members[even_half(shares[members], 0.5 / k, rng)] for members in groups]
    folds = []
    for number, members in enumerate(groups):
        split_of = dict.fromkeys(chroms, "train")
        for split, held_out in (("test", members), ("valid", halves[(number + 1) % k])):
            split_of |= {chroms[usable[item]]: split for item in held_out}
        folds.append(Fold(*(tuple(chrom for chrom in chroms if split_of[chrom] == split) for split in SPLITS)))
    return folds


def _require_enough(usable: list[str], k: int, what: str) -> None:
    if k < 2:
        raise InputError(
            counted(k, "folds"), expected="2 or more", remedy="for a single fold name its test and validation chromosomes"
        )
    needed = 4 if k == 2 else k  # so that each of the two trains on one, validates on another
    if len(usable) < needed:
        advice = (
            "no fold can be made of these: train, valid and test need one each"
            if len(usable) < 3
            else f"ask for {len(usable)} folds" + ("" if k == 2 else " or less")
        )
        names = f" ({', '.join(usable)})" if 0 < len(usable) <= 10 else ""
        raise InputError(
            counted(k, "folds"), expected=f"{needed} or more {what}", found=f"{len(usable)}{names}", remedy=advice
        )


def _say_uneven(sums: list[AnyArray]) -> None:
    low, high = np.min(sums, axis=0), np.max(sums, axis=0)
    if (high > _UNEVEN * low).any():
        log.warning(
            "the folds are uneven, as chromosomes are few or of very unequal size: test chromosomes hold %s of the "
            "bases and %s of the peaks",
            *(f"{a:.0%} to {b:.0%}" for a, b in zip(low, high, strict=True)),
        )
