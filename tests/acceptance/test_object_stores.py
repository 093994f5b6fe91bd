"""Whole runs from an object store to an object store: under faults, killed outright, without rights, and on S3.

Inputs, steps' store and results lie in buckets of emulator processes; every file of the results equals that of an
undisturbed run in local folders, manifests, logs and dates aside, models compared by their weights.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import s3fs
import yaml

from chrombpnet_core.simulation import TINY, simulate
from tasks.runner import MANIFEST
from tasks.storage import Store, is_local
from tasks.storage.opening import objects_of
from tests.emulators import gcs_emulator, s3_emulator

TELLS_ITSELF = re.compile(
    r"overall_report\.(html|pdf)$|report\.json$|args\.json$|\.args\.json$|events\.out\.tfevents|"
    r"igv_session\.(json|xml)$|run\.json$|_report\.html$|_report\.json$|/manifest\.json$|"
    r"/README\.md$|/checksums\.(md5|sha256)$"
)
"""Results that name their own place or time."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    """Key of the data set file → file of a tiny genome."""
    found = simulate(tmp_path_factory.mktemp("tiny"), TINY, bgzip=True)
    return {
        "fragments": found.fragments,
        "genome": found.genome,
        "chrom_sizes": found.sizes,
        "peaks": found.peaks,
        "fold": found.fold,
    }


def _spec(inputs: Mapping[str, Path | str], output: str, path: Path) -> Path:
    given = {key: str(value) for key, value in inputs.items()}
    path.write_text(
        yaml.safe_dump(
            {
                "id": "tiny",
                "assay": "ATAC",
                "reads": {"fragments": [given["fragments"]]},
                "genome": given["genome"],
                "chrom_sizes": given["chrom_sizes"],
                "peaks": given["peaks"],
                "folds": [given["fold"]],
                "input_length": 600,
                "output_length": 200,
                "background": {"stride": 200},
                "bias": {"filters": 4, "layers": 3, "epochs": 2},
                "model": {"filters": 8, "layers": 4, "epochs": 12, "jitter": 50},
                "training": {"batch_size": 16},
                "explanation": {"peaks": 24, "max_seqlets": 100},
                "output": output,
            }
        )
    )
    return path


def _command(spec: Path, store: str | Path) -> list[str]:
    return [sys.executable, "-m", "flows.cli.main", "run", str(spec), "--store", str(store), "--device", "cpu"]


@pytest.fixture(scope="module")
def undisturbed(inputs, tmp_path_factory) -> dict[str, object]:
    """What each file of the results of a local run holds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = _command(_spec(inputs, str(folder / "out"), folder / "tiny.yaml"), folder / "store")
    subprocess.run(command, check=True, env=os.environ | {"CHROMBPNET_CACHE": str(folder / "cache")})
    return _contents(str(folder / "out"))


def _contents(output: str) -> dict[str, object]:
    """By path: SHA-256 of a file, weights of a model; nothing more than the name of what tells its own place or time."""
    target = Store(output)
    found: dict[str, object] = {}
    for name in target.sizes():
        if TELLS_ITSELF.search(f"/{name}"):
            found[name] = "told"
            continue
        data = _bytes(target.uri(name))
        if name.endswith("motifs.json"):
            data = re.sub(rb'"peak_memory": \d+', b"", data)
        model = name.endswith(".h5") and "/models/" in f"/{name}"
        found[name] = _weights(data) if model else hashlib.sha256(data).hexdigest()
    return found


def _bytes(uri: str) -> bytes:
    if is_local(uri):
        return Path(uri).read_bytes()
    objects, path = objects_of(uri)
    return objects.read(path)


def _weights(data: bytes) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(io.BytesIO(data)) as file:
        file["model_weights"].visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def _assert_same(mine: dict[str, object], wanted: dict[str, object]) -> None:
    assert mine.keys() == wanted.keys()
    assert [name for name in wanted if not isinstance(wanted[name], dict) and mine[name] != wanted[name]] == []
    models = [name for name in wanted if isinstance(wanted[name], dict)]
    assert models
    for name in models:
        np.testing.assert_equal(mine[name], wanted[name], err_msg=name)


