"""What of a run could be deleted, and what another run still uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.states import Failed

from chrombpnet_core.errors import InputError
from tasks.runs import find_removable, parts_of, recording, remove, run_id
from tasks.storage import Owner
from tests.tasks.runs.futures import Over, done, fail


def _checkpoint(store, step, key="k"):
    folder = Path(store) / "checkpoints" / step / key
    folder.mkdir(parents=True)
    (folder / "state.npz").write_bytes(b"x" * 2048)


def _left_unfinished(store, output, name):
    error = OSError("full")
    with pytest.raises(OSError, match="full"):
        fail(store, output, error, **{name: Over(Failed(), error)})


def test_clean_takes_checkpoints_of_this_run_alone(place):
    store, output = place
    _left_unfinished(store, output, "0.5 train_bias")
    for step in ("train_bias", "train_main"):
        _checkpoint(store, step)
    found = find_removable(*place)
    assert [(item.what, item.size) for item in found] == [("checkpoint of train_bias", 2048)]
    _left_unfinished(store, output + "_other", "train_bias")
    assert find_removable(*place) == []  # whose it is cannot be told
    remove(found)
    assert not (Path(store) / "checkpoints" / "train_bias" / "k").exists()
    assert (Path(store) / "checkpoints" / "train_main" / "k").exists()


def test_clean_all_keeps_what_another_run_uses(place):
    store, output = place
    shared, own = done(store, "coverage"), done(store, "train_main", "12345")
    for each, futures in ((output, (shared, own)), (output + "_other", (shared,))):
        with recording(store, each, "fold_0", {}) as record:
            for future in futures:
                record.follow(future.value.step, future)
    assert find_removable(*place) == []
    found = find_removable(*place, everything=True)
    assert [item.what for item in found] == ["output of train_main", "record of the run"]
    manifest = Path(store) / "train_main" / own.value.key / "manifest.json"
    assert found[0].size == 5 + manifest.stat().st_size
    remove(found)
    assert not manifest.parent.exists()
    assert json.loads((Path(store) / "coverage" / shared.value.key / "manifest.json").read_text())
    assert parts_of(store, run_id(output)) == {}
    assert find_removable(*place, everything=True) == []


def test_clean_takes_scratch_of_the_dead_and_refuses_while_the_run_is_at_work(place):
    store, output = place
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = Owner.here()
    for owner in (here._replace(pid=ended.pid), here):
        folder = Path(store) / "scratch" / f"{owner.host}-{owner.pid}-ab"
        folder.mkdir(parents=True)
        (folder / "x").write_text("123")
        (folder / ".owner").write_text(str(owner))
    with recording(store, output, "fold_0", {}), pytest.raises(InputError, match="fold_0 is running on"):
        find_removable(*place)
    (item,) = find_removable(*place)
    assert (item.size, f"-{ended.pid}-" in item.shown) == (3, True)
    remove([item])
    assert [path.name.split("-")[-2] for path in (Path(store) / "scratch").iterdir()] == [str(here.pid)]
