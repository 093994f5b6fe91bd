"""Checkpoints of attempts: one owner a folder, and what the newest holds is taken up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks._checkpoints import checkpoint_folder
from tasks.storage import Owner, Store
from tests.tasks.declaring import run_step


def _fail(store, text, seen=None):
    def body(work):
        if seen is not None:
            seen.append(work.checkpoint.joinpath("state").read_text() if list(work.checkpoint.glob("state")) else "")
        (work.checkpoint / "state").write_text(text)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run_step(store, "train", 1, {}, {}, body)


def _owned_by(folder: Path, **change):
    (folder / ".owner").write_text(f"{Owner.here()._replace(**change)}\n")


@pytest.mark.parametrize("change", [{"host": "other"}, {"namespace": "1"}, {"boot": "2"}])
def test_a_folder_of_a_live_process_elsewhere_is_copied_not_taken(tmp_path, change):
    store, seen = str(tmp_path / "store"), []
    _fail(store, "7")
    (folder,) = (tmp_path / "store" / "checkpoints" / "train").iterdir()
    _owned_by(folder, pid=999_999_999, **change)
    _fail(store, "8", seen)
    assert (folder / "state").read_text() == "7"
    _fail(store, "9", seen)
    assert seen == ["7", "8"]  # the newest, whosever it was
    assert (folder / "state").read_text() == "7"
    _owned_by(folder, pid=999_999_999)  # near, and dead
    result = run_step(
        store, "train", 1, {}, {}, lambda work: (work.out / "x").write_text((work.checkpoint / "state").read_text())
    )
    assert result.file("x").read_text() == "9"
    assert list(folder.parent.iterdir()) == []


def test_a_folder_of_a_dead_process_is_taken_as_it_is(tmp_path):
    store, seen = str(tmp_path / "store"), []
    _fail(store, "7")
    (folder,) = (tmp_path / "store" / "checkpoints" / "train").iterdir()
    _owned_by(folder, pid=999_999_999)
    _fail(store, "8", seen)
    assert seen == ["7"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / "state").read_text() == "8"
    assert not (folder / ".owner").exists()


def test_what_is_half_written_is_not_taken_over(tmp_path):
    store = Store(str(tmp_path / "store"))
    folder = tmp_path / "store" / "checkpoints" / "train" / "key"
    (folder / "sub").mkdir(parents=True)
    for name in ("state", "sub/part", ".state.1.partial"):
        (folder / name).write_text(name)
    _owned_by(folder, host="other")
    with checkpoint_folder(store, tmp_path, "train", "key") as (own, _):
        assert sorted(path.relative_to(own).as_posix() for path in own.rglob("*") if path.name != ".owner") == [
            "state",
            "sub",
            "sub/part",
        ]
