"""Checksums of local files: SHA-256, by which everything is known, and what stores tell of their objects."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

__all__ = ["checksums", "digest_of_file"]


def digest_of_file(path: str | os.PathLike) -> str:
    """SHA-256 of a local file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(path: Path, kinds: tuple[str, ...] = ()) -> dict[str, str]:
    """SHA-256 and, of ``kinds``, md5 (both hexadecimal) and crc32c (base64) of a local file, read once."""
    import google_crc32c

    sums = {"sha256": hashlib.sha256()}
    if "md5" in kinds:
        sums["md5"] = hashlib.md5(usedforsecurity=False)
    if "crc32c" in kinds:
        sums["crc32c"] = google_crc32c.Checksum()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            for each in sums.values():
                each.update(block)
    return {
        kind: base64.b64encode(each.digest()).decode() if kind == "crc32c" else each.hexdigest()
        for kind, each in sums.items()
    }
