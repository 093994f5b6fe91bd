"""A full disk is told in one line with place, free and needed bytes, whichever words the error has."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from chrombpnet_core.errors import InputError
from tasks.storage import FullDisk, fault_in_words, place_files, require_space, telling_full_disk

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def full(monkeypatch):
    """Every disk is full but for some KiB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 << 30, 10 << 30, 8 << 10))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("Can't write data (file write failed: time = x, filename = 'a.h5', errno = 28, error message = 'y')"),
        OSError("100000 requested and 512 written"),
        RuntimeError("OSError: [Errno 28] No space left on device"),
    ],
)
def test_in_whichever_words(full, tmp_path, error):
    scratch = tmp_path / "scratch" / "attempt"
    scratch.mkdir(parents=True)
    (scratch / "part").write_bytes(bytes(3 << 20))
    with pytest.raises(FullDisk) as told, telling_full_disk(scratch, "the step shards"):
        raise error
    assert "8.0 KiB of 10.0 GiB are free" in str(told.value)
    assert "the step shards needs more than the 3.0 MiB that it had written" in str(told.value)
    assert "\n" not in str(told.value)


def test_other_faults_stay_what_they_are(full, tmp_path):
    for error in (KeyError("x"), OSError(errno.EIO, "Input/output error"), InputError("no peaks")):
        with pytest.raises(type(error)) as told, telling_full_disk(tmp_path, "the step shards"):
            raise error
        assert told.value is error


def test_what_does_not_know_why_on_a_disk_without_a_block(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 30, 1 << 30, 0))
    with pytest.raises(FullDisk), telling_full_disk(tmp_path, "the step coverage"):
        raise RuntimeError("failed to write")


def test_results_that_do_not_fit_are_not_begun(full, tmp_path):
    source = tmp_path / "model.h5"
    source.write_bytes(bytes(20 << 10))
    with pytest.raises(FullDisk, match=r"out: the disk is full: 8.0 KiB of 10.0 GiB are free, 20.0 KiB are needed"):
        place_files({"models/model.h5": source}, {"report.html": "x"}, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.h5").write_bytes(bytes(15 << 10))
    require_space(tmp_path / "out", {tmp_path / "out" / "model.h5": 20 << 10})  # 5 KiB more


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "/a/b"), "/a/b: Read-only file system"),
        (OSError("odd"), "OSError: odd"),
    ],
)
def test_other_faults_in_words(error, words):
    assert fault_in_words(error) == words


def test_a_limit_of_the_shell(tmp_path):
    error = OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(tmp_path / "x"))
    assert fault_in_words(error).startswith(f"{tmp_path / 'x'}: File too large, by a quota or limit: ")


def test_a_disk_that_takes_nothing_is_named(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with pytest.raises(FullDisk, match="needs more than"), telling_full_disk(tmp_path, "the step x"):
        Path("/dev/full").write_bytes(b"1")
