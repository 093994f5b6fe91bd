"""A store on Google Cloud Storage, by an emulator process: ranges, checksums, preconditions, and faults of all kinds."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace

import pytest

from chrombpnet_core.errors import InputError
from tasks.runner import MANIFEST
from tasks.storage import (
    Artifact,
    StorageError,
    Store,
    digest_of_file,
    faults,
    gcs_objects,
    require,
    require_place,
    stage,
    transfer,
)
from tasks.storage.opening import objects_of
from tasks.storage.transfer import Copy, download
from tests.emulators import gcs_emulator, without_pauses
from tests.tasks.declaring import run_step


@pytest.fixture(scope="module")
def process():
    """One emulator for all tests, with short pages."""
    with gcs_emulator(page=4) as running:
        running.make_bucket("data")
        yield running


@pytest.fixture
def emulator(process, monkeypatch, tmp_path):
    """The emulator without faults; short pauses, small ranges, a cache of the test's own."""
    process.faults()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", process.url)
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    without_pauses(monkeypatch)
    monkeypatch.setattr(transfer, "RANGE", 1 << 16)
    return process


@pytest.fixture
def place(emulator):
    """An empty folder of the bucket."""
    return f"gs://data/{uuid.uuid4().hex}"


@pytest.fixture
def big(tmp_path):
    """A file of some ranges and a bit."""
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom((1 << 20) + 12_345))
    return path


def _media(emulator) -> list[str]:
    return [asked for asked, _ in emulator.requests() if "alt=media" in asked]


def test_what_is_written_can_be_read_listed_and_removed(place, big):
    there = Store(place)
    there.write_json({"a": 1}, "x.json")
    assert there.read_json("x.json") == {"a": 1}
    assert there.read_json("absent.json") is None
    assert (there.mark("absent.json"), bool(there.mark("x.json"))) == ("", True)
    there.upload_all({f"{i}/f": big for i in range(9)}, "many")  # three pages
    assert there.sizes("many") == {f"{i}/f": big.stat().st_size for i in range(9)}
    there.remove("many")
    assert there.sizes() == {"x.json": 12}


def test_another_client_reads_what_we_wrote(place, big, emulator):
    import gcsfs

    Store(place).upload(big, "a b", "c#d.bin")
    fs = gcsfs.GCSFileSystem(endpoint_url=emulator.url, token="anon", skip_instance_cache=True)
    assert fs.cat_file(f"{place}/a b/c#d.bin") == big.read_bytes()
    assert fs.find(place) == [f"{place.removeprefix('gs://')}/a b/c#d.bin"]


def test_a_large_file_goes_up_in_parts_and_only_a_failed_part_again(place, tmp_path, emulator, monkeypatch):
    monkeypatch.setattr(gcs_objects, "_PART", 4 << 20)
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(18 << 20))
    emulator.faults(rate=1, kinds=["503"], match="^PUT", times=1)
    Store(place).upload(path, "large.bin")
    assert [fault for asked, fault in emulator.requests() if asked.startswith("PUT")] == ["503", "", "", "", "", ""]
    assert stage(f"{place}/large.bin")[0].read_bytes() == path.read_bytes()


def test_an_input_is_copied_once_in_ranges_and_checked(place, big, emulator):
    Store(place).upload(big, "big.bin")
    emulator.faults()
    path, artifact = stage(f"{place}/big.bin")
    assert path.read_bytes() == big.read_bytes()
    assert artifact == Artifact(f"{place}/big.bin", digest_of_file(big), big.stat().st_size)
    assert len(_media(emulator)) == 17
    assert stage(f"{place}/big.bin")[0] == path
    assert len(_media(emulator)) == 17
    Store(place).upload(path, "big.bin")  # another generation
    assert stage(f"{place}/big.bin")[0] != path


def test_a_copy_that_was_cut_goes_on_where_it_stopped(place, big, emulator, tmp_path):
    Store(place).upload(big, "big.bin")
    emulator.faults(rate=0.5, kinds=["503"], seed=3, match="alt=media")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "ATTEMPTS", 1)
        with pytest.raises(StorageError, match=r"503.*tried 1 times"):
            stage(f"{place}/big.bin")
    arrived = sum(1 for asked, fault in emulator.requests() if "alt=media" in asked and not fault)
    emulator.faults()
    assert stage(f"{place}/big.bin")[0].read_bytes() == big.read_bytes()
    assert 0 < len(_media(emulator)) == 17 - arrived < 17
    assert not list((tmp_path / "cache" / "transfers").iterdir())


