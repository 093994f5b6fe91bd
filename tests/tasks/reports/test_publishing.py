"""Results in their place: the report and its forms, motifs, sessions and hubs whose every file is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import fsspec
import numpy as np
import pyBigWig
import pytest

from tasks.reports import publish_run
from tasks.reports.browsing import browser_files
from tasks.storage import place_files
from tests.tasks.declaring import run_step

FILES = {
    "coverage": ["data_unstranded.bw"],
    "select_main": ["filtered.peaks.bed", "filtered.nonpeaks.bed"],
    "peak_tracks": ["chrombpnet.bw", "chrombpnet_nobias.bw", "bias.bw", "bias_stats.txt", "regions.bed", "log_counts.npz"],
    "contributions": ["profile_scores.h5", "profile_scores.bw", "interpreted_regions.bed", "examples_contributions.npz"],
    "motifs_profile": ["modisco.h5", "motifs.tsv", "motifs.json", "motifs.html"],
    "report": [
        "overall_report.html",
        "overall_report.pdf",
        "report.json",
        "epoch_loss.png",
        "chrombpnet_nobias_profile.pdf",
    ],
}


@pytest.fixture
def done(tmp_path):
    """Results of steps that wrote their names into their files, and an example."""

    def write(names):
        return lambda work: [(work.out / name).write_text(name) for name in names]

    def examples(work):
        np.savez(
            work.out / "examples.npz",
            chroms=np.array(["chrI", "chrII"]),
            starts=np.array([99, 5]),
            observed=np.zeros((2, 50)),
            labels=np.array(["best", "worst"]),
        )

    bodies = {step: write(names) for step, names in FILES.items()} | {"evaluate_main": examples}
    return {step: run_step(str(tmp_path / "store"), step, 1, {}, {}, body) for step, body in bodies.items()}


@pytest.fixture
def genome(tmp_path):
    for name in ("my genome.fa", "my genome.fa.fai"):
        (tmp_path / name).write_text("x")
    return str(tmp_path / "my genome.fa")


def published(done, output, asked=None, **options):
    return publish_run.fn("main", done, {"id": "Sample <1>", **(asked or {})}, str(output), **options)


@pytest.mark.parametrize("prefix", ["", "my own#1"])
def test_sessions_name_files_that_are_there(done, genome, tmp_path, prefix):
    out, start = tmp_path / "out", f"{prefix}_" if prefix else ""
    assert published(done, out, {"genome": genome}, prefix=prefix) == str(out / "evaluation" / f"{start}overall_report.html")
    assert not list(out.glob("*hub.txt"))
    session = json.loads((out / f"{start}igv_session.json").read_text())
    assert (session["locus"], session["reference"]["fastaURL"]) == ("chrI:100-149", genome)
    assert Path(session["reference"]["indexURL"]).exists()
    xml = ElementTree.parse(out / f"{start}igv_session.xml").getroot()
    named = [unquote(track["url"]) for track in session["tracks"]]
    assert named == [item.get("path") for item in xml.iter("Resource")]
    explained = out / "auxiliary" / "interpret_subsample"
    assert named == [
        f"auxiliary/{start}data_unstranded.bw",
        *(f"tracks/{start}{model}.bw" for model in ("chrombpnet", "bias", "chrombpnet_nobias")),
        f"auxiliary/interpret_subsample/{start}chrombpnet_nobias.profile_scores.bw",
        f"auxiliary/{start}filtered.peaks.bed",
    ]
    assert sorted(path.name for path in explained.iterdir()) == [
        f"{start}chrombpnet_nobias.{name}" for name in ("interpreted_regions.bed", "profile_scores.bw", "profile_scores.h5")
    ]
    assert all((out / name).is_file() for name in named)
    for name in FILES["report"]:
        assert (out / "evaluation" / f"{start}{name}").read_text() == name
    for name in FILES["motifs_profile"]:
        assert (out / "evaluation" / "modisco_profile" / f"{start}{name}").read_text() == name


def test_a_named_assembly_gets_a_hub(done, tmp_path):
    published(done, tmp_path / "out", {"genome": "https://there/g.fa"}, assembly="sacCer3")
    hub = (tmp_path / "out" / "hub.txt").read_text()
    assert "\ngenome sacCer3\n" in hub
    addresses = [line.split(" ", 1)[1] for line in hub.splitlines() if line.startswith("bigDataUrl")]
    assert len(addresses) == 5
    assert all((tmp_path / "out" / address).is_file() for address in addresses)
    assert json.loads((tmp_path / "out" / "igv_session.json").read_text())["genome"] == "sacCer3"


def test_a_genome_elsewhere_keeps_its_address(done, tmp_path):
    published(done, tmp_path / "out", {"genome": "gs://there/g.fa"})
    reference = json.loads((tmp_path / "out" / "igv_session.json").read_text())["reference"]
    assert (reference["fastaURL"], reference["indexURL"]) == ("gs://there/g.fa", "gs://there/g.fa.fai")


def test_without_tracks_or_genome_there_is_no_session(done, tmp_path):
    published(done, tmp_path / "a")
    published({"report": done["report"]}, tmp_path / "b", {"genome": "g.fa"})
    assert not [path for path in tmp_path.rglob("*igv*") if "store" not in path.parts]


def test_in_a_remote_store_sessions_hold_whole_addresses(done):
    published(done, "memory://bucket/out", {"genome": "https://there/g.fa"}, assembly="hg38")
    files = fsspec.filesystem("memory")
    session = json.loads(files.cat("/bucket/out/igv_session.json"))
    assert session["tracks"][0]["url"] == "memory://bucket/out/auxiliary/data_unstranded.bw"
    assert files.cat("/bucket/out/auxiliary/data_unstranded.bw") == b"data_unstranded.bw"
    assert b"bigDataUrl auxiliary/data_unstranded.bw\n" in files.cat("/bucket/out/hub.txt")


@pytest.mark.parametrize("prefix", ["", "my own#1"])
def test_a_report_links_to_all_files_of_its_run(done, genome, tmp_path, prefix):
    def body(work):
        for name in FILES["report"]:
            (work.out / name).write_text(f"<!-- file evaluation/{name} -->word<!-- end --><!-- files -->")

    done["report"] = run_step(str(tmp_path / "store"), "report", 2, {}, {}, body)
    address = Path(published(done, tmp_path / "out", {"genome": genome}, prefix=prefix))
    html = address.read_text()
    assert "<!-- file" not in html
    found = {(address.parent / unquote(link)).resolve() for link in re.findall(r'href="([^"#]+)"', html)}
    everything = {path.resolve() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found | {address.resolve()} == everything
    assert "logs" in {path.parent.name for path in found}


def test_texts_of_any_kind_are_placed(tmp_path):
    place_files({}, {"a/b.txt": "no JSON\n"}, "memory://texts")
    assert fsspec.filesystem("memory").cat("/texts/a/b.txt") == b"no JSON\n"
    assert place_files({}, {"a/b.txt": "no JSON\n"}, str(tmp_path)) == [str(tmp_path / "a" / "b.txt")]
    assert (tmp_path / "a" / "b.txt").read_text() == "no JSON\n"


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize("prefix", ["", "my own#1"])
def test_a_page_shows_the_tracks_beside_it(done, genome, tmp_path, prefix, monkeypatch):
    igv = tmp_path / "igv.min.js"
    igv.write_text("igv")
    monkeypatch.setattr("tasks.reports.browsing.packed_igv_js", lambda: {"igv.min.js": igv})
    out, start = tmp_path / "out", f"{prefix}_" if prefix else ""
    published(done, out, {"genome": genome}, prefix=prefix)
    path = out / "browser" / f"{start}index.html"
    page = path.read_text()
    named = [unquote(track["url"]) for track in data_of(page)["tracks"]]
    assert len(named) == 6
    named += [unquote(address) for address in re.findall(r'(?:src|href)="(?!https)([^"]+)"', page)]
    assert f"{start}igv.min.js" in named
    for name in named:
        assert (path.parent / name).is_file(), name
    assert re.findall(r'data-locus="([^"]+)"', page)[::2] == ["chrI:100-149", "chrII:6-55"]
    assert "Best peak" in page
    assert "Sample &lt;1&gt;" in page
    assert genome not in page


def test_a_common_assembly_is_known_by_the_tracks(done, genome, tmp_path):
    with pyBigWig.open(str(tmp_path / "x.bw"), "w") as track:
        track.addHeader([("chrI", 230_218)])
        track.addEntries(["chrI"], [5], ends=[6], values=[1.0])
    done["coverage"] = run_step(
        str(tmp_path / "store"),
        "coverage",
        2,
        {},
        {},
        lambda work: (work.out / "data_unstranded.bw").write_bytes((tmp_path / "x.bw").read_bytes()),
    )
    published(done, tmp_path / "out", {"genome": genome})
    assert json.loads((tmp_path / "out" / "igv_session.json").read_text())["genome"] == "sacCer3"
    assert "\ngenome sacCer3\n" in (tmp_path / "out" / "hub.txt").read_text()
    data = data_of((tmp_path / "out" / "browser" / "index.html").read_text())
    assert (data["assembly"], data["sizes"]) == ("sacCer3", [["chrI", 230_218]])
    washu = json.loads((tmp_path / "out" / "washu_hub.json").read_text())
    assert all((tmp_path / "out" / track["url"]).is_file() for track in washu)


def test_genes_are_a_track(done, genome, tmp_path):
    """Of each gene one transcript, the one of most bases, as BED12; genes on other chromosomes are left out."""
    with pyBigWig.open(str(tmp_path / "x.bw"), "w") as track:
        track.addHeader([("chrI", 1000)])
        track.addEntries(["chrI"], [5], ends=[6], values=[1.0])
    row = '{}\tx\texon\t{}\t{}\t.\t-\t.\tgene_id "A"; transcript_id "{}"; gene_name "ABC1";\n'
    exons = [("chrI", 101, 200, "A.1"), ("chrI", 301, 400, "A.1"), ("chrI", 101, 150, "A.2"), ("chrX", 1, 9, "A.3")]
    (tmp_path / "genes.gtf").write_text("".join(row.format(*exon) for exon in exons))
    files = {"tracks/chrombpnet.bw": tmp_path / "x.bw"}
    texts = browser_files(files, done, {"genome": genome, "genes": str(tmp_path / "genes.gtf")}, str(tmp_path / "out")).texts
    assert texts["browser/genes.bed"] == "chrI\t100\t400\tABC1\t0\t-\t100\t100\t0\t2\t100,100\t0,200\n"
    assert data_of(texts["browser/index.html"])["tracks"][-1]["url"] == "../browser/genes.bed"


@pytest.mark.parametrize(
    ("output", "session", "washu"),
    [
        ("s3://bucket/my out", "https://bucket.s3.amazonaws.com/my%20out/", "https://bucket.s3.amazonaws.com/my%20out/"),
        ("gs://bucket/out", "gs://bucket/out/", "https://storage.googleapis.com/bucket/out/"),
    ],
)
def test_addresses_of_buckets_are_those_that_browsers_read(done, output, session, washu):
    """IGV-Web opens no relative addresses, and neither it nor WashU an address of S3's own."""
    placed = {
        name: result.file(name) for result in done.values() for name in result.manifest["files"] if name.endswith(".bw")
    }
    files = {f"tracks/{name}": path for name, path in placed.items()}
    texts = browser_files(files, done, {"genome": "https://there/g.fa"}, output, assembly="hg38").texts
    urls = [track["url"] for track in json.loads(texts["igv_session.json"])["tracks"]]
    assert {url.rpartition("tracks/")[0] for url in urls} == {session}
    assert {track["url"].rpartition("tracks/")[0] for track in json.loads(texts["washu_hub.json"])} == {washu}
    assert {track["url"].rpartition("tracks/")[0] for track in data_of(texts["browser/index.html"])["tracks"]} == {"../"}
