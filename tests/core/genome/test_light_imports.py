"""Modules that a bare machine imports: sequence, shuffles, folds, windows of a bigWig, records of training data."""

from __future__ import annotations

import subprocess
import sys

MODULES = ("genome.sequence", "genome.shuffles", "genome.fasta", "genome.folds", "tracks.coverage", "formats.tfrecord")
HEAVY = {"pandas", "bioframe", "pysam", "pyBigWig", "pyfaidx", "deflate", "isal", "google_crc32c", "pyarrow", "tqdm"}


def test_they_import_no_library_of_files_and_tables():
    imports = "".join(f"import chrombpnet_core.{name}\n" for name in MODULES)
    child = subprocess.run(
        [sys.executable, "-c", f"{imports}import sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(child.stdout.split())
