"""Folders and files of this machine: the cache, the store that is used where none is given, small files written whole."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from chrombpnet_core.formats import written_whole

__all__ = ["cache_folder", "default_store", "make_folder", "share_with_group", "shared_mode", "write_whole"]


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
        share_with_group(partial)


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


def share_with_group(path: Path) -> None:
    """Give the group a right to write and read where the folder above gives it, whatever the umask; others nothing more."""
    mode = shared_mode(path)
    with contextlib.suppress(PermissionError):  # another user's
        if mode != stat.S_IMODE(path.stat().st_mode):
            path.chmod(mode)


def shared_mode(path: Path) -> int:
    """Compute the mode of :func:`share_with_group`."""
    mode, above = stat.S_IMODE(path.stat().st_mode), path.parent.stat().st_mode
    if not above & stat.S_IWGRP or above & stat.S_IWOTH:  # such as /tmp, which is everybody's
        return mode
    return (
        mode
        | stat.S_IRGRP
        | stat.S_IWGRP
        | (stat.S_IXGRP if path.is_dir() else 0)
        | (above & stat.S_ISGID if path.is_dir() else 0)
    )
