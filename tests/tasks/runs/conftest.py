"""A store and a results folder."""

from __future__ import annotations

import pytest


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "store"), str(tmp_path / "out")
