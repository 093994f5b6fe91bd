"""One attempt at a step: its lock, its scratch folder, and what is measured of it."""

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tasks.storage import DEAD, Store, beating, cache_folder, digest_of_file, is_owned, locked, make_folder

log = logging.getLogger("tasks.runner")


@contextlib.contextmanager
def alone(store: Store, step: str, key: str) -> Iterator[None]:
    """Hold the step's lock in a local store: of two runs one works and the other waits, then finds the result.

    In an object store, and where file locks do not work, both work, and the later one finds the other's result when it is
    done: it loses harmlessly.
    """
    if not store.local:
        yield
        return
    path = Path(store.path("locks", f"{step}-{key}"))
    with locked(path, on_wait=lambda: log.info("%s: another run computes it; waiting", step)):
        yield


OWNER = ".owner"
"""File of a folder that says whose it is, and is touched as long as that process lives."""


@contextlib.contextmanager
def scratch_folder(store: Store) -> Iterator[Path]:
    """Make a new folder that is removed in the end, and remove those that dead processes left."""
    root = scratch_root(store)
    for left in dead_folders(root):
        shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex}"
    make_folder(folder)
    try:
        with beating(folder / OWNER):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scratch_root(store: Store) -> Path:
    """Name the folder of scratch folders: of a remote store in this machine's cache."""
    return Path(store.path("scratch")) if store.local else cache_folder() / "scratch"


def dead_folders(root: Path) -> list[Path]:
    """List scratch folders whose process is known to be dead, or gave no sign of life for a day."""
    return sorted(folder for folder in root.glob("*-*-*") if not is_owned(folder / OWNER, DEAD))


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
