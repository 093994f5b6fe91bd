"""The reference program's metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"


@pytest.fixture(scope="module")
def golden():
    """Arrays by name; tests skip where the file is not there."""
    path = GOLDEN / "metrics.npz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with np.load(path) as file:
        return {name: file[name] for name in file}
