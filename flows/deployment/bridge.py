"""From bucket notifications to Prefect events: a small HTTP service.

Google's Pub/Sub pushes what a bucket notifies; Amazon's EventBridge does so through an API destination. Prefect's server
takes events, but neither of these forms, and not from everybody. So this service checks who calls, makes an event of each
object below its address that was written, and forwards it once for every generation: the event's id follows from the
generation. What was forwarded lately is remembered here, and the server is asked about all else.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import logging
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flows.deployment.google_tokens import GoogleTokens, Unverifiable
from flows.deployment.notifications import Malformed, Written, event_of, read_notification

__all__ = ["Bridge", "serve"]

log = logging.getLogger(__name__)

_LARGEST = 1 << 18  # bytes of a notification; Cloud Storage's and S3's are of some kilobytes
_HEAD = 1 << 15  # bytes of a request before that
_PATIENCE = 10.0  # seconds in which a request must have arrived
_CONNECTIONS = 32  # at a time
_REMEMBERED = 10_000  # events


class Bridge:
    """Answers notifications.

    Parameters
    ----------
    client
        Prefect's synchronous client, which knows the server and how to be let in.
    address
        Such as ``gs://bucket/datasets/``; objects elsewhere are none of our business.
    token
        A secret that lets a notification in as bearer token: for S3, whose EventBridge sends one.
    google
        Which of Google's identity tokens let a notification in: for Cloud Storage, whose Pub/Sub signs what it pushes.
    """

    def __init__(self, client: Any, address: str, token: str | None = None, google: GoogleTokens | None = None) -> None:
        self._client, self._address, self._token, self._google = client, address.rstrip("/") + "/", token, google
        self._forwarded: dict[str, None] = {}
        self._memory = threading.Lock()
        self._locks = [threading.Lock() for _ in range(64)]

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, str]:
        """HTTP status and words for one notification: 2xx is never sent again, anything else may be."""
        try:
            refusal = self._refusal(path, authorization)
        except Unverifiable:
            return 503, "Google's certificates are out of reach"
        if refusal is not None:
            log.warning("a notification was refused: %s", refusal)
            return 403, refusal
        try:
            written = read_notification(body)
        except Malformed as error:
            log.warning("a notification was refused: %s", error)
            return 400, str(error)
        if written is None or not written.uri.startswith(self._address):
            return 200, "nothing to do"
        if not written.printable:
            log.warning("%s: not forwarded, as its name has characters that cannot be shown", _shown(written.uri))
            return 200, "not forwarded: its name has characters that cannot be shown"
        return self._forward(written)

    def _refusal(self, path: str, authorization: str) -> str | None:
        """Why the caller is not heard; None where it is."""
        if "token" in parse_qs(urlsplit(path).query, keep_blank_values=True):
            return "a token in the address, where proxies write it down: it belongs into the header Authorization"
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given:
            return "no token"
        if self._token and hmac.compare_digest(given.encode(), self._token.encode()):
            return None
        return self._google.refusal(given) if self._google else "another token"

    def _forward(self, written: Written) -> tuple[int, str]:
        event = event_of(written)
        with self._locks[hash(event["id"]) % len(self._locks)]:  # copies that arrive together wait for the first
            if event["id"] in self._forwarded:
                return 200, "known already"
            try:
                known = self._ask("/events/filter", {"filter": {"id": {"id": [event["id"]]}}, "limit": 1}).json()["events"]
                if not known:
                    self._ask("/events", [event])
            except Exception as error:  # whatever it was, the sender keeps the notification and sends it again
                log.error("%s: not forwarded: %s", _shown(written.uri), type(error).__name__)
                return 502, "Prefect's server did not take it"
            self._remember(event["id"])
        if known:
            return 200, "known already"
        log.info("%s, generation %s: %s", _shown(written.uri), _shown(written.generation), written.event)
        return 200, "forwarded"

    def _remember(self, event: str) -> None:
        with self._memory:
            self._forwarded[event] = None
            if len(self._forwarded) > _REMEMBERED:
                del self._forwarded[next(iter(self._forwarded))]  # the oldest

    def _ask(self, path: str, content: Any) -> Any:
        answer = self._client.request("POST", path, json=content)
        answer.raise_for_status()
        return answer


def _shown(text: str) -> str:
    """Someone else's text as a log line may hold it: on one line, no longer than that, and without commands to terminals."""
    return ascii(text)[1:-1][:300]


class _Head:
    """The lines before a request's body, which must not be longer than ``_HEAD`` bytes together."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._left = stream, _HEAD

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._stream.readline(min(limit, self._left + 1) if limit >= 0 else self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("head")  # answered with 431
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Handler(BaseHTTPRequestHandler):
    """POST anywhere is a notification; GET /health tells that this service lives."""

    bridge: Bridge
    patience: float
    timeout = _PATIENCE  # of each read and write; the whole request has a deadline, too
    server_version, sys_version = "chrombpnet", ""

    def setup(self) -> None:
        super().setup()
        self.rfile = _Head(self.rfile)  # type: ignore[assignment]  # it has all that is asked of the stream
        self._deadline = threading.Timer(self.patience, _cut, [self.connection])
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:
        self._say(*((200, "ok") if urlsplit(self.path).path == "/health" else (404, "no such page")))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdecimal()):
            return self._say(411, "how long is it?")
        if len(length) > 9 or int(length) > _LARGEST:
            return self._say(413, "too large for a notification")
        body = self.rfile.read(int(length))
        self._deadline.cancel()
        if len(body) < int(length):
            return self._say(400, "it ended early")
        self._say(*self.bridge.answer(self.path, self.headers.get("Authorization", ""), body))

    def _say(self, status: int, words: str) -> None:
        body = f"{words}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the request line is anybody's text."""


def _cut(connection: socket.socket) -> None:
    """End a connection that did not deliver in time; who waits for its next byte gets none."""
    with contextlib.suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    """A thread for each connection, and only so many; whoever comes then is told to come again."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[_Handler], connections: int) -> None:
        self._places = threading.BoundedSemaphore(connections)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            try:
                return super().process_request(request, client_address)
            except BaseException:
                self._places.release()
                raise
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log one line: a connection that breaks is no news."""
        log.info("a connection ended early: %s", type(sys.exception()).__name__)


def serve(bridge: Bridge, host: str, port: int, connections: int = _CONNECTIONS, patience: float = _PATIENCE) -> None:
    """Answer until the process is told to stop; the first line that is printed is the address.

    Parameters
    ----------
    bridge
        What answers.
    host
        Address of this machine to listen at.
    port
        0 takes a free one.
    connections
        How many are heard at a time; further ones are answered 503.
    patience
        Seconds in which a request must have arrived whole.
    """
    handler = type("Handler", (_Handler,), {"bridge": bridge, "patience": patience})
    with _Server((host, port), handler, connections) as service:
        print(f"http://{host}:{service.server_address[1]}", flush=True)
        service.serve_forever()
