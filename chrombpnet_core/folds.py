"""Chromosome splits: which chromosomes train, validate and test a model."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from chrombpnet_core.errors import InputError
from chrombpnet_core.textfiles import require_file

__all__ = ["PARTS", "Fold", "make_fold", "read_fold"]

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Fold:
    """Disjoint, non-empty lists of chromosome names."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def part_of(self, chrom: str) -> str | None:
        """``train``, ``valid``, ``test`` or None for a chromosome."""
        return next((part for part in PARTS if chrom in getattr(self, part)), None)

    def write(self, path: str | os.PathLike) -> None:
        """Write the reference's JSON."""
        Path(path).write_text(json.dumps({part: list(getattr(self, part)) for part in ("test", "valid", "train")},
                                         indent=1) + "\n")


def read_fold(path: str | os.PathLike, sizes: dict[str, int]) -> Fold:
    """Read and check ``{"train": [...], "valid": [...], "test": [...]}``.

    Raises
    ------
    InputError
        Where it is no such JSON, a part is missing or empty, a chromosome is unknown or given twice.
    """
    try:
        content = json.loads(require_file(path, "fold").read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON", found=str(error)) from error
    return make_fold(content, sizes, str(path))


def make_fold(content: object, sizes: dict[str, int], where: str) -> Fold:
    """A checked :class:`Fold` of a mapping; ``where`` begins the error message."""
    form = '{"train": [...], "valid": [...], "test": [...]}'
    if not isinstance(content, dict):
        raise InputError(where, expected=form, found=type(content).__name__)
    seen: dict[str, str] = {}
    for part in PARTS:
        names = content.get(part)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{where}: '{part}'", expected=f"a list of chromosome names, as in {form}",
                             found=repr(names))
        if not names:
            raise InputError(f"{where}: '{part}' has no chromosomes", remedy="name at least one")
        for name in names:
            if name not in sizes:
                raise InputError(f"{where}: chromosome {name} of '{part}' is not in the chromosome sizes",
                                 remedy="remove it, or use the sizes file of the fold's assembly")
            if name in seen:
                raise InputError(f"{where}: chromosome {name} is in '{seen[name]}' and in '{part}'",
                                 remedy="keep it in one of them")
            seen[name] = part
    return Fold(*(tuple(content[part]) for part in PARTS))
