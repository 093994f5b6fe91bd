"""What ``make lint`` runs finds what it is there for: a copy that is broken on purpose fails each check."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent

SOUND = '''"""Lengths of intervals."""

from __future__ import annotations

__all__ = ["length"]


def length(start: int, end: int) -> int:
    """Compute how many bases an interval has.

    Parameters
    ----------
    start
        Its first base, counted from 0.
    end
        The base behind its last.

    Returns
    -------
    int
        In bp.
    """
    return end - start
'''

BROKEN = {
    ("ruff", "format", "--check"): SOUND.replace("end - start", "end-start"),
    ("ruff", "check"): SOUND.replace("__all__", "import os\n\n__all__"),
    ("pydoclint",): SOUND.replace("    end\n        The base behind its last.\n", ""),
    ("mypy",): SOUND.replace("end - start", "str(end - start)"),
}
OTHERS = {
    ("ruff", "check"): SOUND.replace("Compute how many bases an interval has", "An interval's bases"),
    ("pydoclint",): SOUND.replace("    Returns\n    -------\n    int\n        In bp.\n", ""),
    ("mypy",): SOUND.replace("start: int, ", "start, "),
}


def _check(folder: Path, tool: tuple[str, ...], text: str) -> subprocess.CompletedProcess:
    (folder / "module.py").write_text(text)
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [str(PROGRAMS / tool[0]), *tool[1:], "module.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("tool", BROKEN, ids=" ".join)
def test_sound_code_passes_and_broken_code_fails(tool, tmp_path):
    sound = _check(tmp_path, tool, SOUND)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert _check(tmp_path, tool, BROKEN[tool]).returncode != 0
    if tool in OTHERS:
        assert _check(tmp_path, tool, OTHERS[tool]).returncode != 0


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("chrombpnet_core/genome/sequence.py", "from chrombpnet_core.report import write_report"),
        ("chrombpnet_core/models/names.py", "import prefect"),
        ("tasks/runner.py", "import flows.spec"),
    ],
)
def test_an_arrow_that_points_up_is_found(module, line, tmp_path):
    for package in ("chrombpnet_core", "tasks", "flows", "infra"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [str(PROGRAMS / "lint-imports"), "--no-cache"]
    with open(tmp_path / module, "a") as file:
        file.write(f"\n{line}\n")
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "BROKEN" in run.stdout


def test_make_lint_runs_them_all():
    recipe = (ROOT / "Makefile").read_text().split("\nlint:", 1)[1].split("\n\n", 1)[0]
    for command in ("ruff format --check", "ruff check", "pydoclint", "mypy", "lint-imports"):
        assert f"$(BIN)/{command}" in recipe
