"""The server of ``view``: byte ranges as RFC 9110 has them, and nothing to whom or that it should not be served."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from flows import file_server
from flows.file_server import FileServer, byte_range, file_below

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    root = folder / "results"
    (root / "sub" / ".git").mkdir(parents=True)
    (root / "track.bw").write_bytes(CONTENT)
    (root / "empty.bed").touch()
    (root / "sub" / "index.html").write_text("<p>sub</p>")
    (root / "sub" / "my own#1.bw").write_bytes(b"own")
    (root / "sub" / ".git" / "config").write_text("secret")
    (root / ".hidden").write_text("secret")
    (folder / "outside.txt").write_text("secret")
    (root / "out.txt").symlink_to(folder / "outside.txt")
    (root / "up").symlink_to(folder)
    (root / "shown.txt").symlink_to(root / ".hidden")
    (root / "inside.bw").symlink_to(root / "track.bw")
    (root / "dangling").symlink_to(folder / "nothing")
    os.mkfifo(root / "pipe")
    return root


@contextmanager
def served(find):
    with FileServer(find) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server(root):
    with served(lambda parts: b"<p>made</p>" if parts == ["made.html"] else file_below(root, parts)) as server:
        yield server


def ask(server, path, method="GET", host=None, **headers):
    """Status, headers and body of a path, which is sent as it is, below the secret."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.putrequest(method, path, skip_host=True)
    for name in [f"127.0.0.1:{server.server_port}"] if host is None else host:
        connection.putheader("Host", name)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def get(server, path, **options):
    return ask(server, f"/{server.secret}/{path}", **options)


def test_only_loopback_is_bound(server):
    assert server.server_address[0] == "127.0.0.1"
    assert urlsplit(server.address).hostname == "127.0.0.1"


def test_a_whole_file(server):
    status, headers, body = get(server, "track.bw")
    assert (status, body) == (200, CONTENT)
    assert (headers["Accept-Ranges"], headers["Content-Length"]) == ("bytes", str(SIZE))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"  # nobody elsewhere learns the secret
    assert "Access-Control-Allow-Origin" not in headers
    assert get(server, "inside.bw")[2] == CONTENT
    assert get(server, "sub/my%20own%231.bw")[2] == b"own"
    assert get(server, "track.bw?cache=no")[2] == CONTENT
    assert get(server, "empty.bed")[::2] == (200, b"")


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-14", 5, 15),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        (f"bytes=100-{SIZE + 100}", 100, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=-{SIZE + 1}", 0, SIZE),
        ("bytes=0-999999999999999999", 0, SIZE),
    ],
)
def test_a_part_of_a_file(server, asked, first, end):
    status, headers, body = get(server, "track.bw", Range=asked)
    assert (status, body) == (206, CONTENT[first:end])
    assert headers["Content-Range"] == f"bytes {first}-{end - 1}/{SIZE}"
    assert headers["Content-Length"] == str(end - first)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
def test_a_part_that_is_not_there(server, asked):
    status, headers, body = get(server, "track.bw", Range=asked)
    assert (status, headers["Content-Range"], body) == (416, f"bytes */{SIZE}", b"")


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "bytes=9-3", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "x" * 99])
def test_other_ranges_are_ignored(server, asked):
    assert get(server, "track.bw", Range=asked)[::2] == (200, CONTENT)


def test_ranges_of_an_empty_file():
    assert byte_range("bytes=0-", 0) == range(0)
    assert byte_range("bytes=-5", 0) == range(0)
    assert byte_range(None, 0) is None


def test_head_has_no_body(server):
    status, headers, body = get(server, "track.bw", method="HEAD", Range="bytes=5-9")
    assert (status, headers["Content-Length"], body) == (206, "5", b"")
    assert get(server, "nothing", method="HEAD")[::2] == (404, b"")
    assert get(server, "made.html", method="HEAD")[1]["Content-Length"] == "11"


