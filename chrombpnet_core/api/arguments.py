"""What the front door's functions accept: whole numbers, chromosomes, places for files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

from chrombpnet_core.errors import InputError

__all__ = ["chromosome_list", "require_whole", "target_file"]


def require_whole(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of ``least`` or more; ``name`` is the argument's."""
    if not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"`{name}` is {value!r}", expected=f"a whole number, {least} or more")


def chromosome_list(chroms: str | Sequence[str] | None) -> Sequence[str] | None:
    """Make a list of one name; several, or None, stay as they are."""
    return [chroms] if isinstance(chroms, str) else chroms


def target_file(path: str | os.PathLike[str]) -> Path:
    """Refuse the name of a file that cannot be made since its folder does not exist, or since it is a folder."""
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"{target}: there is no folder {target.parent}", remedy="make it first")
    if target.is_dir():
        raise InputError(f"{target}: is a folder", expected="the name of a file")
    return target
