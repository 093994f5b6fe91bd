"""Generated bad inputs over all commands: each is refused in one clear line, soon, in little memory, and leaves nothing.

``CHROMBPNET_BAD_INPUTS`` is the number of cases (default 330; 0: all there are, thousands), ``CHROMBPNET_BAD_INPUTS_ONLY`` a
regular expression that ``command | kind | slot`` must match, and ``CHROMBPNET_BAD_INPUTS_SECONDS`` the longest that one may
take (default 60).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from flows.cli.main import build_parser
from tests.acceptance.bad_inputs.commands import COMMANDS, Case, cases

NUMBER = int(os.environ.get("CHROMBPNET_BAD_INPUTS", "330"))
SECONDS = float(os.environ.get("CHROMBPNET_BAD_INPUTS_SECONDS", "60"))
ONLY = os.environ.get("CHROMBPNET_BAD_INPUTS_ONLY", "")
AS_COMMANDS = 20
LONGEST_LINE = 2000
ENDS_ELSEWHERE = ("deploy", "bridge", "encode run", "status", "resume", "clean", "verify")
"""Commands that end at a server that is not there, or a run that is not recorded there, where the file is read right."""
_LOG = re.compile(r"^\d\d:\d\d:\d\d  ")
_NUMBERED = re.compile(r"^ *\d+\. ")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FOREIGN = ("__autograph_generated_file", ".numba", "stdout", "stderr")


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bad_inputs") / "valid"
    module = "tests.acceptance.bad_inputs.valid"
    subprocess.run([sys.executable, "-m", module, str(folder)], check=True, capture_output=True)
    return folder


def test_every_command_is_tried():
    """A command that is new has no case yet: give it one."""
    tried = {" ".join(words.split(" -")[0].split(" {")[0].split()) for words in COMMANDS.values()}
    for name in _commands(build_parser()):
        assert any(words == name or words.startswith(name + " ") for words in tried), f"no bad inputs for: {name}"


def _commands(parser, prefix: str = "") -> Iterator[str]:
    for action in parser._actions:
        if hasattr(action, "choices") and isinstance(action.choices, dict):
            for name, inner in action.choices.items():
                yield from _commands(inner, f"{prefix}{name} ")
            return
    yield prefix.strip()


def test_bad_inputs(valid, tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in valid.iterdir()}
    made = [*cases(valid, tmp_path / "cases", NUMBER, ONLY)]
    outcomes = run_forked(made)
    faults = {index: fault for index, case in enumerate(made) if (fault := judge(case, outcomes[index]))}
    print(table(made, outcomes, faults))
    after = {path.name: path.stat().st_mtime_ns for path in valid.iterdir()}
    assert after == before, "the inputs' folder was written to"
    assert not faults, f"{len(faults)} of {len(made)} went wrong"
    for index in range(0, len(made), max(1, len(made) // AS_COMMANDS)):
        assert as_command(made[index]) == outcomes[index]["status"], made[index]


def run_forked(made: list[Case]) -> list[dict]:
    """Run every case in a process forked from one that has imported all."""
    command = [sys.executable, "-m", "tests.acceptance.bad_inputs.server", str(SECONDS)]
    text = "".join(json.dumps(asdict(case)) + "\n" for case in made)
    server = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    outcomes = [json.loads(line) for line in server.stdout.splitlines()]
    assert len(outcomes) == len(made), f"the server ended after {len(outcomes)} of {len(made)}"
    return outcomes


def as_command(case: Case) -> int:
    """Run a case as users do, and return its exit status."""
    words = [sys.executable, "-m", "flows.cli", *case.words]
    return subprocess.run(words, capture_output=True, check=False, timeout=3 * SECONDS).returncode


def judge(case: Case, outcome: dict) -> str:
    """Say what is wrong with what a command did with a bad input; nothing where it did right."""
    folder = Path(case.folder)
    printed, said = ((folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
    if outcome["why"]:
        return f"{outcome['why']}: {outcome['seconds']} s, {outcome['memory'] >> 20} MiB"
    if "Traceback (most recent call last)" in said:
        return "traceback: " + said.strip().splitlines()[-1][:300]
    status = outcome["status"]
    if status == 0:
        return "accepted: " + printed.strip()[-200:] if case.wrong else ""
    if status not in case.exit_status:
        return f"exit {status}: {said.strip()[-300:]}"
    return _of_message(case, printed, said) or _of_files(folder)


def _of_message(case: Case, printed: str, said: str) -> str:
    lines = [line for line in said.replace("\r", "\n").split("\n") if line.strip() and not _LOG.match(line)]
    usage = [line for line in lines if line.lower().startswith(("usage:", " ")) and not _NUMBERED.match(line)]
    lines = [line for line in lines if line not in usage and "%|" not in line]
    told = lines or [line for line in printed.splitlines() if case.command.startswith(("check", "doctor"))]
    if not told:
        return "nothing said"
    if len([line for line in lines if not _NUMBERED.match(line)]) > 1:
        return f"{len(lines)} lines: " + " / ".join(lines)[:400]
    longest = max(map(len, [*said.splitlines(), *printed.splitlines()]))
    if longest > LONGEST_LINE:
        return f"a line of {longest:,} characters"
    if _CONTROL.search(said.replace("\r", "") + printed):
        return "control characters: " + repr(said[-200:])
    elsewhere = not case.wrong and case.command in ENDS_ELSEWHERE
    if case.names and case.names not in said + printed and not elsewhere:
        return f"does not name {case.names}: " + " / ".join(told)[:300]
    return ""


def _of_files(folder: Path) -> str:
    left = [
        str(path.relative_to(folder))
        for place in ("out", "tmp", "in")
        for path in (folder / place).rglob("*")
        if path.is_file() and not path.name.startswith((*_FOREIGN, "bad_")) and path.name != "dataset.yaml"
    ]
    return f"files left: {', '.join(left[:5])}" if left else ""


def table(made: list[Case], outcomes: list[dict], faults: dict[int, str]) -> str:
    """Draw kinds by commands: cases, with an exclamation mark where any went wrong; below, what went wrong."""
    commands, kinds = [*COMMANDS], sorted({case.kind for case in made})
    counts = Counter((case.kind, case.command) for case in made)
    wrong = Counter((made[index].kind, made[index].command) for index in faults)
    width = max(map(len, kinds), default=0)
    lines = [f"{number:>3} {command}" for number, command in enumerate(commands)]
    lines.append(f"{'':<{width}} " + "".join(f"{number:>4}" for number in range(len(commands))) + "   all wrong")
    for kind in kinds:
        cells = [f"{counts[kind, command] or '.'}{'!' if wrong[kind, command] else ''}".rjust(4) for command in commands]
        bad = sum(wrong[kind, command] for command in commands)
        lines.append(f"{kind:<{width}} {''.join(cells)}   {sum(counts[kind, command] for command in commands):>3} {bad:>5}")
    accepted = sum(outcome["status"] == 0 for outcome in outcomes)
    longest, largest = (max((outcome[name] for outcome in outcomes), default=0) for name in ("seconds", "memory"))
    lines.append(
        f"{len(made)} cases, {len(made) - len(faults)} right ({accepted} read all the same), {len(faults)} wrong; "
        f"at most {longest} s and {largest >> 20} MiB"
    )
    lines += [
        f"{made[index].command} | {made[index].kind} | {' '.join(made[index].words)[:600]}\n    {fault}"
        for index, fault in faults.items()
    ]
    return "\n".join(["", *lines])
