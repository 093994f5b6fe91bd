"""The ENCODE flow against a portal on loopback: the exact set, every refusal with its reason, each thing asked for once."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from chrombpnet_core.errors import InputError
from flows.cli.encode import encode_list, encode_run
from flows.cli.main import build_parser
from flows.encode import EncodeRequest, encode, reprocess
from flows.spec import make_spec, read_spec
from tasks.encode import Catalogue
from tests.emulators import without_pauses
from tests.emulators.encode_experiments import ALLOWED, Maker
from tests.emulators.portal import Bucket, Fault, PortalSite, Site, busiest_second, serving

TEMPLATE = {"genome": "/data/hg38.fa.gz", "folds": 5, "model": {"filters": 64}}


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Short pauses after faults; a cache, and with it a rate, of the test's own."""
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    without_pauses(monkeypatch)


@pytest.fixture
def world():
    """A portal, its bucket and a host that is none of theirs, all empty."""
    portal, bucket, foreign = PortalSite(), Bucket(), Site()
    with serving(portal, bucket, foreign):
        yield portal, bucket, foreign


def _request(world, folder: Path, **changed) -> EncodeRequest:
    portal, bucket, _ = world
    return EncodeRequest(
        **{
            "contact": "tests@example.org",
            "template": TEMPLATE,
            "output": str(folder / "out"),
            "store": str(folder / "store"),
            "portal": portal.url,
            "buckets": [bucket.url],
            "allowed_audits": [ALLOWED],
            "rate": 9,
            "timeout": 2.0,
        }
        | changed
    )


def _here(task, *arguments):
    return task.fn(*arguments)


def test_of_200_experiments_exactly_the_right_ones_are_taken_and_the_others_refused_with_reasons(world, tmp_path):
    portal, bucket, foreign = world
    wanted = Maker(portal, bucket, foreign.url, seed=7).make(200)
    assert len({each.kind for each in wanted.values()}) == len(Maker.KINDS)
    portal.faults += [
        Fault("GET /search.*ATAC", "429", retry_after="1"),
        Fault("GET /search.*DNase", "cut"),
        Fault("HEAD /files", "slow", wait=2.5),
        Fault("HEAD /files", "500"),
    ]
    request = _request(world, tmp_path, start=1000)
    summary = reprocess(request, _here, str(tmp_path / "specs"))

    taken = {name for name, each in wanted.items() if not each.reason}
    assert {path.stem for path in (tmp_path / "specs").iterdir()} == taken == set(summary.started)
    assert summary.refusals == {name: each.reason for name, each in wanted.items() if each.reason}
    assert summary.states == {"new": len(taken), "refused": 200 - len(taken)}
    for name in taken:
        _compare(read_spec(str(tmp_path / "specs" / f"{name}.yaml")), wanted[name], portal.experiments[name], portal, bucket)

    requests = portal.requests + bucket.requests
    answered = Counter((each.method, each.path) for each in requests if each.status < 429)
    cut, slow = 1, 1  # what could not be used was asked for once more
    assert sum(answered.values()) - len(answered) == cut + slow
    assert busiest_second(requests) <= 10
    assert {each.agent.split("/")[0] for each in requests} == {"chrombpnet-flows"}
    assert all("tests@example.org" in each.agent for each in requests)
    first = min(each.at for each in portal.requests)
    assert min(each.at for each in portal.requests if each.at > first) - first >= 1.0  # as Retry-After had it
    assert foreign.requests == []
    assert not (tmp_path / "out").exists()


def _compare(spec, wanted, experiment, portal, bucket):
    hosts = ",".join(sorted(site.url.removeprefix("http://") for site in (portal, bucket)))
    files = {file["accession"]: file for file in experiment["original_files"]}

    def address(accession: str, ending: str) -> str:
        return f"{bucket.url}/2026/01/01/{accession}.{ending}#md5={files[accession]['md5sum']}&hosts={hosts}"

    assert sorted(spec.reads.bam) == sorted(address(name, "bam") for name in wanted.reads)
    assert spec.peaks == address(wanted.peaks, "bed.gz")
    assert (spec.reads.min_mapq, spec.reads.exclude_flags) == ((30, 780) if wanted.single else (0, 0))
    dnase = experiment["assay_title"] == "DNase-seq"
    assert (spec.assay, spec.bias.threshold_factor) == (("DNASE", 0.8) if dnase else ("ATAC", 0.5))
    assert (spec.assembly, spec.model.filters, spec.folds) == ("hg38", 64, 5)


