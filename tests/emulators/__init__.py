"""Object stores as processes on loopback: our own of Google's (:mod:`tests.emulators.gcs`), moto's of Amazon's."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.storage import faults

ROOT = Path(__file__).resolve().parents[2]


class GcsEmulator:
    """A running emulator.

    Attributes
    ----------
    url
        Its address, for ``$STORAGE_EMULATOR_HOST``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=60) as answer:
            return json.load(answer)

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        self._ask("/storage/v1/b", {"name": name})

    def faults(self, **settings: Any) -> None:
        """Arguments of :class:`tests.emulators.gcs.Faults`; none: no faults. Forgets the requests so far."""
        self._ask("/emulator/faults", settings)

    def requests(self) -> list[tuple[str, str]]:
        """``METHOD path?query`` and fault of every request since :meth:`faults`."""
        return [tuple(each) for each in self._ask("/emulator/requests")]


@contextlib.contextmanager
def gcs_emulator(page: int = 1000) -> Iterator[GcsEmulator]:
    """Google Cloud Storage, by our own emulator."""
    command = [sys.executable, "-m", "tests.emulators.gcs", "--page", str(page)]
    with _running(command, stdout=subprocess.PIPE) as process:
        yield GcsEmulator(process.stdout.readline().strip())


@contextlib.contextmanager
def s3_emulator() -> Iterator[dict[str, str]]:
    """S3, by moto; yields the environment variables that lead clients there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with _running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], **quiet) as process:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("moto's server did not start")
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextlib.contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(command, cwd=ROOT, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses after faults that a test can wait for, and no store that another test gave up."""
    for name, seconds in (("FIRST_PAUSE", 0.001), ("LONGEST_PAUSE", 0.01), ("JITTER", 0.001)):
        monkeypatch.setattr(faults, name, seconds)
    monkeypatch.setattr(faults, "_given_up", {})


@contextlib.contextmanager
def dead_store() -> Iterator[tuple[str, list[str]]]:
    """Serve ``host:port`` that answers every request with 503; the list grows by an entry for each."""
    requests: list[str] = []

    class Unavailable(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # S3 clients wait for "100 Continue" before they send a body

        def answer(self) -> None:
            requests.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Unavailable) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", requests
        server.shutdown()
