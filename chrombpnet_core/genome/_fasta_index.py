"""Indexes of a FASTA file, and a bgzip copy of one in plain gzip, made in a folder of ours.

samtools makes them: pyfaidx's own index counts blanks as bases and refuses empty lines at the end of a sequence.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import tempfile
import zlib
from pathlib import Path

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_binary

__all__ = ["build_index"]


def build_index(source: Path, fasta: Path, fai: Path, gzi: Path | None) -> None:
    """Check and index a FASTA file.

    Parameters
    ----------
    source
        The user's file, plain, gzip or bgzip.
    fasta
        The file to be read: ``source``, or where its bgzip copy goes.
    fai
        Where the index goes; it appears last and says that all is there.
    gzi
        Where the index of blocks of a compressed file goes.

    Raises
    ------
    InputError
        Where the file is not FASTA, has a name twice, has lines of several lengths, or is damaged.
    """
    import pysam

    _check_names(source)
    fai.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=fai.parent) as scratch:
        indexed, made_fai, made_gzi = source, Path(scratch) / "fai", Path(scratch) / "gzi"
        verbosity = pysam.set_verbosity(0)
        try:
            if fasta != source:
                indexed = Path(scratch) / "genome.fa.gz"
                with gzip.open(source, "rb") as plain, pysam.BGZFile(str(indexed), "wb", None) as packed:
                    shutil.copyfileobj(plain, packed, 1 << 20)
            options = ["--fai-idx", str(made_fai), *(["--gzi-idx", str(made_gzi)] if gzi else [])]
            pysam.faidx(*options, str(indexed), catch_stdout=False)
        except (pysam.utils.SamtoolsError, EOFError) as error:
            if shutil.disk_usage(scratch).free < 4096:  # htslib does not say why it could not write
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(fai.parent)) from error
            raise InputError(
                f"{source}: cannot be indexed as FASTA",
                remedy="check that every line of a sequence but its last has one length",
            ) from error
        finally:
            pysam.set_verbosity(verbosity)
        if fasta != source:
            os.replace(indexed, fasta)
        if gzi:
            os.replace(made_gzi, gzi)
        os.replace(made_fai, fai)


def _check_names(source: Path) -> None:
    """Refuse what does not begin as FASTA, a name that stands twice (indexers keep the first), and a damaged gzip."""
    names: set[bytes] = set()
    try:
        with open_binary(source, "genome") as file:
            for number, line in enumerate(file, start=1):
                if number == 1 and not line.startswith(b">"):
                    raise InputError(
                        f"{source}, line 1: not FASTA",
                        expected="a line that begins with '>'",
                        found=repr(line[:40].decode("ascii", "replace")),
                    )
                if line.startswith(b">"):
                    name = (line[1:].split() or [b""])[0]
                    if name in names:
                        raise InputError(
                            f"{source}, line {number:,}: sequence {name.decode('ascii', 'replace')} is there twice",
                            remedy="keep one of them",
                        )
                    names.add(name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{source}: gzip data is truncated or damaged", found=str(error), remedy="copy or make the file again"
        ) from error