def test_the_catalogue_keeps_refusals_and_a_cap_is_kept(world, tmp_path):
    portal, bucket, foreign = world
    maker = Maker(portal, bucket, foreign.url, seed=1)
    names = {kind: maker.one(kind) for kind in ("plain", "audit", "elsewhere", "gone")}
    request = _request(world, tmp_path, start=0)
    summary = reprocess(request, _here)
    assert summary.states == {"new": 3, "refused": 1}
    entries = Catalogue(request.output).read()
    assert entries[names["audit"]].reason == "audit ERROR: extremely low read depth"
    wanted = maker.wanted[names["plain"]]
    assert entries[names["plain"]].files == {
        name: _file(portal, names["plain"], name)["md5sum"] for name in (*wanted.reads, wanted.peaks)
    }
    assert names["plain"] in Path(summary.page).read_text()
    assert bucket.requests == []


def test_no_result_is_an_empty_catalogue_and_no_portal_is_told(world, tmp_path):
    summary = reprocess(_request(world, tmp_path), _here)
    assert (summary.states, summary.started) == ({}, [])
    assert {each.status for each in world[0].requests} == {404}
    with pytest.raises(InputError, match=r'no answer of a portal.s; expected JSON with "@graph", found HTTP 404'):
        reprocess(_request(world, tmp_path, portal=world[1].url), _here)


@pytest.fixture
def deployment():
    """A deployment of a flow ``dataset`` at a real server, whose runs nobody takes up; the client."""
    from prefect import flow
    from prefect.client.orchestration import get_client

    @flow(name="dataset", validate_parameters=False)
    def dataset(spec, store, fold_deployment=None):
        """Never run."""

    with get_client(sync_client=True) as client:
        of = client.create_flow(dataset)
        client.create_deployment(flow_id=of, name="encode-test", enforce_parameter_schema=False)
        yield client


def _finish(client, entry, report: bool = True):
    """What a worker would do: the report, and the state of the run."""
    from prefect.states import Completed, Failed

    if report:
        path = Path(entry.output) / "folds_report.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"format": 1, "metrics": {"pearson_peaks": {"median": 0.71}}}))
    state = Completed() if report else Failed(message="peaks.bed: no peaks left")
    client.set_flow_run_state(UUID(entry.run), state, force=True)


def _file(portal, experiment: str, accession: str):
    return next(file for file in portal.experiments[experiment]["original_files"] if file["accession"] == accession)


def test_from_new_to_done_to_stale_by_deployment(world, tmp_path, deployment):
    """Starts, follows, skips what is done, and starts again what was revoked or replaced; all in Prefect."""
    portal, bucket, foreign = world
    maker = Maker(portal, bucket, foreign.url, seed=3)
    good, bad, other = maker.one("plain"), maker.one("single_end"), maker.one("by_redirect")
    for day, name in enumerate((good, bad, other), 1):
        portal.experiments[name]["date_released"] = f"2026-02-0{day}"
    request = _request(world, tmp_path, start=2, deployment="dataset/encode-test", price=2.5)
    catalogue = Catalogue(request.output)

    summary = encode(request)
    assert summary.started == [good, bad]  # oldest first, as many as may start
    entries = catalogue.read()
    assert {name: each.state for name, each in entries.items()} == {good: "started", bad: "started", other: "new"}
    run = deployment.read_flow_run(UUID(entries[good].run))
    assert run.parameters["store"] == request.store
    assert make_spec(run.parameters["spec"], "run").output == entries[good].output

    _finish(deployment, entries[good])
    _finish(deployment, entries[bad], report=False)
    summary = reprocess(request, _here)
    assert summary.started == [other]
    entries = catalogue.read()
    assert (entries[good].state, entries[good].pearson_peaks) == ("done", 0.71)
    assert entries[good].report == f"{entries[good].output}/folds_report.html"
    assert (entries[bad].state, entries[bad].reason) == ("failed", "peaks.bed: no peaks left")
    assert reprocess(request, _here).started == []  # one is under way, one done, one failed
    assert reprocess(request.model_copy(update={"retry_failed": True}), _here).started == [bad]
    assert catalogue.read()[bad].attempt == 2

    old = entries[good]
    bam, kept = (_file(portal, good, name) for name in (maker.wanted[good].reads[0], maker.wanted[good].peaks))
    bam["status"] = "revoked"
    new = maker.bam(portal.experiments[good])
    peaks = _file(portal, other, maker.wanted[other].peaks)
    _finish(deployment, catalogue.read()[other])
    portal.experiments[other]["original_files"].remove(peaks)
    portal.moved[peaks["accession"]] = maker.bed(portal.experiments[other])["accession"]
    window = {"start": 0, "released_from": "2030-01-01"}  # what was started is looked at whatever is searched
    stale = reprocess(request.model_copy(update=window), _here)
    assert stale.states == {"stale": 2, "started": 1}
    entries = catalogue.read()
    assert entries[good].reason == f"{bam['accession']} is revoked; {new['accession']} is new"
    assert entries[other].reason == (
        f"{peaks['accession']} is replaced by {portal.moved[peaks['accession']]}; {portal.moved[peaks['accession']]} is new"
    )
    assert sorted(reprocess(request, _here).started) == sorted([good, other])
    again = catalogue.read()[good]
    assert again.files == {file["accession"]: file["md5sum"] for file in (new, kept)}
    assert (again.output, again.run) != (old.output, old.run)
    assert (Path(old.output) / "folds_report.json").exists()  # what was there stays

    new["status"] = "revoked"
    _finish(deployment, again)
    reprocess(request, _here)
    lost = catalogue.read()[good]
    assert (lost.state, lost.reason) == ("refused", f"no alignments; {new['accession']} is revoked")


