"""Manifests of steps: their form, and the checksum by which a damaged one is known."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePosixPath
from typing import Any

__all__ = ["MANIFEST", "manifest_fault", "sealed"]

MANIFEST = "manifest.json"

_SEAL = "sha256"
_FORM: dict[str, tuple[type, ...]] = {
    "step": (str,),
    "key": (str,),
    "version": (int,),
    "title": (str,),
    "inputs": (dict,),
    "parameters": (dict, list, str, int, float, bool, type(None)),
    "files": (dict,),
    "facts": (dict,),
    "versions": (dict,),
    "host": (str,),
    "started": (str,),
    "peak_memory": (int,),
    "seconds": (int, float),
    "place": (str,),
    _SEAL: (str,),
}
_NEEDED = ("step", "key", "files", "facts")


def sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Add the checksum of all of a manifest's content.

    Parameters
    ----------
    manifest
        Of JSON types.

    Returns
    -------
    dict
        The manifest with its checksum.
    """
    content = {name: value for name, value in manifest.items() if name != _SEAL}
    return content | {_SEAL: hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}


def manifest_fault(manifest: Any, step: str, key: str) -> str:
    """Say what is wrong with a manifest.

    Parameters
    ----------
    manifest
        What was read.
    step
        The step whose it should be.
    key
        Its key.

    Returns
    -------
    str
        A few words; empty where nothing is. One of an earlier version, without a checksum, is judged by its form.
    """
    if not isinstance(manifest, dict):
        return "it is no JSON object"
    missing = [name for name in _NEEDED if name not in manifest]
    if missing:
        return f"it has no {missing[0]!r}"
    wrong = [name for name, kinds in _FORM.items() if name in manifest and not isinstance(manifest[name], kinds)]
    if wrong:
        return f"its {wrong[0]!r} is of another kind"
    if (manifest["step"], manifest["key"]) != (step, key):
        return "it is that of another step"
    if not re.fullmatch(r"\w*", manifest.get("place", "")):
        return "its 'place' is no name"
    for name, entry in manifest["files"].items():
        if not _is_entry(name, entry):
            return f"its entry of {name[:80]!r} is not understood"
    if _SEAL not in manifest:
        unknown = sorted(manifest.keys() - _FORM.keys())
        return f"it has a field {unknown[0][:40]!r}" if unknown else ""
    return "" if sealed(manifest) == manifest else "its checksum is wrong"


def _is_entry(name: str, entry: Any) -> bool:
    """Whether a file lies below its step's folder, and has size and digest."""
    path = PurePosixPath(name)
    return (
        bool(path.parts)
        and not path.is_absolute()
        and ".." not in path.parts
        and isinstance(entry, dict)
        and type(entry.get("size")) is int
        and isinstance(entry.get("sha256"), str)
        and bool(re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]))
    )
