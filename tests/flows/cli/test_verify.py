"""``chrombpnet verify``: what it looks at, what it passes over, and what it says of damage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chrombpnet_core.formats import save_sealed
from flows.cli.main import main
from tasks.runner import MANIFEST
from tasks.runs import recording, run_id
from tasks.storage import Store
from tests.tasks.declaring import run_step
from tests.tasks.runs.futures import done


@pytest.fixture(params=["local", "remote"])
def store(request, tmp_path):
    """A store with two steps, a record and a checkpoint."""
    url = str(tmp_path / "store") if request.param == "local" else f"memory://verify-{tmp_path.name}"
    run_step(url, "letters", 1, {}, {}, lambda work: (work.out / "a.txt").write_text("abc"))
    with recording(url, "out", "fold_0", {}) as record:
        record.follow("coverage", done(url, "coverage"))
    save_sealed(tmp_path / "state.npz", {"weights": np.arange(100.0)})
    Store(url).write_bytes((tmp_path / "state.npz").read_bytes(), "checkpoints", "train_main", "key", "state.npz")
    Store(url).write_bytes(b"123", "shards", "key", "place", "half")
    return url


def _verify(capsys, *arguments):
    capsys.readouterr()
    status = main(["verify", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return status, said.out.splitlines()


def _paths(store):
    return [path.split("/") for path in sorted(Store(store).sizes()) if path.split("/")[0] not in ("locks", "shards")]


def test_a_whole_store_is_in_order(store, capsys):
    status, lines = _verify(capsys, store)
    assert status == 0
    assert lines[0].startswith(f"{Store(store).url}: looked at 2 files of 2 steps, ")
    for words in ("1 record of runs", "1 checkpoint,", "; 4 B were read"):
        assert words in lines[0]
    assert "not looked at: 1 file of attempts that did not end" in lines
    assert lines[-1] == "nothing is damaged"
    assert _verify(capsys, "--store", store) == (status, lines)


def test_every_flipped_bit_is_listed_with_its_step_and_what_to_do(store, capsys):
    place = Store(store)
    for parts in _paths(store):
        whole = place.read_bytes(*parts)
        data = bytearray(whole)
        data[len(data) // 2] ^= 2
        place.write_bytes(bytes(data), *parts)
        status, lines = _verify(capsys, store)
        assert status == 2
        assert lines[-1] == "1 damaged"
        assert lines[0].startswith(f"damaged: {'/'.join(parts)} (")
        assert "; start the run's command again" in lines[0] or "; nothing: the step passes over it" in lines[0]
        place.write_bytes(whole, *parts)
    assert _verify(capsys, store)[0] == 0


def test_all_damage_is_listed_at_once_and_nothing_is_changed(store, capsys):
    place = Store(store)
    (letters,) = [parts for parts in _paths(store) if parts[0] == "letters" and parts[-1] == "a.txt"]
    (coverage,) = [parts for parts in _paths(store) if parts[0] == "coverage" and parts[-1] == MANIFEST]
    place.remove(*letters)
    place.write_bytes(b"[1, 2", *coverage)
    place.write_bytes(b"{}", "runs", run_id("out"), "fold_0.json")
    before = place.sizes()
    status, lines = _verify(capsys, store)
    assert status == 2
    assert [line.split(" (")[0].rsplit("/", 1)[-1] for line in lines[:3]] == ["manifest.json", "a.txt", "fold_0.json"]
    assert lines[0].startswith("damaged: coverage/")
    assert "is damaged: it is no JSON object" in lines[0]
    assert "is missing; start the run's command again: the step runs again" in lines[1]
    assert place.sizes() == before


def test_old_manifests_are_judged_by_their_form_and_that_is_said(tmp_path, capsys):
    store = str(tmp_path / "store")
    result = run_step(store, "letters", 1, {}, {}, lambda work: (work.out / "a.txt").write_text("abc"))
    path = Path(store) / "letters" / result.key / MANIFEST
    path.write_text(json.dumps({name: value for name, value in result.manifest.items() if name != "sha256"}))
    status, lines = _verify(capsys, store)
    assert status == 0
    assert "1 manifest of an earlier version, without a checksum: the form alone" in lines[0]


def test_where_no_store_is_that_is_said(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no store is there" in capsys.readouterr().err
