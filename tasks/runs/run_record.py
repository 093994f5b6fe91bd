"""What is known of a run: what was asked, what became of each step, what could be deleted.

``<output>/run.json`` says what was asked. ``<store>/runs/<run>/`` keeps that too, and a record of each part of the run: what
its folds share, and each fold. A run is its output: the same data set with the same output is the same run, continued.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from chrombpnet_core.errors import InputError, Stopped
from tasks.runner import Result
from tasks.storage import Owner, StorageError, Store, redact, redact_all, sealed

__all__ = [
    "RUN",
    "Record",
    "is_running",
    "parts_of",
    "read_run",
    "reason_of",
    "record_run",
    "recording",
    "run_id",
]

log = logging.getLogger(__name__)

RUN = "run.json"
_RUNS = "runs"  # folder of the store
_SIGN = 600.0  # seconds between two signs of life in a record
_LOST = 3600.0  # seconds without one after which a part counts as interrupted
_TIME = "%Y-%m-%dT%H:%M:%S%z"


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


def record_run(spec: dict[str, Any], store: str, options: dict[str, Any], anew: bool = True) -> None:
    """Write what was asked to the results folder and to the store.

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
    """
    from tasks.storage import place_files

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
        "started": time.strftime(_TIME),
        "host": platform.node(),
    }
    content = sealed(json.loads(json.dumps(content, default=str)))
    place_files({}, {RUN: json.dumps(content, indent=1) + "\n"}, output)
    Store(store).write_json(content, _RUNS, run_id(output), RUN)


def read_run(output: str) -> dict[str, Any]:
    """Read what was asked of a run.

    Parameters
    ----------
    output
        Folder or address of its results, or of ``run.json`` there.

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
    content = Store(folder).read_json(RUN)
    forms = {"spec": dict, "store": str, "options": dict}
    if content is None or not all(isinstance(content.get(key), form) for key, form in forms.items()):
        raise InputError(
            f"{redact(folder)}: no run is recorded there",
            expected=f"a {RUN}, which a run writes to its output",
            remedy="give the output folder of a run, or its data set file",
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
    names = sorted(name for name in place.sizes(_RUNS, run) if name.endswith(".json") and name != RUN)
    read = {name.removesuffix(".json"): place.read_json(_RUNS, run, name) for name in names}
    return {
        name: content
        for name, content in read.items()
        if content and _is_record(content, place.uri(_RUNS, run, f"{name}.json"))
    }


def _is_record(content: dict[str, Any], address: str) -> bool:
    """Tell whether a record is whole, and log where it is not."""
    whole = is_whole(content)
    if not whole:
        log.warning("%s: damaged record of a run, not used", redact(address))
    return whole


def seal_fits(content: dict[str, Any]) -> bool:
    """Tell whether what was recorded has the checksum that it states; that of earlier versions states none.

    Parameters
    ----------
    content
        Of a record, or of ``run.json``.

    Returns
    -------
    bool
        Whether nothing speaks against it.
    """
    return sealed(content) == content or "sha256" not in content


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
        and ("alive" not in record or "sha256" in record)
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


class Record:
    """What becomes of the steps of one part of a run; see :func:`recording`."""

    def __init__(self, store: str, output: str, part: str, asked: dict[str, Any]) -> None:
        self._store, self._place = Store(store), (_RUNS, run_id(output), f"{part}.json")
        self._changing = threading.Lock()
        told = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]
        before = self._store.read_json(*self._place)
        before = before if before and _is_record(before, self._store.uri(*self._place)) else {}
        kept = before.get("steps", {}) if before.get("asked") == told else {}
        self._content: dict[str, Any] = {
            "output": redact(Store(output).url),
            "part": part,
            "asked": told,
            "host": platform.node(),
            "pid": os.getpid(),
            "owner": str(Owner.here()),
            "started": time.strftime(_TIME),
            "steps": {name: step for name, step in kept.items() if step["state"] == "done"},
            "used": before.get("used", []),
        }
        self._over = threading.Event()
        self._write()
        threading.Thread(target=self._live, daemon=True, name="record").start()

    def _live(self) -> None:
        """Give signs of life."""
        while not self._over.wait(_SIGN):
            with self._changing:
                self._write()

    def follow(self, name: str, future: Any, step: str = "", title: str = "") -> None:
        """Note that a step has begun, and, when the Prefect future is done, what became of it.

        Parameters
        ----------
        name
            The step's name in the run.
        future
            Of Prefect's.
        step
            The step's own name, by which the store knows it.
        title
            The step's title.
        """
        with self._changing:
            begun = {"state": "running", "at": time.strftime(_TIME), "step": step or name, "title": title}
            self._content["steps"][name] = begun
            self._write()
        future.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, future: Any) -> None:
        future.wait()  # over already; only now does it know its final state
        state = future.state
        with self._changing:
            step = self._content["steps"][name]
            if state.is_completed():
                result = future.result()
                if isinstance(result, Result):
                    step |= {"step": result.step, "key": result.key, "seconds": result.manifest.get("seconds")}
                    self._content["used"] = sorted({*self._content["used"], f"{result.step}/{result.key}"})
                step |= {"state": "done"}
            elif state.is_failed() or state.is_crashed():
                error = future.result(raise_on_failure=False)
                if isinstance(error, Stopped):
                    return  # begun and not ended, as the record has it
                step |= {"state": "failed", "error": reason_of(error)}
            else:  # never begun: what it needs has failed
                del self._content["steps"][name]
                self._write()
                return
            step["at"] = time.strftime(_TIME)
            self._write()

    def close(self, error: BaseException | None = None) -> None:
        """Note that the part has ended, well or not; one that was told to stop has not."""
        self._over.set()
        with self._changing:
            if isinstance(error, Stopped) or not isinstance(error, Exception | None):
                self._content |= {"left": time.strftime(_TIME)}
            else:
                self._content |= {"ended": time.strftime(_TIME)} | ({"error": reason_of(error)} if error else {})
            self._write()

    def _write(self) -> None:
        try:
            self._store.write_json(sealed(self._content | {"alive": round(time.time())}), *self._place)
        except StorageError as error:  # what is done need not end for want of a note of it
            log.warning("what became of the steps is not recorded: %s", error)


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


@contextlib.contextmanager
def recording(store: str, output: str, part: str, asked: dict[str, Any]) -> Iterator[Record]:
    """Keep a :class:`Record` of what happens within.

    ``asked`` is what the part computes: the steps of an earlier attempt at the same are still known.
    """
    record = Record(store, output, part, asked)
    try:
        yield record
    except BaseException as error:
        record.close(error)
        raise
    record.close()
