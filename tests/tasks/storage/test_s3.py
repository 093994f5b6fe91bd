"""A store on S3, by moto's server as a process of its own."""

from __future__ import annotations

import os
import uuid

import pytest
import s3fs

from chrombpnet_core.errors import InputError
from tasks.runner import MANIFEST
from tasks.storage import (
    Overtaken,
    StorageError,
    Store,
    digest_of_file,
    fsspec_objects,
    persistently,
    require,
    stage,
    transfer,
)
from tasks.storage.opening import objects_of
from tests.emulators import s3_emulator
from tests.tasks.declaring import run_step


@pytest.fixture(scope="module")
def server():
    """The server, and in it a bucket; clients find it by the ecosystem's own environment variables."""
    with s3_emulator() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("data")
        s3fs.S3FileSystem.clear_instance_cache()
        yield
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def place(server, monkeypatch, tmp_path):
    """An empty folder of the bucket; a cache of the test's own."""
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    return f"s3://data/{uuid.uuid4().hex}"


def test_an_input_is_copied_in_ranges_and_checked(place, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "RANGE", 1 << 16)
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom((1 << 20) + 5))
    Store(place).upload(big, "big.bin")
    objects, path = objects_of(f"{place}/big.bin")
    assert objects.info(path).checks
    copy, artifact = stage(f"{place}/big.bin")
    assert copy.read_bytes() == big.read_bytes()
    assert artifact.sha256 == digest_of_file(big)
    with pytest.raises(InputError, match="no such object"):
        require(f"{place}/absent", "peaks")


def test_a_large_file_is_written_in_parts(place, tmp_path, monkeypatch):
    monkeypatch.setattr(fsspec_objects, "_PART", 5 << 20)
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom((11 << 20) + 5))
    Store(place).upload(big, "big.bin")
    head = s3fs.S3FileSystem().info(f"{place}/big.bin")
    assert head["ETag"].strip('"').endswith("-3")  # parts
    assert stage(f"{place}/big.bin")[1].sha256 == digest_of_file(big)


def test_parts_are_sent_again_by_the_client_alone(place, tmp_path, monkeypatch):
    """After that the file is not begun anew."""
    objects, path = objects_of(f"{place}/big.bin")
    monkeypatch.setattr(fsspec_objects, "_PART", 1 << 10)
    (tmp_path / "big.bin").write_bytes(bytes(4 << 10))
    calls = []

    def fail(*_, **__):
        calls.append(1)
        raise ConnectionResetError("reset")

    monkeypatch.setattr(objects._uploads, "put_file", fail)
    with pytest.raises(StorageError, match="ConnectionResetError reset"):
        persistently(f"{place}/big.bin", lambda: objects.write(path, tmp_path / "big.bin"))
    assert len(calls) == 1


def test_of_two_writers_the_later_is_refused(place):
    there = Store(place)
    there.write_json({"by": 1}, MANIFEST, replacing="")
    with pytest.raises(Overtaken):
        there.write_json({"by": 2}, MANIFEST, replacing="")
    mark = there.mark(MANIFEST)
    there.write_json({"by": 3}, MANIFEST, replacing=mark)
    with pytest.raises(Overtaken):
        there.write_json({"by": 4}, MANIFEST, replacing=mark)
    assert there.read_json(MANIFEST) == {"by": 3}


def test_a_step_is_made_found_resumed_and_removed(place, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("abc")

    def fail(work):
        (work.checkpoint / "state").write_text("7")
        work.keep()
        raise RuntimeError

    def body(work):
        (work.out / "sub").mkdir()
        (work.out / "sub" / "a.txt").write_text(work.inputs["text"].read_text() + (work.checkpoint / "state").read_text())

    given = (place, "one", 1, {"text": tmp_path / "in.txt"}, {})
    with pytest.raises(RuntimeError):
        run_step(*given, fail)
    first, again = run_step(*given, body), run_step(*given, body)
    assert (first.cached, again.cached) == (False, True)
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "another machine"))
    assert again.file("sub/a.txt").read_text() == "abc7"
    there = Store(place)
    assert set(there.sizes()) == {f"one/{first.key}/{MANIFEST}", f"one/{first.key}/{first.manifest['place']}/sub/a.txt"}
    there.remove("one", first.key)
    assert there.sizes() == {}
