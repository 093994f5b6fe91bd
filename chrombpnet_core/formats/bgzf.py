"""The content of plain, gzip and bgzip files, decompressed ahead of its reader on all cores, every checksum verified.

A bgzip file (BAM, tabix) is a row of independent gzip blocks of at most 64 KiB whose headers hold their compressed size
(SAM specification, 4.1): they are decompressed side by side and handed over in order. Ordinary gzip is one stream, which
one thread decompresses while the reader works.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar

from isal import igzip, igzip_lib

from chrombpnet_core.concurrency import in_order, usable_threads
from chrombpnet_core.formats.text import is_bgzip, is_gzip

__all__ = ["DamagedError", "decompressed"]

T = TypeVar("T")
R = TypeVar("R")

_WINDOW = 1 << 22  # bytes read from a file at a time
_BLOCKS = 64  # bgzip blocks handed to a thread at a time: 4 MiB of content at most
_BLOCK_CONTENT = 1 << 16
_PLAIN_HEADER = bytes.fromhex("1f8b0804")


class DamagedError(Exception):
    """Compressed data is truncated or damaged; the message says where and how."""


def decompressed(path: str | os.PathLike, threads: int | None = None) -> Iterator[tuple[list[bytes], int]]:
    """The content of a file from its beginning to its end.

    Parameters
    ----------
    path
        A plain, gzip (of several members too) or bgzip file.
    threads
        That decompress; one per core by default. Memory is bounded by some 4 MiB for each.

    Yields
    ------
    Pieces of the content, to be joined, and the bytes of the file read so far.

    Raises
    ------
    DamagedError
        Where compressed data ends early, is no valid gzip, or does not have its checksum or length.
    """
    path = Path(path)
    with open(path, "rb") as handle:
        if is_bgzip(path):
            for pieces, done, error in in_order(_inflate_blocks, _block_runs(handle), usable_threads(threads)):
                yield pieces, done
                if error:
                    raise error
        elif is_gzip(path):
            yield from _stream(igzip.GzipFile(fileobj=handle, mode="rb"), handle)
        else:
            yield from _stream(handle, handle)


def _stream(content: BinaryIO, handle: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Pieces of a stream, read one ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(content.read, _WINDOW)
        while True:
            try:
                piece = ahead.result()
            except (EOFError, igzip.BadGzipFile, igzip_lib.IsalError) as error:
                raise DamagedError(f"gzip data is truncated or damaged: {error}") from error
            if not piece:
                return
            done = handle.tell()
            ahead = pool.submit(content.read, _WINDOW)
            yield [piece], done


def _block_runs(handle: BinaryIO) -> Iterator[tuple[bytes, list[int], int]]:
    """Runs of whole bgzip blocks: bytes that hold them, the borders of the blocks in these, offset of these in the file."""
    data, offset, at = b"", 0, 0
    while True:
        read = handle.read(_WINDOW)
        data, offset, at = data[at:] + read, offset + at, 0
        borders = [0]
        while (size := _block_size(data, at, offset)) and at + size <= len(data):
            at += size
            borders.append(at)
            if len(borders) > _BLOCKS:
                yield data, borders, offset
                borders = [at]
        if len(borders) > 1:
            yield data, borders, offset
        if not read:
            if at < len(data):
                raise DamagedError(f"the bgzip block at byte {offset + at:,} is truncated")
            return


def _block_size(data: bytes, at: int, offset: int) -> int:
    """Compressed size of the block that begins at ``at``; 0 where its header is not all there."""
    if len(data) - at < 18:
        return 0
    extra = int.from_bytes(data[at + 10 : at + 12], "little")
    if data[at : at + 4] != _PLAIN_HEADER:
        raise DamagedError(f"no bgzip block at byte {offset + at:,}")
    if len(data) - at < 12 + extra:
        return 0
    field = at + 12
    while field + 4 <= at + 12 + extra:
        name, length = data[field : field + 2], int.from_bytes(data[field + 2 : field + 4], "little")
        if name == b"BC" and length == 2:
            size = struct.unpack_from("<H", data, field + 4)[0] + 1
            if size < 20 + extra:
                break
            return size
        field += 4 + length
    raise DamagedError(f"no bgzip block at byte {offset + at:,}")


def _inflate_blocks(run: tuple[bytes, list[int], int]) -> tuple[list[bytes], int, DamagedError | None]:
    """Contents of the blocks up to a damaged one, bytes of the file read, the damage."""
    data, borders, offset = run
    view = memoryview(data)
    pieces = []
    for first, last in pairwise(borders):
        try:
            piece = igzip_lib.decompress(view[first:last], flag=igzip_lib.DECOMP_GZIP, bufsize=_BLOCK_CONTENT)
        except (EOFError, ValueError, igzip_lib.IsalError) as error:
            why = str(error)
        else:
            if len(piece) == struct.unpack_from("<I", data, last - 4)[0]:
                pieces.append(piece)
                continue
            why = "its content has another length"
        return pieces, offset + first, DamagedError(f"the bgzip block at byte {offset + first:,} is damaged: {why}")
    return pieces, offset + borders[-1], None
