"""Text files, plain or gzip, read with line numbers; damage and absence are user errors that say where.

Line ends may be those of Unix, Windows or old Macs, and a UTF-8 byte order mark is skipped. Time and memory are bounded
whatever a file holds: lines have a greatest length, and gzip that unpacks to hundreds of times its size is refused.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from chrombpnet_core.errors import InputError

__all__ = [
    "LARGEST_POSITION",
    "check_complete",
    "is_bgzip",
    "is_comment",
    "is_gzip",
    "is_private",
    "numbered_lines",
    "open_binary",
    "refuse_other_text",
    "require_file",
    "whole_number",
]

LARGEST_POSITION = 2**53
"""Up to here, float64 holds every whole number; no chromosome is nearly as long."""

_LONGEST_LINE = 1 << 24
_LEAST_UNPACKED = {"text": 8 << 20, "bytes": 1 << 30}  # bytes that any gzip may unpack to
_MOST_TIMES = {"text": 100, "bytes": 600}  # its size, beyond that; tables pack 3 to 20 times, sequences 4, zeros 1,000
_OTHER_TEXT = {b"\xff\xfe\0\0": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\0\0\xfe\xff": "UTF-32"}
_OTHER_KINDS = {
    b"PK\3\4": "a zip archive",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x89HDF": "HDF5",
    b"%PDF": "a PDF",
}
_MARK = "\ufeff"  # of byte order: also where files that begin with one were joined
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


_PRIVATE = re.compile(r"-----BEGIN |[^\t:>#]*(:[^\t:]*){5,}$|(export )?[A-Z_][A-Z0-9_]*=|\s*[{\[]|ssh-|\[")
"""Begins keys, passwd and shadow, settings, JSON."""


def is_private(line: str) -> bool:
    """Tell whether a file that begins with a line holds keys, passwords or settings, of which messages must quote nothing.

    Parameters
    ----------
    line
        The first one.

    Returns
    -------
    bool
        Whether it seems so.
    """
    return _PRIVATE.match(line) is not None


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
    expected = f"the {what} file"
    try:
        status = file.stat()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file", expected=expected, remedy="check the path") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no path that a file can have"
        raise InputError(f"{file}: cannot be read: {why}", expected=expected, remedy="check the path") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{file}: is a folder", expected=expected)
    if not os.access(file, os.R_OK):
        raise InputError(f"{file}: not readable", expected=expected, remedy="check its permissions")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(
            f"{file}: is a pipe or a device, which can be read once at most",
            expected=expected,
            remedy="write its content to a file and give that",
        )
    if status.st_size == 0:
        raise InputError(f"{file}: empty file", expected=expected)
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


class _Unpacked(io.RawIOBase):
    """Content of a gzip file; refused where it is out of all proportion to what was read of the file."""

    def __init__(self, path: Path, use: str) -> None:
        self._path, self._least, self._times = path, _LEAST_UNPACKED[use], _MOST_TIMES[use]
        self._packed = open(path, "rb")  # noqa: SIM115 (closed by close)
        self._content = gzip.GzipFile(fileobj=self._packed)
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer has no length
        piece = self._content.read1(len(buffer))
        buffer[: len(piece)] = piece
        self._unpacked += len(piece)
        if self._unpacked > self._least + self._times * self._packed.tell():
            raise InputError(
                f"{self._path}: unpacks to {self._unpacked:,} bytes from {self._packed.tell():,}",
                expected=f"at most {self._times} times its size, as of any table or sequence",
                remedy="look at its content: zcat FILE | head -c 1000",
            )
        return len(piece)

    def close(self) -> None:
        self._content.close()
        self._packed.close()
        super().close()


def open_binary(path: str | os.PathLike[str], what: str, use: str = "bytes") -> io.BufferedReader:
    """Open a plain or gzip file for reading bytes; a truncated bgzip is refused at once.

    Parameters
    ----------
    path
        The user's.
    what
        What the file is, for messages.
    use
        ``text`` for tables, ``bytes`` for what may pack better than these: how much gzip may unpack to.

    Returns
    -------
    file object
        The content, decompressed; reading raises InputError where it is out of all proportion to the file.

    Raises
    ------
    InputError
        Where the file is missing, empty, not readable or cut off.
    """
    file = require_file(path, what)
    if not is_gzip(file):
        return open(file, "rb")
    check_complete(file)
    return io.BufferedReader(_Unpacked(file, use), 1 << 18)


def refuse_other_text(head: bytes, path: str | os.PathLike[str], what: str) -> None:
    """Refuse a file that begins as UTF-16 or as something that is no text.

    Parameters
    ----------
    head
        First bytes of its content, eight or more.
    path
        The file, for messages.
    what
        What it is, for messages.

    Raises
    ------
    InputError
        Naming what it is.
    """
    for mark, name in _OTHER_TEXT.items():
        if head.startswith(mark):
            raise InputError(
                f"{path}: text in {name}",
                expected=f"the {what} in UTF-8 or ASCII",
                remedy=f"convert it: iconv -f {name} -t UTF-8 FILE > NEW",
            )
    for mark, name in _OTHER_KINDS.items():
        if head.startswith(mark):
            raise InputError(f"{path}: is {name}", expected=f"the {what} as text, plain or gzip", remedy="unpack it")


def whole_number(text: str) -> int | None:
    """Read a position or a length in bp.

    Parameters
    ----------
    text
        Of a column.

    Returns
    -------
    int or None
        The number; None where there are other letters than digits, or it exceeds :data:`LARGEST_POSITION`.

    Examples
    --------
    >>> whole_number("1200"), whole_number("1e3"), whole_number("9" * 40)
    (1200, None, None)
    """
    if not (text.isascii() and text.isdigit() and len(text.lstrip("0")) <= len(str(LARGEST_POSITION))):
        return None
    number = int(text)
    return number if number <= LARGEST_POSITION else None


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
    with open_binary(path, what, "text") as content:
        try:
            refuse_other_text(content.peek(8)[:8], path, what)
            text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape", newline=None)
            for number, line in enumerate(iter(lambda: text.readline(_LONGEST_LINE), ""), start=1):
                line = line.removesuffix("\n").removeprefix(_MARK)
                if not line.isascii() or "\0" in line or len(line) >= _LONGEST_LINE - 1:
                    _check_text(line, f"{path}, line {number:,}", what)
                if number == 1 and is_private(line):
                    raise InputError(f"{path}: a file of keys, passwords or settings", expected=f"the {what}")
                if not is_comment(line):
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path}, after line {number:,}: gzip data is truncated or damaged",
                found=str(error),
                remedy="copy or make the file again",
            ) from error


def _check_text(line: str, where: str, what: str) -> None:
    expected = f"the {what} as text"
    if len(line) >= _LONGEST_LINE - 1:
        raise InputError(
            f"{where}: not text", expected=expected, found=f"more than {len(line):,} letters without a line end"
        )
    if "\0" in line:
        raise InputError(f"{where}: not text", expected=expected, found="a byte 0")
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = f"byte {ord(line[error.start]) & 0xFF:#x}"
        raise InputError(f"{where}: not text", expected=f"{expected} in UTF-8", found=byte) from None
