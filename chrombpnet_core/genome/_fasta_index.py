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
from codecs import BOM_UTF8
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import is_private, open_binary, refuse_other_text

__all__ = ["build_index"]

_BLOCK = 1 << 20
_LONGEST_NAME = 1 << 16


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
            _check_beginning(file.peek(_LONGEST_NAME)[:_LONGEST_NAME], source)
            for number, name in _names(file, source):
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


def _names(file: BufferedReader, source: Path) -> Iterator[tuple[int, bytes]]:
    """Give number and name of the lines that begin with '>'; blocks are read, as a sequence may be one line."""
    data, number = b"\n", 0  # of line ends before data
    while True:
        block = file.read(_BLOCK)
        if b"\0" in block:
            raise InputError(f"{source}: not FASTA", found="a byte 0")
        data += block
        counted, start = 0, data.find(b"\n>")
        while start >= 0 and ((end := data.find(b"\n", start + 1)) >= 0 or not block):
            number += data.count(b"\n", counted, start)
            yield number + 1, (data[start + 2 : end if end >= 0 else None].split() or [b""])[0]
            counted, start = start, data.find(b"\n>", start + 1)
        if not block:
            return
        if start >= 0 and len(data) - start > _LONGEST_NAME + _BLOCK:
            raise InputError(f"{source}: not FASTA", found=f"a name of more than {_LONGEST_NAME:,} letters")
        keep = start if start >= 0 else len(data) - 1  # a name that goes on, or a line end before one
        number += data.count(b"\n", counted, keep)
        data = data[keep:]


def _check_beginning(head: bytes, source: Path) -> None:
    """Refuse other formats, other encodings, and marks and line ends that no indexer reads."""
    refuse_other_text(head[:8], source, "genome")
    expected = "a line that begins with '>'"
    if head.startswith(BOM_UTF8):
        raise InputError(
            f"{source}, line 1: begins with a byte order mark",
            expected=expected,
            remedy="take it off: tail -c +4 FILE > NEW",
        )
    if not head.startswith(b">"):
        line = head.partition(b"\n")[0].decode("ascii", "replace")
        found = "keys, passwords or settings" if is_private(line) else repr(line[:40])
        raise InputError(f"{source}, line 1: not FASTA", expected=expected, found=found)
    if b"\r" in head and b"\n" not in head:
        raise InputError(
            f"{source}: lines end with carriage returns alone",
            expected="line feeds",
            remedy="convert it: tr '\\r' '\\n' < FILE > NEW",
        )
