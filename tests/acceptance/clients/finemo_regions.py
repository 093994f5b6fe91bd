"""Run by finemo: what its extractor of ChromBPNet's contributions makes of our HDF5.

finemo_regions.py SCORES.h5 REGIONS.bed WIDTH OUT.npz
"""

from __future__ import annotations

import sys

from finemo.main import cli


def main(scores: str, regions: str, width: str, out: str) -> None:
    """Extract the middle of each region."""
    sys.argv = ["finemo", "extract-regions-chrombpnet-h5", "-c", scores, "-p", regions, "-o", out, "-w", width]
    cli()


if __name__ == "__main__":
    main(*sys.argv[1:])
