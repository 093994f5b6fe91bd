"""How long the command line lets people wait: first words of every command, plans, status, reports; one summary line.

First words are those of a process that is started for them, from its start to its first line on standard error or output.
Plans and status are whole processes, on the demo's data set and its record. Reports are what the steps that write them take
when the rest of a finished demo is found in its store; the demo is run before, some minutes, unless ``--results`` names one.
Medians of three. Exits 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from table import Row, report  # noqa: E402

REPEATS = 3
FIRST_WORDS, DRY_RUN, STATUS, REPORT = 1.0, 3.0, 1.5, 15.0
"""Bounds in seconds."""


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Every command: its words, and arguments that its parser takes, of files that are not there."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield words, [text for action in parser._actions if action.required for text in _given(action)]
        return
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, (*words, name))


def _given(action: argparse.Action) -> list[str]:
    value = str(next(iter(action.choices))) if action.choices else "1" if action.type in (int, float) else "absent"
    return [*action.option_strings[-1:], value]


def command_of(*words: str) -> list[str]:
    """A process of the command line."""
    return [sys.executable, "-m", "flows.cli", *words]


def seconds_to_first_line(words: list[str], folder: Path) -> float:
    """From the start of a command to its first line; it is ended then."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command_of(*words), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    spent = time.perf_counter() - begin
    process.kill()
    process.communicate()
    assert line.strip(), f"{' '.join(words)} says nothing"
    return spent


def seconds_of(*words: str, folder: Path) -> float:
    """Of a whole command, which must end well."""
    begin = time.perf_counter()
    ended = subprocess.run(command_of(*words), cwd=folder, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - begin
    assert ended.returncode == 0, ended.stderr[-2000:]
    return spent


def row(step: str, what: str, times: list[float], most: float | None) -> Row:
    """A line of the table: the median, and the least and the most of the times."""
    median = statistics.median(times)
    value = f"{median:.2f} s ({min(times):.2f} to {max(times):.2f})"
    return Row(step, what, value, f"< {most:g} s" if most else "", median < most if most else None)


def first_words(folder: Path) -> list[Row]:
    """A line for each command."""
    from flows.cli import build_parser

    rows = []
    for words, arguments in commands(build_parser()):
        given = [*words, *_reads(words), *arguments]
        times = [seconds_to_first_line(given, folder) for _ in range(REPEATS)]
        rows.append(row("first words", " ".join(words), times, FIRST_WORDS))
    return rows


def _reads(words: tuple[str, ...]) -> list[str]:
    """Reads, of which one kind is required of commands that train."""
    return ["-ibam", "absent.bam"] if words[-1] in ("pipeline", "train") else []


def make_plan(folder: Path) -> Path:
    """The demo's data, its data set file, and the record of a run of it."""
    from chrombpnet_core.simulation import DEMO, simulate
    from flows.cli import DEMO_SETTINGS
    from flows.dataset import outline
    from flows.spec import read_spec
    from tasks.runs import record_run, recording

    found = simulate(folder / "in", DEMO, bgzip=True)
    paths = {"genome": found.genome, "chrom_sizes": found.sizes, "peaks": found.peaks}
    spec = {
        "id": "demo",
        "assay": "ATAC",
        "reads": {"fragments": [str(found.fragments)]},
        "folds": [str(found.fold)],
        "output": str(folder / "out"),
        **{name: str(path) for name, path in paths.items()},
        **DEMO_SETTINGS,
    }
    path = folder / "dataset.json"
    path.write_text(json.dumps(spec))
    read, store = read_spec(str(path)), str(folder / "store")
    record_run(read.model_dump(mode="json"), store, {}, plan={"outline": outline(read), "seconds": {}})
    with recording(store, read.output, "fold_0", {}) as record:
        record.announce("coverage", "coverage", "Count insertions")
    return path


def plans(folder: Path) -> list[Row]:
    """Plans, checks and status of the demo's data set."""
    spec = str(make_plan(folder))
    store = ("--store", str(folder / "store"))
    asked: dict[str, tuple[tuple[str, ...], float | None]] = {
        "run --dry-run": (("run", spec, "--dry-run", *store), DRY_RUN),
        "check": (("check", spec, *store), None),
        "status": (("status", str(folder / "out")), STATUS),
    }
    rows = []
    for what, (words, most) in asked.items():
        rows.append(row("whole command", what, [seconds_of(*words, folder=folder) for _ in range(REPEATS)], most))
    return rows


def reports(results: Path | None, folder: Path) -> list[Row]:
    """What each step that writes a report takes, when all else of a demo is in its store."""
    if results is None:
        results = folder / "demo"
        seconds_of("demo", "-o", str(results), "--store", str(results / "store"), folder=folder)
    from tasks.runs import read_run

    store = Path(read_run(str(results))["store"])
    for path in store.glob("report/*/manifest.json"):
        path.unlink()
    seconds_of("resume", str(results), folder=folder)
    manifests: list[dict[str, Any]] = [json.loads(path.read_text()) for path in store.glob("report/*/manifest.json")]
    return [
        row("report", f"of the {made['parameters']['kind']}", [made["seconds"]], REPORT)
        for made in sorted(manifests, key=lambda made: str(made["started"]))
    ]


def main() -> int:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="results of a finished demo, whose reports are redone"
    )
    parser.add_argument("--no-reports", action="store_true", help="leave the reports out")
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(HERE.parent)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["CHROMBPNET_CACHE"] = str(folder / "cache")
        seconds_of("doctor", folder=folder)  # bytecode is there and files are read once
        rows = [*first_words(folder), *plans(folder)]
        if not arguments.no_reports:
            rows += reports(arguments.results, folder)
        return report(rows, name="bench-cli")


if __name__ == "__main__":
    sys.exit(main())
