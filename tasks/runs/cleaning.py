"""What of a run could be deleted, how much that frees, and deleting it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError
from tasks._attempt import OWNER, dead_folders, scratch_root
from tasks.runs.run_record import is_running, parts_of, run_id
from tasks.storage import SILENT, Store, cache_folder, is_locked, is_owned, redact

__all__ = ["Removable", "find_removable", "remove"]


@dataclass(frozen=True)
class Removable:
    """Something that could be deleted.

    Attributes
    ----------
    what
        In words.
    place
        Folder or file of this machine, or where ``parts`` are given the store's address.
    parts
        Path in the store.
    size
        Bytes.
    """

    what: str
    place: str
    parts: tuple[str, ...]
    size: int

    @property
    def shown(self) -> str:
        """Where it is, without secrets."""
        return redact("/".join([self.place, *self.parts]))


def find_removable(store: str, output: str, everything: bool = False) -> list[Removable]:
    """Find what a run left that it no longer needs.

    That is: scratch folders of processes that were killed; checkpoints of steps that this run, and no other recorded one,
    began and did not end; with ``everything`` also the outputs of its steps, so that the same command begins anew. The
    results in ``output`` stay. Steps that a process of this machine runs are left out.

    Parameters
    ----------
    store
        The store.
    output
        The run's results folder.
    everything
        Whether all in the store goes that no other recorded run uses.

    Returns
    -------
    list of Removable
        Scratch folders first.

    Raises
    ------
    InputError
        Where the run is at work.
    """
    run, place = run_id(output), Store(store)
    records = {each: parts_of(store, each) for each in sorted({name.split("/")[0] for name in place.sizes("runs")})}
    for part, record in records.get(run, {}).items():
        if is_running(record):
            raise InputError(
                f"{redact(output)}: {part} is running on {record['host']}, process {record['pid']}",
                remedy="wait until it has ended; one that died on another machine counts as ended an hour later",
            )
    found = [*_scratch(place), *_checkpoints(place, records, run)]
    return found + list(_outputs(place, records, run)) if everything else found


def _scratch(place: Store) -> Iterator[Removable]:
    for folder in dead_folders(scratch_root(place)):
        yield Removable("scratch of a process that was killed", str(folder), (), _size(folder))


def _checkpoints(place: Store, records: dict[str, dict[str, Any]], run: str) -> Iterator[Removable]:
    """Checkpoints say their step, not their run: of steps that two runs left unfinished none is taken."""
    unfinished = {
        each: {name for record in parts.values() for name in _unfinished(record)} for each, parts in records.items()
    }
    others = {name for each, names in unfinished.items() if each != run for name in names}
    sizes: dict[tuple[str, str], int] = {}
    for name, size in place.sizes("checkpoints").items():
        step, key, *_ = name.split("/")
        sizes[step, key] = sizes.get((step, key), 0) + size
    for (step, key), size in sorted(sizes.items()):
        if step in unfinished.get(run, set()) - others and _is_free(place, step, key):
            yield Removable(f"checkpoint of {step}", place.url, ("checkpoints", step, key), size)


def _unfinished(record: dict[str, Any]) -> set[str]:
    """List the steps that were begun and did not end, as the store calls them."""
    return {step.get("step", name) for name, step in record["steps"].items() if step["state"] != "done"}


def _outputs(place: Store, records: dict[str, dict[str, Any]], run: str) -> Iterator[Removable]:
    used = {
        each: {entry for record in parts.values() for entry in record.get("used", [])} for each, parts in records.items()
    }
    others = {entry for each, entries in used.items() if each != run for entry in entries}
    for entry in sorted(used.get(run, set()) - others):
        step, key = entry.split("/")
        size = sum(place.sizes(step, key).values())
        if size and _is_free(place, step, key):
            yield Removable(f"output of {step}", place.url, (step, key), size)
            for copy in sorted((cache_folder() / "outputs" / step).glob(f"{key}-*")) if not place.local else ():
                yield Removable(f"this machine's copy of {step}", str(copy), (), _size(copy))
    if run in records:
        yield Removable("record of the run", place.url, ("runs", run), sum(place.sizes("runs", run).values()))


def _is_free(place: Store, step: str, key: str) -> bool:
    """Whether no process is known to work at the step."""
    if not place.local:
        return True
    owner = Path(place.path("checkpoints", step, key, OWNER))
    key = key.split(".")[0]  # of an attempt that had a folder of its own
    return not is_locked(place.path("locks", f"{step}-{key}")) and not (owner.exists() and is_owned(owner, SILENT))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != OWNER)


def remove(items: list[Removable]) -> None:
    """Delete, manifests of steps first: a step without one never happened.

    Parameters
    ----------
    items
        Of :func:`find_removable`.
    """
    for item in items:
        if not item.parts:
            shutil.rmtree(item.place, ignore_errors=True)
            continue
        place = Store(item.place)
        if item.parts[0] not in ("checkpoints", "runs"):
            place.remove(*item.parts, "manifest.json")
        place.remove(*item.parts)
