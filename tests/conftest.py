"""What tests share: an isolated home, and the folder of real data and golden outputs where it is present."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

_HOME = tempfile.mkdtemp(prefix="chrombpnet-tests-")
os.environ["PREFECT_HOME"] = f"{_HOME}/prefect"
os.environ["CHROMBPNET_CACHE"] = f"{_HOME}/cache"
os.environ.pop("CHROMBPNET_STORE", None)
os.environ.pop("PREFECT_API_URL", None)
os.environ.setdefault("PYTHONSAFEPATH", "")  # tests start modules of this folder

from flows import environment  # noqa: E402

environment.prepare(device="cpu")

# A test is no stopwatch: the first example may compile, and the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_LONGEST = ("test_pipelines", "test_backends", "test_folds", "test_interruptions", "test_reference_commands", "test_modisco")
"""Modules that take longest, in the order in which two workers begin them: none waits for what another one makes, and
TF-MoDISco's machine code, which takes over a minute, is compiled once: in the first one's run."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that all workers end together."""
    rank = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)) if "acceptance" not in item.path.parts else 0)


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """``../shared`` of the repository; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not present")
    return SHARED


@pytest.fixture(scope="session")
def yeast(shared: Path) -> Path:
    """Real yeast ATAC-seq reads, genome, peaks, blacklist and folds."""
    return shared / "data" / "yeast_atac"


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """Outputs of the reference program."""
    return shared / "golden"
