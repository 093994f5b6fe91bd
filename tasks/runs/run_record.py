"""What is known of a run: what was asked, what became of each step, what could be deleted.

``<output>/run.json`` says what was asked. ``<store>/runs/<run>/`` keeps that too, and a record of each part of the run: what
its folds share, and each fold. A run is its output: the same data set with the same output is the same run, continued.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

from chrombpnet_core.errors import InputError
from tasks.storage import Owner, Store, default_store, redact, redact_all, sealed

__all__ = [
    "RUN",
    "RUNS",
    "TIME",
    "is_running",
    "is_sound",
    "is_whole",
    "parts_of",
    "place_run",
    "read_run",
    "reason_of",
    "record_run",
    "run_id",
    "seal_fits",
]

log = logging.getLogger(__name__)

RUN = "run.json"
RUNS = "runs"
"""Folder of the store."""

_LOST = 3600.0  # seconds without one after which a part counts as interrupted
TIME = "%Y-%m-%dT%H:%M:%S%z"
"""Form of times in records."""


def run_id(output: str) -> str:
    """Name the run whose results go to a folder.

    Parameters
    ----------
    output
        The folder or address.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return hashlib.sha256(Store(output).url.encode()).hexdigest()[:16]


def record_run(
    spec: dict[str, Any],
    store: str,
    options: dict[str, Any],
    anew: bool = True,
    plan: Mapping[str, Any] | None = None,
    placed: bool = True,
) -> None:
    """Write what was asked to the store and to the results folder.

    User names, passwords and signatures in addresses are left out; such a run cannot be resumed from its record.

    Parameters
    ----------
    spec
        The data set.
    store
        The store.
    options
        Of the command, which shape no result.
    anew
        Whether a record that is there is replaced.
    plan
        What will be done: ``outline``, the steps of each part with their titles, and ``seconds``, what they take at most.
    placed
        Whether it is put into the results folder now, or by :func:`place_run` when there is a result.
    """
    output = spec["output"]
    if not anew and Store(output).read_json(RUN) is not None:
        return
    shown = redact_all(spec)
    content = {
        "spec": shown,
        "store": redact(Store(store).url),
        "command": [redact(word) for word in sys.argv],
        "options": options,
        "complete": shown == spec and redact(store) == store,
        "version": importlib.metadata.version("chrombpnet-flows"),
        "started": time.strftime(TIME),
        "host": platform.node(),
        **(plan or {}),
    }
    Store(store).write_json(sealed(json.loads(json.dumps(content, default=str))), RUNS, run_id(output), RUN)
    if placed:
        place_run(store, output)


def place_run(store: str, output: str) -> None:
    """Put what was asked into the results folder, where ``status``, ``resume`` and ``clean`` look for it first.

    Parameters
    ----------
    store
        The store.
    output
        The run's results folder.
    """
    from tasks.storage import place_files

    content = Store(store).read_json(RUNS, run_id(output), RUN)
    if content is not None:
        place_files({}, {RUN: json.dumps(content, indent=1) + "\n"}, output)


def read_run(output: str, store: str | None = None) -> dict[str, Any]:
    """Read what was asked of a run.

    Parameters
    ----------
    output
        Folder or address of its results, or of ``run.json`` there.
    store
        Where it is looked up if the results are not there yet; the usual store if absent.

    Returns
    -------
    dict
        Content of ``run.json``.

    Raises
    ------
    InputError
        Where there is none.
    """
    folder = output.removesuffix(RUN).rstrip("/") or "."
    content = Store(folder).read_json(RUN) or Store(store or default_store()).read_json(RUNS, run_id(folder), RUN)
    forms = {"spec": dict, "store": str, "options": dict}
    if content is None or not all(isinstance(content.get(key), form) for key, form in forms.items()):
        raise InputError(
            f"{redact(folder)}: no run is recorded there",
            expected=f"a {RUN}, which a run writes to its output",
            remedy="give the output folder of a run, or its data set file, and `store` where it has no results yet",
        )
    if not seal_fits(content):
        raise InputError(
            f"{redact(folder)}/{RUN}: damaged, its checksum is wrong",
            remedy="start the run's first command again: it is written anew",
        )
    return content


def parts_of(store: str, run: str) -> dict[str, dict[str, Any]]:
    """Read the record of every part of a run.

    Parameters
    ----------
    store
        The store.
    run
        Its name, of :func:`run_id`.

    Returns
    -------
    dict
        What the folds share, or a fold → record.
    """
    place = Store(store)
    names = sorted(name for name in place.sizes(RUNS, run) if name.endswith(".json") and name != RUN)
    read = {name.removesuffix(".json"): place.read_json(RUNS, run, name) for name in names}
    return {
        name: content
        for name, content in read.items()
        if content and is_sound(content, place.uri(RUNS, run, f"{name}.json"))
    }


def is_sound(content: dict[str, Any], address: str) -> bool:
    """Tell whether a part's record is whole, and log where it is not.

    Parameters
    ----------
    content
        The record.
    address
        Where it lies.

    Returns
    -------
    bool
        Whether it can be used.
    """
    whole = is_whole(content)
    if not whole:
        log.warning("%s: damaged record of a run, not used", redact(address))
    return whole


_OF_RUNS = {"spec", "store", "command", "options", "complete", "version", "started", "host"}
_OF_PARTS = {"output", "part", "asked", "host", "pid", "owner", "started", "steps", "used", "ended", "left", "error"}
"""Fields of records of earlier versions, which had no checksum. One with a field beyond these has a checksum."""


def seal_fits(content: dict[str, Any]) -> bool:
    """Tell whether what was recorded has the checksum that it states, and states one unless an earlier version wrote it.

    Parameters
    ----------
    content
        Of a record, or of ``run.json``.

    Returns
    -------
    bool
        Whether nothing speaks against it.
    """
    return sealed(content) == content or content.keys() <= _OF_RUNS | _OF_PARTS


def is_whole(record: dict[str, Any]) -> bool:
    """Tell whether a part's record has what is read of it, and the right checksum.

    Parameters
    ----------
    record
        The record; those of earlier versions have no checksum.

    Returns
    -------
    bool
        Whether it can be used.
    """
    steps = record.get("steps")
    return (
        isinstance(record.get("host"), str)
        and isinstance(steps, dict)
        and all(isinstance(step, dict) and isinstance(step.get("state"), str) for step in steps.values())
        and isinstance(record.get("used", []), list)
        and isinstance(record.get("alive", 0), int)
        and seal_fits(record)
    )


def is_running(record: dict[str, Any]) -> bool:
    """Tell whether a process runs a part: exactly where it is one of this machine, of others by their last sign of life.

    Parameters
    ----------
    record
        The part's record.

    Returns
    -------
    bool
        Whether it is running.
    """
    if record.get("ended") or record.get("left"):
        return False
    owner = Owner.parse(str(record.get("owner")))
    silence = time.time() - float(record.get("alive", 0))
    return owner.lives(silence, _LOST) if owner else silence < _LOST


def reason_of(error: BaseException) -> str:
    """Say an error in one line: one of the user's as it is, others with their kind.

    Parameters
    ----------
    error
        The error.

    Returns
    -------
    str
        A line.
    """
    words = " ".join(str(error).split())
    return words if isinstance(error, InputError) else f"{type(error).__name__}: {words}".rstrip(": ")
