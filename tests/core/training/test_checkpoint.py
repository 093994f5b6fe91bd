"""A checkpoint is read whole or not at all, and a damaged one ends no training."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.training import Checkpoint


@pytest.mark.parametrize("damage", ["flip", "cut", "other"])
def test_a_damaged_checkpoint_is_told_and_not_used(tmp_path, caplog, damage):
    saved = []
    checkpoint = Checkpoint(tmp_path / "state.npz", lambda: saved.append(1))
    assert checkpoint.load() is None
    checkpoint.save({"weights": np.arange(1000.0)})
    np.testing.assert_array_equal(checkpoint.load()["weights"], np.arange(1000.0))
    data = bytearray(checkpoint.path.read_bytes())
    data[len(data) // 2] ^= 4
    content = {"flip": bytes(data), "cut": bytes(data[:500]), "other": b"no archive at all"}[damage]
    checkpoint.path.write_bytes(content)
    assert caplog.text == ""
    assert checkpoint.load() is None
    assert caplog.text.count("damaged checkpoint, not used, the training begins anew") == 1
    assert str(checkpoint.path) in caplog.text
    checkpoint.save({"weights": np.zeros(3)})
    np.testing.assert_array_equal(checkpoint.load()["weights"], np.zeros(3))
    assert saved == [1, 1]
