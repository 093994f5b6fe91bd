"""The client of the ENCODE portal: its rate, its hosts, what it finds."""

from __future__ import annotations

import email.utils
import hashlib
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chrombpnet_core.errors import InputError
from tasks.encode import (
    Portal,
    PortalFile,
    RateLimiter,
    Refused,
    Search,
)
from tasks.storage import StorageError, stage
from tests.emulators.encode_experiments import Maker
from tests.emulators.portal import Fault


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
