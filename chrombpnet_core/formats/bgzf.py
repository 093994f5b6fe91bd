"""The content of plain, gzip, bgzip and zstd files, decompressed ahead of its reader on all cores, every checksum verified.

A bgzip file (BAM, tabix) is a row of independent gzip blocks of at most 64 KiB whose headers hold their compressed size
(SAM specification, 4.1): they are decompressed side by side and handed over in order. Ordinary gzip is one stream, which
one thread decompresses while the reader works; so is zstd, which Arrow decompresses.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from isal import igzip, igzip_lib

from chrombpnet_core.concurrency import in_order, usable_threads
from chrombpnet_core.errors import DamagedError
from chrombpnet_core.formats.text import is_bgzip, is_gzip

__all__ = ["decompressed"]

_WINDOW = 1 << 22  # bytes read from a file at a time
_BLOCKS = 64  # bgzip blocks handed to a thread at a time: 4 MiB of content at most
_BLOCK_CONTENT = 1 << 16
_IsalError = cast("type[Exception]", igzip_lib.IsalError)  # its stub does not say that it is one
_PLAIN_HEADER = bytes.fromhex("1f8b0804")


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Positioned(_Readable, Protocol):
    def tell(self) -> int: ...


def decompressed(path: str | os.PathLike[str], threads: int | None = None) -> Generator[tuple[list[bytes], int], None, None]:
    """Read the content of a file from its beginning to its end.

    Parameters
    ----------
    path
        A plain, gzip (of several members too), bgzip or zstd (of several frames too) file.
    threads
        That decompress; one per core by default. Memory is bounded by some 4 MiB for each.

    Yields
    ------
    tuple
        Pieces of the content, to be joined, and the bytes of the file read so far.

    Raises
    ------
    DamagedError
        Where compressed data ends early, is no valid gzip or zstd, or does not have its checksum or length.
    """
    path = Path(path)
    with open(path, "rb") as handle:
        if is_bgzip(path):
            for pieces, read, error in in_order(_inflate_blocks, _block_runs(handle), usable_threads(threads)):
                yield pieces, read
                if error:
                    raise error
        elif is_gzip(path):
            content = igzip.GzipFile(fileobj=handle, mode="rb")  # type: ignore[no-untyped-call]  # its stub has no types
            yield from _stream(content, handle)
        elif _is_zstd(path):
            yield from _stream(_Zstd(handle), handle)
        else:
            yield from _stream(handle, handle)


def _is_zstd(path: Path) -> bool:
    """Tell whether a file begins as zstd: with a frame, or with one to be skipped."""
    with open(path, "rb") as handle:
        head = handle.read(4)
    return head == b"\x28\xb5\x2f\xfd" or (head[1:] == b"\x2a\x4d\x18" and head[0] >> 4 == 5)


class _Zstd:
    """The content of an open zstd file."""

    def __init__(self, handle: BinaryIO) -> None:
        import pyarrow

        self._content = pyarrow.CompressedInputStream(handle, "zstd")

    def read(self, size: int = -1, /) -> bytes:
        try:
            content: bytes = self._content.read(size)
        except OSError as error:
            raise DamagedError(f"zstd data is truncated or damaged: {error}") from error
        return content


def _stream(content: _Readable, handle: _Positioned) -> Iterator[tuple[list[bytes], int]]:
    """Pieces of a stream, read one ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(content.read, _WINDOW)
        while True:
            try:
                piece = ahead.result()
            except (EOFError, igzip.BadGzipFile, _IsalError) as error:
                raise DamagedError(f"gzip data is truncated or damaged: {error}") from error
            if not piece:
                return
            read = handle.tell()
            ahead = pool.submit(content.read, _WINDOW)
            yield [piece], read


def _block_runs(handle: _Readable) -> Iterator[tuple[bytes, list[int], int]]:
    """Read runs of whole bgzip blocks: bytes that hold them, borders of the blocks in these, offset of these in the file."""
    data, offset, position = b"", 0, 0
    while True:
        read = handle.read(_WINDOW)
        data, offset, position = data[position:] + read, offset + position, 0
        borders = [0]
        while (size := _block_size(data, position, offset)) and position + size <= len(data):
            position += size
            borders.append(position)
            if len(borders) > _BLOCKS:
                yield data, borders, offset
                borders = [position]
        if len(borders) > 1:
            yield data, borders, offset
        if not read:
            if position < len(data):
                raise DamagedError(f"the bgzip block at byte {offset + position:,} is truncated")
            return


def _block_size(data: bytes, start: int, offset: int) -> int:
    """Compressed size of the block that begins at ``start``; 0 where its header is not all there."""
    if len(data) - start < 18:
        return 0
    extra = int.from_bytes(data[start + 10 : start + 12], "little")
    if data[start : start + 4] != _PLAIN_HEADER:
        raise DamagedError(f"no bgzip block at byte {offset + start:,}")
    if len(data) - start < 12 + extra:
        return 0
    field = start + 12
    while field + 4 <= start + 12 + extra:
        name, length = data[field : field + 2], int.from_bytes(data[field + 2 : field + 4], "little")
        if name == b"BC" and length == 2:
            size = int.from_bytes(data[field + 4 : field + 6], "little") + 1
            if size < 20 + extra:
                break
            return size
        field += 4 + length
    raise DamagedError(f"no bgzip block at byte {offset + start:,}")


def _inflate_blocks(run: tuple[bytes, list[int], int]) -> tuple[list[bytes], int, DamagedError | None]:
    """Contents of the blocks up to a damaged one, bytes of the file read, the damage."""
    data, borders, offset = run
    view = memoryview(data)
    pieces = []
    for first, last in pairwise(borders):
        try:
            piece = igzip_lib.decompress(view[first:last], flag=igzip_lib.DECOMP_GZIP, bufsize=_BLOCK_CONTENT)
        except (EOFError, ValueError, _IsalError) as error:
            why = str(error)
        else:
            if len(piece) == struct.unpack_from("<I", data, last - 4)[0]:
                pieces.append(piece)
                continue
            why = "its content has another length"
        return pieces, offset + first, DamagedError(f"the bgzip block at byte {offset + first:,} is damaged: {why}")
    return pieces, offset + borders[-1], None
