"""The step runner: the declaration of a step, and the one cache of every flow.

A step is a pure function ``(inputs, parameters) → a folder of outputs``, declared once as a :class:`Step`. Its key is the
SHA-256 over its name, version, inputs' digests and parameters. Outputs lie under ``<store>/<step>/<key>/``, where
``manifest.json`` is written last, so a step without one never happened. A step whose manifest is there and whose files are
what the manifest says, by their SHA-256, is not run again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_origin

from pydantic_core import to_jsonable_python

from tasks._attempt import alone, files_of, measured, scratch_folder, versions
from tasks._checkpoints import checkpoint_folder
from tasks._prefect import PrefectTask, in_prefect_task, prefect_task
from tasks._watching import Watcher, watched_by, watcher
from tasks.results import (
    At,
    Awaited,
    FileOf,
    ManifestOf,
    Result,
    SettledSources,
    Source,
    flat,
    identify,
    is_known,
    localised,
    sources_of,
)
from tasks.runs import interruption
from tasks.storage import MANIFEST, Store, redact, telling_full_disk

__all__ = [
    "MANIFEST",
    "At",
    "Awaited",
    "FileOf",
    "ManifestOf",
    "Result",
    "RunKind",
    "Source",
    "Step",
    "Watcher",
    "Work",
    "planning",
    "prefect_task",
    "published",
    "watched_by",
]

log = logging.getLogger(__name__)

RunKind: TypeAlias = Literal["bias", "main", "dataset", "ensemble"]
"""Of a results folder: a bias model's, a main model's, a fold's of a data set, all folds' together."""

Outputs: TypeAlias = Mapping[RunKind, Mapping[str, str]]
"""Kind of run → file → place in the results folder; see :func:`published`."""

Given = TypeVar("Given")
Local = TypeVar("Local", covariant=True)
Parameters = TypeVar("Parameters")
ItsParameters = TypeVar("ItsParameters", covariant=True)


class Work(Generic[Local, ItsParameters]):
    """What a step's body sees.

    Parameters
    ----------
    out
        Empty scratch folder; all that lies in it at the end is published.
    inputs
        The step's inputs with local paths: of a file, or of a folder where the input is a whole step.
    parameters
        As given to the step.
    checkpoint
        Folder that outlives a killed attempt of the same step.
    keep
        Call it after writing to ``checkpoint``: it copies the folder to a remote store.

    Attributes
    ----------
    facts
        Numbers to record in the manifest.
    """

    def __init__(
        self, out: Path, inputs: Local, parameters: ItsParameters, checkpoint: Path, keep: Callable[[], None]
    ) -> None:
        self.out, self.inputs, self.parameters = out, inputs, parameters
        self.checkpoint, self.keep = checkpoint, keep
        self.facts: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class Step(Generic[Given, Local, Parameters]):
    """The declaration of a step. Called with a store, inputs and parameters it returns its published result.

    Attributes
    ----------
    name
        Its folder in the store, and its name in records, plans and ``chrombpnet status``.
    version
        A number to raise whenever the body computes something else.
    title
        What people read: Prefect's task, status, the report.
    inputs
        A dataclass of :data:`Source`, of which the body sees the same with paths: ``SelectionInputs[Source]``. A field may
        hold a tuple or a mapping of sources, or None where there is no such input.
    parameters
        A dataclass (or pydantic model) of what else shapes the result; its JSON is part of the key.
    body
        Fills ``work.out``.
    outputs
        Which files go to which place of which kind of results folder (:func:`published`); the others stay in the store.
    """

    name: str
    version: int
    title: str
    inputs: type[Given]
    parameters: type[Parameters]
    body: Callable[[Work[Local, Parameters]], None]
    outputs: Outputs = field(default_factory=dict)

    def __call__(self, store: str, inputs: Given, parameters: Parameters) -> Result:
        """Return the step's published result, running the body only where there is none.

        Parameters
        ----------
        store
            The store's address.
        inputs
            Sources, in the declaration's dataclass.
        parameters
            As the declaration says.

        Returns
        -------
        Result
            Found or made; within :func:`planning` one without a key where the step would run.
        """
        for given, kind in ((inputs, self.inputs), (parameters, self.parameters)):
            if not isinstance(given, get_origin(kind) or kind):
                raise TypeError(f"step {self.name}: {type(given).__name__} in place of {kind}")
        result = _run(self, Store(store), inputs, parameters)
        if _plan.get() is None:
            interruption.note_finished(result.store)
        return result

    @functools.cached_property
    def task(self) -> PrefectTask:
        """The step as a Prefect task; a result that was found ends in a state named ``Cached``."""

        def run(store: str, inputs: Given, parameters: Parameters) -> Any:
            result = self(store, inputs, parameters)
            if result.cached and in_prefect_task():
                from prefect.states import Completed

                return Completed(name="Cached", data=result, message=f"{result.step}/{result.key} was in the store")
            return result

        run.__name__ = run.__qualname__ = self.name
        return prefect_task(self.title)(run)


def published(files: Mapping[str, str], *kinds: RunKind) -> dict[RunKind, Mapping[str, str]]:
    """Declare the place of a step's files in the results folders of some kinds of runs.

    Parameters
    ----------
    files
        File, or a pattern such as ``*.png`` → folder, which ends with a slash, or folder and beginning of the name.
    *kinds
        Kinds of runs.

    Returns
    -------
    dict
        Kind of run → ``files``.
    """
    return dict.fromkeys(kinds, files)


# --- plans -------------------------------------------------------------------------------------------------------


_plan: ContextVar[list[Result] | None] = ContextVar("plan", default=None)


@contextlib.contextmanager
def planning() -> Iterator[list[Result]]:
    """Run no step within: each returns what the store has, or a :class:`Result` without a key where it would run.

    Yields
    ------
    list of Result
        These results, in order.
    """
    planned: list[Result] = []
    token = _plan.set(planned)
    try:
        yield planned
    finally:
        _plan.reset(token)


def _planned(
    planned: list[Result], step: Step[Any, Any, Any], store: Store, sources: Mapping[str, SettledSources], parameters: Any
) -> Result:
    key, manifest = "", None
    if all(map(is_known, flat(sources))):
        key = _key(step, identify(sources)[0], parameters)
        manifest = _valid_manifest(store, step.name, key, content=False)
    cached = manifest is not None
    result = Result(store.url, step.name, key if cached else "", manifest or {"files": {}, "facts": {}}, cached)
    planned.append(result)
    return result


# --- a step happens ----------------------------------------------------------------------------------------------


def _run(step: Step[Any, Any, Any], store: Store, inputs: Any, parameters: Any) -> Result:
    sources = sources_of(inputs)
    planned = _plan.get()
    if planned is not None:
        return _planned(planned, step, store, sources, as_json(parameters))
    watcher().begun()
    digests, origins = identify(sources)
    key = _key(step, digests, as_json(parameters))
    again = functools.partial(_run_again, step, store, inputs, parameters, key)
    found = _found(step, store, key, again)  # without the lock, which needs a right to write
    if found is not None:
        return found
    with alone(store, step.name, key):
        found = _found(step, store, key, again, told=True)
        if found is not None:
            return found
        log.info("%s: started%s", step.name, _place())
        with scratch_folder(store) as scratch, checkpoint_folder(store, scratch, step.name, key) as checkpoint:
            interruption.note_begun(checkpoint[0])
            out = scratch / "out"
            out.mkdir()
            local = localised(inputs, sources, scratch)
            work = Work(out, local, parameters, *checkpoint)
            with measured() as measurements, telling_full_disk(scratch, f"the step {step.name}"):
                step.body(work)
            manifest = {
                "step": step.name,
                "key": key,
                "version": step.version,
                "title": step.title,
                "inputs": origins,
                "parameters": as_json(parameters),
                "files": files_of(out),
                "facts": work.facts,
                "versions": versions(),
                "host": platform.node(),
                **measurements,
            }
            result = replace(_publish(store, out, manifest, step.name, key), again=again)
    log.info("%s: done in %.1f s, peak memory %.2f GiB", step.name, manifest["seconds"], manifest["peak_memory"] / 2**30)
    return result


def _found(
    step: Step[Any, Any, Any], store: Store, key: str, again: Callable[[], Result], told: bool = False
) -> Result | None:
    manifest = _valid_manifest(store, step.name, key, told=told)
    if manifest is None:
        return None
    log.info("%s: found in the store, nothing to do%s", step.name, _place())
    return Result(store.url, step.name, key, manifest, cached=True, again=again)


def _place() -> str:
    return f", {watcher().place}" if watcher().place else ""


def _run_again(step: Step[Any, Any, Any], store: Store, inputs: Any, parameters: Any, key: str) -> Result:
    """Make what turned out damaged anew: without its manifest the step never happened."""
    store.remove(step.name, key, MANIFEST)
    return _run(step, store, inputs, parameters)


def _publish(store: Store, out: Path, manifest: dict[str, Any], step: str, key: str) -> Result:
    """Publish this attempt's outputs, or take those of another run that was faster."""
    manifest = json.loads(json.dumps(manifest, default=str))
    before = store.mark(step, key, MANIFEST)
    other = _valid_manifest(store, step, key, told=True)  # looked at after its mark: a later one is not replaced
    if other is not None:
        return Result(store.url, step, key, other, cached=True)
    stands, ours = store.publish(out, manifest, MANIFEST, before, step, key)
    result = Result(store.url, step, key, stands, cached=not ours)
    if ours and not store.local:  # spare the next step a download
        result.copies().parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # copies are there already
            os.replace(out, result.copies())
    return result


