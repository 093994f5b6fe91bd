"""Results of steps, and what can be an input of a step: an address, a step's outputs, one of its files, its manifest."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from chrombpnet_core.errors import InputError
from tasks.storage import Mismatch, StorageError, Store, cache_folder, digest_once, is_staged, redact, stage

__all__ = ["At", "Awaited", "FileOf", "ManifestOf", "Result", "Source"]

log = logging.getLogger("tasks.runner")

At = TypeVar("At", covariant=True)
"""Of a step's inputs: :data:`Source` where they are given, ``Path`` where its body sees them."""


@dataclass(frozen=True)
class Result:
    """A step that has happened.

    Attributes
    ----------
    store, step, key
        Where its outputs lie; in a plan the key is empty where the step would run.
    manifest
        Its manifest: files, inputs, parameters, versions, timings, facts.
    cached
        Whether it was found rather than run.
    again
        Makes the step anew where its outputs turn out damaged; absent where that is not known.
    """

    store: str
    step: str
    key: str
    manifest: dict[str, Any]
    cached: bool
    again: Callable[[], Result] | None = field(default=None, compare=False, repr=False)

    @property
    def facts(self) -> dict[str, Any]:
        """Numbers that the step reported."""
        facts: dict[str, Any] = self.manifest["facts"]
        return facts

    @property
    def digest(self) -> str:
        """SHA-256 over names and digests of all files."""
        files = {name: entry["sha256"] for name, entry in self.manifest["files"].items()}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

    def folder(self) -> Path:
        """Return the local folder with all its files, fetched where they are remote, each with the right checksum."""
        whole = self._whole(list(self.manifest["files"]))
        store = Store(self.store)
        return Path(store.path(self.step, self.key, whole.manifest.get("place", ""))) if store.local else whole.copies()

    def file(self, name: str) -> Path:
        """Return the local path of one file, whose checksum is right."""
        return self._whole([name])._whole_file(name)

    def _whole(self, names: list[str]) -> Result:
        """Return the result whose files are on this machine and right: this one, or where one is damaged, made again."""
        try:
            for name in names:
                self._whole_file(name)
        except (Mismatch, FileNotFoundError) as error:
            if self.again is None:
                raise
            log.warning("%s: %s; the step runs again", self.step, error)
        else:
            return self
        made = self.again()
        for name in names:
            if made.manifest["files"].get(name, {}).get("sha256") != self.manifest["files"][name]["sha256"]:
                raise StorageError(f"{self.step}: {name} was damaged, and made again it has other content; start again")
            made._whole_file(name)
        return made

    def _whole_file(self, name: str) -> Path:
        store, entry = Store(self.store), self.manifest["files"][name]
        parts = (self.step, self.key, self.manifest.get("place", ""), name)
        if not store.local:
            return store.fetch(self.copies() / name, entry["size"], *parts, sha256=entry["sha256"])
        path = Path(store.path(*parts))
        if digest_once(path) != entry["sha256"]:
            raise Mismatch(f"{path} has another checksum (SHA-256) than its manifest tells")
        return path

    def copies(self) -> Path:
        """Return the folder of this machine's copies of files in a remote store."""
        return cache_folder() / "outputs" / self.step / f"{self.key}-{self.digest[:12]}"


class Awaited(Protocol):
    """A step that may still be running, such as Prefect's future of it."""

    def result(self) -> Any:
        """Wait for its :class:`Result`."""


@dataclass(frozen=True)
class FileOf:
    """One file of a step's outputs as the input of another step, which then depends on that file alone.

    Where it is ``optional`` and the step made no such file, there is no input.
    """

    step: Result | Awaited
    name: str
    optional: bool = False


@dataclass(frozen=True)
class ManifestOf:
    """A step's manifest as the input of another step: its facts, parameters, timings and versions, none of its files."""

    step: Result | Awaited


Source: TypeAlias = str | Path | Result | FileOf | ManifestOf | Awaited
"""What an input of a step is given as: an address, a whole step's outputs, or a part of them."""