def test_a_wrong_byte_is_found_and_copied_again(place, big, emulator, tmp_path):
    Store(place).upload(big, "big.bin")
    emulator.faults(rate=1, kinds=["corrupt"], match="alt=media", times=1)
    assert stage(f"{place}/big.bin")[0].read_bytes() == big.read_bytes()
    Store(place).upload(big, "other.bin")
    emulator.faults(rate=1, kinds=["corrupt"], match="alt=media")
    with pytest.raises(StorageError, match=r"other\.bin: what arrives has another CRC32C"):
        stage(f"{place}/other.bin")
    assert [path.name for path in (tmp_path / "cache" / "staged").rglob("*.bin")] == ["big.bin"]
    assert not list((tmp_path / "cache" / "transfers").iterdir())


def test_an_input_that_is_replaced_while_it_is_copied_is_not_mixed(place, big, tmp_path):
    there = Store(place)
    there.upload(big, "big.bin")
    objects, path = objects_of(f"{place}/big.bin")
    told = objects.info(path)
    big.write_bytes(os.urandom(told.size))
    there.upload(big, "big.bin")
    with pytest.raises(FileNotFoundError):
        download(Copy(objects, path, f"{place}/big.bin", told), tmp_path / "copy", tmp_path / "scratch")
    assert not (tmp_path / "copy").exists()


def test_absent_and_forbidden_are_users_errors(place, emulator):
    with pytest.raises(InputError, match="no such object"):
        require(f"{place}/absent.bed", "peaks")
    with pytest.raises(InputError, match="no such bucket"):
        require_place("gs://absent/results", "results")
    require_place(f"{place}/results", "results")
    emulator.faults(rate=1, kinds=["403"])
    with pytest.raises(InputError, match="no right to read or write it"):
        Store(place).write_json({}, "x.json")
    assert sum("/upload/" in asked for asked, _ in emulator.requests()) == 1


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset", "lost", "slow", "truncated"])
def test_every_kind_of_fault_passes(kind, place, big, emulator):
    emulator.faults(rate=0.15, kinds=[kind], seed=5, wait=0.05)
    there = Store(place)
    there.write_json({"a": 1}, "x.json")
    there.upload_all({f"{i}": big for i in range(6)}, "many")
    assert there.read_json("x.json") == {"a": 1}
    assert there.sizes("many") == {f"{i}": big.stat().st_size for i in range(6)}
    assert stage(f"{place}/many/3")[0].read_bytes() == big.read_bytes()
    there.remove("many")
    assert there.sizes("many") == {}
    assert {fault for _, fault in emulator.requests()} == {"", kind}


def _body(work) -> None:
    (work.out / "sub").mkdir()
    (work.out / "a.txt").write_text(work.inputs["text"].read_text().upper())
    (work.out / "sub" / "b.txt").write_text("b")


@pytest.fixture
def text(tmp_path):
    """An input."""
    path = tmp_path / "in.txt"
    path.write_text("abc")
    return path


def test_the_next_step_need_not_fetch_what_this_one_made(place, text, emulator):
    first = run_step(place, "one", 1, {"text": text}, {}, _body)
    assert first.file("a.txt").read_text() == "ABC"
    assert not any("a.txt" in asked for asked in _media(emulator))
    again = run_step(place, "one", 1, {"text": text}, {}, _body)
    assert (first.cached, again.cached, again.manifest) == (False, True, first.manifest)


def test_an_output_is_checked_when_it_is_fetched(place, text, emulator, tmp_path, monkeypatch, caplog):
    result = run_step(place, "one", 1, {"text": text}, {}, _body)
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "another machine"))
    assert (result.folder() / "sub" / "b.txt").read_text() == "b"
    other = tmp_path / "other"
    other.write_text("ABD")  # as many bytes, and the store's own checksum is right
    Store(place).upload(other, "one", result.key, result.manifest["place"], "a.txt")
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "a third"))
    with pytest.raises(StorageError, match=r"a\.txt: what arrives has another SHA256"):
        replace(result, again=None).file("a.txt")  # where nobody knows how to make it
    assert result.file("a.txt").read_text() == "ABC"
    assert "a.txt: what arrives has another SHA256 than the store tells; the step runs again" in caplog.text


