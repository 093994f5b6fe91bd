"""The examples in docstrings run and say the truth; every function of the front door has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import chrombpnet_core as cbp

ROOT = Path(cbp.__file__).parent
MODULES = sorted(
    ".".join(("chrombpnet_core", *path.relative_to(ROOT).with_suffix("").parts))
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8") and path.name != "__init__.py"
)
FUNCTIONS = [name for name in cbp.__all__ if inspect.isfunction(getattr(cbp, name))]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, files, monkeypatch):
    monkeypatch.chdir(files.folder)
    monkeypatch.setenv("CHROMBPNET_CACHE", str(files.folder / "cache"))
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_front_door_has_an_example(name):
    assert ">>> " in inspect.getdoc(getattr(cbp, name))


@pytest.mark.parametrize("method", [cbp.Model.predict, cbp.Model.contributions, cbp.plot.locus, cbp.plot.footprint])
def test_so_have_methods_and_pictures(method):
    assert ">>> " in inspect.getdoc(method)