def test_one_connection_answers_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    for start in range(0, 2560, 256):
        connection.request("GET", f"/{server.secret}/track.bw", headers={"Range": f"bytes={start}-{start + 255}"})
        assert connection.getresponse().read() == CONTENT[:256]
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "sub/../../outside.txt",
        "%2e%2e/outside.txt",
        "..%2foutside.txt",
        "sub/%2e%2e%2f%2e%2e%2foutside.txt",
        "%252e%252e/outside.txt",
        "..\\outside.txt",
        "sub//../../outside.txt",
        "/etc/passwd",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "out.txt",
        "up/outside.txt",
        "dangling",
        ".hidden",
        "sub/.git/config",
        "shown.txt",
        "sub/.git/",
        "pipe",
        "track.bw%00.html",
        "%ff%fe",
        "nothing",
        "sub/nothing/",
    ],
)
def test_nothing_else_is_served(server, path):
    status, _, body = get(server, path)
    assert status == 404
    assert b"secret" not in body
    assert b"root:" not in body


def test_a_folder_shows_its_page_and_never_a_list(server):
    assert get(server, "sub/")[::2] == (200, b"<p>sub</p>")
    assert get(server, "sub")[:2][1]["Location"] == "./sub/"
    status, _, body = get(server, "")
    assert status == 404
    assert b"track.bw" not in body
    assert ask(server, f"/{server.secret}")[1]["Location"] == f"./{server.secret}/"


def test_a_page_that_is_made(server):
    status, headers, body = get(server, "made.html")
    assert (status, body) == (200, b"<p>made</p>")
    assert headers["Content-Type"].startswith("text/html")


def test_without_the_secret_there_is_nothing(server):
    for path in ("/", "/track.bw", "/x/track.bw", f"/{server.secret[:-1]}/track.bw", "/%ff/track.bw", "/%C3%A9/track.bw"):
        assert ask(server, path)[0] == 404
    with served(lambda _: None) as other:
        assert other.secret != server.secret
        assert len(other.secret) >= 16


@pytest.mark.parametrize(
    "hosts", [[], ["evil.example"], ["evil.example:{port}"], ["127.0.0.1.evil.example"], ["127.0.0.1", "evil.example"], [""]]
)
def test_another_host_is_refused(server, hosts):
    """A web page whose name was made to lead here has the browser send that name."""
    status, _, body = get(server, "track.bw", host=[host.format(port=server.server_port) for host in hosts])
    assert status == 421
    assert CONTENT[:100] not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:9000"])
def test_this_machine_and_a_tunnel_to_it_are_answered(server, host):
    assert get(server, "track.bw", host=[host])[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE"])
def test_files_are_only_read(server, method):
    assert get(server, "track.bw", method=method)[0] == 501


def test_a_body_ends_the_connection(server):
    """What nobody reads must not be taken for the next request."""
    with socket.create_connection(("127.0.0.1", server.server_port), 5) as connection:
        head = f"GET /{server.secret}/empty.bed HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall(f"{head}Content-Length: {len(head)}\r\n\r\n{head}\r\n".encode())
        answers = b""
        while part := connection.recv(1 << 16):
            answers += part
    assert answers.count(b"HTTP/1.1 200") == 1


def test_connections_are_bounded(root, monkeypatch):
    monkeypatch.setattr(file_server, "_MOST", 3)
    with served(lambda parts: file_below(root, parts)) as server:
        silent = [socket.create_connection(("127.0.0.1", server.server_port), 5) for _ in range(3)]
        while server._free._value:
            time.sleep(0.01)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            get(server, "track.bw")
        for connection in silent:
            connection.close()
        while not server._free._value:
            time.sleep(0.01)
        assert get(server, "track.bw")[0] == 200


def test_a_file_that_becomes_shorter_ends_the_connection(tmp_path, monkeypatch):
    (tmp_path / "track.bw").write_bytes(CONTENT)
    send = socket.socket.sendfile

    def shorter(self, file, offset=0, count=None):
        os.truncate(tmp_path / "track.bw", 10)
        return send(self, file, offset, count)

    monkeypatch.setattr(socket.socket, "sendfile", shorter)
    with served(lambda parts: file_below(tmp_path, parts)) as server, pytest.raises(http.client.IncompleteRead):
        get(server, "track.bw")
