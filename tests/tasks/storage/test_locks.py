"""Locks between processes of one machine."""

from __future__ import annotations

import os
import threading

from tasks.storage import is_locked, locked


def test_a_lock_is_seen_while_it_is_held(tmp_path):
    path = tmp_path / "locks" / "step"
    assert not is_locked(path)
    with locked(path):
        assert is_locked(path)
    assert not is_locked(path)


def test_a_shared_lock_is_seen_and_shared(tmp_path):
    path = tmp_path / "part"
    with locked(path, shared=True), locked(path, shared=True):
        assert is_locked(path)


def test_who_waits_for_a_file_that_was_renamed_takes_the_new_one(tmp_path):
    path, waiting, order = tmp_path / "part", threading.Event(), []

    def wait():
        with locked(path, on_wait=waiting.set):
            order.append(path.exists())

    with locked(path):
        other = threading.Thread(target=wait)
        other.start()
        assert waiting.wait(10)
        os.replace(path, tmp_path / "whole")
    other.join(10)
    assert order == [True]
    assert (tmp_path / "whole").exists()