def _valid_manifest(store: Store, step: str, key: str, content: bool = True, told: bool = False) -> dict[str, Any] | None:
    """Read a manifest whose files are what it says; what is damaged is told, unless it was ``told`` already."""
    manifest = store.read_manifest(step, key, quiet=told)
    if manifest is None:
        return None
    parts = list(filter(None, [step, key, manifest.get("place", "")]))
    wrong = store.faults(manifest["files"], *parts, content=content)
    for name, fault in ({} if told else wrong).items():
        log.warning("%s: %s %s; the step runs again", step, redact(store.uri(*parts, name)), fault)
    return None if wrong else manifest


# --- keys, inputs, parameters --------------------------------------------------------------------------------------


def _key(step: Step[Any, Any, Any], digests: Mapping[str, Any], parameters: Any) -> str:
    content = json.dumps([step.name, step.version, digests, parameters], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:40]


def as_json(parameters: Any) -> Any:
    """Return parameters as JSON types: dataclasses and pydantic models become mappings.

    A field whose metadata has ``json`` is what that function makes of it; one of ``json`` None changes no result and is
    left out.
    """
    if is_dataclass(parameters) and not isinstance(parameters, type):
        return {
            each.name: as_json(each.metadata.get("json", _unchanged)(getattr(parameters, each.name)))
            for each in fields(parameters)
            if each.metadata.get("json", _unchanged) is not None
        }
    if isinstance(parameters, Mapping):
        return {name: as_json(value) for name, value in parameters.items()}
    if isinstance(parameters, list | tuple):
        return [as_json(value) for value in parameters]
    return to_jsonable_python(parameters)


def _unchanged(value: Any) -> Any:
    return value