def test_two_flows_at_once_and_one_that_was_killed_start_nothing_twice(world, tmp_path, deployment):
    portal, bucket, foreign = world
    name = Maker(portal, bucket, foreign.url, seed=4).one("plain")
    request = _request(world, tmp_path, deployment="dataset/encode-test")
    catalogue = Catalogue(request.output)

    def meanwhile(task, *arguments):
        """Another flow runs from end to end while this one searches."""
        found = task.fn(*arguments)
        if task.name == "Search the portal":
            assert reprocess(request, _here).started == [name]
        return found

    assert reprocess(request, meanwhile).started == []
    run = catalogue.read()[name].run
    catalogue.put(replace(catalogue.read()[name], run="", link=""))  # as of one that was killed before it noted the run
    assert reprocess(request, _here).started == [name]
    assert catalogue.read()[name].run == run

    _finish(deployment, catalogue.read()[name])
    (Path(request.output) / "catalogue.parquet").unlink()
    assert reprocess(request, _here).started == []
    assert catalogue.read()[name].state == "done"


def test_a_file_with_another_md5_fails_its_data_set_and_says_so(world, tmp_path):
    """In this process, through the real flow ``dataset``, which stages the peaks and does not take them."""
    portal, bucket, foreign = world
    maker = Maker(portal, bucket, foreign.url, seed=5)
    name = maker.one("plain")
    peaks = maker.wanted[name].peaks
    bucket.objects[f"/2026/01/01/{peaks}.bed.gz"] = b"another content"
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGT" * 1000 + "\n>chr2\n" + "ACGT" * 1000 + "\n")
    request = _request(world, tmp_path, template={"genome": str(tmp_path / "genome.fa"), "folds": 2})
    encode(request)
    entry = Catalogue(request.output).read()[name]
    assert entry.state == "failed"
    assert f"{peaks}.bed.gz: what arrives has another MD5 than was stated" in entry.reason


