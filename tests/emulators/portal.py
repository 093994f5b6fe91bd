"""The ENCODE portal on loopback: its search, objects and download redirects, a bucket beside it, and other hosts.

The answers follow github.com/ENCODE-DCC/encoded: a search picks the ``field``s asked for and answers 404 with JSON where it
finds nothing; ``files`` of a released experiment are those released or archived, revoked ones stand apart, replaced ones
nowhere; an old accession leads to the new file. Faults are injected by pattern.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass
class Fault:
    """What befalls the next ``times`` requests whose ``METHOD path?query`` the pattern finds.

    ``kind`` is a status such as ``429``, ``slow`` (waits), or ``cut`` (half of the body).
    """

    match: str
    kind: str
    times: int = 1
    wait: float = 1.0
    retry_after: str = ""


@dataclass
class Request:
    """What was asked, when, and what was answered."""

    at: float
    method: str
    path: str
    agent: str
    status: int


@dataclass
class Site:
    """One host: its address, what was asked of it, its faults."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def answer(self, method: str, path: str, query: Sequence[tuple[str, str]]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body."""
        return 404, {}, b""

    def fault(self, asked: str) -> Fault | None:
        """The fault of this request, if it has one."""
        for each in self.faults:
            if each.times > 0 and re.search(each.match, asked):
                each.times -= 1
                return each
        return None


@dataclass
class Bucket(Site):
    """Objects by path."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: Sequence[tuple[str, str]]) -> tuple[int, dict[str, str], bytes]:
        """An object."""
        if path not in self.objects:
            return 404, {}, b""
        data = self.objects[path]
        return 200, {"ETag": f'"{hashlib.sha256(data).hexdigest()[:16]}"', "Content-Type": "application/octet-stream"}, data


@dataclass
class PortalSite(Site):
    """Experiments by accession; their ``original_files`` are all there ever were. ``moved``: old accession → new."""

    experiments: dict[str, Json] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: Sequence[tuple[str, str]]) -> tuple[int, dict[str, str], bytes]:
        """Search, file, or download."""
        parts = path.strip("/").split("/")
        if parts == ["search"]:
            found = self._search(query)
            body = {"@graph": found, "total": len(found), "notification": "Success" if found else "No results found"}
            return _json(200 if found else 404, body)
        if parts[0] == "files" and len(parts) == 2:
            if parts[1] in self.moved:
                return 301, {"Location": f"/files/{self.moved[parts[1]]}/"}, b""
            file = self._files().get(parts[1])
            return _json(200, file) if file else _json(404, {"status": "error", "code": 404, "title": "Not Found"})
        if parts[0] == "files" and "@@download" in parts and parts[1] in self.locations:
            return 307, {"Location": self.locations[parts[1]]}, b""
        return _json(404, {"status": "error", "code": 404, "title": "Not Found"})

    def _files(self) -> dict[str, Json]:
        return {file["accession"]: file for each in self.experiments.values() for file in each["original_files"]}

    def _search(self, query: Sequence[tuple[str, str]]) -> list[Json]:
        of: dict[str, list[str]] = {}
        for name, value in query:
            of.setdefault(name, []).append(value)
        if of.pop("type", []) != ["Experiment"] or of.pop("format", []) != ["json"]:
            return []
        fields, limit = of.pop("field", []), of.pop("limit", ["25"])[0]
        dates = re.fullmatch(r"date_released:\[(\S+) TO (\S+)\]", of.pop("advancedQuery", ["date_released:[* TO *]"])[0])
        found = []
        for each in map(_shown, self.experiments.values()):
            values = {
                "biosample_ontology.term_name": [each["biosample_ontology"]["term_name"]],
                "assembly": each["assembly"],
            }
            day, (low, high) = each["date_released"], dates.groups()
            if (
                all({*wanted} & {*values.get(name, [each.get(name)])} for name, wanted in of.items())
                and (low == "*" or day >= low)
                and (high == "*" or day <= high)
            ):
                found.append(each)
        found = found if limit == "all" else found[: int(limit)]
        return [_picked(each, fields) for each in found]


def _shown(experiment: Json) -> Json:
    """With the properties that the portal calculates."""
    files = experiment["original_files"]
    return experiment | {
        "files": [file for file in files if file["status"] in ("released", "archived")],
        "revoked_files": [file for file in files if file["status"] == "revoked"],
        "assembly": sorted({file["assembly"] for file in files if file["status"] in ("released", "in progress")}),
    }


def _picked(content: Json, fields: Sequence[str]) -> Json:
    """Only the ``field``s that were asked for."""
    found: Json = {}
    inner: dict[str, list[str]] = {}
    for name in fields:
        head, _, rest = name.partition(".")
        if head in content and rest:
            inner.setdefault(head, []).append(rest)
        elif head in content:
            found[head] = content[head]
    for head, rest in inner.items():
        value = content[head]
        found[head] = [_picked(each, rest) for each in value] if isinstance(value, list) else _picked(value, rest)
    return found


def _json(status: int, content: Json) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _serve(self) -> None:
        at, url = time.monotonic(), urlsplit(self.path)
        fault = self.site.fault(f"{self.command} {self.path}")
        status, headers, body = self.site.answer(self.command, url.path, parse_qsl(url.query))
        if fault and fault.kind.isdigit():
            status, headers, body = int(fault.kind), {}, b"injected"
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        self.site.requests.append(Request(at, self.command, self.path, self.headers.get("User-Agent", ""), status))
        if fault and fault.kind == "slow":
            time.sleep(fault.wait)
        with contextlib.suppress(OSError):  # of a client that would not wait
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                cut = fault is not None and fault.kind == "cut"
                self.wfile.write(body[: len(body) // 2] if cut else body)
                self.close_connection = cut or self.close_connection

    do_GET = do_HEAD = _serve


@contextlib.contextmanager
def serving(*sites: Site) -> Iterator[None]:
    """Serve the sites on ports of their own."""
    servers = []
    for site in sites:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
        site.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def busiest_second(requests: Sequence[Request]) -> int:
    """Requests in the fullest second that there is."""
    times = sorted(request.at for request in requests)
    return max((sum(start <= other < start + 1 for other in times) for start in times), default=0)
