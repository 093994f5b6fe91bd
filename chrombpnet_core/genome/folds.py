"""Chromosome splits: which chromosomes train, validate and test a model."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import require_file
from chrombpnet_core.genome.chromosome_names import Naming, same_chromosome

__all__ = ["SPLITS", "Fold", "make_fold", "make_folds", "read_fold", "read_fold_chromosomes"]

log = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")

_STARTS = 8  # divisions tried; the most even one is taken
_SWAPPED = 64  # largest chromosomes, of which pairs are exchanged
_UNEVEN = 2.0  # times that the largest test part may exceed the smallest before it is said


@dataclass(frozen=True)
class Fold:
    """Disjoint, non-empty lists of chromosome names."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def split_of(self, chrom: str) -> str | None:
        """``train``, ``valid``, ``test`` or None for a chromosome."""
        return next((part for part in SPLITS if chrom in getattr(self, part)), None)

    def to_json(self) -> str:
        """The reference's JSON."""
        return json.dumps({part: list(getattr(self, part)) for part in ("test", "valid", "train")}, indent=1) + "\n"

    def write(self, path: str | os.PathLike) -> None:
        """Write the reference's JSON."""
        Path(path).write_text(self.to_json())


def read_fold(path: str | os.PathLike, sizes: dict[str, int], naming: Naming | None = None) -> Fold:
    """Read and check ``{"train": [...], "valid": [...], "test": [...]}``.

    Parameters
    ----------
    path
        A JSON file.
    sizes
        The chromosomes in use.
    naming
        How the fold's names are read; chromosomes that it leaves out are dropped from the fold.

    Raises
    ------
    InputError
        Where it is no such JSON, a part is missing or empty, a chromosome is unknown or given twice.
    """
    return make_fold(_content(path), sizes, str(path), naming)


def read_fold_chromosomes(path: str | os.PathLike) -> list[str]:
    """All names in a fold file, as they stand there."""
    return [name for names in _named_parts(_content(path), str(path)).values() for name in names]


