"""What an object store must do for us: the protocol that Google's client and fsspec's stand behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

__all__ = ["Information", "Objects"]


@dataclass(frozen=True)
class Information:
    """What a store tells of an object.

    Attributes
    ----------
    size
        Bytes; -1 where it is not told.
    mark
        A string that changes with the content: generation, etag or modification time; empty where there is none.
    checks
        Checksums by kind: ``crc32c`` (base64, big-endian), ``md5`` (hexadecimal).
    """

    size: int
    mark: str
    checks: dict[str, str] = field(default_factory=dict)


class Objects(Protocol):
    """One attempt at each operation; who calls it tries again.

    Absent objects are FileNotFoundError, missing rights PermissionError; :class:`Damaged` is a body that was cut short.
    """

    def info(self, path: str) -> Information:
        """Ask what the store tells of an object."""

    def takes_ranges(self, path: str) -> bool:
        """Whether parts of an object can be asked for."""

    def read(self, path: str, start: int = 0, end: int | None = None, mark: str = "") -> bytes:
        """Bytes from ``start`` to before ``end``, of the version that ``mark`` names where the store keeps to that."""

    def stream(self, path: str, file: BinaryIO) -> None:
        """Copy the whole object into an open file."""

    def write(self, path: str, source: bytes | Path, replacing: str | None = None) -> None:
        """Write an object whole or not at all: over the version whose mark is ``replacing``, where that is ``""`` over none.

        Raises :class:`Overtaken` where another is there.
        """

    def sizes(self, path: str) -> dict[str, int]:
        """Size in bytes of every object below, by path relative to it."""

    def delete(self, path: str) -> None:
        """Delete an object, where it is there."""
