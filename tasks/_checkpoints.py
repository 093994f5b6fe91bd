"""Checkpoints of steps: a folder that outlives a killed attempt, and belongs to one process at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from chrombpnet_core.formats import written_whole
from tasks._attempt import OWNER
from tasks.storage import SILENT, StorageError, Store, beating, is_owned, make_folder

log = logging.getLogger("tasks.runner")

Keep = Callable[[], None]


@contextlib.contextmanager
def checkpoint_folder(store: Store, scratch: Path, step: str, key: str) -> Iterator[tuple[Path, Keep]]:
    """Give a folder that outlives this attempt, and a function that copies to a remote store whatever has changed in it.

    Where the block ends without error, the checkpoint has served. Of a remote store's the folder is a copy in ``scratch``,
    fetched anew: another machine may have gone on in between.
    """
    if store.local:
        with _local_folder(Path(store.path("checkpoints", step)), key) as folder:
            yield folder, lambda: None
        return
    parts = ("checkpoints", step, key)
    folder = scratch / "checkpoint"
    folder.mkdir()
    for name, size in store.sizes(*parts).items():
        store.fetch(folder / name, size, *parts, name)
    kept = _states(folder)

    def keep() -> None:
        for name, state in _states(folder).items():
            if kept.get(name) != state:
                try:
                    store.upload(folder / name, *parts, name)
                except StorageError as error:  # what is under way need not end with it: the next call tries again
                    log.warning("checkpoint not copied: %s", error)
                    return
                kept[name] = state

    yield folder, keep
    store.remove(*parts)


@contextlib.contextmanager
def _local_folder(root: Path, key: str) -> Iterator[Path]:
    """Give the folder of the step, or one beside it where a live process, of another machine perhaps, has that.

    What the newest of all these folders holds is taken over: whole files, since each is written under another name first.
    """
    folder = root / key
    if _is_taken(folder):
        log.info("%s: another process has the checkpoint of this step; going on with a copy of it", root.name)
        folder = root / f"{key}.{uuid.uuid4().hex[:12]}"
    make_folder(folder)
    with beating(folder / OWNER):
        others = [other for other in root.glob(f"{key}*") if other != folder]
        newest = max([folder, *others], key=_newest)
        if newest != folder:
            _take_over(newest, folder)
        for other in others:
            if not _is_taken(other):
                shutil.rmtree(other, ignore_errors=True)
        try:
            yield folder
        finally:
            (folder / OWNER).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _is_taken(folder: Path) -> bool:
    return (folder / OWNER).exists() and is_owned(folder / OWNER, SILENT)


def _newest(folder: Path) -> int:
    """When the newest file was written; 0 where there is none."""
    return max((state[2] for state in _states(folder).values()), default=0)


def _take_over(source: Path, target: Path) -> None:
    for name in _states(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), written_whole(target / name) as partial:  # its owner has ended
            shutil.copyfile(source / name, partial)


def _states(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Tell what changes when a file is written or replaced, by path; hidden files are half-written ones."""
    states = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and not path.name.startswith("."):
                status = os.stat(path)
                states[path.relative_to(folder).as_posix()] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return states
