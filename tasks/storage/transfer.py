"""One object to one local file: in parallel ranges, taken up where an earlier attempt stopped, checked, then renamed."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chrombpnet_core.formats import flush
from tasks.storage.addresses import redact
from tasks.storage.digests import checksums
from tasks.storage.faults import Mismatch, persistently
from tasks.storage.folders import make_folder
from tasks.storage.locks import locked
from tasks.storage.objects import Information, Objects

__all__ = ["Copy", "digest_of_object", "download"]

RANGE, AT_ONCE = 16 << 20, 8
"""Bytes that are asked for at once, and how many such requests are under way."""

_WHOLE_ATTEMPTS = 3  # of copies whose checksum is wrong


class Copy:
    """What is to be copied.

    Parameters
    ----------
    objects
        The store.
    path
        Within it.
    address
        For messages.
    information
        What the store tells of the object.
    sha256
        Where it is known.
    """

    def __init__(self, objects: Objects, path: str, address: str, information: Information, sha256: str = "") -> None:
        self.objects, self.path, self.address = objects, path, address
        self.information, self.sha256 = information, sha256


def download(copy: Copy, target: Path, scratch: Path) -> str:
    """Copy an object to a local file, checked.

    Parameters
    ----------
    copy
        The object.
    target
        Where it shall lie; only a whole and checked file ever does.
    scratch
        Folder of the same file system for what has arrived so far. Of two processes of a host one copies and the other
        waits; where the lock cannot be had, each copies to a file of its own.

    Returns
    -------
    str
        The SHA-256 of the file.

    Raises
    ------
    StorageError
        Where the store fails for long; :class:`Mismatch` where what arrives has the wrong checksum again and again.
    """
    make_folder(scratch)
    make_folder(target.parent)
    shared = scratch / hashlib.sha256(f"{platform.node()}\n{target}".encode()).hexdigest()[:32]
    with locked(shared) as held:
        if held:
            return _download(copy, target, shared)
    own = shared.with_name(f"{shared.name}-{uuid.uuid4().hex}")
    own.touch()
    try:
        return _download(copy, target, own)
    finally:
        own.unlink(missing_ok=True)


def _download(copy: Copy, target: Path, part: Path) -> str:
    """Copy through ``part``, which is there."""
    journal = part.with_suffix(".ranges")
    expected = {kind: value for kind, value in (copy.information.checks | {"sha256": copy.sha256}).items() if value}
    wrong = ""
    if target.exists() and copy.information.mark:  # of a process that was faster
        part.unlink()
        return checksums(target)["sha256"]
    for _ in range(_WHOLE_ATTEMPTS):
        _fill(copy, part, journal)
        arrived = checksums(part, tuple(copy.information.checks))
        wrong = next((kind for kind, value in expected.items() if arrived[kind] != value), "")
        journal.unlink(missing_ok=True)
        if not wrong:
            flush(part)
            os.replace(part, target)
            return arrived["sha256"]
        os.truncate(part, 0)
    part.unlink()
    raise Mismatch(f"{redact(copy.address)}: what arrives has another {wrong.upper()} than the store tells")


def _fill(copy: Copy, part: Path, journal: Path) -> None:
    """Bring all bytes into ``part``; a byte of ``journal`` stands for each range that is there already."""
    size, mark = copy.information.size, copy.information.mark
    if size < 0 or (size > RANGE and not persistently(copy.address, lambda: copy.objects.takes_ranges(copy.path))):
        persistently(copy.address, lambda: _stream(copy, part))
        return
    known = journal.read_bytes() if mark and journal.exists() else b""
    missing = [i for i in range(-(-size // RANGE)) if known[i : i + 1] != b"\1"]
    with open(part, "r+b") as file, open(journal, "r+b" if known else "w+b") as done:
        os.truncate(file.fileno(), size)

        def bring(i: int) -> None:
            start, end = i * RANGE, min(size, (i + 1) * RANGE)
            data = persistently(copy.address, lambda: copy.objects.read(copy.path, start, end, mark))
            os.pwrite(file.fileno(), data, start)
            os.pwrite(done.fileno(), b"\1", i)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                list(pool.map(bring, missing))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _stream(copy: Copy, part: Path) -> None:
    with open(part, "wb") as file:
        copy.objects.stream(copy.path, file)
        found, wanted = file.tell(), copy.information.size
    if wanted >= 0 and found != wanted:
        raise ConnectionError(f"{found:,} of {wanted:,} bytes arrived")


class _Hashing(io.RawIOBase):
    """A file of which only the SHA-256 is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return len(data)


def digest_of_object(objects: Objects, path: str) -> str:
    """Compute the SHA-256 of an object without keeping a copy; one attempt.

    Parameters
    ----------
    objects
        The store.
    path
        Within it.

    Returns
    -------
    str
        The digest in hexadecimal.
    """
    into: Any = _Hashing()
    objects.stream(path, into)
    digest: str = into.sha256.hexdigest()
    return digest
