"""Results whose bits have changed: told in one line, made again, never used; local and remote alike."""

from __future__ import annotations

import json
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.results import FileOf
from tasks.runner import MANIFEST, planning
from tasks.storage import Mismatch, Store, cache_folder
from tests.tasks.declaring import run_step

_TEXT = "".join(random.Random(1).choices("acgt", k=500))


def _body(work):
    (work.out / "sub").mkdir()
    (work.out / "a.txt").write_text(_TEXT)
    (work.out / "sub" / "b.bin").write_bytes(bytes(range(256)))
    work.facts["letters"] = len(_TEXT)


def _make(store):
    return run_step(store, "letters", 1, {}, {"n": 1}, _body)


def _flip(path: Path, position: int) -> None:
    """Change one bit, as a disk does: the times stay."""
    import os

    status = path.stat()
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << position % 7
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("file", ["a.txt", "sub/b.bin", MANIFEST])
def test_one_flipped_bit_anywhere_is_told_and_the_step_is_made_again(tmp_path, caplog, file):
    store = str(tmp_path / "store")
    first = _make(store)
    for position in range(0, 900, 67):
        now = _make(store)
        assert now.cached
        caplog.clear()
        _flip(now.folder().parent / MANIFEST if file == MANIFEST else now.file(file), position)
        again = _make(store)
        assert not again.cached
        told = [record for record in caplog.records if record.levelname == "WARNING"]
        assert len(told) == 1
        assert "letters" in told[0].getMessage()
        assert ("damaged manifest" if file == MANIFEST else f"{file} has another checksum") in told[0].getMessage() or (
            file == MANIFEST and "damaged (no JSON object)" in told[0].getMessage()
        )
        assert again.file("a.txt").read_text() == _TEXT
        assert again.file("sub/b.bin").read_bytes() == bytes(range(256))
        assert (again.facts, again.digest) == (first.facts, first.digest)


def test_what_is_damaged_after_it_was_found_is_made_again_before_it_is_used(tmp_path, caplog):
    store = str(tmp_path / "store")
    result = _make(store)
    seen = []

    def use(work):
        seen.append(work.inputs["whole"].joinpath("a.txt").read_text() + work.inputs["part"].read_text())
        (work.out / "x").write_text("x")

    _flip(result.file("a.txt"), 9)
    run_step(store, "use", 1, {"whole": result, "part": FileOf(result, "a.txt")}, {}, use)
    assert seen == [_TEXT + _TEXT]
    assert "another checksum (SHA-256) than its manifest tells; the step runs again" in caplog.text
    again = _make(store)
    _flip(again.file("a.txt"), 9)
    with pytest.raises(Mismatch, match="another checksum"):
        replace(again, again=None).file("a.txt")  # refused where nobody knows how to make it


@pytest.mark.parametrize("damaged", ["times.txt", MANIFEST, "a.txt"])
def test_what_depends_on_a_file_is_not_made_again_when_others_beside_it_hold_times(tmp_path, damaged):
    store, used = str(tmp_path / "store"), []

    def timed(work):
        _body(work)
        (work.out / "times.txt").write_text(str(time.time_ns()))

    def use(work):
        used.append(work.inputs["part"].read_text())

    def run():
        made = run_step(store, "timed", 1, {}, {}, timed)
        return made, run_step(store, "use", 1, {"part": FileOf(made, "a.txt")}, {}, use)

    made, _ = run()
    _flip(made.folder().parent / MANIFEST if damaged == MANIFEST else made.file(damaged), 3)
    again, after = run()
    assert (made.cached, again.cached, after.cached) == (False, False, True)
    assert made.digest != again.digest
    assert used == [_TEXT]


def test_a_plan_reads_no_content_and_a_run_does(tmp_path):
    store = str(tmp_path / "store")
    _flip(_make(store).file("a.txt"), 3)
    with planning() as planned:
        _make(store)
    assert [result.cached for result in planned] == [True]
    assert not _make(store).cached


def test_damage_in_a_remote_store_or_its_copies_is_made_good(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    store = f"memory://damaged-{tmp_path.name}"
    place, result = Store(store), _make(store)
    parts = (result.step, result.key, result.manifest["place"], "a.txt")
    _flip(result.file("a.txt"), 7)
    assert _make(store).file("a.txt").read_text() == _TEXT
    assert "a.txt: damaged copy, not used, copied again" in caplog.text
    caplog.clear()
    place.write_bytes(_TEXT.replace("a", "c", 1).encode(), *parts)  # as many bytes
    shutil.rmtree(cache_folder() / "outputs")
    found = _make(store)
    assert found.file("a.txt").read_text() == _TEXT
    assert "a.txt: what arrives has another SHA256 than the store tells; the step runs again" in caplog.text
    shutil.rmtree(cache_folder() / "outputs")
    assert _make(store).folder().joinpath("a.txt").read_text() == _TEXT
    caplog.clear()
    manifest = place.read_json(result.step, result.key, MANIFEST)
    place.write_json(manifest | {"facts": {"letters": 3}}, result.step, result.key, MANIFEST)
    assert _make(store).facts == {"letters": 500}
    assert "damaged manifest (its checksum is wrong), not used" in caplog.text


def test_results_of_earlier_versions_are_found(tmp_path):
    """Files beside the manifest, which has no checksum."""
    store = str(tmp_path / "store")
    result = _make(store)
    folder = result.folder()
    manifest = {name: value for name, value in result.manifest.items() if name not in ("place", "sha256")}
    for path in folder.iterdir():
        shutil.move(path, folder.parent / path.name)
    folder.rmdir()
    (folder.parent / MANIFEST).write_text(json.dumps(manifest))
    found = _make(store)
    assert found.cached
    assert found.file("sub/b.bin") == folder.parent / "sub" / "b.bin"
    _flip(found.file("a.txt"), 1)
    again = _make(store)
    assert (again.cached, again.file("a.txt").read_text()) == (False, _TEXT)


def test_of_two_attempts_without_a_lock_the_first_wins_and_neither_loses_files(tmp_path, monkeypatch):
    """As where file locks reach one machine alone: both work, each in a place of its own."""
    import contextlib

    from tasks import runner

    monkeypatch.setattr(runner, "alone", lambda *_: contextlib.nullcontext())
    store, made = str(tmp_path / "store"), []

    def slow(work):
        made.append(run_step(store, "slow", 1, {}, {}, lambda other: (other.out / "a.txt").write_text("fast")))
        (work.out / "a.txt").write_text("slow")

    late = run_step(store, "slow", 1, {}, {}, slow)
    (fast,) = made
    assert (fast.cached, late.cached) == (False, True)
    assert late.file("a.txt") == fast.file("a.txt")
    assert late.file("a.txt").read_text() == "fast"
    assert len(list(late.folder().parent.iterdir())) == 2  # the place that stands, and the manifest


def test_old_places_of_other_attempts_go_and_young_ones_stay(tmp_path):
    import os
    import time

    store = str(tmp_path / "store")
    folder = _make(store).folder().parent
    (folder / MANIFEST).write_text("damaged")
    before = time.time() - 2 * 86400
    for name in ("young", "old"):
        (folder / name).mkdir()
    os.utime(folder / "old", (before, before))
    place = _make(store).manifest["place"]
    left = {path.name for path in folder.iterdir()}
    assert {"young", place, MANIFEST} <= left
    assert "old" not in left
