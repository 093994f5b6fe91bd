"""What became of each part and step of a run, as a table; how far it is, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chrombpnet_core.progress import readable_time
from tasks.runs.run_record import TIME, is_running, parts_of, run_id
from tasks.storage import MANIFEST, Store

__all__ = ["status_lines"]

_GONE = "no longer in the store: runs again"


def status_lines(
    store: str, output: str, expected: Mapping[str, Mapping[str, str]], seconds: Mapping[str, float] | None = None
) -> list[str]:
    """Say part by part and step by step what is done, running, waiting, failed and why, interrupted, or not begun.

    Parameters
    ----------
    store
        The store.
    output
        The run's results folder.
    expected
        Part → name of the step → its title, in order; other parts that are on record come last.
    seconds
        Name of the step → what it takes at most, for the time left.

    Returns
    -------
    list of str
        Lines of a table, with local times.
    """
    place, run, expected_seconds = Store(store), run_id(output), seconds or {}
    records = parts_of(store, run)
    recorded = {
        part: {name: str(step.get("title", "")) for name, step in record["steps"].items()}
        for part, record in records.items()
        if part not in expected
    }
    lines, lefts, working = [], [], False
    for part, names in {**expected, **recorded}.items():
        record = records.get(part)
        known = record["steps"] if record else {}
        lefts.append(sum(_seconds_left(known.get(name), expected_seconds.get(name, 0.0)) for name in names))
        if record is None:
            lines.append(f"{part:<10} not begun")
            continue
        running = is_running(record)
        working |= running
        steps = [_told(place, name, known.get(name), running, expected_seconds) for name in names]
        state = _state_of(record, running, [words for _, words in steps])
        lines.append(f"{part:<10} {state}{_left(lefts[-1]) if running else ''}")
        width, wide = (max(map(len, words), default=0) for words in (names, names.values()))
        lines += [f"  {name:<{width}}  {names[name]:<{wide}}  {words}" for name, words in steps]
    if working and len(lefts) > 1 and sum(lefts) >= 1:
        lines.append(f"all parts: at most {readable_time(sum(lefts))} left")
    return lines


def local_time(recorded: str | None) -> str:
    """Put a recorded time into local time.

    Parameters
    ----------
    recorded
        As records have it, with its distance from UTC.

    Returns
    -------
    str
        Such as ``2026-01-31 18:05:07``; what is no such time as it is.
    """
    try:
        return f"{datetime.strptime(str(recorded), TIME).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return str(recorded)


def _state_of(record: dict[str, Any], running: bool, steps: list[str]) -> str:
    if running:
        return f"running since {local_time(record.get('started'))} on {record['host']}, process {record.get('pid')}"
    if record.get("error"):
        return f"failed at {local_time(record['ended'])}: {record['error']}"
    if not record.get("ended"):
        return f"interrupted; begun at {local_time(record.get('started'))} on {record['host']}"
    if any(words == _GONE for words in steps):
        return f"ended at {local_time(record['ended'])}, but not everything is in the store any more"
    return f"done at {local_time(record['ended'])}"


def _told(
    place: Store, name: str, step: dict[str, Any] | None, running: bool, expected: Mapping[str, float]
) -> tuple[str, str]:
    if step is None or (step["state"] == "waiting" and not running):
        return name, "not begun"
    at = local_time(step.get("at"))
    if step["state"] == "waiting":
        return name, "waiting for the steps before it"
    if step["state"] == "running":
        words = f"running since {at}{_how_far(step)}" if running else f"interrupted, goes on from there; since {at}"
        return name, words + (_left(_seconds_left(step, expected.get(name, 0.0))) if running else "")
    if step["state"] == "failed":
        return name, f"failed at {at}: {step.get('error')}"
    if "key" in step and place.read_json(str(step.get("step")), str(step["key"]), MANIFEST) is None:
        return name, _GONE
    seconds = f", took {step['seconds']:,.1f} s" if step.get("seconds") is not None else ""
    return name, f"done at {at}{seconds}"


def _how_far(step: dict[str, Any]) -> str:
    return f", {100 * step['share']:.0f} % ({step.get('words')})" if isinstance(step.get("share"), float | int) else ""


def _left(seconds: float) -> str:
    return f"; at most {readable_time(seconds)} left" if seconds >= 1 else ""


def _seconds_left(step: dict[str, Any] | None, expected: float) -> float:
    """Time that a step still takes at most: by its own progress where it tells that, else by what was expected."""
    if step is None or step["state"] == "waiting":
        return expected
    if step["state"] != "running":
        return 0.0
    now = time.time()
    first, share = step.get("first"), step.get("share")
    if first and share and share > first[1]:
        rate = (share - first[1]) / max(step["told"] - first[0], 1e-9)
        return max(0.0, float((1 - share) / rate - (now - step["told"])))
    try:
        begun = datetime.strptime(str(step.get("at")), TIME).timestamp()
    except ValueError:
        return expected
    return max(0.0, expected - (now - begun))
