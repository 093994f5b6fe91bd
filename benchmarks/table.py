"""The table that the benchmarks end in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table; ``ok`` is None where no bound is set."""

    step: str
    what: str
    value: str
    bound: str = ""
    ok: bool | None = None


def report(rows: Sequence[Row], computed: Sequence[str] = (), name: str = "bench-preprocess") -> int:
    """Print the table, what was computed from it, and the summary under ``name``; 1 where a bound is missed."""
    widths = [max(len(getattr(row, part)) for row in rows) for part in ("step", "what", "value", "bound")]
    marks = {None: "", True: "ok", False: "MISSED"}
    for row in rows:
        cells = (row.step, row.what, row.value, row.bound)
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), marks[row.ok], sep="  ")
    for line in computed:
        print(line)
    bounded = [row for row in rows if row.ok is not None]
    missed = [row for row in bounded if not row.ok]
    print(
        f"{name}: {len(bounded) - len(missed)} of {len(bounded)} bounds met"
        + "".join(f"; missed: {row.step}, {row.what}: {row.bound}" for row in missed)
    )
    return 1 if missed else 0