def test_of_two_attempts_the_later_leaves_no_trace(place, tmp_path):
    """Both have seen that nothing is there; neither waits for the other."""
    there, before = Store(place), ""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    stands, ours = there.publish(tmp_path / "first", {"files": {}, "by": "first"}, MANIFEST, before, "s", "k")
    assert ours
    sizes = there.sizes("s", "k")
    assert there.publish(tmp_path / "second", {"files": {}, "by": "second"}, MANIFEST, before, "s", "k") == (stands, False)
    assert there.sizes("s", "k") == sizes
    assert there.read_json("s", "k", MANIFEST) == stands
    third, ours = there.publish(
        tmp_path / "second", {"files": {}, "by": "third"}, MANIFEST, there.mark("s", "k", MANIFEST), "s", "k"
    )
    assert ours
    assert set(there.sizes("s", "k")) == {MANIFEST, f"{third['place']}/a.txt"}


def test_a_write_whose_answer_is_lost_is_known_as_ours(place, text, emulator):
    emulator.faults(rate=1, kinds=["lost"], match="^POST /upload.*ifGenerationMatch", times=1)
    assert not run_step(place, "one", 1, {"text": text}, {}, _body).cached
    assert [fault for asked, fault in emulator.requests() if "ifGenerationMatch" in asked] == ["lost", ""]


def test_a_lasting_fault_is_one_clear_error_and_nothing_half_written(place, text, emulator):
    emulator.faults(rate=1, kinds=["503"], match="^POST /upload.*ifGenerationMatch")
    with pytest.raises(StorageError, match=r"^gs://data/\w+/one/\w+/manifest\.json: .*503.*; tried 9 times$") as caught:
        run_step(place, "one", 1, {"text": text}, {}, _body)
    assert "\n" not in str(caught.value)
    there = Store(place)
    assert sorted(name.rsplit("/", 1)[1] for name in there.sizes("one")) == ["a.txt", "b.txt"]  # whole, and no manifest
    emulator.faults()
    result = run_step(place, "one", 1, {"text": text}, {}, _body)
    assert not result.cached
    assert set(there.sizes("one", result.key)) == {
        MANIFEST,
        *(f"{result.manifest['place']}/{name}" for name in ("a.txt", "sub/b.txt")),
    }


def test_a_damaged_result_is_replaced(place, text):
    there = Store(place)
    first = run_step(place, "one", 1, {"text": text}, {}, _body)
    there.remove("one", first.key, first.manifest["place"], "a.txt")
    second = run_step(place, "one", 1, {"text": text}, {}, _body)
    assert not second.cached
    assert set(there.sizes("one", first.key)) == {
        MANIFEST,
        f"{second.manifest['place']}/a.txt",
        f"{second.manifest['place']}/sub/b.txt",
    }


def test_only_what_changed_of_a_checkpoint_is_copied(place, text, emulator):
    def fail(work):
        (work.checkpoint / "old").write_text("old")
        (work.checkpoint / "deep").mkdir()
        (work.checkpoint / "deep" / "new").write_text("1")
        work.keep()
        emulator.faults()
        (work.checkpoint / "deep" / "new").write_text("22")
        work.keep()
        work.keep()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run_step(place, "one", 1, {"text": text}, {}, fail)
    assert sum("uploadType" in asked for asked, _ in emulator.requests()) == 1

    def resume(work):
        found = [(work.checkpoint / name).read_text() for name in ("old", "deep/new")]
        emulator.faults()
        work.keep()
        assert not emulator.requests()
        (work.out / "a.txt").write_text(" ".join(found))

    result = run_step(place, "one", 1, {"text": text}, {}, resume)
    assert result.file("a.txt").read_text() == "old 22"
    assert Store(place).sizes("checkpoints") == {}


def test_a_checkpoint_that_cannot_be_copied_does_not_end_the_work(place, text, emulator, caplog):
    def work_on(work):
        emulator.faults(rate=1, kinds=["500"])
        (work.checkpoint / "state").write_text("1")
        work.keep()
        emulator.faults()
        work.keep()
        assert list(Store(place).sizes("checkpoints", "one")) != []
        (work.out / "a.txt").write_text("done")

    assert run_step(place, "one", 1, {"text": text}, {}, work_on).file("a.txt").read_text() == "done"
    assert "checkpoint not copied" in caplog.text
