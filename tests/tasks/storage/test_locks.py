"""Locks between processes of one machine."""

from __future__ import annotations

import errno
import fcntl
import os
import threading

import pytest

from tasks.storage import is_locked, locked, locks


def test_a_lock_is_seen_while_it_is_held(tmp_path):
    path = tmp_path / "locks" / "step"
    assert not is_locked(path)
    with locked(path):
        assert is_locked(path)
    assert not is_locked(path)


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


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_files_cannot_be_locked_the_work_goes_on(tmp_path, monkeypatch, caplog, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    waits = []
    for name in ("one", "two"):
        with locked(tmp_path / "locks" / name, on_wait=lambda: waits.append(1)) as held:
            assert not held
    assert waits == []
    assert caplog.text.count("file locks do not work there") == 1
    assert not is_locked(tmp_path / "locks" / "one")


def test_another_error_of_a_lock_is_not_hidden(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    with pytest.raises(OSError, match="broken"), locked(tmp_path / "lock"):
        pass


def test_nobody_waits_for_a_holder_without_a_sign_of_life(tmp_path, caplog):
    """As a server keeps the lock of a machine that is gone."""
    path, waits = tmp_path / "lock", []
    with open(path, "w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        os.utime(path, (1, 1))
        with locked(path, on_wait=lambda: waits.append(1)) as held:
            assert not held
    assert waits == [1]
    assert "gives no sign of life; going on without it" in caplog.text


def test_a_lock_that_may_only_be_read_is_held_all_the_same(tmp_path, monkeypatch):
    path, open_file = tmp_path / "lock", os.open
    path.touch()

    def refuse(name, flags, *rest):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "another user's", name)
        return open_file(name, flags, *rest)

    monkeypatch.setattr(locks.os, "open", refuse)
    with locked(path) as held:
        assert held
        assert is_locked(path)


@pytest.mark.parametrize(
    ("folder", "umask", "mode"), [(0o2775, 0o077, 0o660), (0o755, 0o022, 0o644), (0o1777, 0o022, 0o644)]
)
def test_a_lock_is_for_the_group_where_its_folder_is(tmp_path, folder, umask, mode):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks").chmod(folder)
    before = os.umask(umask)
    try:
        with locked(tmp_path / "locks" / "step") as held:
            assert held
    finally:
        os.umask(before)
    assert (tmp_path / "locks" / "step").stat().st_mode & 0o777 == mode
