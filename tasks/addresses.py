"""Addresses of files and objects: local or remote, and what of them may be shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

__all__ = ["is_local", "local_path", "redact", "redact_all", "redact_text", "split_md5", "split_prefix"]

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)


def redact(address: str) -> str:
    """An address without user names, passwords, and query strings, which may sign or authorise."""
    return re.sub(r"//[^/@]*@", "//", str(address)).split("?", 1)[0]


def redact_text(text: str) -> str:
    """The same text with every remote address in it redacted."""
    return _ADDRESS.sub(lambda found: redact(found[0]), text)


def redact_all(value: Any) -> Any:
    """The same JSON value with every remote address in it redacted."""
    if isinstance(value, dict):
        return {key: redact_all(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redact_all(inner) for inner in value]
    return redact(value) if isinstance(value, str) and "://" in value else value


def split_md5(uri: str) -> tuple[str, str]:
    """A remote address, and the MD5 (hexadecimal) that it may end with, as in ``https://host/a.bam#md5=…``; else empty."""
    found = re.fullmatch(r"(.*)#md5=([0-9a-f]{32})", uri)
    return (found[1], found[2]) if found and not is_local(uri) else (uri, "")


def is_local(uri: str) -> bool:
    """Whether an address is a path of this machine."""
    return "://" not in uri or uri.startswith(("file://", "local://"))


def local_path(uri: str) -> Path:
    """The path of a local address."""
    return Path(re.sub(r"^(file|local)://", "", uri))


def split_prefix(prefix: str) -> tuple[str, str]:
    """Folder, local or remote, and beginning of the file names of an output prefix."""
    folder, slash, name = prefix.rpartition("/")
    return (folder or "/") if slash else ".", name
