"""Serve files to the browsers of this machine: byte ranges, on loopback alone, below an address that nobody can guess.

Loopback is no border on a machine that several people use, nor against web pages: so each address begins with a secret, and
a request whose ``Host`` is another name than this machine's own is refused (DNS rebinding).
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import socketserver
import stat
import threading
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, TypeAlias
from urllib.parse import quote, unquote

__all__ = ["FileServer", "Find", "byte_range", "file_below"]

Find: TypeAlias = Callable[[list[str]], "Path | bytes | None"]
"""Segments of a path → the file, folder or page that is there."""

_LOOPBACK = "127.0.0.1"
_NAMES = (_LOOPBACK, "localhost")
_MOST = 64  # connections at a time
_IDLE = 30.0  # seconds after which a silent connection is closed
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".xml": "application/xml",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
} | dict.fromkeys((".bed", ".tsv", ".csv", ".txt", ".log", ".yaml", ".md", ".fai"), "text/plain; charset=utf-8")


def file_below(root: Path, parts: list[str]) -> Path | None:
    """Find a file or folder below another, and nothing that is hidden or that a link takes elsewhere.

    Parameters
    ----------
    root
        The folder, resolved.
    parts
        Segments of a path.

    Returns
    -------
    Path or None
        Resolved; None where there is nothing, or nothing that may be seen.
    """
    if any(part.startswith(".") or not part or set(part) & set("/\\\0") for part in parts):
        return None
    path = Path(os.path.realpath(root.joinpath(*parts)))
    if not path.is_relative_to(root) or any(part.startswith(".") for part in path.relative_to(root).parts):
        return None
    return path if path.exists() else None


def byte_range(header: str | None, size: int) -> range | None:
    """Read a ``Range`` header as RFC 9110 has it.

    Parameters
    ----------
    header
        Such as ``bytes=0-99``, ``bytes=100-`` and ``bytes=-100``.
    size
        Bytes of the file.

    Returns
    -------
    range or None
        Bytes asked for, empty where there are none of these; None where the whole file is to be sent: no header, one that is
        none, or several ranges, which a server may ignore.
    """
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


class FileServer(ThreadingHTTPServer):
    """A server on loopback; within ``with`` it is bound, :meth:`serve_forever` answers.

    Parameters
    ----------
    find
        What is where.
    port
        Port; any free one where 0.
    """

    daemon_threads = True
    request_queue_size = _MOST

    def __init__(self, find: Find, port: int = 0) -> None:
        self.find, self.secret = find, secrets.token_urlsafe(12)
        self._free = threading.BoundedSemaphore(_MOST)
        super().__init__((_LOOPBACK, port), _Handler)

    @property
    def address(self) -> str:
        """Where all that is served begins."""
        return f"http://{_LOOPBACK}:{self.server_address[1]}/{self.secret}/"

    def server_bind(self) -> None:
        """Bind without a look-up of this machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, int(self.server_address[1])

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Answer a connection in a thread of its own, or close it where too many are open."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Answer a connection until it is closed."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a connection that broke: browsers drop what they need no longer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    server: FileServer

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_GET

    def version_string(self) -> str:
        return "chrombpnet"

    def log_message(self, *_: object) -> None:
        """Print nothing: a page asks for hundreds of ranges."""

    def end_headers(self) -> None:
        for name, value in (
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        super().end_headers()

    def _answer(self) -> None:
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body, which nobody reads
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or re.sub(r":\d*$", "", hosts[0]) not in _NAMES:
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST, f"This server answers to {' and '.join(_NAMES)} alone")
        path = self.path.partition("?")[0].partition("#")[0]
        first, *parts = unquote(path, errors="surrogateescape").removeprefix("/").split("/")
        if not secrets.compare_digest(first.encode(errors="replace"), self.server.secret.encode()):
            return self.send_error(HTTPStatus.NOT_FOUND)
        is_folder = parts[-1:] == [""]
        found = self.server.find(parts[:-1] if is_folder else parts)
        if not is_folder and (not parts or (isinstance(found, Path) and found.is_dir())):
            return self._redirect([first, *parts][-1])
        if isinstance(found, Path):
            return self._send_file(file_below(found, ["index.html"]) if found.is_dir() else found)
        return self._send_page(found) if found is not None else self.send_error(HTTPStatus.NOT_FOUND)

    def _redirect(self, folder: str) -> None:
        self.send_response(HTTPStatus.MOVED_PERMANENTLY)
        self.send_header("Location", f"./{quote(folder, errors='surrogateescape')}/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_page(self, page: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES[".html"])
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(page)

    def _send_file(self, path: Path | None) -> None:
        try:
            file = _opened(path) if path is not None else None
        except OSError:
            file = None
        if path is None or file is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        with file:
            about = os.fstat(file.fileno())
            asked = byte_range(self.headers.get("Range"), about.st_size)
            sent = range(about.st_size) if asked is None else asked
            refused = asked is not None and not asked
            whole, part = f"bytes */{about.st_size}", f"bytes {sent.start}-{sent.stop - 1}/{about.st_size}"
            self.send_response(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                if refused
                else HTTPStatus.PARTIAL_CONTENT
                if asked is not None
                else HTTPStatus.OK
            )
            self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Last-Modified", formatdate(about.st_mtime, usegmt=True))
            if asked is not None:
                self.send_header("Content-Range", whole if refused else part)
            self.end_headers()
            if self.command == "GET" and sent:
                self._send_bytes(file, sent)

    def _send_bytes(self, file: BinaryIO, sent: range) -> None:
        """Close the connection where the browser no longer wants them, or the file has become shorter."""
        try:
            complete = self.connection.sendfile(file, sent.start, len(sent)) == len(sent)
        except OSError:
            complete = False
        self.close_connection = self.close_connection or not complete


def _opened(path: Path) -> BinaryIO:
    """Open a file, and nothing else that could be at its place by now."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path}: not a file")
    return os.fdopen(descriptor, "rb")
