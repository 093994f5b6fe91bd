"""Text files, plain or gzip, read with line numbers; damage and absence are user errors that say where."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from chrombpnet_core.errors import InputError

__all__ = ["check_complete", "is_bgzip", "is_comment", "is_gzip", "numbered_lines", "open_binary", "require_file"]

_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def require_file(path: str | os.PathLike[str], what: str) -> Path:
    """Check that a file exists, is not empty and can be read.

    Parameters
    ----------
    path
        The user's.
    what
        What the file is, for messages.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    InputError
        Where it is not so.
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{file}: is a folder", expected=f"the {what} file")
    if not file.exists():
        raise InputError(f"{file}: no such file", expected=f"the {what} file", remedy="check the path")
    if not os.access(file, os.R_OK):
        raise InputError(f"{file}: not readable", expected=f"the {what} file", remedy="check its permissions")
    if file.stat().st_size == 0:
        raise InputError(f"{file}: empty file", expected=f"the {what} file")
    return file


def _head(path: Path, size: int) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(size)


def is_gzip(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file begins as gzip (bgzip included).

    Parameters
    ----------
    path
        Any file.

    Returns
    -------
    bool
        Whether it does.
    """
    return _head(Path(path), 2) == b"\x1f\x8b"


def is_bgzip(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file begins as bgzip, the blocked gzip of BAM, tabix and ``samtools faidx``.

    Parameters
    ----------
    path
        Any file.

    Returns
    -------
    bool
        Whether it does.
    """
    head = _head(Path(path), 16)
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


def check_complete(path: str | os.PathLike[str]) -> None:
    """Check that a bgzip file has its end marker, that is, was not cut off; other files pass.

    Parameters
    ----------
    path
        Any file.

    Raises
    ------
    InputError
        Where the marker is missing.
    """
    path = Path(path)
    if not is_bgzip(path):
        return
    with open(path, "rb") as handle:
        handle.seek(max(0, path.stat().st_size - len(_BGZF_END)))
        if handle.read() != _BGZF_END:
            raise InputError(
                f"{path}: file is truncated (no bgzip end marker after {path.stat().st_size:,} bytes)",
                remedy="copy or make it again",
            )


def open_binary(path: str | os.PathLike[str], what: str) -> IO[bytes]:
    """Open a plain or gzip file for reading bytes; a truncated bgzip is refused at once.

    Parameters
    ----------
    path
        The user's.
    what
        What the file is, for messages.

    Returns
    -------
    file object
        The content, decompressed.

    Raises
    ------
    InputError
        Where the file is missing, empty, not readable or cut off.
    """
    file = require_file(path, what)
    if not is_gzip(file):
        return open(file, "rb")
    check_complete(file)
    return cast("IO[bytes]", gzip.open(file, "rb"))


def is_comment(line: str) -> bool:
    """Tell whether a line of a BED-like file holds no data: blank, or a comment, track or browser line.

    Parameters
    ----------
    line
        With or without its end.

    Returns
    -------
    bool
        Whether to skip it.
    """
    return not line.strip() or line.startswith(("#", "track ", "track\t", "browser "))


def numbered_lines(path: str | os.PathLike[str], what: str) -> Iterator[tuple[int, str]]:
    """Read the lines of a text file that are neither blank nor a comment, track or browser line.

    Parameters
    ----------
    path
        Plain or gzip.
    what
        What the file is, for messages.

    Yields
    ------
    tuple
        Number of the line, from 1, and its text.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or not text.
    """
    number = 0
    with open_binary(path, what) as handle:
        try:
            for number, raw in enumerate(handle, start=1):
                line = raw.decode("utf-8").rstrip("\r\n")
                if not is_comment(line):
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path}, after line {number:,}: gzip data is truncated or damaged",
                found=str(error),
                remedy="copy or make the file again",
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, line {number:,}: not text", expected=f"the {what} as text") from error
