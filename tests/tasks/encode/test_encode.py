"""The client of the ENCODE portal, what is done about files that change, and the catalogue."""

from __future__ import annotations

import email.utils
import hashlib
import json
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from chrombpnet_core.errors import InputError
from tasks.encode import (
    CATALOGUE,
    Catalogue,
    Entry,
    Portal,
    PortalFile,
    RateLimiter,
    Refused,
    Search,
    changed_files,
    gpu_hours,
    now,
    outcome,
)
from tasks.runner import MANIFEST
from tasks.storage import StorageError, Store, stage
from tests.emulators import gcs_emulator, without_pauses
from tests.emulators.encode_experiments import Maker
from tests.emulators.portal import Bucket, Fault, PortalSite, Site, serving


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


def _client(world, **changed) -> Portal:
    portal, bucket, _ = world
    return Portal(
        **{"contact": "tests@example.org", "base": portal.url, "buckets": [bucket.url], "rate": 9, "timeout": 0.5} | changed
    )


# --- rate ------------------------------------------------------------------------------------------------------------


def _turns(path: str, count: int, answers) -> None:
    limiter = RateLimiter(50, Path(path))
    for _ in range(count):
        limiter.wait()
        answers.put(time.monotonic())


def test_processes_share_one_rate(tmp_path):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [context.Process(target=_turns, args=(str(tmp_path / "rate"), 8, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    times = sorted(answers.get(timeout=20) for _ in range(24))
    for process in processes:
        process.join()
    assert times[-1] - times[0] >= 23 / 50 - 0.02


def test_a_limiter_outlives_a_restart_and_a_damaged_file(tmp_path):
    limiter = RateLimiter(50, tmp_path / "rate")
    for content in (str(time.monotonic() + 10_000), "nonsense"):  # the clock of before the machine was started anew
        (tmp_path / "rate").write_text(content)
        begin = time.monotonic()
        limiter.wait()
        assert time.monotonic() - begin < 1


@pytest.mark.parametrize("told", ["1", "date"])
def test_retry_after_holds_all_requests(world, told):
    after = email.utils.formatdate(time.time() + 2, usegmt=True) if told == "date" else told
    world[0].faults.append(Fault("GET", "429", retry_after=after))
    begin = time.monotonic()
    assert _client(world).experiments(Search(["ATAC-seq"])) == []
    assert time.monotonic() - begin >= 0.9
    assert [each.status for each in world[0].requests] == [429, 404]


def test_a_portal_that_stays_down_is_given_up(world):
    world[0].faults.append(Fault("GET", "500", times=100))
    with pytest.raises(StorageError, match=r"/search/: HTTPError .*500.*tried 9 times"):
        _client(world).experiments(Search(["ATAC-seq"]))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"contact": ""}, "contact"),
        ({"contact": "a\nb: c"}, "contact"),
        ({"rate": 10}, "at most 9"),
        ({"rate": 0}, "at most 9"),
    ],
)
def test_who_asks_must_be_told_and_slow_enough(world, changed, words):
    with pytest.raises(InputError, match=words):
        _client(world, **changed)


# --- hosts -----------------------------------------------------------------------------------------------------------


def test_a_search_that_leads_elsewhere_is_not_followed(world, monkeypatch):
    portal, _, foreign = world
    monkeypatch.setattr(portal, "answer", lambda *_: (302, {"Location": f"{foreign.url}/search/"}, b""))
    with pytest.raises(InputError, match="leads to http"):
        _client(world).experiments(Search(["ATAC-seq"]))
    assert foreign.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "{foreign}/a.bam",
        "http://{bucket}@{foreign_host}/a.bam",
        "ftp://x/a.bam",
        "file:///etc/x",
        "//elsewhere.example/a.bam",
        "https://{bucket}/a.bam",
    ],
)
def test_no_other_host_is_ever_asked(world, address):
    portal, bucket, foreign = world
    hosts = {"foreign": foreign.url, "bucket": bucket.url.split("//")[1], "foreign_host": foreign.url.split("//")[1]}
    portal.locations["ENCFF1"] = address.format(**hosts)
    file = PortalFile("ENCFF1", "0" * 32, 5, "/files/ENCFF1/@@download/ENCFF1.bam")
    with pytest.raises(Refused, match=r"ENCFF1 lies at .*, which is not allowed"):
        _client(world).address_of(file)
    with pytest.raises(Refused, match="which is not allowed"):
        _client(world).address_of(replace(file, url=address.format(**hosts)))
    assert foreign.requests == bucket.requests == []


