"""Our side of the benchmark of the background: FASTA and peaks → nonpeaks, as one process from its start.

Writes ``nonpeaks.bed``, ``candidates.bed`` and ``numbers.json`` with seconds by part.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Index, measure, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("genome", type=Path)
    parser.add_argument("peaks", type=Path)
    parser.add_argument("fold", type=Path)
    parser.add_argument("output", type=Path, help="folder")
    given = parser.parse_args()
    seconds, begun = {}, time.perf_counter()

    def lap(part: str) -> None:
        nonlocal begun
        seconds[part], begun = time.perf_counter() - begun, time.perf_counter()

    from chrombpnet_core.genome import open_genome, read_fold, read_regions, write_regions
    from chrombpnet_core.training_data import candidate_bins, gc_bins, peak_gc, sample_nonpeaks

    lap("import")
    with tempfile.TemporaryDirectory(dir=given.output) as cache, open_genome(given.genome, cache) as genome:
        lap("index")
        peaks, fold = read_regions(given.peaks, sizes=genome.sizes), read_fold(given.fold, genome.sizes)
        lap("read peaks")
        foreground = peak_gc(peaks, genome, genome.sizes)
        lap("GC of peaks")
        bins = gc_bins(genome, genome.sizes)
        lap("GC of bins")
    free = candidate_bins(bins, peaks)
    lap("candidates")
    nonpeaks, parts = sample_nonpeaks(foreground, free, fold)
    lap("draw")
    write_regions(nonpeaks, given.output / "nonpeaks.bed")
    free.to_csv(given.output / "candidates.bed", sep="\t", header=False, index=False)
    lap("write")
    (given.output / "numbers.json").write_text(
        json.dumps(
            {
                "seconds": seconds,
                "bins": len(bins),
                "candidates": len(free),
                **{name: sum(part[name] for part in parts.values()) for name in ("wanted", "found", "missing", "same_gc")},
            }
        )
    )


if __name__ == "__main__":
    main()