def _assert_whole(store: str) -> None:
    """Every step that claims to have happened has all its files."""
    place = Store(store)
    sizes = place.sizes()
    for name in [name for name in sizes if name.endswith(f"/{MANIFEST}")]:
        step, key, _ = name.split("/")
        manifest = place.read_json(*name.split("/"))
        files = {f"{step}/{key}/{manifest['place']}/{each}": told["size"] for each, told in manifest["files"].items()}
        assert files.items() <= sizes.items(), name


@pytest.fixture(scope="module")
def process():
    """The emulator of Google Cloud Storage; short pages of listings."""
    with gcs_emulator(page=20) as running:
        running.make_bucket("data")
        yield running


@pytest.fixture
def emulator(process, monkeypatch):
    """The emulator without faults, where this process and those it starts find it."""
    process.faults()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", process.url)
    return process


def _uploaded(inputs: Mapping[str, Path], place: str) -> dict[str, str]:
    there = Store(f"{place}/in")
    there.upload_all({path.name: path for path in inputs.values()})
    return {key: there.uri(path.name) for key, path in inputs.items()}


def _prepared(inputs, place: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a run from ``place`` to ``place`` on a machine whose cache is empty."""
    spec = _spec(_uploaded(inputs, place), f"{place}/out", folder / "tiny.yaml")
    return _command(spec, f"{place}/store"), os.environ | {"CHROMBPNET_CACHE": str(folder / "cache")}


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_run_under_faults_ends_as_an_undisturbed_one(rate, inputs, undisturbed, emulator, tmp_path):
    place = f"gs://data/faults-{rate}"
    command, environment = _prepared(inputs, place, tmp_path)
    emulator.faults(rate=rate, seed=7)
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    asked = emulator.requests()
    emulator.faults()
    kinds = {kind: sum(fault == kind for _, fault in asked) for kind in sorted({fault for _, fault in asked if fault})}
    print(f"{len(asked)} requests, faults: {kinds}")
    assert run.returncode == 0, run.stderr
    assert sum(kinds.values()) > rate * len(asked) / 2
    assert "Traceback" not in run.stderr
    _assert_same(_contents(f"{place}/out"), undisturbed)
    _assert_whole(f"{place}/store")


@pytest.fixture(scope="module")
def five_folds(yeast, tmp_path_factory) -> dict[str, Path]:
    """The yeast data, by key of the data set file; folds are made."""
    return {
        "fragments": yeast / "fragments.tsv.gz",
        "genome": yeast / "genome.fa.gz",
        "chrom_sizes": yeast / "chrom.sizes",
        "peaks": yeast / "peaks.narrowPeak",
    }


def _spec_of_yeast(inputs: Mapping[str, Path | str], output: str, path: Path) -> Path:
    """Small models of five folds, and of what they say together."""
    given = {key: str(value) for key, value in inputs.items()}
    path.write_text(
        yaml.safe_dump(
            {
                "id": "yeast",
                "assay": "ATAC",
                "reads": {"fragments": [given["fragments"]]},
                "genome": given["genome"],
                "chrom_sizes": given["chrom_sizes"],
                "peaks": given["peaks"],
                "folds": 5,
                "background": {"stride": 200},
                "bias": {"filters": 8, "layers": 3, "epochs": 3},
                "model": {"filters": 16, "layers": 4, "epochs": 3},
                "explanation": {"peaks": 40, "max_seqlets": 200, "motifs": "jaspar:fungi"},
                "output": output,
                "publish": f"{output.rsplit('/', 1)[0]}/public",
            }
        )
    )
    return path


def test_five_folds_that_are_killed_three_times_end_as_undisturbed_ones(five_folds, emulator, tmp_path):
    """kill -9 at random moments; each attempt goes on on another machine: with an empty cache."""
    local = _command(
        _spec_of_yeast(five_folds, str(tmp_path / "here" / "out"), tmp_path / "local.yaml"), tmp_path / "here" / "store"
    )
    begin = time.monotonic()
    run = subprocess.run(
        local, env=os.environ | {"CHROMBPNET_CACHE": str(tmp_path / "cache")}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    seconds, rng, place = time.monotonic() - begin, random.Random(3), "gs://data/killed"
    steps = run.stderr.count(": started")
    assert steps > 60
    there = _command(_spec_of_yeast(_uploaded(five_folds, place), f"{place}/out", tmp_path / "there.yaml"), f"{place}/store")
    before = 0
    for trial, moment in enumerate(sorted(rng.sample(range(2, steps - 5), 3))):  # by steps, however fast the machine is
        log = tmp_path / f"log-{trial}"
        with open(log, "w") as file:
            running = subprocess.Popen(
                there, env=os.environ | {"CHROMBPNET_CACHE": str(tmp_path / f"cache-{trial}")}, stdout=file, stderr=file
            )
        while before + log.read_text().count(": started") < moment:
            assert running.poll() is None, log.read_text()
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 3))
        running.kill()
        assert running.wait() == -signal.SIGKILL
        before += log.read_text().count(": started")
        print(f"trial {trial + 1}: killed in {log.read_text().splitlines()[-1]!r}")
        _assert_whole(f"{place}/store")
    last = subprocess.run(
        there,
        env=os.environ | {"CHROMBPNET_CACHE": str(tmp_path / "cache-last")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert last.returncode == 0, last.stderr
    assert "nonpeaks: found in the store" in last.stderr
    for what in ("out", "public"):
        _assert_same(_contents(f"{place}/{what}"), _contents(str(tmp_path / "here" / what)))
    _assert_whole(f"{place}/store")
    assert not Store(f"{place}/store").sizes("checkpoints")
    print(f"undisturbed, in local folders: {seconds:.0f} s; results: {len(_contents(f'{place}/out'))} files")


def test_a_lasting_fault_ends_with_one_clear_error(inputs, undisturbed, emulator, tmp_path):
    """The store takes no manifest; once it does again, the same command ends."""
    place = "gs://data/lasting"
    command, environment = _prepared(inputs, place, tmp_path)
    emulator.faults(rate=1, kinds=["503"], match="^POST /upload.*ifGenerationMatch")
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    emulator.faults()
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    errors = [line for line in run.stderr.splitlines() if line.startswith("chrombpnet: ")]
    assert len(errors) == 1
    assert re.search(
        r"gs://data/lasting/store/\w+/\w+/manifest\.json: .*503.*; tried 9 times; no step was finished",
        errors[0],
    )
    assert not [name for name in Store(f"{place}/store").sizes() if name.endswith(MANIFEST)]
    assert Store(f"{place}/out").sizes().keys() == {"run.json"}  # what was asked
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    _assert_same(_contents(f"{place}/out"), undisturbed)


def test_what_may_not_be_written_to_is_refused_before_anything_is_done(inputs, emulator, tmp_path):
    command, environment = _prepared(inputs, "gs://data/refused", tmp_path)
    emulator.faults(rate=1, kinds=["403"], match="refused/store|/o\\?.*refused/store")
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("chrombpnet: error: gs://data/refused/store: no such bucket, or no right")


def test_a_run_on_s3_ends_as_an_undisturbed_one(inputs, undisturbed, tmp_path, monkeypatch):
    with s3_emulator() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("data")
        command, environment = _prepared(inputs, "s3://data/run", tmp_path)
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        _assert_same(_contents("s3://data/run/out"), undisturbed)
        _assert_whole("s3://data/run/store")
        s3fs.S3FileSystem.clear_instance_cache()
