"""Checksums of local files: SHA-256, by which everything is known, and what stores tell of their objects."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

__all__ = ["checksums", "digest_of_file"]


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
