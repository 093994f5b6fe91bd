"""Data set files that somebody dropped into a bucket name nothing but what is allowed, however it is written."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
import yaml

from chrombpnet_core.errors import InputError
from flows.deployment import Settings, desired, drop, read_dropped
from flows.deployment.allowed_addresses import allowed_address, allowed_prefix
from tasks.storage import is_inner_host, require

ALLOWED = ["gs://lab/data/", "s3://lab", "https://portal.org/files/", "https://mirror.org:8443/"]
STORE = "gs://lab/data/store"


@pytest.mark.parametrize(
    "address",
    ["gs://lab/data/a.bam", "gcs://lab/data/deep/a b.bam".replace(" ", "_"), "s3://lab/a", "s3a://lab/x/y"],
)
def test_what_is_allowed_is_taken_as_it_is(address):
    assert allowed_address(address, ALLOWED, STORE) == address


@pytest.mark.parametrize("conditions", ["", "#md5=" + "0" * 32, "#hosts=evil.org"])
def test_a_web_address_keeps_to_the_allowed_hosts(conditions):
    found = allowed_address(f"https://portal.org/files/a.bam{conditions}", ALLOWED, STORE)
    md5 = f"{conditions[1:]}&" if "md5" in conditions else ""
    assert found == f"https://portal.org/files/a.bam#{md5}hosts=portal.org,mirror.org:8443"


INNER = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "[::1]",
    "[::]",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[fe80::1%25eth0]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "metadata.google.internal",
    "instance-data",
]


@pytest.mark.parametrize("host", INNER)
def test_this_machine_its_link_and_metadata_servers_are_known_however_they_are_written(host):
    assert is_inner_host(host)
    with pytest.raises(InputError, match="not allowed to data set files"):
        allowed_prefix(f"http://{host}/")
    with pytest.raises(InputError, match="is not allowed in a data set file"):
        allowed_address(f"http://{host}/latest/meta-data", [f"http://{host}/", *ALLOWED], STORE)


@pytest.mark.parametrize("host", ["portal.org", "10.0.0.5", "8.8.8.8", "[2001:4860:4860::8888]"])
def test_other_hosts_are_not_among_them(host):
    assert not is_inner_host(host)


REFUSED = [
    "/etc/shadow",
    "etc/passwd",
    "~/.ssh/id_rsa",
    "file:///etc/shadow",
    "file:/etc/shadow",
    "FILE:///etc/shadow",
    "local:///etc/shadow",
    "gs://other/a.bam",
    "gs://lab/database.bam",
    "gs://lab/data/../secret",
    "gs://lab/data/%2e%2e/secret",
    "gs://lab/data/%252e%252e/secret",
    "gs://lab/data/store/train_main/x",
    "gs://lab/data",  # the store is in it
    "gs://lab.evil.org/data/x",
    "gs://user:pass@lab/data/x",
    "s3://laboratory/x",
    "http://portal.org/files/a.bam",
    "https://portal.org.evil.org/files/a",
    "https://portal.org:444/files/a",
    "https://portal.org/elsewhere",
    "https://portal.org/files/..%2f..%2fadmin",
    "https://portal.org/files\\@evil.org/a",
    "https://portal.org@evil.org/files/a",
    "https://evil.org#@portal.org/files/a",
    "https://evil.org/?u=https://portal.org/files/",
    "https://portal.org/files/\r\nHost: evil.org",
    "https://pоrtal.org/files/a",
    "simplecache::file:///etc/shadow",
    "simplecache::gs://lab/data/a",
    "zip://x::gs://lab/data/a.zip",
    "gs://lab/data/a::file:///etc/shadow",
    "filecache::http://169.254.169.254/",
    "ftp://lab/data/a",
    "sftp://lab/data/a",
    "data:text/plain,x",
    "memory://lab/data/a",
    "reference://lab/data/a",
    "",
]


@pytest.mark.parametrize("address", REFUSED)
def test_anything_else_is_refused_wherever_it_is_named(address, tmp_path):
    with pytest.raises(InputError, match="is not allowed in a data set file that is dropped") as caught:
        allowed_address(address, ALLOWED, STORE)
    assert "\n" not in str(caught.value)
    assert "pass@" not in str(caught.value)


def _content() -> dict:
    return {
        "assay": "ATAC",
        "reads": {"bam": ["gs://lab/data/a.bam"]},
        "genome": "gs://lab/data/genome.fa",
        "peaks": "gs://lab/data/peaks.bed",
        "folds": 2,
        "output": "gs://lab/data/results/a",
    }


PLACES = [
    lambda bad: {"reads": {"bam": ["gs://lab/data/a.bam", bad]}},
    lambda bad: {"reads": {"bigwig": [bad]}},
    lambda bad: {"reads": {"fragments": ["gs://lab/data/a"], "reference_matrices": bad}},
    *(lambda bad, key=key: {key: bad} for key in ("genome", "chrom_sizes", "peaks", "nonpeaks", "blacklist", "truth")),
    *(lambda bad, key=key: {key: bad} for key in ("output", "publish")),
    lambda bad: {"folds": ["gs://lab/data/fold.json", bad]},
    lambda bad: {"bias": {"model": bad}},
    lambda bad: {"explanation": {"motifs": bad}},
    lambda bad: {"chromosomes": {"alias": bad}},
]


@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("address", ["/etc/shadow", "http://169.254.169.254/latest", "simplecache::gs://lab/data/a"])
def test_every_key_of_the_file_is_looked_at(tmp_path, place, address):
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(_content() | PLACES[place](address)))
    with pytest.raises(InputError, match="is not allowed in a data set file that is dropped"):
        read_dropped(str(path), ALLOWED, STORE)


def test_the_file_itself_lies_where_it_may(tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(_content()))
    assert read_dropped(str(tmp_path / "a.yaml"), ALLOWED, STORE).output == "gs://lab/data/results/a"
    for uri in (str(tmp_path / "a.yaml"), "gs://other/a.yaml"):
        with pytest.raises(InputError, match="is not allowed"):
            drop.fn(uri, STORE, None, ALLOWED)
    with pytest.raises(InputError, match="which is nothing"):
        drop.fn("gs://lab/data/a.yaml", STORE)


def test_what_is_allowed_is_part_of_the_desired_state():
    def parameters(**settings: object) -> dict:
        wanted = desired(Settings("gs://lab/store", **settings))
        return next(each for each in wanted.deployments if each["name"] == "drop")["parameters"]

    assert parameters()["allowed"] == []
    assert parameters(drops="gs://lab/datasets", results="s3://out/results")["allowed"] == ["gs://lab/", "s3://out/results"]
    assert parameters(drops="gs://lab/datasets", allow=("https://portal.org/",))["allowed"] == ["https://portal.org/"]
    for address in ("/data", "file:///data", "http://127.0.0.1/", "https://user:secret@portal.org/"):
        with pytest.raises(InputError, match="not allowed to data set files") as caught:
            parameters(allow=(address,))
        assert "secret" not in str(caught.value)


@pytest.fixture
def served() -> Iterator[int]:
    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            raise AssertionError("nobody may ask")

        do_HEAD = do_GET

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("host", ["2130706433", "localhost", "127.1"])
def test_a_name_that_means_this_machine_when_it_is_asked_is_refused(served, host):
    with pytest.raises(InputError, match=r"leads to .*an address of this machine|not a web address"):
        require(f"http://{host}:{served}/a#hosts={host}:{served}", "peaks")


@pytest.mark.parametrize(
    "address",
    ["simplecache::file:///etc/passwd", "zip://a::file:///x.zip", "filecache::s3://a/b", "tar://x", "s3://a/b::file:///c"],
)
def test_chained_addresses_are_refused_everywhere(address):
    with pytest.raises(InputError, match="leads on to another address"):
        require(address, "peaks")
