"""The bridge over HTTP, before a server that keeps what it is sent: what becomes an event, what does not, who may ask."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.deployment import Bridge, Malformed, Written, event_of, read_notification, serve

TOKEN = "sixteen-letters-!"


class _Server:
    """Stands where Prefect's server would: keeps the events it is sent, or answers with an error."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.status = 204
        self.pause, self.failures = 0.0, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = []
                time.sleep(outer.pause)
                if outer.failures:
                    outer.failures -= 1
                    return self.send_error(500)
                if self.path == "/api/events/filter":
                    asked = body["filter"]["id"]["id"]
                    known = [each for each in outer.events if each["id"] in asked]
                elif outer.status == 204:
                    assert self.path == "/api/events"
                    outer.events += body
                self.send_response(outer.status if outer.status != 204 else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"events": known}).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.service.server_address[1]}/api"
        threading.Thread(target=self.service.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[_Server]:
    found = _Server()
    yield found
    found.service.shutdown()
    found.service.server_close()


@pytest.fixture
def bridge(server, capsys) -> Iterator[tuple[str, int]]:
    """Host and port of a bridge below gs://lab/datasets."""
    with httpx.Client(base_url=server.url) as client:
        yield started(capsys, Bridge(client, "gs://lab/datasets", TOKEN))


def started(capsys, bridge: Bridge, **limits: float) -> tuple[str, int]:
    """Host and port of a bridge that answers from now on."""
    threading.Thread(target=serve, args=(bridge, "127.0.0.1", 0), kwargs=limits, daemon=True).start()
    while not (printed := capsys.readouterr().out):
        time.sleep(0.01)
    return "127.0.0.1", int(printed.strip().rsplit(":", 1)[1])


def _gcs(name: str, generation: str = "17", kind: str = "OBJECT_FINALIZE", data: bytes | None = b'{"size": "5"}') -> bytes:
    message = {"attributes": {"eventType": kind, "bucketId": "lab", "objectId": name, "objectGeneration": generation}}
    return json.dumps({"message": message | ({"data": base64.b64encode(data).decode()} if data else {})}).encode()


def _s3(name: str, kind: str = "Object Created") -> bytes:
    return json.dumps(
        {
            "source": "aws.s3",
            "detail-type": kind,
            "detail": {"bucket": {"name": "lab"}, "object": {"key": name, "size": 5, "sequencer": "0055"}},
        }
    ).encode()


def _post(where: tuple[str, int], body: bytes, path: str = "/", token: str = TOKEN, **headers: str) -> int:
    connection = http.client.HTTPConnection(*where, timeout=10)
    connection.request("POST", path, body, {"Authorization": f"Bearer {token}"} | headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_an_object_becomes_one_event_however_often_it_is_told(bridge, server):
    for _ in range(3):
        assert _post(bridge, _gcs("datasets/a.yaml")) == 200
    (event,) = server.events
    assert event["event"] == "gcs.object.finalized"
    assert event["resource"] == {
        "prefect.resource.id": "gs://lab/datasets/a.yaml",
        "bucket": "lab",
        "suffix": ".yaml",
        "prefect.resource.name": "datasets/a.yaml",
    }
    assert event["payload"] == {
        "uri": "gs://lab/datasets/a.yaml",
        "bucket": "lab",
        "name": "datasets/a.yaml",
        "generation": "17",
        "size": 5,
    }
    assert _post(bridge, _gcs("datasets/a.yaml", generation="18", data=None)) == 200
    assert [each["payload"]["generation"] for each in server.events] == ["17", "18"]
    assert len({each["id"] for each in server.events}) == 2


def test_what_is_elsewhere_or_was_deleted_is_none_of_its_business(bridge, server):
    for body in (
        _gcs("results/run.json"),
        _gcs("datasets-of-others/a.yaml"),
        _gcs("datasets/a.yaml", kind="OBJECT_DELETE"),
        _s3("datasets/a.yaml"),
        _s3("datasets/a.yaml", kind="Object Deleted"),
    ):
        assert _post(bridge, body) == 200
    assert server.events == []


def test_nobody_without_the_token_is_heard(bridge, server):
    for authorization in ("", TOKEN, "Bearer", "Bearer ", "Bearer other", "Bearer \xff\xe4", f"Basic {TOKEN}"):
        assert _post(bridge, _gcs("datasets/a.yaml"), Authorization=authorization) == 403, authorization
    assert server.events == []
    assert _post(bridge, _gcs("datasets/a.yaml"), Authorization=f"bearer {TOKEN}") == 200
    assert len(server.events) == 1


@pytest.mark.parametrize("path", [f"/?token={TOKEN}", "/?token=", f"/push?a=b&token={TOKEN}"])
def test_a_token_in_the_address_is_refused_whatever_else_comes_along(path, bridge, server):
    assert _post(bridge, _gcs("datasets/a.yaml"), path) == 403
    assert _post(bridge, _gcs("datasets/a.yaml"), path, token="other") == 403
    assert server.events == []


def test_what_the_server_did_not_take_is_asked_for_again(bridge, server):
    server.status = 500
    assert _post(bridge, _gcs("datasets/a.yaml")) == 502
    server.status = 204
    assert _post(bridge, _gcs("datasets/a.yaml")) == 200
    assert len(server.events) == 1


def test_nonsense_is_refused_and_too_much_is_not_read(bridge, server):
    for body in (
        b"",
        b"{",
        b"[]",
        b"3",
        b"{}",
        b'{"message": {}}',
        _gcs("", data=None),
        _gcs("datasets/a.yaml", data=b"no JSON"),
        b'{"source": "aws.s3", "detail-type": "Object Created"}',
        b'{"source": "aws.ec2"}',
        _gcs("datasets/a.yaml", data=b'{"size": -1}'),
        _gcs("datasets/a.yaml", data=b'{"size": [5]}'),
        b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe",
    ):
        assert _post(bridge, body) == 400, body
    for length, status in ((str(1 << 30), 413), ("9" * 5000, 413), ("-1", 411), ("٢", 411), ("2, 2", 411), ("", 411)):
        assert _post(bridge, b"{}", **{"Content-Length": length.encode().decode("latin-1")}) == status, length
    assert _post(bridge, b"2\r\n{}\r\n0\r\n\r\n", **{"Transfer-Encoding": "chunked"}) == 411
    assert server.events == []
    for path, status in (("/health", 200), ("/other", 404)):
        connection = http.client.HTTPConnection(*bridge, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == status
        connection.close()


@pytest.mark.parametrize("name", ["a\nb", "a\x1b]0;b\x07", "a\u202eb", "a\u2028b", "a\x85b", "\ud800"], ids=ascii)
def test_a_name_that_cannot_be_shown_is_not_forwarded_and_escaped_in_the_log(name, bridge, server, caplog):
    assert _post(bridge, _gcs(f"datasets/{name}.yaml")) == 200
    assert server.events == []
    (line,) = [record.getMessage() for record in caplog.records if "not forwarded" in record.getMessage()]
    assert line.isprintable()
    assert line.isascii()
    assert "gs://lab/datasets/" in line


def test_names_that_look_like_templates_or_markup_are_forwarded_as_they_are(bridge, server):
    names = ["datasets/{{ event.id }}.yaml", "datasets/<b>.yaml", "datasets/ä b%41.yaml", "datasets/a'\";--.yaml"]
    for name in names:
        assert _post(bridge, _gcs(name)) == 200
    assert [each["payload"]["name"] for each in server.events] == names


def test_copies_that_arrive_together_become_one_event(bridge, server):
    server.pause = 0.2
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda copy: _post(bridge, _gcs(f"datasets/{copy % 2}.yaml")), range(16)))
    assert statuses == [200] * 16
    assert sorted(each["payload"]["name"] for each in server.events) == ["datasets/0.yaml", "datasets/1.yaml"]


def test_a_copy_of_what_the_server_did_not_take_is_forwarded(bridge, server):
    server.pause, server.failures = 0.2, 1
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(lambda _: _post(bridge, _gcs("datasets/a.yaml")), range(4)))
    assert statuses == [200, 200, 200, 502]
    assert len(server.events) == 1


