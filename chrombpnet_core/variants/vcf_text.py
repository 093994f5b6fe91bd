"""VCF as it is found: without ``##fileformat``, with undeclared contigs and tags, with a byte order mark or CR line ends."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pysam

from chrombpnet_core.formats import is_gzip, open_binary

__all__ = ["is_vcf", "readable_vcf", "undeclared"]

_MARK = b"\xef\xbb\xbf"  # of byte order
_FORMAT = b"##fileformat=VCF"
_COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
_LONGEST_HEADER = 8 << 20
_NUMBERS = {"GT": "1"}  # of undeclared FORMAT fields; of all others as many values as there are


def is_vcf(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is VCF, plain or compressed, or BCF: by its beginning, whatever its name.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    bool
        Whether it begins with ``##fileformat=VCF`` or has a VCF's line of column names; of a compressed file that is
        damaged, what its name says.
    """
    try:
        head = _head(path, 1 << 16)
        if head.startswith((_FORMAT, b"BCF\2")) or (not head.startswith(b"#")):
            return head.startswith((_FORMAT, b"BCF\2"))
        lines = _head(path, _LONGEST_HEADER).replace(b"\r", b"\n").split(b"\n")
    except (EOFError, OSError, zlib.error):
        return str(path).endswith((".vcf.gz", ".bcf"))
    return next((line.startswith(_COLUMNS) for line in lines if line and not line.startswith(b"##")), False)


def _head(path: str | os.PathLike[str], size: int) -> bytes:
    """Read the beginning of the content, without a byte order mark."""
    with gzip.open(path, "rb") if is_gzip(path) else open(path, "rb") as file:
        content: bytes = file.read(size)
    return content.removeprefix(_MARK)


@contextlib.contextmanager
def readable_vcf(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a VCF in a form that htslib reads: the file itself, or a copy as long as the context lasts.

    Parameters
    ----------
    path
        VCF or BCF, as told by :func:`is_vcf`.

    Yields
    ------
    pathlib.Path
        The file; or its copy, which begins with ``##fileformat`` and whose lines end as they should.
    """
    with open_binary(path, "variants") as content:
        head = content.read(1 << 16)
    returns_alone = b"\r" in head and b"\n" not in head
    if head.startswith((_FORMAT, b"BCF\2")) and not returns_alone:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="vcf_") as folder:
        copy = Path(folder, "variants.vcf.gz")
        with open_binary(path, "variants") as content, pysam.BGZFile(str(copy), "wb", None) as target:
            target.write(b"##fileformat=VCFv4.2\n")
            first = True
            while piece := content.read(1 << 20) if returns_alone else content.readline(1 << 20):
                piece = piece.removeprefix(_MARK) if first else piece
                piece = piece.replace(b"\r", b"\n") if returns_alone else piece
                if first and returns_alone and piece.startswith(_FORMAT):
                    piece = piece.partition(b"\n")[2]
                if returns_alone or not piece.startswith(_FORMAT):
                    target.write(piece)
                first = False
        yield copy


def undeclared(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """List what the records of a VCF use and its header does not declare.

    Parameters
    ----------
    path
        A VCF that htslib reads, or BCF.

    Returns
    -------
    dict
        ``contig``, ``FILTER``, ``INFO`` and ``FORMAT`` → names, in the order in which they appear; without those of which
        all are declared.
    """
    with pysam.VariantFile(os.fspath(path)) as file:
        declared = _names(file.header)
        for _ in file:
            pass
        found = _names(file.header)
    missing = {kind: [name for name in names if name not in set(declared[kind])] for kind, names in found.items()}
    return {kind: names for kind, names in missing.items() if names}


def _names(header: pysam.VariantHeader) -> dict[str, list[str]]:
    return {
        "contig": [str(name) for name in header.contigs],
        "FILTER": [str(name) for name in header.filters],
        "INFO": [str(name) for name in header.info],
        "FORMAT": [str(name) for name in header.formats],
    }


def declaration(kind: str, name: str) -> str:
    """Write the header's line for a name that is used without one."""
    if kind == "contig":
        return f"##contig=<ID={name}>"
    values = "" if kind == "FILTER" else f"Number={_NUMBERS.get(name, '.')},Type=String,"
    return f'##{kind}=<ID={name},{values}Description="not declared in the original">'
