"""Results where the user wants them: files and texts, each whole, in a folder or a bucket."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from chrombpnet_core.formats import UNFINISHED, written_whole
from tasks.storage.folders import make_folder
from tasks.storage.full_disk import require_space
from tasks.storage.owners import DEAD, beating, is_owned
from tasks.storage.store import Store

__all__ = ["place_files", "prefixed_path"]

log = logging.getLogger(__name__)

_OWNER = ".chrombpnet-writer-"
"""Begins the names of files that say who writes to a folder; what :func:`written_whole` names after it follows."""

_WRITER = re.compile(r"\.([0-9a-f]{32})\.partial")


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
    parts = {relative: prefixed_path(relative, prefix) for relative in (*texts, *files)}
    if target.local:
        places = {relative: Path(target.path(*names)) for relative, names in parts.items()}
        require_space(Path(target.path()), {places[relative]: source.stat().st_size for relative, source in files.items()})
        with _as_owner(Path(target.path()), {place.parent for place in places.values()}) as writer:
            for relative, place in places.items():
                make_folder(place.parent)
                with written_whole(place, writer) as partial:
                    if relative in texts:
                        partial.write_bytes(texts[relative].encode())
                    else:
                        shutil.copyfile(files[relative], partial)
    else:
        for relative, text in texts.items():
            target.write_bytes(text.encode(), *parts[relative])
        for relative, source in files.items():
            target.upload(source, *parts[relative])
    return [target.uri(*names) for names in parts.values()]


@contextlib.contextmanager
def _as_owner(root: Path, folders: set[Path]) -> Iterator[str]:
    """Give what names this writer's hidden files, and say in ``root`` whose they are, so that others know when it is dead.

    Those of dead writers are deleted.
    """
    _clear(root, folders)
    writer = uuid.uuid4().hex
    owner = root / f"{_OWNER}{writer}"
    try:
        with beating(owner):
            yield writer
    finally:
        owner.unlink(missing_ok=True)


def _clear(root: Path, folders: set[Path]) -> None:
    """Delete hidden files whose writer is dead; where it is not known, those that nobody has written to for a day."""
    owners = {path.name.removeprefix(_OWNER): path for path in root.glob(f"{_OWNER}*")}
    dead = {writer for writer, path in owners.items() if not is_owned(path, DEAD)}
    for path in (path for folder in folders for path in folder.glob(UNFINISHED)):
        match = _WRITER.search(path.name)
        if match and (match[1] in dead or (match[1] not in owners and _is_old(path))):
            log.info("%s: a copy that was never finished is deleted", path)
            path.unlink(missing_ok=True)
    for writer in dead:
        owners[writer].unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > DEAD
    except FileNotFoundError:  # just finished
        return False


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
