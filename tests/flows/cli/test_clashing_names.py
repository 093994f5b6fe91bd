"""A user's own ``tasks.py``, ``flows/`` or ``infra.py`` in the current folder disturbs no command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows import environment

ROOT = Path(environment.__file__).parents[1]
STOP = "raise SystemExit('a file of the user was imported')\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with modules and packages of our names, and inputs of a small command."""
    for name in ("tasks", "flows", "infra"):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / f"{name}.py").write_text(STOP)
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "__init__.py").write_text(STOP)
    for kind in ("files", "packages"):
        (tmp_path / kind / "sizes").write_text("chr1\t1000\nchr2\t900\nchr3\t800\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "chrombpnet"  # as pip writes it
    script.write_text("import sys\nfrom flows.cli.main import main\nsys.exit(main())\n")
    return tmp_path


def _run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""} | variables
    words = ["prep", "folds", "-c", "sizes", "-k", "3", "-op", "fold"]
    return subprocess.run(
        [sys.executable, *command, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", ["files", "packages"])
def test_the_installed_script_is_not_disturbed(folder, kind):
    run = _run([str(folder / "bin" / "chrombpnet")], folder / kind)
    assert (run.returncode, re.sub(r"^\d\d:\d\d:\d\d  prep folds: .*\n", "", run.stderr)) == (0, "")
    assert (folder / kind / "fold_1.json").exists()


@pytest.mark.parametrize("kind", ["files", "packages"])
def test_a_child_process_is_not_disturbed(folder, kind):
    """Processes that a command starts have its environment, and with it a safe path."""
    run = _run(["-m", "flows.cli"], folder / kind, PYTHONSAFEPATH=environment._DEFAULTS["PYTHONSAFEPATH"])
    assert (run.returncode, re.sub(r"^\d\d:\d\d:\d\d  prep folds: .*\n", "", run.stderr)) == (0, "")


@pytest.mark.parametrize("kind", ["files", "packages"])
def test_the_module_is_not_disturbed_by_tasks_and_infra(folder, kind):
    """``flows`` itself Python looks up before any line of ours runs; ``python -P`` helps there."""
    for path in (folder / kind / "flows.py", folder / kind / "flows"):
        if path.is_file():
            path.unlink()
        elif path.is_dir():
            path.rename(folder / "elsewhere")
    run = _run(["-m", "flows.cli"], folder / kind)
    assert (run.returncode, re.sub(r"^\d\d:\d\d:\d\d  prep folds: .*\n", "", run.stderr)) == (0, "")


def test_a_command_gives_its_processes_a_safe_path(monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    environment.prepare(device="cpu")
    assert os.environ["PYTHONSAFEPATH"] == "1"
    monkeypatch.setenv("PYTHONSAFEPATH", "")
