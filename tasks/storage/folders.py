"""Folders and files of this machine: the cache, the store that is used where none is given, small files written whole."""

from __future__ import annotations

import os
from pathlib import Path

from chrombpnet_core.formats import share_with_group, written_whole

__all__ = ["cache_folder", "default_store", "make_folder", "write_whole"]


def cache_folder() -> Path:
    """Return the machine's cache: ``$CHROMBPNET_CACHE``, else ``~/.cache/chrombpnet``.

    Returns
    -------
    Path
        The folder.
    """
    return Path(os.environ.get("CHROMBPNET_CACHE") or Path.home() / ".cache" / "chrombpnet")


def default_store() -> str:
    """Return the store that is used where none is given: ``$CHROMBPNET_STORE``, else a folder of the cache.

    Returns
    -------
    str
        Its address.
    """
    return os.environ.get("CHROMBPNET_STORE") or str(cache_folder() / "store")


def write_whole(target: Path, content: bytes) -> None:
    """Write a small file whole or not at all; its folder is made where it is not there."""
    make_folder(target.parent)
    with written_whole(target) as partial:
        partial.write_bytes(content)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each for the group where the one above is the group's.

    Parameters
    ----------
    folder
        May be there already.
    """
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        share_with_group(folder)
