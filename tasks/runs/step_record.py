"""What becomes of the steps of one part of a run, written to the store as it happens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from chrombpnet_core.errors import Stopped
from tasks._watching import Watcher
from tasks.results import Result
from tasks.runs.run_record import RUNS, TIME, is_sound, place_run, reason_of, run_id
from tasks.storage import Owner, StorageError, Store, redact, sealed

__all__ = ["Record", "recording"]

log = logging.getLogger(__name__)

_SIGN = 600.0  # seconds between two signs of life in a record
_PROGRESS_LOCAL, _PROGRESS_REMOTE = 10.0, 60.0  # seconds between two notes of how far a step is


class Record:
    """What becomes of the steps of one part of a run; see :func:`recording`."""

    def __init__(
        self, store: str, output: str, part: str, asked: dict[str, Any], places: Mapping[str, str] | None = None
    ) -> None:
        self._store, self._place = Store(store), (RUNS, run_id(output), f"{part}.json")
        self._output, self._places = output, places or {}
        self._changing = threading.Lock()
        told = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]
        before = self._store.read_json(*self._place)
        before = before if before and is_sound(before, self._store.uri(*self._place)) else {}
        kept = before.get("steps", {}) if before.get("asked") == told else {}
        self._content: dict[str, Any] = {
            "output": redact(Store(output).url),
            "part": part,
            "asked": told,
            "host": platform.node(),
            "pid": os.getpid(),
            "owner": str(Owner.here()),
            "started": time.strftime(TIME),
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

    def place_run(self) -> None:
        """Put what was asked into the results folder, now that there is something to go on from."""
        place_run(self._store.url, self._output)

    def announce(self, name: str, step: str, title: str) -> Watcher:
        """Note that a step waits for its inputs.

        Parameters
        ----------
        name
            The step's name in the run.
        step
            The step's own name, by which the store knows it.
        title
            The step's title.

        Returns
        -------
        Watcher
            Who is to be told that it begins, and how far it is.
        """
        self._note(name, {"state": "waiting", "at": time.strftime(TIME), "step": step, "title": title})
        every = _PROGRESS_LOCAL if self._store.local else _PROGRESS_REMOTE
        return Watcher(self._places.get(name, ""), lambda: self._begin(name), _Progress(self, name, every))

    def follow(self, name: str, future: Any, step: str = "", title: str = "") -> None:
        """Note that a step has begun, and, when its future is done, what became of it.

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
        self._note(name, {"state": "running", "at": time.strftime(TIME), "step": step or name, "title": title})
        self.attach(name, future)

    def attach(self, name: str, future: Any) -> None:
        """Note what becomes of an announced step when its future is done."""
        future.add_done_callback(lambda done: self._ended(name, done))

    def note_progress(self, name: str, begun: tuple[float, float], share: float, words: str) -> None:
        """Note how far a step is.

        Parameters
        ----------
        name
            The step's name in the run.
        begun
            When that was first told, in seconds since 1970, and the share then.
        share
            What is done of it, 0 to 1.
        words
            What to say of it.
        """
        with self._changing:
            step = self._content["steps"].get(name)
            if step is not None and step["state"] == "running":
                step |= {"share": share, "words": words, "told": time.time(), "first": list(begun)}
                self._write()

    def _note(self, name: str, step: dict[str, Any]) -> None:
        with self._changing:
            self._content["steps"][name] = step
            self._write()

    def _begin(self, name: str) -> None:
        with self._changing:
            self._content["steps"][name] |= {"state": "running", "at": time.strftime(TIME)}
            self._write()

    def _ended(self, name: str, future: Any) -> None:
        future.wait()  # over already; only now does it know its final state
        state = future.state
        with self._changing:
            step = self._content["steps"][name]
            for passing in ("share", "words", "told", "first"):
                step.pop(passing, None)
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
            step["at"] = time.strftime(TIME)
            self._write()

    def close(self, error: BaseException | None = None) -> None:
        """Note that the part has ended, well or not; one that was told to stop has not."""
        self._over.set()
        with self._changing:
            if isinstance(error, Stopped) or not isinstance(error, Exception | None):
                self._content |= {"left": time.strftime(TIME)}
            else:
                self._content |= {"ended": time.strftime(TIME)} | ({"error": reason_of(error)} if error else {})
            self._write()

    def _write(self) -> None:
        try:
            self._store.write_json(sealed(self._content | {"alive": round(time.time())}), *self._place)
        except StorageError as error:  # what is done need not end for want of a note of it
            log.warning("what became of the steps is not recorded: %s", error)


class _Progress:
    """Notes how far a step is, now and then."""

    def __init__(self, record: Record, name: str, every: float) -> None:
        self._record, self._name, self._every = record, name, every
        self._begun: tuple[float, float] | None = None
        self._next = 0.0

    def __call__(self, share: float, words: str) -> None:
        now = time.time()
        self._begun = self._begun or (now, share)
        if now >= self._next:
            self._next = now + self._every
            self._record.note_progress(self._name, self._begun, share, words)


@contextlib.contextmanager
def recording(
    store: str, output: str, part: str, asked: dict[str, Any], places: Mapping[str, str] | None = None
) -> Iterator[Record]:
    """Keep a :class:`Record` of what happens within.

    Parameters
    ----------
    store
        The store.
    output
        The run's results folder.
    part
        Which part of the run.
    asked
        What the part computes: the steps of an earlier attempt at the same are still known.
    places
        Name of a step in the run → its place, such as ``step 5 of 14``.

    Yields
    ------
    Record
        The record, which is closed in the end.
    """
    record = Record(store, output, part, asked, places)
    try:
        yield record
    except BaseException as error:
        record.close(error)
        raise
    record.close()
