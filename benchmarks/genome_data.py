"""A genome and peaks for the benchmarks, from a seed: GC varies along it as it does along a real one, peaks cluster."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

LINE = 100  # bases
_STRETCH, _AT_ONCE = 2_000, 1_000_000  # bases of one GC content; bases made in memory at a time
_CLUSTER, _SPREAD = 8, 4_000  # peaks of a cluster, their standard deviation from its middle in bp


def write_genome(sizes: dict[str, int], path: Path, seed: int) -> Path:
    """FASTA of chromosomes whose lengths are multiples of :data:`LINE`; it appears whole or not at all."""
    rng = np.random.default_rng(seed)
    unfinished = path.with_name(path.name + ".part")
    with open(unfinished, "wb") as fasta:
        for name, size in sizes.items():
            fasta.write(f">{name}\n".encode())
            for first in range(0, size, _AT_ONCE):
                count = min(_AT_ONCE, size - first)
                gc = np.clip(rng.normal(0.42, 0.07, -(-count // _STRETCH)), 0.25, 0.75).astype(np.float32)
                strong = rng.random(count, dtype=np.float32) < np.repeat(gc, _STRETCH)[:count]
                letters = np.frombuffer(b"ATGC", np.uint8)[2 * strong + rng.integers(0, 2, count, dtype=np.uint8)]
                lines = np.full((count // LINE, LINE + 1), ord("\n"), dtype=np.uint8)
                lines[:, :LINE] = letters.reshape(-1, LINE)
                fasta.write(lines.tobytes())
    os.replace(unfinished, path)
    return path


def write_peaks(sizes: dict[str, int], count: int, path: Path, seed: int, width: int = 500) -> Path:
    """narrowPeak of regions in clusters."""
    from chrombpnet_core.genome import regions_at, write_regions

    rng = np.random.default_rng(seed)
    borders = np.concatenate([[0], np.cumsum([*sizes.values()])])
    middles = rng.integers(0, borders[-1], max(1, count // _CLUSTER))
    where = middles[rng.integers(0, len(middles), count)] + rng.normal(0, _SPREAD, count).astype(np.int64)
    where = np.clip(where, 0, borders[-1] - 1)
    chroms = np.searchsorted(borders, where, side="right") - 1
    starts = np.clip(where - borders[chroms], 0, np.diff(borders)[chroms] - width)
    write_regions(regions_at(np.array([*sizes], dtype=object)[chroms], starts, width), path)
    return path
