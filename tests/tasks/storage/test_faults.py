"""What is tried again, how often, and that attempts of several layers never multiply."""

from __future__ import annotations

import time

import pytest
from prefect.states import Completed, Failed

from chrombpnet_core.errors import InputError
from tasks.storage import Damaged, StorageError, Store, faults, is_transient, persistently, require, should_retry
from tests.emulators import dead_store, without_pauses


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    without_pauses(monkeypatch)


@pytest.fixture
def dead():
    with dead_store() as place:
        yield place


def test_a_dead_bucket_of_googles_is_asked_nine_times(dead, monkeypatch):
    address, requests = dead
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{address}")
    with pytest.raises(StorageError, match="tried 9 times"):
        Store("gs://data/store").write_json({}, "a.json")
    assert sum("/upload/" in request for request in requests) == faults.ATTEMPTS
    with pytest.raises(StorageError, match="tried 1 times"):  # it was given up a moment ago
        Store("gs://data/store").read_json("a.json")


def test_a_dead_bucket_of_amazons_is_asked_nine_times(dead, monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    address, requests = dead
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{address}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError, match="tried 9 times"):
        Store("s3://data/store").write_json({}, "a.json")
    assert len(requests) == faults.ATTEMPTS
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_dead_web_server_is_asked_nine_times(dead):
    address, requests = dead
    with pytest.raises(StorageError, match="tried 9 times"):
        require(f"http://{address}/peaks.bed", "peaks")
    assert len(requests) % faults.ATTEMPTS == 0  # fsspec asks by HEAD, then by GET
    assert len(requests) <= 4 * faults.ATTEMPTS


def test_pauses_add_up_to_a_minute_and_a_half(monkeypatch):
    """By the table itself, without waiting."""
    monkeypatch.undo()
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(faults, "_given_up", {})
    with pytest.raises(StorageError):
        persistently("gs://pauses/x", _refused)
    assert len(pauses) == faults.ATTEMPTS - 1
    assert 85 <= sum(pauses) <= 100


def test_silence_ends_before_the_attempts_do(monkeypatch):
    monkeypatch.setattr(faults, "PATIENCE", 0.2)
    calls = []

    def silent():
        calls.append(1)
        time.sleep(0.06)
        raise TimeoutError("no answer")

    with pytest.raises(StorageError, match=r"tried [234] times"):
        persistently("gs://b/x", silent)
    assert len(calls) < faults.ATTEMPTS


def test_a_store_that_answers_again_is_asked_as_often_as_before():
    with pytest.raises(StorageError, match="tried 9 times"):
        persistently("gs://b/x", _refused)
    with pytest.raises(StorageError, match="tried 1 times"):
        persistently("gs://b/y?signature=1", _refused)
    with pytest.raises(StorageError, match="tried 9 times"):
        persistently("gs://other/x", _refused)
    assert persistently("gs://b/x", lambda: "there") == "there"
    with pytest.raises(StorageError, match="tried 9 times"):
        persistently("gs://b/x", _refused)


def test_a_store_is_not_given_up_for_long(monkeypatch):
    with pytest.raises(StorageError):
        persistently("gs://b/x", _refused)
    monkeypatch.setattr(faults, "HOLD", 0.0)
    with pytest.raises(StorageError, match="tried 9 times"):
        persistently("gs://b/x", _refused)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionResetError(), True),
        (Damaged("cut short"), True),
        (StorageError("gs://b/x: tried 9 times"), False),
        (InputError("x"), False),
        (ValueError(), False),
    ],
)
def test_prefect_does_not_try_again_what_was_tried_here(error, again):
    assert should_retry(None, None, Failed(data=error)) == again


def test_a_state_without_an_error_is_not_tried_again():
    assert not should_retry(None, None, Completed(data={}))


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (InputError("x"), False),
        (FileNotFoundError(), False),
        (PermissionError(), False),
        (ValueError(), False),
        (OSError("disk full"), False),
        (StorageError("x"), True),
    ],
)
def test_only_faults_of_network_and_storage_are_retried(error, transient):
    assert is_transient(error) == transient


def test_retries_end_and_do_not_multiply():
    calls = []

    def always():
        calls.append(1)
        raise ConnectionError("down\nsecond line")

    with pytest.raises(StorageError, match=r"^gs://b/x: ConnectionError down; tried 9 times$"):
        persistently("gs://b/x", lambda: persistently("gs://b/x", always))
    assert len(calls) == 9


def _refused():
    raise ConnectionRefusedError("refused")
