"""The reference of a CRAM, from the genome at hand: nothing is ever looked up in the network or where the header points.

htslib loads the reference of every read in a slice of several chromosomes, even where no sequence is asked for. Positions,
flags and CIGAR do not depend on its bases. So each chromosome that the CRAM names gets an index entry over the genome's own
FASTA: that of the genome's chromosome of that name, else the beginning of the longest one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pysam

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome
from chrombpnet_core.reads.read_batches import ChromIndex

__all__ = ["cram_reference", "require_cram_3"]

_NOWHERE = "/nonexistent"  # where htslib may look references up


def require_cram_3(path: Path) -> None:
    """Refuse CRAM of other versions, naming the version.

    Parameters
    ----------
    path
        A file that begins with ``CRAM``.

    Raises
    ------
    InputError
        Where it is not CRAM 3.
    """
    with open(path, "rb") as file:
        version = file.read(6)[4:]
    if len(version) == 2 and version[0] != 3:
        raise InputError(
            f"{path}: CRAM {version[0]}.{version[1]}",
            expected="CRAM 3.0 or 3.1",
            remedy="convert it: samtools view -b --reference genome.fa",
        )


@contextmanager
def cram_reference(path: Path, genome: Genome | None, index: ChromIndex) -> Iterator[str | None]:
    """Make a reference of which htslib finds every chromosome that a CRAM names.

    Parameters
    ----------
    path
        The CRAM.
    genome
        The genome; without it there is no reference, and slices of several chromosomes cannot be read.
    index
        How the CRAM's chromosome names are read.

    Yields
    ------
    str or None
        Path of the reference.
    """
    os.environ.update(REF_PATH=_NOWHERE, REF_CACHE=_NOWHERE)
    with pysam.AlignmentFile(str(path), "rc", check_sq=False, require_index=False) as file:
        names = dict(zip(file.references, file.lengths, strict=True))
        header = file.header.to_dict()
    if genome is None:
        places = [str(line.get("UR", "")).removeprefix("file:") for line in header.get("SQ", [])]
        if any("://" in place for place in places):
            raise InputError(f"{path}: its reference is an address", remedy="give the genome")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder, "reference.fa")
        reference.symlink_to(Path(genome.path).resolve())
        if genome.gzi is not None:
            Path(f"{reference}.gzi").symlink_to(Path(genome.gzi).resolve())
        Path(f"{reference}.fai").write_text(_index_of(names, Path(genome.fai), index))
        yield str(reference)


def _index_of(names: dict[str, int], fai: Path, index: ChromIndex) -> str:
    """Write the entries of a .fai; see above."""
    entries = {name: places for name, *places in (line.split("\t") for line in fai.read_text().splitlines())}
    longest = max(entries, key=lambda name: int(entries[name][0]))
    meant = index.naming.translate([*names], index.sizes)
    lines = []
    for name, length in names.items():
        own = entries.get(meant.get(name, name), entries[longest])
        size, *place = own if int(own[0]) >= length else entries[longest]
        lines.append("\t".join([name, str(min(length, int(size))), *place]) + "\n")
    return "".join(lines)
