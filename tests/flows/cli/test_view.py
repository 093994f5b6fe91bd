"""``view``: what it finds in a results folder, the genome it lends to pages, refusals, and its end."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyBigWig
import pytest

from flows.cli import view
from flows.cli.main import main

LETTERS = "ACGTACGTAC" * 20


def write_track(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([("chrI", len(LETTERS))])
        track.addEntries("chrI", 0, values=np.ones(len(LETTERS)), span=1, step=1)


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "inputs" / "genome.fasta"
    path.parent.mkdir()
    path.write_text(f">chrI\n{LETTERS}\n")
    return path


@pytest.fixture
def results(tmp_path, fasta):
    """A data set's results: two folds' main models, each with a page of tracks, and their reports."""
    folder = tmp_path / "results"
    for run in ("fold_0/main", "fold_1/main"):
        for name, text in {
            "browser/index.html": f"tracks of {run}",
            "evaluation/overall_report.html": "report",
            "logs/chrombpnet.args.json": json.dumps({"genome": str(fasta)}),
        }.items():
            path = folder / run / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (folder / "folds_report.html").write_text("report")
    (folder / ".git" / "browser").mkdir(parents=True)
    (folder / ".git" / "browser" / "index.html").write_text("not shown")
    return folder


def found(folder, genome=None, at=()):
    return view._Results(str(folder), genome and str(genome)).find(list(at))


def test_the_start_leads_to_every_page(results):
    page = found(results).decode()
    assert re.findall('href="([^"]+)">([^<]+)<', page) == [
        ("fold_0/main/browser/index.html", "fold_0/main"),
        ("fold_1/main/browser/index.html", "fold_1/main"),
        ("folds_report.html", "folds_report.html"),
        ("fold_0/main/evaluation/overall_report.html", "fold_0/main"),
        ("fold_1/main/evaluation/overall_report.html", "fold_1/main"),
    ]


def test_pages_are_lent_the_genome_of_the_run(results, fasta):
    page = found(results, at=["fold_0", "main", "browser", "index.html"])
    assert page.read_text() == "tracks of fold_0/main"
    assert found(results, at=["fold_0", "main", "browser", "genome.fa"]) == fasta
    index = found(results, at=["fold_0", "main", "browser", "genome.fa.fai"])
    assert index.read_text().split("\t")[:2] == ["chrI", str(len(LETTERS))]
    assert not index.is_relative_to(results)
    for name in ("genome.fa.gz", "genome.fa.gzi", "genome.fasta", "other.fa"):
        assert found(results, at=["browser", name]) is None


def test_another_genome_can_be_given(results, tmp_path):
    packed = tmp_path / "packed.fa.gz"
    packed.write_bytes(gzip.compress(f">chrI\n{LETTERS}\n".encode()))
    for name in ("genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi"):
        assert found(results, packed, ["browser", name]).is_file()
    assert found(results, packed, ["browser", "genome.fa"]) is None


@pytest.mark.parametrize(
    "settings", ['{"genome": "%s"}', "no JSON", '["%s"]', "{}", '{"genome": null}', '{"genome": "gs://there/g.fa"}']
)
def test_a_record_opens_no_other_file(results, tmp_path, settings, capsys):
    """Results may come from anybody: what their settings call the genome is served only where it is one."""
    secret = tmp_path / "secret"
    secret.write_text("user:password\n")
    for path in results.rglob("*args.json"):
        path.write_text(settings.replace("%s", str(secret)))
    assert found(results, at=["browser", "genome.fa"]) is None


def test_a_file_of_the_results_comes_first(results):
    (results / "fold_0" / "main" / "browser" / "genome.fa").write_text(">x\nA\n")
    assert found(results, at=["fold_0", "main", "browser", "genome.fa"]).read_text() == ">x\nA\n"


def test_results_without_a_page_get_one(tmp_path):
    write_track(tmp_path / "old" / "auxiliary" / "data_unstranded.bw")
    write_track(tmp_path / "old" / "auxiliary" / "interpret_subsample" / "chrombpnet_nobias.profile_scores.bw")
    page = found(tmp_path / "old").decode()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert [track["url"] for track in data["tracks"]] == [
        "auxiliary/data_unstranded.bw",
        "auxiliary/interpret_subsample/chrombpnet_nobias.profile_scores.bw",
    ]
    assert data["sizes"] == [["chrI", len(LETTERS)]]


def test_a_page_that_is_made_takes_the_igv_js_of_the_package(tmp_path, monkeypatch):
    write_track(tmp_path / "old" / "auxiliary" / "data_unstranded.bw")
    assert "cdn.jsdelivr.net" in found(tmp_path / "old").decode()
    assert found(tmp_path / "old", at=["igv.min.js"]) is None
    monkeypatch.setattr("chrombpnet_core.report.packed_igv_js", lambda: {"igv.min.js": tmp_path / "igv.min.js"})
    assert '<script src="igv.min.js"></script>' in found(tmp_path / "old").decode()
    assert found(tmp_path / "old", at=["igv.min.js"]) == tmp_path / "igv.min.js"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{file}"], "not a folder"),
        (["{empty}"], "no tracks; expected results of a run"),
        (["gs://bucket/results"], "is not on this machine"),
        (["{results}", "--port", "70000"], "expected 0 to 65535"),
        (["{results}", "-g", "nothing.fa"], "nothing.fa: no such file"),
        (["{results}", "--port", "{taken}"], "Address already in use"),
    ],
)
def test_refusals(results, fasta, tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = {"file": fasta, "empty": tmp_path / "empty", "results": results, "taken": taken.getsockname()[1]}
        assert main(["view", "--no-open", *(word.format(**places) for word in arguments)]) == 2
    _, error = capsys.readouterr().err.splitlines()  # after the first words
    assert message in error


def test_it_answers_until_ctrl_c(results):
    command = [sys.executable, "-m", "flows.cli.main", "view", str(results / "fold_0"), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = urlsplit(re.search(r"http://\S+", process.stdout.readline())[0])
        connection = http.client.HTTPConnection(address.netloc, timeout=5)
        connection.request("GET", address.path)
        assert connection.getresponse().read() == b"tracks of fold_0/main"
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(5)
        assert time.monotonic() - begun < 2  # a second on a machine with nothing else to do
        assert process.stderr.read().splitlines()[1:] == ["", "chrombpnet: interrupted"]
