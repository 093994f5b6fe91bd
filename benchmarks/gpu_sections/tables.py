"""Markdown tables of ``results.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LEFT_OUT = ("section", "compile_seconds")


def write_tables(output: Path) -> None:
    """Write ``RESULTS.md``: a table for each section and kind of line, in the order in which they came."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in (output / "results.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["section"] != "kernels":
            groups.setdefault((row["section"], *(key for key in ("what",) if isinstance(row.get(key), str))), []).append(row)
    parts = [_table(key[0], rows) for key, rows in groups.items()]
    (output / "RESULTS.md").write_text("\n".join(parts))


def _table(title: str, rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row if key not in LEFT_OUT))
    lines = [
        f"### {title}",
        "",
        "| " + " | ".join(column.replace("_", " ") for column in columns) + " |",
        "|" + "---|" * len(columns),
    ]
    lines += ["| " + " | ".join(_shown(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join([*lines, ""])


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 0.1 else f"{value:,.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value).replace("|", "/").replace("\n", " ")
