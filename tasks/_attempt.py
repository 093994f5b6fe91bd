"""One attempt at a step: its lock, scratch folder, checkpoint folder, and what is measured of it."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import logging
import os
import platform
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tasks.storage import StorageError, Store, cache_folder, digest_of_file, locked

log = logging.getLogger("tasks.runner")


@contextlib.contextmanager
def alone(store: Store, step: str, key: str) -> Iterator[None]:
    """Hold the step's lock in a local store: of two runs one works and the other waits, then finds the result.

    In an object store both work, and the later one finds the other's result when it is done: it loses harmlessly.
    """
    if not store.local:
        yield
        return
    path = Path(store.path("locks", f"{step}-{key}"))
    with locked(path, on_wait=lambda: log.info("%s: another run computes it; waiting", step)):
        yield


def scratch_folder(store: Store) -> Path:
    """Make a new folder, named after this process; those of processes that were killed are removed."""
    root = Path(store.path("scratch")) if store.local else cache_folder() / "scratch"
    for other in root.glob(f"{platform.node()}-*-*"):
        pid = other.name.rsplit("-", 2)[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(other, ignore_errors=True)
    folder = root / f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    return folder


def checkpoint_folder(store: Store, scratch: Path, step: str, key: str) -> tuple[Path, Callable[[], None]]:
    """Make a folder that outlives this attempt, and a function that copies to a remote store whatever has changed in it.

    Of a remote store's it is a copy in ``scratch``, fetched anew: another machine may have gone on in between.
    """
    parts = ("checkpoints", step, key)
    if store.local:
        folder = Path(store.path(*parts))
        folder.mkdir(parents=True, exist_ok=True)
        return folder, lambda: None
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

    return folder, keep


def _states(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Tell what changes when a file is written or replaced, by path; hidden files are half-written ones."""
    return {
        path.relative_to(folder).as_posix(): (status.st_ino, status.st_size, status.st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
        for status in [path.stat()]
    }


def files_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": digest_of_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextlib.contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Start time, seconds and peak memory (bytes) of the block, filled in when it ends."""
    process, ended = psutil.Process(), threading.Event()
    measured: dict[str, Any] = {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "peak_memory": process.memory_info().rss}

    def watch() -> None:
        while not ended.wait(0.25):
            measured["peak_memory"] = max(measured["peak_memory"], process.memory_info().rss)

    threading.Thread(target=watch, daemon=True, name="memory").start()
    begin = time.perf_counter()
    try:
        yield measured
    finally:
        ended.set()
        measured["seconds"] = round(time.perf_counter() - begin, 3)


@functools.cache
def versions() -> dict[str, str]:
    names = ("chrombpnet-flows", "keras", "tensorflow", "jax", "numpy", "pysam", "pyBigWig", "prefect")
    versions = {"python": platform.python_version(), "backend": os.environ.get("KERAS_BACKEND", "tensorflow")}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
