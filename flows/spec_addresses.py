"""Paths and addresses in the mapping that a data set is made of: made absolute, or exchanged for others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["READ_KEYS", "map_addresses", "resolve_paths"]

READ_KEYS = ("bam", "fragments", "single_end", "tagalign", "bigwig")
"""Kinds of reads, of which a data set has one: keys of its section ``reads`` that hold files."""

_PATHS = ("genome", "chrom_sizes", "peaks", "nonpeaks", "blacklist", "genes", "truth", "output", "publish")


def resolve_paths(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the relative paths of a data set absolute, seen from a folder."""
    return map_addresses(content, lambda path: path if "://" in path else str(folder / os.path.expanduser(path)))


def map_addresses(content: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Put something else in the place of every path and address of a data set."""

    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(item) for item in value]
        return change(value) if isinstance(value, str) else value

    content = content | {key: changed(content[key]) for key in _PATHS if key in content}
    nested = {"reads": (*READ_KEYS, "reference_matrices"), "bias": ("model",), "model": ("architecture",)}
    for section, keys in nested.items():
        if isinstance(content.get(section), dict):
            content[section] = content[section] | {k: changed(content[section][k]) for k in keys if k in content[section]}
    explanation = content.get("explanation")
    if isinstance(explanation, dict) and not str(explanation.get("motifs", "jaspar:")).startswith("jaspar:"):
        content["explanation"] = explanation | {"motifs": changed(explanation["motifs"])}
    names = content.get("chromosomes")
    if isinstance(names, dict) and names.get("alias") not in (None, "auto"):
        content["chromosomes"] = names | {"alias": changed(names["alias"])}
    if isinstance(content.get("folds"), list):
        content["folds"] = [changed(fold) for fold in content["folds"]]
    return content
