"""Verifying a store: every file of every step against its manifest, manifests, records of runs and checkpoints."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import check_seal
from chrombpnet_core.progress import bar
from tasks.runs.run_record import RUN, is_whole, seal_fits
from tasks.storage import MANIFEST, Store, manifest_fault, redact

__all__ = ["Damage", "Verification", "verify_store"]

_AT_ONCE = 4  # files that are read
_RUNS, _CHECKPOINTS, _ASIDE = "runs", "checkpoints", ("locks", "scratch")


@dataclass(frozen=True)
class Damage:
    """A damaged file.

    Attributes
    ----------
    step
        The step whose it is, or what it belongs to.
    path
        In the store.
    fault
        What is wrong with it.
    remedy
        What to do.
    """

    step: str
    path: str
    fault: str
    remedy: str


@dataclass
class Verification:
    """What was looked at, what not, and what is damaged.

    Attributes
    ----------
    seen
        What was looked at → number.
    passed_over
        What was not → number of files.
    size
        Bytes of steps' files that were read.
    damages
        Damaged files, sorted by path.
    """

    seen: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    size: int = 0
    damages: list[Damage] = field(default_factory=list)


def verify_store(url: str) -> Verification:
    """Read every file in a store and compare it with its checksum.

    Parameters
    ----------
    url
        Folder or address of the store.

    Returns
    -------
    Verification
        What was found; nothing is changed.

    Raises
    ------
    InputError
        Where there is no store.
    """
    place, verified = Store(url), Verification()
    sizes = place.sizes()
    if not sizes:
        raise InputError(f"{redact(place.url)}: no store is there", remedy="give the folder or address of a store")
    steps: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for path, size in sizes.items():
        first, *rest = path.split("/")
        if first == _RUNS:
            _verify_record(place, path, verified)
        elif first == _CHECKPOINTS:
            _verify_checkpoint(place, path, verified)
        elif first in _ASIDE or len(rest) < 2:
            verified.passed_over["locks and scratch" if first in _ASIDE else "files that are not the store's"] += 1
        else:
            steps[first, rest[0]]["/".join(rest[1:])] = size
    entries = [entry for (step, key), present in steps.items() for entry in _entries(place, step, key, present, verified)]
    _verify_files(place, entries, verified)
    verified.damages.sort(key=lambda damage: damage.path)
    return verified


def _entries(
    place: Store, step: str, key: str, present: dict[str, int], verified: Verification
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Look at a step's manifest and go through its files: the step, path in the store, entry of the manifest."""
    if MANIFEST not in present:
        verified.passed_over["files of attempts that did not end"] += len(present)
        return
    verified.seen["steps"] += 1
    manifest = place.read_json(step, key, MANIFEST, quiet=True)
    fault = manifest_fault(manifest, step, key)
    if fault or manifest is None:
        verified.damages.append(_damage(step, f"{step}/{key}/{MANIFEST}", f"is damaged: {fault}"))
        verified.passed_over["files of steps whose manifest is damaged"] += len(present) - 1
        return
    if "sha256" not in manifest:
        verified.seen["manifests of an earlier version, without a checksum: the form alone"] += 1
    place_of_files = manifest.get("place", "")
    named = {"/".join(filter(None, [place_of_files, name])): entry for name, entry in manifest["files"].items()}
    verified.passed_over["files beside those of a manifest, left by other attempts"] += len(
        present.keys() - named.keys() - {MANIFEST}
    )
    for path, entry in named.items():
        if present.get(path) != entry["size"]:
            fault = "has another size" if path in present else "is missing"
            verified.damages.append(_damage(step, f"{step}/{key}/{path}", fault))
        else:
            yield step, f"{step}/{key}/{path}", entry


def _verify_files(place: Store, entries: list[tuple[str, str, dict[str, Any]]], verified: Verification) -> None:
    """Read files of the right size."""
    with (
        bar("verifying", sum(entry["size"] for _, _, entry in entries), "B") as progress,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        digests = pool.map(lambda item: place.digest(*item[1].split("/")), entries)
        for (step, path, entry), digest in zip(entries, digests, strict=True):
            verified.seen["files"] += 1
            verified.size += entry["size"]
            progress.update(entry["size"])
            if digest != entry["sha256"]:
                verified.damages.append(_damage(step, path, "has another checksum (SHA-256)"))


def _damage(step: str, path: str, fault: str) -> Damage:
    return Damage(step, path, fault, "start the run's command again: the step runs again")


def _verify_record(place: Store, path: str, verified: Verification) -> None:
    verified.seen["records of runs"] += 1
    content = place.read_json(*path.split("/"), quiet=True)
    if content is None or not (seal_fits(content) if path.endswith(f"/{RUN}") else is_whole(content)):
        remedy = "start the run's command again: it is written anew"
        verified.damages.append(Damage("record of a run", path, "is damaged", remedy))


def _verify_checkpoint(place: Store, path: str, verified: Verification) -> None:
    """Check what has a checksum behind it."""
    if not path.endswith(".npz"):
        verified.passed_over["parts of unfinished steps that are checked when they are taken up"] += 1
        return
    data = place.read_bytes(*path.split("/"))
    if data is None:  # its step has ended meanwhile
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkpoint.npz"
        copy.write_bytes(data)
        try:
            if not check_seal(copy):
                verified.passed_over["checkpoints of an earlier version, without a checksum"] += 1
                return
            verified.seen["checkpoints"] += 1
        except ValueError as error:
            fault = f"is damaged: {str(error).removeprefix(f'{copy}: ')}"
            step = f"checkpoint of {path.split('/')[1]}"
            remedy = "nothing: the step passes over it when it goes on, and begins anew"
            verified.damages.append(Damage(step, path, fault, remedy))
