"""The bridge before callers that send slowly, endlessly or too many at a time: others are heard all the same."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from flows.deployment import Bridge
from tests.flows.deployment.test_bridge import TOKEN, started

CONNECTIONS, PATIENCE = 4, 0.6


@pytest.fixture
def place(capsys) -> Iterator[tuple[str, int]]:
    with httpx.Client() as client:
        yield started(capsys, Bridge(client, "gs://lab/datasets", TOKEN), connections=CONNECTIONS, patience=PATIENCE)


def _health(place: tuple[str, int]) -> int:
    connection = http.client.HTTPConnection(*place, timeout=10)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except ConnectionError:  # it was closed while the request was sent
        return 503
    finally:
        connection.close()


def _dribble(place: tuple[str, int], beginning: bytes) -> float:
    """Seconds until a connection is ended that sends a byte at a time for ever."""
    begun = time.monotonic()
    with socket.create_connection(place, timeout=10) as connection:
        connection.sendall(beginning)
        while time.monotonic() < begun + 10:
            try:
                connection.sendall(b"a")
                connection.settimeout(0.05)
                if connection.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST / HTTP/1.1\r\nContent-Length: 100000\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n{",
    ],
    ids=["line", "headers", "body"],
)
def test_a_slow_request_is_ended(beginning, place):
    assert PATIENCE * 0.5 < _dribble(place, beginning) < PATIENCE + 3
    assert _health(place) == 200


def test_too_many_connections_are_turned_away_and_then_heard(place):
    held = [socket.create_connection(place, timeout=10) for _ in range(CONNECTIONS)]
    try:
        time.sleep(0.1)
        assert [_health(place) for _ in range(3)] == [503] * 3
        deadline = time.monotonic() + 5
        while _health(place) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for connection in held:
            connection.close()
    assert [_health(place) for _ in range(20)] == [200] * 20, "every place is given back"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nX: " + b"a" * 60_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"X: aaaaaaaaaa\r\n" * 90 + b"Y: " + b"b" * 40_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"X: 1\r\n" * 500 + b"\r\n",
    ],
    ids=["address", "header", "together", "count"],
)
def test_a_long_head_is_not_read(head, place):
    with socket.create_connection(place, timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(head)
            while piece := connection.recv(1000):
                answer += piece
        except ConnectionError:
            pass
    assert b" 200 " not in answer
    assert _health(place) == 200


def test_what_ends_early_is_no_notification(place):
    with socket.create_connection(place, timeout=10) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nContent-Length: 10\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n{}"
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).split()[1] == b"400"
    assert _health(place) == 200
