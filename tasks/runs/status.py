"""What became of each part and step of a run, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.runner import MANIFEST
from tasks.runs.run_record import is_running, parts_of, run_id
from tasks.storage import Store

__all__ = ["status_lines"]

_GONE = "no longer in the store: runs again"


def status_lines(store: str, output: str, expected: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Say part by part and step by step what is done, running, failed and why, interrupted, or not begun.

    Parameters
    ----------
    store
        The store.
    output
        The run's results folder.
    expected
        Part → name of the step → its title, in order.

    Returns
    -------
    list of str
        Lines of a table.
    """
    place, run = Store(store), run_id(output)
    records, lines = parts_of(store, run), []
    for part, names in expected.items():
        record = records.get(part)
        if record is None:
            lines.append(f"{part:<10} not begun")
            continue
        running = is_running(record)
        steps = [_told(place, name, record["steps"].get(name), running) for name in names]
        lines.append(f"{part:<10} {_state_of(record, running, [words for _, words in steps])}")
        width, wide = (max(map(len, words), default=0) for words in (names, names.values()))
        lines += [f"  {name:<{width}}  {names[name]:<{wide}}  {words}" for name, words in steps]
    return lines


def _state_of(record: dict[str, Any], running: bool, steps: list[str]) -> str:
    if running:
        return f"running since {record.get('started')} on {record['host']}, process {record.get('pid')}"
    if record.get("error"):
        return f"failed at {record['ended']}: {record['error']}"
    if not record.get("ended"):
        return f"interrupted; begun at {record.get('started')} on {record['host']}"
    if any(words == _GONE for words in steps):
        return f"ended at {record['ended']}, but not everything is in the store any more"
    return f"done at {record['ended']}"


def _told(place: Store, name: str, step: dict[str, Any] | None, running: bool) -> tuple[str, str]:
    if step is None:
        return name, "not begun"
    if step["state"] == "running":
        return name, f"{'running' if running else 'interrupted, goes on from there;'} since {step.get('at')}"
    if step["state"] == "failed":
        return name, f"failed at {step.get('at')}: {step.get('error')}"
    if "key" in step and place.read_json(str(step.get("step")), str(step["key"]), MANIFEST) is None:
        return name, _GONE
    seconds = f", took {step['seconds']:,.1f} s" if step.get("seconds") is not None else ""
    return name, f"done at {step.get('at')}{seconds}"
