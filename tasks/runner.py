"""The step runner: the one cache of every flow.

A step is a pure function ``(inputs, parameters) → a folder of outputs``. Its key is the SHA-256 of its inputs' digests, its
parameters and its version. Outputs lie under ``<store>/<step>/<key>/``; ``manifest.json`` is written last, so a step without
one never happened. A step whose manifest is there and whose files have the right sizes is not run again.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from prefect.states import Completed

from tasks.storage import StorageError, Store, cache_folder, digest_of_file, is_staged, is_transient, redact, stage

__all__ = ["Result", "Work", "planning", "run_step", "should_retry", "step_task"]

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"

_plan: ContextVar[list[Result] | None] = ContextVar("plan", default=None)


@dataclass(frozen=True)
class Result:
    """A step that has happened.

    Attributes
    ----------
    store, step, key
        Where its outputs lie.
    manifest
        Its manifest: files, inputs, parameters, versions, timings, facts.
    cached
        Whether it was found rather than run.
    """

    store: str
    step: str
    key: str
    manifest: dict[str, Any]
    cached: bool

    @property
    def facts(self) -> dict[str, Any]:
        """Numbers that the step reported."""
        return self.manifest["facts"]

    @property
    def digest(self) -> str:
        """SHA-256 over names and digests of all files."""
        files = {name: entry["sha256"] for name, entry in self.manifest["files"].items()}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

    def folder(self) -> Path:
        """Local folder with all its files."""
        for name in self.manifest["files"]:
            path = self.file(name)
        return path.parents[len(Path(name).parts) - 1]

    def file(self, name: str) -> Path:
        """Local path of one file."""
        store = Store(self.store)
        if store.local:
            return Path(store.path(self.step, self.key, name))
        told = self.manifest["files"][name]
        return store.fetch(
            self.copies() / name,
            told["size"],
            self.step,
            self.key,
            self.manifest.get("place", ""),
            name,
            sha256=told["sha256"],
        )

    def copies(self) -> Path:
        """Folder of this machine's copies of files in a remote store."""
        return cache_folder() / "outputs" / self.step / f"{self.key}-{self.digest[:12]}"


@contextlib.contextmanager
def planning() -> Iterator[list[Result]]:
    """Within it no step runs: each returns what the store has, or a :class:`Result` without a key where it would run.

    Yields the list of these results, in order.
    """
    planned: list[Result] = []
    token = _plan.set(planned)
    try:
        yield planned
    finally:
        _plan.reset(token)


@dataclass
class Work:
    """What a step's body sees.

    Attributes
    ----------
    out
        Empty scratch folder; all that lies in it at the end is published.
    inputs
        Local path of every input: a file, or a folder where the input is a whole step; a list where a list was given.
    parameters
        As given to :func:`run_step`.
    checkpoint
        Folder that outlives a killed attempt of the same step.
    keep
        Call it after writing to ``checkpoint``: it copies the folder to a remote store.
    facts
        Numbers to record in the manifest.
    """

    out: Path
    inputs: dict[str, Any]
    parameters: dict[str, Any]
    checkpoint: Path
    keep: Callable[[], None]
    facts: dict[str, Any] = field(default_factory=dict)


Input = str | Path | Result | list


def run_step(
    store_url: str,
    step: str,
    version: int,
    inputs: Mapping[str, Input | None],
    parameters: dict[str, Any],
    body: Callable[[Work], None],
) -> Result:
    """Return the step's published result, running ``body`` only where there is none.

    Parameters
    ----------
    store_url
        The store.
    step, version
        Name, and a number to raise whenever the body computes something else.
    inputs
        By name: an address, a :class:`Result` (its whole folder), or a list of these; None is left out.
    parameters
        JSON values that shape the result.
    body
        Fills ``work.out``.
    """
    store = Store(store_url)
    planned = _plan.get()
    if planned is not None and not _all_known(inputs):
        planned.append(Result(store.url, step, "", {"files": {}, "facts": {}}, cached=False))
        return planned[-1]
    digests, origins = _identify(inputs)
    key = hashlib.sha256(json.dumps([step, version, digests, parameters], sort_keys=True).encode()).hexdigest()[:40]
    if planned is not None:
        manifest = _valid_manifest(store, step, key)
        planned.append(
            Result(
                store.url, step, key if manifest else "", manifest or {"files": {}, "facts": {}}, cached=manifest is not None
            )
        )
        return planned[-1]
    with _alone(store, step, key):
        manifest = _valid_manifest(store, step, key)
        if manifest is not None:
            log.info("%s: found in the store, nothing to do", step)
            return Result(store.url, step, key, manifest, cached=True)
        log.info("%s: started", step)
        scratch = _scratch_folder(store)
        out = scratch / "out"
        out.mkdir()
        try:
            work = Work(out, _local_paths(inputs), parameters, *_checkpoint_folder(store, scratch, step, key))
            with _measured() as measured:
                body(work)
            manifest = {
                "step": step,
                "key": key,
                "version": version,
                "inputs": origins,
                "parameters": parameters,
                "files": _files_of(out),
                "facts": work.facts,
                "versions": _versions(),
                "host": platform.node(),
                **measured,
            }
            result = _publish(store, out, manifest, step, key)
            store.remove("checkpoints", step, key)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    log.info("%s: done in %.1f s, peak memory %.2f GiB", step, manifest["seconds"], manifest["peak_memory"] / 2**30)
    return result


