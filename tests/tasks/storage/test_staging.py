"""Inputs on this machine: copies, digests, conditions of an address, redirects, and errors without secrets."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ipaddress
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chrombpnet_core.errors import InputError
from tasks.storage import (
    StorageError,
    Store,
    digest_of_file,
    require,
    require_place,
    stage,
    staging,
    transfer,
)
from tests.emulators import without_pauses


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Pauses that a test can wait for."""
    without_pauses(monkeypatch)


def test_digests_are_taken_once(tmp_path, monkeypatch):
    path = tmp_path / "big.bin"
    path.write_bytes(b"x" * 1000)
    calls = []
    monkeypatch.setattr(staging, "digest_of_file", lambda p: calls.append(p) or digest_of_file(p))
    digests = {stage(str(path))[1].sha256 for _ in range(3)}
    assert digests == {hashlib.sha256(b"x" * 1000).hexdigest()}
    assert len(calls) == 1
    path.write_bytes(b"y" * 1001)
    assert stage(str(path))[1].sha256 == hashlib.sha256(b"y" * 1001).hexdigest()
    assert len(calls) == 2


def _replace_in_place(path):
    path.write_bytes(b"y" * 1000)


def _replace_by_renaming(path):
    path.with_name("new").write_bytes(b"y" * 1000)
    os.replace(path.with_name("new"), path)


def _write_one_byte(path):
    with open(path, "r+b") as file:
        file.seek(500)
        file.write(b"y")


@pytest.mark.parametrize("change", [_replace_in_place, _replace_by_renaming, _write_one_byte])
def test_an_input_that_changed_with_the_same_size_and_time_is_seen(tmp_path, change):
    path = tmp_path / "reads.bin"
    path.write_bytes(b"x" * 1000)
    status = path.stat()
    before = stage(str(path))[1].sha256
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert stage(str(path))[1].sha256 == digest_of_file(path) != before


def test_an_input_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "reads.bin"
    path.write_bytes(b"x" * 1000)

    def read(name):
        path.write_bytes(b"x" * 2000)
        return digest_of_file(name)

    monkeypatch.setattr(staging, "digest_of_file", read)
    with pytest.raises(InputError, match=r"reads\.bin: changed while it was read; start again when the file is complete"):
        stage(str(path))


@pytest.mark.parametrize("position", [0, 70, 140, 200])
def test_a_damaged_note_of_a_digest_is_not_believed(tmp_path, position):
    path = tmp_path / "reads.bin"
    path.write_bytes(b"x" * 1000)
    stage(str(path))
    note = staging._note(str(path.resolve()))
    data = bytearray(note.read_bytes())
    data[position] ^= 1
    note.write_bytes(data)
    assert stage(str(path))[1].sha256 == digest_of_file(path)


