"""A Google Cloud Storage of our own, as a process: ``python -m tests.emulators.gcs``; its first line tells the address.

Others ignore generation preconditions and know no faults. This one answers a seeded share of requests with 429, 500 or
503, resets the connection before or after the work is done, waits, or cuts a body short; ``POST /emulator/faults`` sets
which, and ``GET /emulator/requests`` tells what was asked for and what went wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.emulators.buckets import Answer, Buckets, Refused

KINDS = ("429", "500", "503", "reset", "lost", "slow", "truncated")
"""``lost``: the work is done, the answer never arrives. There is ``corrupt`` too, one wrong byte, and any other status."""


class Faults:
    """Which requests go wrong, and how.

    Parameters
    ----------
    rate
        Share of the requests.
    kinds
        Of :data:`KINDS`, equally often.
    seed
        Of the choice; it depends on the order of requests too, which threads shuffle.
    match
        Only requests whose ``METHOD path?query`` this pattern finds.
    wait
        Seconds that a slow answer takes.
    times
        Faults at most.
    """

    def __init__(
        self,
        rate: float = 0.0,
        kinds: tuple[str, ...] = KINDS,
        seed: int = 0,
        match: str = "",
        wait: float = 1.0,
        times: float = float("inf"),
    ) -> None:
        self.rate, self.kinds, self.match, self.wait = rate, tuple(kinds), re.compile(match), wait
        self._left = times
        self._rng, self._lock = random.Random(seed), threading.Lock()

    def draw(self, asked: str) -> str:
        """A kind of fault, or nothing."""
        if not self.match.search(asked):
            return ""
        with self._lock:
            if self._left < 1 or self._rng.random() >= self.rate:
                return ""
            self._left -= 1
            return self._rng.choice(self.kinds)


class Server(ThreadingHTTPServer):
    """The emulator: buckets, faults, and what was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, page: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.buckets, self.faults = Buckets(page), Faults()
        self.asked: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/emulator/"):
            self._send(self._control(body))
            return
        asked = f"{self.command} {unquote(self.path)}"
        fault = self.server.faults.draw(asked)
        self.server.asked.append((asked, fault))
        if fault == "slow":
            time.sleep(self.server.faults.wait)
        if fault.isdigit():
            self._send(_error(int(fault), "injected"))
        elif fault == "reset":
            self._reset()
        else:
            answer = self._answer(body)
            if fault == "lost" or (fault == "truncated" and not answer.body):
                self._reset()
            else:
                if fault == "corrupt" and answer.body:
                    answer.body = bytes([answer.body[0] ^ 1]) + answer.body[1:]
                self._send(answer, cut=fault == "truncated")

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _answer(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        query, parts = dict(parse_qsl(url.query)), url.path.strip("/").split("/")
        try:
            return self._route(parts, query, body)
        except Refused as error:
            return _error(error.status, str(error))
        except (KeyError, ValueError) as error:
            return _error(400, f"invalid: {error!r}")

    def _route(self, parts: list[str], query: dict[str, str], body: bytes) -> Answer:
        buckets, method = self.server.buckets, self.command
        upload = parts[0] == "upload"
        parts = [unquote(part) for part in parts[parts.index("b") :]]
        if upload and (method == "PUT" or "upload_id" in query):
            return buckets.resume(query["upload_id"], body, self.headers.get("Content-Range", ""))
        if upload:
            return buckets.upload(
                parts[1],
                query,
                body,
                self.headers.get("Content-Type", ""),
                self.headers.get("X-Upload-Content-Type", ""),
                f"http://{self.headers['Host']}",
            )
        if len(parts) == 1 and method == "POST":
            return buckets.create(json.loads(body)["name"])
        if len(parts) == 2:
            return buckets.bucket(parts[1])
        if len(parts) == 3:
            return buckets.list(parts[1], query)
        if method == "DELETE":
            return buckets.delete(parts[1], parts[3], query)
        return buckets.get(parts[1], parts[3], query, self.headers.get("Range"))

    def _control(self, body: bytes) -> Answer:
        if self.command == "POST":
            self.server.faults = Faults(**json.loads(body))
            self.server.asked.clear()
        return Answer(200, json.dumps(self.server.asked).encode(), {"Content-Type": "application/json"})

    def _send(self, answer: Answer, cut: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _error(status: int, message: str) -> Answer:
    content = {"error": {"code": status, "message": message, "errors": [{"message": message}]}}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--page", type=int, default=1000, help="objects in a page of a listing at most")
    given = parser.parse_args()
    server = Server(given.port, given.page)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
