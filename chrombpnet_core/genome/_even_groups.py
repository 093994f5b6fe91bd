"""Division of items into groups of even sums, in several quantities at once."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._types import AnyArray

__all__ = ["divide_evenly", "even_half"]

_STARTS = 8  # divisions tried; the most even one is taken
_SWAPPED = 64  # largest items, of which pairs are exchanged


def divide_evenly(shares: AnyArray, k: int, least: int, rng: np.random.Generator) -> AnyArray:
    """Divide items into groups of even sums.

    Parameters
    ----------
    shares
        Of each item in every quantity to divide, ``(n, quantities)``.
    k
        Number of groups.
    least
        Items that each group has at least.
    rng
        Of the beginnings.

    Returns
    -------
    ndarray
        Group of each item, int64 ``(n,)``.
    """
    best: AnyArray = np.empty(0)
    lowest = np.inf
    for start in range(_STARTS):
        noise = rng.uniform(0.7, 1.3, len(shares)) if start else np.ones(len(shares))
        order = np.argsort(-shares.sum(axis=1) * noise, kind="stable")
        groups = _improved(shares, _greedy(shares, order, k, least), k, least)
        cost = float((_sums(shares, groups, k) ** 2).sum())
        if cost < lowest - 1e-12:
            best, lowest = groups, cost
    return best


def _sums(shares: AnyArray, groups: AnyArray, k: int) -> AnyArray:
    sums = np.zeros((k, shares.shape[1]))
    np.add.at(sums, groups, shares)
    return sums


def _greedy(shares: AnyArray, order: AnyArray, k: int, least: int) -> AnyArray:
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


def _improved(shares: AnyArray, groups: AnyArray, k: int, least: int) -> AnyArray:
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


def even_half(shares: AnyArray, target: float, rng: np.random.Generator) -> AnyArray:
    """Choose one of two even halves.

    Parameters
    ----------
    shares
        Of each item in every quantity, ``(n, quantities)``.
    target
        The half whose share is nearer this, by ratio, is chosen.
    rng
        Of the beginnings.

    Returns
    -------
    ndarray
        Numbers of the items in that half; of a single item, that.
    """
    if len(shares) == 1:
        return np.array([0])
    groups = divide_evenly(shares, 2, 1, rng)
    distance = np.abs(np.log(_sums(shares, groups, 2).mean(axis=1) / target))
    return np.flatnonzero(groups == int(np.argmin(distance)))