def test_a_circle_of_redirects_ends(world):
    portal = world[0]
    portal.locations["ENCFF1"] = f"{portal.url}/files/ENCFF1/@@download/ENCFF1.bam"
    with pytest.raises(Refused, match="more than 5 redirects"):
        _client(world).address_of(PortalFile("ENCFF1", "0" * 32, 5, "/files/ENCFF1/@@download/ENCFF1.bam"))


def test_an_address_has_no_signature(world):
    maker = Maker(*world[:2], world[2].url, seed=1)
    experiment = world[0].experiments[maker.one("by_redirect")]
    bam = next(each for each in experiment["original_files"] if "cloud_metadata" not in each)
    found = _client(world).address_of(PortalFile(bam["accession"], bam["md5sum"], bam["file_size"], bam["href"]))
    hosts = ",".join(sorted(each.url.removeprefix("http://") for each in world[:2]))
    assert found == f"{world[1].url}/2026/01/01/{bam['accession']}.bam#md5={bam['md5sum']}&hosts={hosts}"


# --- searches --------------------------------------------------------------------------------------------------------


def test_a_search_finds_by_date_sample_and_number(world):
    portal = world[0]
    maker = Maker(portal, world[1], "", seed=2)
    names = [maker.one("plain") for _ in range(6)]
    for i, name in enumerate(names):
        portal.experiments[name] |= {
            "assay_title": "ATAC-seq",
            "date_released": f"2026-0{i + 1}-15",
            "biosample_ontology": {"term_name": "K562" if i % 2 else "heart"},
        }
    client = _client(world)

    def found(**asked) -> list[str]:
        return [each["accession"] for each in client.experiments(Search(**{"assays": ["ATAC-seq"]} | asked))]

    assert found() == sorted(names)
    assert found(released_from="2026-02-15", released_to="2026-04-15") == sorted(names[1:4])
    assert found(biosamples=["K562"]) == sorted(names[1::2])
    assert len(found(limit=2)) == 2
    assert found(assembly="mm10") == []
    assert [each["accession"] for each in client.named([*names[:2], "ENCSR000XXX"])] == names[:2]


def test_what_became_of_a_file_is_told(world):
    portal = world[0]
    maker = Maker(portal, world[1], "", seed=3)
    experiment = portal.experiments[maker.one("plain")]
    old, new = maker.bam(experiment, status="archived"), maker.bam(experiment)
    portal.moved["ENCFF000OLD"] = new["accession"]
    client = _client(world)
    assert client.state_of_file(old["accession"]) == "archived"
    assert client.state_of_file("ENCFF000OLD") == f"replaced by {new['accession']}"
    assert client.state_of_file("ENCFF999XXX") == "gone"
    old["superseded_by"] = [f"/files/{new['accession']}/"]
    assert client.state_of_file(old["accession"]) == f"replaced by {new['accession']}"


def test_changes_of_files_in_words():
    experiment = {
        "files": [{"accession": "A", "status": "released"}, {"accession": "B", "status": "archived"}],
        "revoked_files": [{"accession": "C"}],
    }
    before = {"A": "1", "B": "2", "C": "3", "D": "4", "E": "5"}
    assert changed_files(before, before, experiment) == ""
    assert changed_files(before, {"E": "6", "F": "7"}, experiment, {"D": "replaced by F"}) == (
        "A is no longer chosen; B is archived; C is revoked; D is replaced by F; E has another MD5; F is new"
    )


# --- MD5 -------------------------------------------------------------------------------------------------------------


def test_a_stated_md5_is_verified_and_a_changed_file_is_no_fault_to_wait_for(world):
    bucket = world[1]
    bucket.objects["/a.bed"] = b"chr1\t1\t2\n"
    right = hashlib.md5(b"chr1\t1\t2\n", usedforsecurity=False).hexdigest()
    address = f"{bucket.url}/a.bed#md5={right}"
    path, _ = stage(address, "peaks")
    assert (path.name, path.read_bytes()) == ("a.bed", b"chr1\t1\t2\n")
    gets = len([each for each in bucket.requests if each.method == "GET"])
    assert stage(address)[0] == path
    assert len([each for each in bucket.requests if each.method == "GET"]) == gets
    bucket.objects["/a.bed"] = b"chr1\t1\t3\n"
    with pytest.raises(InputError, match=rf"/a\.bed: what arrives has another MD5 than was stated; expected {right}"):
        stage(address)


# --- the catalogue ---------------------------------------------------------------------------------------------------

ENTRY = Entry("ENCSR001AAA", "ATAC-seq", "heart", "2026-01-01", files={"ENCFF1": "abc"}, output="/out", seen=now())