def _publish(store: Store, out: Path, manifest: dict[str, Any], step: str, key: str) -> Result:
    """What stands in the end: this attempt's outputs, or those of another run that was faster."""
    manifest = json.loads(json.dumps(manifest, default=str))
    before = store.mark(step, key, MANIFEST)
    other = _valid_manifest(store, step, key)  # looked at after its mark: a later one is not replaced
    if other is not None:
        return Result(store.url, step, key, other, cached=True)
    stands, ours = store.publish(out, manifest, MANIFEST, before, step, key)
    result = Result(store.url, step, key, stands, cached=not ours)
    if ours and not store.local:  # spare the next step a download
        result.copies().parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # copies are there already
            os.replace(out, result.copies())
    return result


def _all_known(inputs: Mapping[str, Input | None]) -> bool:
    """Whether every input's digest can be told without running a step or copying a remote file."""
    flat = [item for value in inputs.values() for item in (value if isinstance(value, list) else [value])]
    return all(bool(item.key) if isinstance(item, Result) else item is None or is_staged(str(item)) for item in flat)


def _identify(inputs: Mapping[str, Input | None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Digests and redacted origins of all inputs; other steps' outputs are not fetched for it."""
    digests: dict[str, Any] = {}
    origins: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, list):
            found = [_identify_one(item, name) for item in value]
            digests[name], origins[name] = [digest for digest, _ in found], [origin for _, origin in found]
        elif value is not None:
            digests[name], origins[name] = _identify_one(value, name)
    return digests, origins


def _identify_one(value: str | Path | Result, name: str) -> tuple[str, dict[str, str]]:
    if isinstance(value, Result):
        return value.digest, {"step": value.step, "key": value.key, "sha256": value.digest}
    _, artifact = stage(str(value), name.replace("_", " "))
    return artifact.sha256, {"uri": redact(artifact.uri), "sha256": artifact.sha256}


def _local_paths(inputs: Mapping[str, Input | None]) -> dict[str, Any]:
    """Local path of every input, fetched where it is remote."""

    def local(value: Any) -> Any:
        if isinstance(value, list):
            return [local(item) for item in value]
        return value.folder() if isinstance(value, Result) else stage(str(value))[0]

    return {name: local(value) for name, value in inputs.items() if value is not None}


def _valid_manifest(store: Store, step: str, key: str) -> dict | None:
    manifest = store.read_json(step, key, MANIFEST)
    if manifest is None:
        return None
    present = store.sizes(step, key, manifest.get("place", ""))
    wrong = [name for name, entry in manifest["files"].items() if present.get(name) != entry["size"]]
    if wrong:
        log.warning("%s: %s is missing or has another size in the store; the step runs again", step, wrong[0])
        return None
    return manifest


@contextlib.contextmanager
def _alone(store: Store, step: str, key: str) -> Iterator[None]:
    """Hold the step's lock in a local store: of two runs one works and the other waits, then finds the result.

    In an object store both work, and the later one finds the other's result when it is done: it loses harmlessly.
    """
    if not store.local:
        yield
        return
    folder = Path(store.path("locks"))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{step}-{key}", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("%s: another run is at it; waiting", step)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _scratch_folder(store: Store) -> Path:
    """A new folder, named after this process; those of processes that were killed are removed."""
    root = Path(store.path("scratch")) if store.local else cache_folder() / "scratch"
    for other in root.glob(f"{platform.node()}-*-*"):
        pid = other.name.rsplit("-", 2)[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(other, ignore_errors=True)
    folder = root / f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    return folder


def _checkpoint_folder(store: Store, scratch: Path, step: str, key: str) -> tuple[Path, Callable[[], None]]:
    """A folder that outlives this attempt, and what copies to a remote store whatever has changed in it.

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
    """What changes when a file is written or replaced, by path; hidden files are half-written ones."""
    return {
        path.relative_to(folder).as_posix(): (status.st_ino, status.st_size, status.st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
        for status in [path.stat()]
    }


def _files_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": digest_of_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextlib.contextmanager
def _measured() -> Iterator[dict[str, Any]]:
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
def _versions() -> dict[str, str]:
    names = ("chrombpnet-flows", "keras", "tensorflow", "jax", "numpy", "pysam", "pyBigWig", "prefect")
    versions = {"python": platform.python_version(), "backend": os.environ.get("KERAS_BACKEND", "tensorflow")}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def step_task(name: str) -> Callable[[Callable[..., Result]], Any]:
    """Make a Prefect task of a function that returns a :class:`Result`.

    Inside a flow a result that was found ends in a state named ``Cached``. ``task.fn`` runs without any server.
    Network and storage faults are retried; errors of the user's never.
    """

    def decorate(function: Callable[..., Result]) -> Any:
        @functools.wraps(function)
        def body(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if result.cached and TaskRunContext.get() is not None:
                return Completed(name="Cached", data=result, message=f"{result.step}/{result.key} was in the store")
            return result

        return task(
            name=name,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=3,
            retry_delay_seconds=[5, 20, 60],
            retry_jitter_factor=0.5,
            retry_condition_fn=should_retry,
        )(body)

    return decorate


def should_retry(_task: Any, _run: Any, state: Any) -> bool:
    """Prefect's retry condition: faults of network and storage."""
    return isinstance(state.data, BaseException) and is_transient(state.data)
