"""Staging, digests and addresses."""

from __future__ import annotations

import hashlib
import http.server
import threading

import pytest

from chrombpnet_core.errors import InputError
from tasks import store as module
from tasks.store import Store, digest_of_file, is_transient, redact, redact_all, require, retried, stage


def test_digests_are_taken_once(tmp_path, monkeypatch):
    path = tmp_path / "big.bin"
    path.write_bytes(b"x" * 1000)
    calls = []
    monkeypatch.setattr(module, "digest_of_file", lambda p: calls.append(p) or digest_of_file(p))
    digests = {stage(str(path))[1].sha256 for _ in range(3)}
    assert digests == {hashlib.sha256(b"x" * 1000).hexdigest()}
    assert len(calls) == 1
    path.write_bytes(b"y" * 1001)
    assert stage(str(path))[1].sha256 == hashlib.sha256(b"y" * 1001).hexdigest()
    assert len(calls) == 2


class _Server(http.server.SimpleHTTPRequestHandler):
    failures, gets = 0, 0

    def do_GET(self):
        type(self).gets += 1
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(503)
            return
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder over HTTP on loopback."""
    class Handler(_Server):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_remote_input_is_copied_once_and_faults_are_retried(tmp_path, served, monkeypatch):
    handler, address = served
    (tmp_path / "peaks.bed").write_text("chr1\t1\t2\n")
    first, artifact = stage(f"{address}/peaks.bed", "peaks")
    assert first.read_text() == "chr1\t1\t2\n"
    assert artifact.sha256 == digest_of_file(tmp_path / "peaks.bed")
    gets = handler.gets
    again, _ = stage(f"{address}/peaks.bed", "peaks")
    assert again == first
    assert handler.gets - gets <= 1
    (tmp_path / "other.bed").write_text("chr2\t1\t2\n")
    handler.failures = 2
    assert stage(f"{address}/other.bed", "peaks")[0].read_text() == "chr2\t1\t2\n"


def test_an_absent_object_is_a_users_error(served, tmp_path):
    _, address = served
    with pytest.raises(InputError, match="no such object"):
        require(f"{address}/absent.bed?token=secret", "peaks")
    with pytest.raises(InputError, match="no such file"):
        require(str(tmp_path / "absent"), "peaks")


def test_addresses_are_shown_without_secrets():
    assert redact("https://user:pass@host/a/b?X-Goog-Signature=abc") == "https://host/a/b"
    assert redact("/a/b") == "/a/b"


def test_secrets_are_taken_out_of_whatever_was_asked():
    asked = {"peaks": "https://u:p@h/p.bed?sig=1", "reads": {"bam": ["s3://b/k?token=2", "/local?x"]}, "seed": 3}
    assert redact_all(asked) == {"peaks": "https://h/p.bed", "reads": {"bam": ["s3://b/k", "/local?x"]}, "seed": 3}


@pytest.mark.parametrize(("error", "transient"), [
    (ConnectionResetError(), True), (TimeoutError(), True), (InputError("x"), False), (FileNotFoundError(), False),
    (PermissionError(), False), (ValueError(), False), (OSError("disk full"), False)])
def test_only_faults_of_network_and_storage_are_retried(error, transient):
    assert is_transient(error) == transient


def test_retries_end():
    calls = []

    @retried
    def always():
        calls.append(1)
        raise ConnectionError("down")

    from tenacity import wait_none

    import tasks.store as store

    quick = store.retry(retry=store.retry_if_exception(is_transient), stop=store.stop_after_attempt(5), reraise=True,
                        wait=wait_none())(always.__wrapped__)
    with pytest.raises(ConnectionError):
        quick()
    assert len(calls) == 5


def test_json_is_written_whole(tmp_path):
    store = Store(str(tmp_path))
    store.write_json({"a": 1}, "x.json")
    assert store.read_json("x.json") == {"a": 1}
    assert store.read_json("absent.json") is None
    (tmp_path / "x.json").write_text("{")
    assert store.read_json("x.json") is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