Settled: TypeAlias = str | Path | Result | FileOf | ManifestOf
SettledSources: TypeAlias = "Settled | list[Settled] | dict[str, SettledSources]"


def sources_of(inputs: Any) -> dict[str, SettledSources]:
    """List inputs by name, steps awaited, without those that are None."""
    named = inputs if isinstance(inputs, Mapping) else {each.name: getattr(inputs, each.name) for each in fields(inputs)}
    settled = {name: _settle(value) for name, value in named.items()}
    return {name: value for name, value in settled.items() if value is not None}


def _settle(value: Any) -> Any:
    if isinstance(value, Mapping):
        settled = {name: _settle(item) for name, item in value.items()}
        return {name: item for name, item in settled.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_settle(item) for item in value]
    if isinstance(value, FileOf):
        result = _settle(value.step)
        if not result.key or value.name in result.manifest["files"]:
            return replace(value, step=result)
        if value.optional:
            return None
        raise InputError(
            f"step {result.step} made no {value.name}",
            expected="the same files of every fold",
            remedy="run every fold with the same options",
        )
    if isinstance(value, ManifestOf):
        return ManifestOf(_settle(value.step))
    return value if value is None or isinstance(value, str | Path | Result) else value.result()


def flat(sources: Mapping[str, SettledSources]) -> Iterator[Settled]:
    """Go through all sources, those in lists and mappings too."""
    for value in sources.values():
        if isinstance(value, dict):
            yield from flat(value)
        elif isinstance(value, list):
            yield from value
        else:
            yield value


def is_known(source: Settled) -> bool:
    """Whether an input's digest can be told without running a step or copying a remote file."""
    step = source.step if isinstance(source, FileOf | ManifestOf) else source
    return bool(step.key) if isinstance(step, Result) else is_staged(str(step))


def identify(sources: Mapping[str, SettledSources]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Digests and redacted origins of all inputs; other steps' outputs are not fetched for it."""
    digests: dict[str, Any] = {}
    origins: dict[str, Any] = {}
    for name, value in sources.items():
        if isinstance(value, dict):
            digests[name], origins[name] = identify(value)
        elif isinstance(value, list):
            identified = [_identify_one(item, name) for item in value]
            digests[name] = [digest for digest, _ in identified]
            origins[name] = [origin for _, origin in identified]
        else:
            digests[name], origins[name] = _identify_one(value, name)
    return digests, origins


def _identify_one(source: Settled, name: str) -> tuple[str, dict[str, str]]:
    if isinstance(source, str | Path):
        _, artifact = stage(str(source), name.replace("_", " "))
        return artifact.sha256, {"uri": redact(artifact.uri), "sha256": artifact.sha256}
    result = source if isinstance(source, Result) else source.step
    assert isinstance(result, Result)
    origin = {"step": result.step, "key": result.key}
    if isinstance(source, FileOf):
        digest = result.manifest["files"][source.name]["sha256"]
        return digest, origin | {"file": source.name, "sha256": digest}
    digest = result.digest if isinstance(source, Result) else result.key
    return digest, origin | {"sha256": digest}


def localised(inputs: Any, sources: Mapping[str, SettledSources], scratch: Path) -> Any:
    """Put local paths in the place of inputs, fetched where they are remote."""

    def local(value: SettledSources) -> Any:
        if isinstance(value, dict):
            return {name: local(item) for name, item in value.items()}
        if isinstance(value, list):
            return tuple(local(item) for item in value)
        if isinstance(value, str | Path):
            return stage(str(value))[0]
        if isinstance(value, Result):
            return value.folder()
        assert isinstance(value.step, Result)
        if isinstance(value, FileOf):
            return value.step.file(value.name)
        path = scratch / f"{value.step.step}-{value.step.key}.json"
        path.write_text(json.dumps(value.step.manifest | {"cached": value.step.cached, "store": value.step.store}))
        return path

    paths = {name: local(value) for name, value in sources.items()}
    if isinstance(inputs, Mapping):
        return paths
    return replace(inputs, **{each.name: paths.get(each.name) for each in fields(inputs)})
