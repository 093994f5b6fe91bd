"""Checksums of local files: SHA-256, by which everything is known, and what stores tell of their objects."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["checksums", "digest_of_file", "digest_once", "know_digest", "state_of"]

State: TypeAlias = tuple[int, int, int, int, int]


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """Compute the SHA-256 of a local file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        The digest in hexadecimal.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_of(path: str | os.PathLike[str]) -> State:
    """Ask what changes whenever a file does: device, inode, size, and times of its content and of its entry.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tuple of int
        The time of the entry (ctime) cannot be set back, as that of the content can.
    """
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


_known: dict[str, tuple[State, str]] = {}


def digest_once(path: str | os.PathLike[str]) -> str:
    """Compute the SHA-256 of a local file at its first use in this process, and when it has changed since.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        The digest in hexadecimal.
    """
    state = state_of(path)
    known = _known.get(os.fspath(path))
    if known is None or known[0] != state:
        known = _known[os.fspath(path)] = state, digest_of_file(path)
    return known[1]


def know_digest(path: str | os.PathLike[str], digest: str) -> None:
    """Remember the SHA-256 of a file that this process has just written and read.

    Parameters
    ----------
    path
        The file.
    digest
        Its SHA-256.
    """
    _known[os.fspath(path)] = state_of(path), digest


def checksums(path: Path, kinds: tuple[str, ...] = ()) -> dict[str, str]:
    """Compute the SHA-256 and other checksums of a local file, which is read once.

    Parameters
    ----------
    path
        The file.
    kinds
        Of ``md5`` and ``crc32c``; others are passed over.

    Returns
    -------
    dict
        Kind → checksum: hexadecimal, that of crc32c base64 as in Cloud Storage.
    """
    import google_crc32c

    sums: dict[str, Any] = {"sha256": hashlib.sha256()}
    if "md5" in kinds:
        sums["md5"] = hashlib.md5(usedforsecurity=False)
    if "crc32c" in kinds:
        sums["crc32c"] = google_crc32c.Checksum()  # type: ignore[no-untyped-call]  # the library has no types
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            for checksum in sums.values():
                checksum.update(block)
    return {
        kind: base64.b64encode(checksum.digest()).decode() if kind == "crc32c" else checksum.hexdigest()
        for kind, checksum in sums.items()
    }
