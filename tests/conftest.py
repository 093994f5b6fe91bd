"""What tests share: the folder of real data and golden outputs beside the repository, where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest

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