def _content(path: str | os.PathLike) -> object:
    try:
        return json.loads(require_file(path, "fold").read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON", found=str(error)) from error


def _named_parts(content: object, where: str) -> dict[str, list[str]]:
    """The names of each part."""
    form = '{"train": [...], "valid": [...], "test": [...]}'
    if not isinstance(content, dict):
        raise InputError(where, expected=form, found=type(content).__name__)
    for part in SPLITS:
        names = content.get(part)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{where}: '{part}'", expected=f"a list of chromosome names, as in {form}", found=repr(names))
    return {part: content[part] for part in SPLITS}


def make_fold(content: object, sizes: dict[str, int], where: str, naming: Naming | None = None) -> Fold:
    """A checked :class:`Fold` of a mapping; ``where`` begins the error message, else as :func:`read_fold`."""
    parts, naming = _named_parts(content, where), naming or Naming()
    changed = naming.translate([name for names in parts.values() for name in names], sizes)
    read = {
        part: [name for name in (changed.get(each, each) for each in names) if name not in naming.excluded]
        for part, names in parts.items()
    }
    seen: dict[str, str] = {}
    for part, names in read.items():
        if not names:
            left = f" but those left out ({', '.join(parts[part])})" if parts[part] else ""
            raise InputError(f"{where}: '{part}' has no chromosomes{left}", remedy="name at least one")
        for name in names:
            if name not in sizes:
                other = same_chromosome(name, sizes)
                advice = (
                    f"the genome calls it {other}: give --alias auto, or rename it"
                    if other
                    else "remove it, or use the sizes file of the fold's assembly"
                )
                raise InputError(f"{where}: chromosome {name} of '{part}' is not in the chromosome sizes", remedy=advice)
            if name in seen:
                raise InputError(
                    f"{where}: chromosome {name} is in '{seen[name]}' and in '{part}'", remedy="keep it in one of them"
                )
            seen[name] = part
    return Fold(*(tuple(read[part]) for part in SPLITS))


def make_folds(sizes: Mapping[str, int], peaks: Mapping[str, int] | None = None, k: int = 5, seed: int = 1234) -> list[Fold]:
    """Divide the chromosomes into ``k`` folds that are even in length and in number of peaks.

    Every chromosome with peaks is in the test part of exactly one fold and in the valid part of at most one. A fold
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
    Folds in the order of their first test chromosome in ``sizes``; chromosomes of a part in the order of ``sizes``.

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
    usable = np.array([at for at, chrom in enumerate(chroms) if counts.get(chrom, 0) > 0], dtype=np.int64)
    _require_enough([chroms[at] for at in usable], k, "chromosomes" if peaks is None else "chromosomes with peaks")
    shares = np.array([(sizes[chroms[at]], counts[chroms[at]]) for at in usable], dtype=np.float64)
    shares /= shares.sum(axis=0)
    rng = np.random.default_rng(seed)
    group_of = _divided(shares, k, 2 if k == 2 else 1, rng)
    groups = sorted((np.flatnonzero(group_of == group) for group in range(k)), key=lambda members: members[0])
    _say_uneven([shares[members].sum(axis=0) for members in groups])
    halves = [members[_half(shares[members], 0.5 / k, rng)] for members in groups]
    folds = []
    for at, members in enumerate(groups):
        part_of = dict.fromkeys(chroms, "train")
        for part, held in (("test", members), ("valid", halves[(at + 1) % k])):
            part_of |= {chroms[usable[item]]: part for item in held}
        folds.append(Fold(*(tuple(chrom for chrom in chroms if part_of[chrom] == part) for part in SPLITS)))
    return folds


def _require_enough(usable: list[str], k: int, what: str) -> None:
    if k < 2:
        raise InputError(
            f"{k} folds", expected="2 or more", remedy="for a single fold name its chromosomes with 'chrombpnet prep splits'"
        )
    needed = 4 if k == 2 else k  # so that each of the two trains on one, validates on another
    if len(usable) < needed:
        advice = (
            "no fold can be made of these: train, valid and test need one each"
            if len(usable) < 3
            else f"ask for --k {len(usable)}" + ("" if k == 2 else " or less")
        )
        names = f" ({', '.join(usable)})" if 0 < len(usable) <= 10 else ""
        raise InputError(f"{k} folds", expected=f"{needed} or more {what}", found=f"{len(usable)}{names}", remedy=advice)


def _divided(shares: np.ndarray, k: int, least: int, rng: np.random.Generator) -> np.ndarray:
    """Group of each item, int64 ``(n,)``: ``k`` groups of even sums.

    Parameters
    ----------
    shares
        Of each item in every quantity to divide, ``(n, quantities)``.
    k, least
        Number of groups, and of items that each has at least.
    rng
        Of the beginnings.
    """
    best, lowest = np.empty(0), np.inf
    for start in range(_STARTS):
        noise = rng.uniform(0.7, 1.3, len(shares)) if start else np.ones(len(shares))
        order = np.argsort(-shares.sum(axis=1) * noise, kind="stable")
        groups = _improved(shares, _greedy(shares, order, k, least), k, least)
        cost = float((_sums(shares, groups, k) ** 2).sum())
        if cost < lowest - 1e-12:
            best, lowest = groups, cost
    return best


def _sums(shares: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    sums = np.zeros((k, shares.shape[1]))
    np.add.at(sums, groups, shares)
    return sums


def _greedy(shares: np.ndarray, order: np.ndarray, k: int, least: int) -> np.ndarray:
    """Each item in ``order`` into the group that grows least by it in squares."""
    groups, members, sums = np.empty(len(order), dtype=np.int64), np.zeros(k, dtype=np.int64), np.zeros((k, shares.shape[1]))
    for placed, item in enumerate(order):
        short = members < least
        must = (least - members[short]).sum() >= len(order) - placed
        cost = np.where(short | (not must), sums @ shares[item], np.inf)
        groups[item] = group = int(np.argmin(cost))
        members[group] += 1
        sums[group] += shares[item]
    return groups


def _improved(shares: np.ndarray, groups: np.ndarray, k: int, least: int) -> np.ndarray:
    """Move one item, or exchange two large ones, whichever helps most, while it helps.

    Moving a share ``d`` from group a to group b changes the sum of squares by ``2 d · (S_b − S_a + d)``.
    """
    groups = groups.copy()
    large = np.argsort(-shares.sum(axis=1), kind="stable")[:_SWAPPED]
    differences = shares[large, None] - shares[None, large]
    for _ in range(10 * len(shares)):
        sums, members = _sums(shares, groups, k), np.bincount(groups, minlength=k)
        gain = 2 * (shares[:, None] * (sums[None] - sums[groups][:, None] + shares[:, None])).sum(axis=2)
        gain[members[groups] <= least] = np.inf
        gain[np.arange(len(groups)), groups] = np.inf
        own = sums[groups[large]]
        swap = 2 * (differences * (own[None] - own[:, None] + differences)).sum(axis=2)
        if min(gain.min(), swap.min()) > -1e-12:
            break
        if gain.min() <= swap.min():
            item, group = np.unravel_index(np.argmin(gain), gain.shape)
            groups[item] = group
        else:
            one, other = large[list(np.unravel_index(np.argmin(swap), swap.shape))]
            groups[one], groups[other] = groups[other], groups[one]
    return groups


def _half(shares: np.ndarray, target: float, rng: np.random.Generator) -> np.ndarray:
    """Places of one of two even halves, the one whose share is nearer ``target`` by ratio; of a single item, that."""
    if len(shares) == 1:
        return np.array([0])
    groups = _divided(shares, 2, 1, rng)
    distance = np.abs(np.log(_sums(shares, groups, 2).mean(axis=1) / target))
    return np.flatnonzero(groups == int(np.argmin(distance)))


def _say_uneven(sums: list[np.ndarray]) -> None:
    low, high = np.min(sums, axis=0), np.max(sums, axis=0)
    if (high > _UNEVEN * low).any():
        log.warning(
            "the folds are uneven, as chromosomes are few or of very unequal size: test parts hold %s of the "
            "bases and %s of the peaks",
            *(f"{a:.0%} to {b:.0%}" for a, b in zip(low, high, strict=True)),
        )
