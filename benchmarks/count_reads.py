"""Our side of the benchmarks: reads → bigWig with a stated shift, as one process from its start. Prints its numbers."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Count, and print seconds by part as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("bam", "fragments", "tagalign"))
    parser.add_argument("sizes", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("reads", nargs="+", type=Path)
    parser.add_argument("--deltas", nargs=2, type=int, default=(4, -4), help="added to plus starts and minus ends")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    begun = time.perf_counter()
    from chrombpnet_core.genome import read_chrom_sizes
    from chrombpnet_core.reads import spill_reads
    from chrombpnet_core.tracks import write_insertions

    sizes = read_chrom_sizes(given.sizes)
    imported = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=given.output.parent) as scratch:
        spilled = spill_reads(given.reads, given.kind, sizes, scratch, threads=given.threads)
        read = time.perf_counter()
        stats = write_insertions(spilled, sizes, *given.deltas, given.output, given.threads)
    print(
        json.dumps(
            {
                "insertions": stats["insertions"],
                "import": imported - begun,
                "reads": read - imported,
                "bigwig": time.perf_counter() - read,
            }
        )
    )


if __name__ == "__main__":
    main()
