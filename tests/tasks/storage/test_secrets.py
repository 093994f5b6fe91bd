"""Secrets in addresses: what is handed over, kept and shown has references in their place; files are read all the same."""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from chrombpnet_core.errors import InputError
from flows.cli.main import main
from flows.encode import EncodeRequest
from flows.spec import make_part, make_spec
from flows.variants import VariantsRequest
from tasks.encode import Portal
from tasks.runs import record_run
from tasks.storage import Store, hide_secrets, redact, redact_all, split_conditions, stage

USER, SIGNATURE = "planted-password", "planted-signature"


@pytest.fixture
def served(monkeypatch, tmp_path) -> Iterator[str]:
    """A web server that wants a signature."""

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            allowed = SIGNATURE in self.path
            body = b"chr1\t1\t2\n" if allowed else b""
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


ADDRESSES = [
    "https://user:{0}@host/a.bed",
    "https://host/a.bed?X-Amz-Signature={1}",
    "https://{0}@host:8443/a.bed?sig={1}#md5=" + "0" * 32 + "&hosts=host:8443",
    "s3://key:{0}@bucket/a.bed",
    "https://host/a.bed?client_secret={1}",
    "https://host/a.bed?secret=000000000000{1}",
    "https://user:a@{0}@host/a.bed#secret=000000000000",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_reference_holds_no_secret_and_leads_back(address):
    address = address.format(USER, SIGNATURE)
    reference = hide_secrets(address)
    assert USER not in reference
    assert SIGNATURE not in reference
    assert (hide_secrets(reference), split_conditions(reference)) == (reference, split_conditions(address))
    assert redact(reference).partition("#")[0] == redact(split_conditions(address).address)
    other = address.replace("planted", "another")
    assert split_conditions(hide_secrets(other)) == split_conditions(other) != split_conditions(reference)


@pytest.mark.parametrize("address", ["peaks.bed", "/a?b", "https://host/a", "gs://b/a#md5=" + "0" * 32, "file:///a?b@c"])
def test_addresses_without_secrets_stay(address):
    assert hide_secrets({"peaks": [address]}) == {"peaks": [address]}


def _content(address: str) -> dict:
    return {
        "assay": "ATAC",
        "reads": {"bam": [address]},
        "genome": address,
        "peaks": address,
        "folds": [address],
        "bias": {"model": address},
        "output": "out",
    }


def test_what_flows_are_given_holds_references():
    address = ADDRESSES[2].format(USER, SIGNATURE)
    spec = make_spec(_content(address), "a data set")
    request = VariantsRequest(
        **hide_secrets({"variants": address, "genome": address, "models": [address], "output_prefix": "o"})
    )
    for handed in (spec.model_dump_json(), request.model_dump_json(), json.dumps(redact_all(spec.model_dump(mode="json")))):
        assert "planted" not in handed
    assert split_conditions(spec.genome).address == address.partition("#")[0]


@pytest.mark.parametrize("key", ["output", "publish"])
def test_results_do_not_go_where_a_secret_leads(key):
    with pytest.raises(InputError, match=f"{key}: https://host/a.bed: the address holds") as caught:
        make_spec(_content("a") | {key: ADDRESSES[0].format(USER)}, "a data set")
    assert "planted" not in str(caught.value)


PLACES = [
    "sftp://user:{0}@host/store",
    "abfs://container@account.dfs.core.windows.net/x?sig={1}",
    "https://user:a@{0}@host/store",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", [["run", "x.yaml"], ["doctor"], ["status", "out"], ["verify"], ["deploy"]])
def test_no_store_has_a_secret_in_its_address(place, command, capsys, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(json.dumps(_content("a")))
    record_run(_content("a") | {"output": str(tmp_path / "out")}, str(tmp_path / "store"), {})
    address = place.format(USER, SIGNATURE)
    for words, environment in (([*command, "--store", address], ""), (command, address)):
        monkeypatch.setenv("CHROMBPNET_STORE", environment)
        if command[0] == "status" and environment:
            continue  # the store is on record
        assert main(words) == 2
        printed = capsys.readouterr()
        assert "the address holds a password, a token or a query" in printed.err
        assert "planted" not in printed.out + printed.err + caplog.text


@pytest.mark.parametrize("place", PLACES)
def test_a_store_itself_refuses_secrets(place):
    with pytest.raises(InputError, match="the address holds a password") as caught:
        Store(place.format(USER, SIGNATURE))
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("place", ["abfs://container@account.dfs.core.windows.net/x", "sftp://me@host/x", "gs://bucket/a@b"])
def test_user_names_alone_are_no_secrets(place):
    assert hide_secrets({"output": place, "store": place}) == {"output": place, "store": place}


@pytest.mark.parametrize("key", ["portal", "buckets", "store", "output"])
@pytest.mark.parametrize("place", PLACES)
def test_a_portal_and_its_buckets_have_no_secrets(key, place):
    address = place.format(USER, SIGNATURE)
    asked = {"contact": "a@example.org", "template": {}, "output": "out", "store": "store"}
    with pytest.raises(InputError, match=f"{key}: .*: the address holds") as caught:
        make_part(EncodeRequest, asked | {key: [address] if key == "buckets" else address}, "a request")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("base", ["https://user:planted@host", "https://host/?token=planted", "no address", "https://"])
def test_a_portal_is_a_plain_address(base):
    for given in ({"base": base}, {"buckets": [base]}):
        with pytest.raises(InputError, match=r"portal|bucket") as caught:
            Portal("a@example.org", **given)
        assert "planted" not in str(caught.value)


def test_messages_of_the_schema_are_redacted():
    address = ADDRESSES[1].format(USER, SIGNATURE)
    for wrong in ({"peeks": address}, {"folds_at_once": address}, {"bias": address}, {"reads": {"bam": address}}):
        with pytest.raises(InputError) as caught:
            make_spec(_content("a") | wrong, "a data set")
        assert "planted" not in str(caught.value)


def test_a_file_is_read_by_its_reference_here_and_in_processes_of_ours(served):
    reference = hide_secrets(f"http://{served}/a.bed?signature={SIGNATURE}")
    path, artifact = stage(reference, "peaks")
    assert (path.read_text(), path.name) == ("chr1\t1\t2\n", "a.bed")
    assert SIGNATURE not in str(path) + str(artifact)
    program = "import sys; from tasks.storage import stage; print(stage(sys.argv[1], 'peaks')[0].read_text())"
    run = [sys.executable, "-c", program, reference]
    assert subprocess.run(run, check=True, text=True, capture_output=True).stdout == "chr1\t1\t2\n\n"
    for file in (path.parents[2]).rglob("*"):
        assert not file.is_file() or SIGNATURE.encode() not in file.read_bytes()
    unknown = {name: value for name, value in os.environ.items() if not name.startswith("CHROMBPNET_ADDRESS_")}
    failed = subprocess.run(run, check=False, text=True, capture_output=True, env=unknown)
    assert failed.returncode
    assert "no such object, or no right to read it" in failed.stderr
    assert base64.b64encode(SIGNATURE.encode()).decode() not in failed.stderr