def test_s3_tells_too():
    written = read_notification(_s3("datasets/a b.yaml"))
    assert written == Written("s3.object.created", "lab", "datasets/a b.yaml", "0055", 5)
    assert event_of(written)["resource"]["prefect.resource.id"] == "s3://lab/datasets/a b.yaml"


KEYS = st.sampled_from(["message", "attributes", "source", "detail", "detail-type", "eventType", "object", "bucket"])
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["OBJECT_FINALIZE", "aws.s3"])


@given(st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12))
def test_any_json_is_a_notification_or_refused(content):
    with contextlib.suppress(Malformed):
        assert read_notification(json.dumps(content).encode()) is None


def test_a_bridge_that_starts_anew_forwards_nothing_again(capsys):
    """Against Prefect's own server: it has each event once, whichever bridge was told, and however often."""
    from prefect.client.orchestration import get_client

    uri = f"gs://lab/datasets/{time.time_ns()}.yaml"

    def tell(client, generation: str) -> tuple[int, str]:
        body = _gcs(uri.removeprefix("gs://lab/"), generation)
        return Bridge(client, "gs://lab/datasets", TOKEN).answer("/", f"Bearer {TOKEN}", body)

    def known(client) -> list[str]:
        asked = {"filter": {"resource": {"id": [uri]}}}
        return sorted(
            each["payload"]["generation"] for each in client.request("POST", "/events/filter", json=asked).json()["events"]
        )

    with get_client(sync_client=True) as client:
        assert tell(client, "1") == (200, "forwarded")
        deadline = time.monotonic() + 30
        while not known(client):  # events are written some seconds at a time
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert tell(client, "1") == (200, "known already")
        assert tell(client, "2") == (200, "forwarded")
        while len(known(client)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert known(client) == ["1", "2"]