def test_a_bucket_that_leads_elsewhere_is_not_followed_when_its_files_are_staged(world, tmp_path, monkeypatch):
    portal, bucket, foreign = world
    maker = Maker(portal, bucket, foreign.url, seed=5)
    name = maker.one("plain")
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGT" * 1000 + "\n>chr2\n" + "ACGT" * 1000 + "\n")
    monkeypatch.setattr(bucket, "answer", lambda method, path, query: (302, {"Location": f"{foreign.url}{path}"}, b""))
    monkeypatch.setattr(foreign, "answer", lambda *_: (200, {"ETag": "x"}, b"somebody else's"))
    request = _request(world, tmp_path, template={"genome": str(tmp_path / "genome.fa"), "folds": 2})
    encode(request)
    entry = Catalogue(request.output).read()[name]
    assert entry.state == "failed"
    assert f"leads to {foreign.url.removeprefix('http://')}; expected one of" in entry.reason
    assert foreign.requests == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"template": {"folds": 5}}, "template: genome: Field required"),
        ({"template": TEMPLATE | {"peaks": "x.bed"}}, "template: peaks is given"),
        ({"template": TEMPLATE | {"modell": {}}}, "template: modell: unknown key; did you mean model"),
        ({"contact": " "}, "contact ' '; expected an e-mail"),
        ({"deployment": "nothing"}, "deployment 'nothing'; expected flow/deployment"),
    ],
)
def test_mistakes_are_told_before_the_portal_is_asked(world, tmp_path, changed, words):
    with pytest.raises(InputError, match=words):
        reprocess(_request(world, tmp_path, **changed), _here)
    assert world[0].requests == []
    assert not (tmp_path / "out" / "catalogue.parquet").exists()


def test_dates_may_be_written_as_yaml_has_them(world, tmp_path):
    request = _request(world, tmp_path, **yaml.safe_load("released_from: 2026-01-31"))
    assert request.search.released_from == "2026-01-31"


def test_the_data_set_that_is_written_can_be_run_as_it_is(world, tmp_path):
    portal, bucket, foreign = world
    name = Maker(portal, bucket, foreign.url, seed=2).one("replicates")
    template = TEMPLATE | {"publish": "gs://models/encode", "bias": {"filters": 64}, "chromosomes": {"exclude": ["chrM"]}}
    reprocess(_request(world, tmp_path, template=template), _here, str(tmp_path / "specs"))
    content = yaml.safe_load((tmp_path / "specs" / f"{name}.yaml").read_text())
    assert (content["id"], content["publish"]) == (name, f"gs://models/encode/{name}")
    spec = read_spec(str(tmp_path / "specs" / f"{name}.yaml"))
    assert (spec.bias.filters, len(spec.reads.bam)) == (64, 3)


def _given(world, folder: Path, **changed: object) -> argparse.Namespace:
    """The arguments of ``encode run`` where only required flags and ``changed`` are given."""
    portal, bucket, _ = world
    flags = {
        "template": folder / "human.yaml",
        "output": folder / "out",
        "contact": "tests@example.org",
        "portal": portal.url,
        "bucket": bucket.url,
    } | changed
    words = ["encode", "run"]
    for name, value in flags.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return build_parser().parse_args(words)


def test_the_commands_write_data_sets_and_list_the_catalogue(world, tmp_path, capsys):
    portal, bucket, foreign = world
    maker = Maker(portal, bucket, foreign.url, seed=6)
    good, bad = maker.one("plain"), maker.one("perturbed")
    (tmp_path / "human.yaml").write_text("genome: hg38.fa.gz\nfolds: [fold_0.json]\n")
    encode_run(_given(world, tmp_path, dry_run=str(tmp_path / "specs")))
    said = capsys.readouterr().out
    assert "     1  refused: the sample is perturbed\n     1  new\n     1  refused\n     1  written to" in said
    spec = read_spec(str(tmp_path / "specs" / f"{good}.yaml"))
    assert (spec.genome, spec.folds) == (str(tmp_path / "hg38.fa.gz"), [str(tmp_path / "fold_0.json")])
    with pytest.raises(InputError, match="no catalogue there"):
        encode_list(argparse.Namespace(output=str(tmp_path / "out"), state=None))
    reprocess(_request(world, tmp_path, start=0), _here)
    encode_list(argparse.Namespace(output=str(tmp_path / "out"), state=["refused"]))
    assert capsys.readouterr().out.split("\t")[:2] == [bad, "refused"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "one of --deployment NAME, --here, --dry-run FOLDER"),
        ({"here": True, "dry_run": "x"}, "one of --deployment"),
        ({"dry_run": "x", "from": "May 2026"}, "--from: give a date such as 2026-01-31"),
        ({"dry_run": "x", "limit": -1}, "limit"),
        ({"dry_run": "x", "template": "absent.yaml"}, "no such file"),
    ],
)
def test_wrong_flags_are_told(world, tmp_path, changed, words):
    (tmp_path / "human.yaml").write_text("genome: hg38.fa.gz\nfolds: 5\n")
    with pytest.raises(InputError, match=words):
        encode_run(_given(world, tmp_path, **changed))
    assert world[0].requests == []