def test_the_catalogue_is_a_table_for_others_too(tmp_path):
    catalogue = Catalogue(str(tmp_path))
    other = replace(ENTRY, accession="ENCSR002AAA", state="done", pearson_peaks=0.7, cost=12.5, attempt=2, ended=now())
    catalogue.put(ENTRY, other)
    assert Catalogue(str(tmp_path)).read() == {"ENCSR001AAA": ENTRY, "ENCSR002AAA": other}
    table = pandas.read_parquet(tmp_path / CATALOGUE)
    assert table[["accession", "state", "pearson_peaks", "attempt"]].iloc[1].tolist() == ["ENCSR002AAA", "done", 0.7, 2]
    assert str(table["seen"].dtype) == "datetime64[ms, UTC]"


def test_nothing_is_written_where_nothing_changed_and_damage_is_told(tmp_path):
    catalogue = Catalogue(str(tmp_path))
    catalogue.put(ENTRY)
    before = (tmp_path / CATALOGUE).stat().st_mtime_ns
    catalogue.put(ENTRY)
    assert (tmp_path / CATALOGUE).stat().st_mtime_ns == before
    (tmp_path / CATALOGUE).write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="not a catalogue"):
        catalogue.read()


def test_two_writers_of_a_bucket_lose_nothing(monkeypatch):
    with gcs_emulator() as running:
        running.make_bucket("data")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        one, other, calls = Catalogue("gs://data/encode"), Catalogue("gs://data/encode"), []

        def slowly(rows):
            calls.append(set(rows))
            if len(calls) == 1:  # between this one's reading and writing
                other.put(replace(ENTRY, accession="ENCSR002AAA"))
            return {"ENCSR001AAA": ENTRY}

        one.change(slowly)
        assert calls == [set(), {"ENCSR002AAA"}]
        assert set(one.read()) == {"ENCSR001AAA", "ENCSR002AAA"}
        stale = one.read()
        other.put(replace(ENTRY, state="started"))
        assert one.update(stale, {"ENCSR001AAA": replace(ENTRY, state="done")})["ENCSR001AAA"].state == "started"
        assert one.write_page() == "gs://data/encode/catalogue.html"


def _recorded(store: Store, run: str, facts: dict[str, object]) -> None:
    """A part of a run that trained for an hour, as :mod:`tasks.runs.run_record` keeps it."""
    store.write_json({"facts": facts, "files": {}}, "train_main", "key", MANIFEST)
    steps = {
        "train_main": {"state": "done", "step": "train_main", "key": "key", "seconds": 3600.0},
        "nonpeaks": {"state": "done", "step": "nonpeaks", "key": "other", "seconds": 500.0},
    }
    for part in ("fold_0", "bias"):  # a step that two parts used is counted once
        store.write_json({"steps": steps, "host": "elsewhere", "ended": "then", "pid": 1}, "runs", run, f"{part}.json")


@pytest.mark.parametrize(
    ("facts", "hours"),
    [
        ({"device": "GPU (H100, 80 GiB) on Keras/tensorflow", "gpus": 1}, 1.0),
        ({}, None),
        ({"device": "GPU (2 × A100, 40 GiB) on Keras/jax", "gpus": 2}, 2.0),
        ({"device": "CPU (8 cores)", "gpus": 0}, 0.0),
    ],
)
def test_gpu_hours_are_those_of_steps_on_gpus(tmp_path, facts, hours):
    _recorded(Store(str(tmp_path)), "run", facts)
    assert gpu_hours(str(tmp_path), "run") == hours
    assert gpu_hours(str(tmp_path), "unknown") is None


def test_what_became_of_a_run(tmp_path):
    from tasks.runs import run_id

    out, store = tmp_path / "out", str(tmp_path / "store")
    entry = replace(ENTRY, state="started", output=str(out))
    assert outcome(entry, store) is None
    assert outcome(entry, store, "RUNNING") == entry
    failed = outcome(entry, store, "CRASHED", "the machine\nwent away")
    assert (failed.state, failed.reason) == ("failed", "the machine went away")
    assert outcome(entry, store, "COMPLETED").reason == "it ended without a report"
    _recorded(Store(store), run_id(str(out)), {"device": "GPU (H100, 80 GiB) on Keras/tensorflow", "gpus": 1})
    out.mkdir()
    (out / "folds_report.json").write_text(json.dumps({"metrics": {"auroc": {"median": 0.9}}}))
    done = outcome(entry, store, price=2.5)
    assert (done.state, done.auroc, done.pearson_peaks, done.gpu_hours, done.cost) == ("done", 0.9, None, 1.0, 2.5)
    assert outcome(entry, store, "RUNNING", price=2.5) == entry  # not before it has ended
