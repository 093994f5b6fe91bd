"""Results where the user wants them: files and texts, each whole, in a folder or a bucket."""

from __future__ import annotations

import shutil
from pathlib import Path

from chrombpnet_core.formats import written_whole
from tasks.storage.full_disk import require_space
from tasks.storage.store import Store

__all__ = ["place_files", "prefixed_path"]


def place_files(files: dict[str, Path], texts: dict[str, str], output: str, prefix: str = "") -> list[str]:
    """Put files and texts into a results folder, each whole.

    Parameters
    ----------
    files
        Relative path → local file.
    texts
        Relative path → content; these are written first.
    output
        Folder or address.
    prefix
        Comes before each name, with an underscore.

    Returns
    -------
    list of str
        Addresses of texts, then of files.

    Raises
    ------
    FullDisk
        Before anything is written, where there is no space for all of it.
    """
    target = Store(output)
    placed = []
    if target.local:
        sizes = {source: source.stat().st_size for source in files.values()}
        places = {Path(target.path(*prefixed_path(name, prefix))): sizes[source] for name, source in files.items()}
        require_space(Path(target.path()), places)
    for relative, text in texts.items():
        parts = prefixed_path(relative, prefix)
        target.write_bytes(text.encode(), *parts)
        placed.append(target.uri(*parts))
    for relative, source in files.items():
        parts = prefixed_path(relative, prefix)
        if target.local:
            _copy(source, Path(target.path(*parts)))
        else:
            target.upload(source, *parts)
        placed.append(target.uri(*parts))
    return placed


def prefixed_path(relative: str, prefix: str) -> list[str]:
    """Put a prefix before the name of a file.

    Parameters
    ----------
    relative
        Path of the file.
    prefix
        May be empty.

    Returns
    -------
    list of str
        Folders, then the name.
    """
    *folders, name = relative.split("/")
    return [*folders, f"{prefix}_{name}" if prefix else name]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as partial:
        shutil.copyfile(source, partial)
