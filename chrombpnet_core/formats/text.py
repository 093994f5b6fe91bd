"""Text files, plain or gzip, read with line numbers; damage and absence are user errors that say where."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from chrombpnet_core.errors import InputError

__all__ = ["check_complete", "is_bgzip", "is_comment", "is_gzip", "numbered_lines", "open_binary", "require_file"]

_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def require_file(path: str | os.PathLike, what: str) -> Path:
    """The path of an existing, non-empty, readable file, or an :class:`InputError` that names it."""
    found = Path(path)
    if found.is_dir():
        raise InputError(f"{found}: is a folder", expected=f"the {what} file")
    if not found.exists():
        raise InputError(f"{found}: no such file", expected=f"the {what} file", remedy="check the path")
    if not os.access(found, os.R_OK):
        raise InputError(f"{found}: not readable", expected=f"the {what} file", remedy="check its permissions")
    if found.stat().st_size == 0:
        raise InputError(f"{found}: empty file", expected=f"the {what} file")
    return found


def _head(path: Path, size: int) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(size)


def is_gzip(path: str | os.PathLike) -> bool:
    """Whether the file begins as gzip (bgzip included)."""
    return _head(Path(path), 2) == b"\x1f\x8b"


def is_bgzip(path: str | os.PathLike) -> bool:
    """Whether the file begins as bgzip, the blocked gzip of BAM, tabix and ``samtools faidx``."""
    head = _head(Path(path), 16)
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


def check_complete(path: str | os.PathLike) -> None:
    """Raise :class:`InputError` where a bgzip file lacks its end marker, that is, was cut off."""
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


def open_binary(path: str | os.PathLike, what: str):
    """Open a plain or gzip file for reading bytes; a truncated bgzip is refused at once."""
    found = require_file(path, what)
    if not is_gzip(found):
        return open(found, "rb")
    check_complete(found)
    return gzip.open(found, "rb")


def is_comment(line: str) -> bool:
    """Whether a line of a BED-like file holds no data: blank, or a comment, track or browser line."""
    return not line.strip() or line.startswith(("#", "track ", "track\t", "browser "))


def numbered_lines(path: str | os.PathLike, what: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line that is neither blank nor a comment, track or browser line."""
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