class _Server(http.server.SimpleHTTPRequestHandler):
    failures, gets = 0, 0

    def do_GET(self):
        type(self).gets += 1
        if not self._fails():
            super().do_GET()

    def do_HEAD(self):
        if not self._fails():
            super().do_HEAD()

    def _fails(self) -> bool:
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(503)
            return True
        return False

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder over HTTP on loopback, by a server that knows no ranges."""

    class Handler(_Server):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_remote_input_is_copied_once_and_faults_are_retried(tmp_path, served):
    handler, address = served
    (tmp_path / "peaks.bed").write_text("chr1\t1\t2\n")
    first, artifact = stage(f"{address}/peaks.bed", "peaks")
    assert first.read_text() == "chr1\t1\t2\n"
    assert artifact.sha256 == digest_of_file(tmp_path / "peaks.bed")
    gets = handler.gets
    again, _ = stage(f"{address}/peaks.bed", "peaks")
    assert again == first
    assert handler.gets == gets
    (tmp_path / "other.bed").write_text("chr2\t1\t2\n")
    handler.failures = 5
    assert stage(f"{address}/other.bed", "peaks")[0].read_text() == "chr2\t1\t2\n"


def test_a_copy_of_a_remote_input_that_was_changed_here_is_copied_again(tmp_path, served, caplog):
    (tmp_path / "peaks.bed").write_text("chr1\t1\t2\n")
    path, artifact = stage(f"{served[1]}/peaks.bed", "peaks")
    status = path.stat()
    path.write_text("chr1\t1\t3\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again, same = stage(f"{served[1]}/peaks.bed", "peaks")
    assert (again.read_text(), same) == ("chr1\t1\t2\n", artifact)
    assert caplog.text.count("this machine's copy is damaged, not used, copied again") == 1


def test_a_server_without_ranges_is_read_in_one_go(tmp_path, served, monkeypatch):
    monkeypatch.setattr(transfer, "RANGE", 1000)
    (tmp_path / "reads.bam").write_bytes(bytes(range(256)) * 20)
    assert stage(f"{served[1]}/reads.bam")[0].read_bytes() == bytes(range(256)) * 20


@pytest.fixture
def leading(tmp_path):
    """A host that sends everybody to another, which has one file: both, and what the other was asked."""
    (tmp_path / "file").write_text("chr1\t1\t2\n")
    asked = []

    class Other(_Server):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

        def _fails(self):
            asked.append(self.path)
            return False

    class First(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{other.server_port}{self.path}")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), First) as first,
    ):
        for each in (other, first):
            threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{first.server_port}", f"127.0.0.1:{other.server_port}", asked
        first.shutdown()
        other.shutdown()


def test_redirects_stay_at_the_hosts_that_an_address_names(leading):
    first, other, asked = leading
    for ask in (stage, require):
        with pytest.raises(InputError, match=rf"^http://{first}/file: leads to {other}; expected one of {first}, x$"):
            ask(f"http://{first}/file#hosts={first},x", "peaks")
    with pytest.raises(InputError, match=f"leads to {first}; expected one of {other}$"):
        stage(f"http://{first}/file?a=1#hosts={other}")
    assert asked == []
    md5 = hashlib.md5(b"chr1\t1\t2\n", usedforsecurity=False).hexdigest()
    for conditions in ("", f"#hosts={first},{other}", f"#md5={md5.upper()}&hosts={other},{first}"):
        path, _ = stage(f"http://{first}/file{conditions}")
        assert (path.name, path.read_text()) == ("file", "chr1\t1\t2\n")
    with pytest.raises(InputError, match="has another MD5 than was stated"):
        stage(f"http://{first}/file#md5={'0' * 32}&hosts={first},{other}")


def test_https_never_leads_to_http(leading, tmp_path):
    """With a certificate that only a process of the test's own trusts, from its start."""
    first, _, asked = leading
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Secure(_Server):
        def do_HEAD(self):
            here = self.path == "/moved"  # to the same host by HTTPS, which may be
            self.send_response(302 if here or self.path == "/down" else 200)
            self.send_header("Location", "/file" if here else f"http://{first}/file")
            self.send_header("Content-Length", "5")
            self.end_headers()

        do_GET = do_HEAD

    program = (
        "import sys\nfrom tasks.storage import require\nfor each in sys.argv[1:]:\n"
        "    try:\n        require(each, 'peaks')\n        print('found')\n"
        "    except Exception as error:\n        print(error)\n"
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Secure) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}"
        said = subprocess.run(
            [sys.executable, "-c", program, f"{url}/moved", f"{url}/down"],
            check=True,
            text=True,
            capture_output=True,
            env=os.environ | {"SSL_CERT_FILE": str(certificate)},
        ).stdout
        server.shutdown()
    assert said.splitlines() == ["found", f"{url}/down: leads to http://{first}; expected https all the way"]
    assert asked == []


def _certificate(folder: Path) -> Path:
    """Key and certificate of 127.0.0.1, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(
    "conditions", ["md5=0", "md5=" + "g" * 32, "hosts=", "hosts=a b", "hosts=a,", "md5=&hosts=a", f"hosts=a&md5={'0' * 32}"]
)
def test_a_condition_that_is_not_understood_does_not_pass_for_none(conditions):
    with pytest.raises(InputError, match=r"^https://host/a: what follows its # is not understood"):
        require(f"https://host/a#{conditions}", "peaks")
    with pytest.raises(InputError, match="hosts are stated; expected an address that begins with https"):
        require("gs://bucket/a#hosts=host", "peaks")


def test_an_absent_object_is_a_users_error(served, tmp_path):
    _, address = served
    with pytest.raises(InputError, match="no such object"):
        require(f"{address}/absent.bed?token=secret", "peaks")
    with pytest.raises(InputError, match="no such file"):
        require(str(tmp_path / "absent"), "peaks")


def test_nothing_is_written_to_web_addresses():
    with pytest.raises(InputError, match="nothing can be written there"):
        require_place("https://host/a?token=secret", "results")
    with pytest.raises(InputError, match="no bucket"):
        Store("gs:///a")


def test_no_secret_is_logged_or_told_when_a_signed_address_fails(served, tmp_path, caplog):
    handler, address = served
    (tmp_path / "peaks.bed").write_text("chr1\t1\t2\n")
    handler.failures = 100
    with pytest.raises(StorageError, match=r"peaks\.bed: .*503.*; tried 9 times$") as caught:
        stage(f"{address}/peaks.bed?X-Goog-Signature=secret", "peaks")
    assert caplog.text.count("trying again") == 8
    assert "secret" not in caplog.text + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
