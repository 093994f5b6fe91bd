"""The catalogue of experiments, and what has become of a run."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas
import pytest

from chrombpnet_core.errors import InputError
from tasks.encode import (
    CATALOGUE,
    Catalogue,
    Entry,
    gpu_hours,
    now,
    outcome,
)
from tasks.runner import MANIFEST
from tasks.storage import Store
from tests.emulators import gcs_emulator

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
    data = (tmp_path / CATALOGUE).read_bytes()
    rows, refused = catalogue.read(), 0
    for position in range(0, len(data), 37):
        damaged = bytearray(data)
        damaged[position] ^= 8
        (tmp_path / CATALOGUE).write_bytes(damaged)
        try:
            assert catalogue.read() == rows  # a bit that says nothing of the rows
        except InputError:
            refused += 1
    assert refused > 50
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
