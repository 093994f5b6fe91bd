"""What is recorded of a run, what status says of it, and what clean would delete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.states import Completed, Failed, Pending

from chrombpnet_core.errors import InputError, Stopped
from tasks.runs import find_removable, parts_of, read_run, record_run, recording, remove, run_id, status_lines
from tests.tasks.declaring import run_step

STEPS = {
    "fold_0": {"coverage": "", "train_bias": "", "bias_report": ""},
    "fold_1": {"coverage": ""},
}


class _Over:
    """A future that is over, as Prefect's."""

    def __init__(self, state, value=None):
        self.state, self.value = state, value

    def add_done_callback(self, call):
        call(self)

    def wait(self):
        pass

    def result(self, raise_on_failure=True):
        return self.value


class _UnderWay(_Over):
    def add_done_callback(self, call):
        pass


def _done(store, step, text="x"):
    return _Over(
        Completed(), run_step(store, step, 1, {}, {"text": text}, lambda work: (work.out / "file").write_text(text))
    )


def _fail(store, output, error, **futures):
    with recording(store, output, "fold_0", {}) as record:
        for name, future in futures.items():
            record.follow(name, future, name.split()[-1])
        raise error


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "store"), str(tmp_path / "out")


def _lines(place, part="fold_0"):
    """What status says of a part and its steps, in order, without times."""
    lines = [line.split(" at 2")[0].split(" since 2")[0] for line in status_lines(*place, STEPS)]
    begin = next(i for i, line in enumerate(lines) if line.startswith(part))
    return [" ".join(line.split()) for line in lines[begin : begin + 1 + len(STEPS[part])]]


def test_a_part_is_not_begun_then_running_then_done(place):
    store, output = place
    assert status_lines(store, output, STEPS) == ["fold_0     not begun", "fold_1     not begun"]
    with recording(store, output, "fold_0", {"a": 1}) as record:
        record.follow("coverage", _done(store, "coverage"))
        record.follow("train_bias", _UnderWay(None))
        assert _lines(place) == ["fold_0 running", "coverage done", "train_bias running", "bias_report not begun"]
        record.follow("train_bias", _done(store, "train_bias"))
        record.follow("bias_report", _done(store, "report"))
    assert _lines(place) == ["fold_0 done", "coverage done", "train_bias done", "bias_report done"]
    assert "took 0.0 s" in "\n".join(status_lines(store, output, STEPS))


def test_a_failed_part_says_why_and_a_step_that_never_began_is_none(place):
    store, output = place
    error = InputError("peaks.bed, line 3", expected="an integer", found="x")
    with pytest.raises(InputError, match="line 3"):
        _fail(store, output, error, coverage=_Over(Failed(), error), train_bias=_Over(Pending(name="NotReady")))
    told = status_lines(store, output, STEPS)
    assert told[0].endswith(": peaks.bed, line 3; expected an integer, found x")
    assert "failed at" in told[1]
    assert told[1].endswith("found x")
    assert told[2].split() == ["train_bias", "not", "begun"]


def test_a_step_whose_output_is_gone_runs_again(place):
    store, output = place
    with recording(store, output, "fold_1", {}) as record:
        future = _done(store, "coverage")
        record.follow("coverage", future)
    (Path(store) / "coverage" / future.value.key / "manifest.json").unlink()
    assert _lines(place, "fold_1") == ["fold_1 ended", "coverage no longer in the store: runs again"]


def test_a_killed_process_leaves_an_interrupted_part(place):
    program = (
        "import os, sys\nfrom tasks.runs import recording\nfrom tests.tasks.runs.test_runs import _UnderWay\n"
        "with recording(*sys.argv[1:], 'fold_1', {}) as record:\n    record.follow('coverage', _UnderWay(None))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, *place], check=False)
    assert _lines(place, "fold_1") == ["fold_1 interrupted; begun", "coverage interrupted, goes on from there;"]


def test_a_training_that_was_told_to_stop_has_not_failed(place):
    error = Stopped("a checkpoint was written")
    with pytest.raises(Stopped):
        _fail(*place, error, coverage=_done(place[0], "coverage"), train_bias=_Over(Failed(), error))
    assert _lines(place)[0].startswith("fold_0 interrupted")
    assert _lines(place)[2].startswith("train_bias interrupted")


def test_what_an_earlier_attempt_did_is_known_until_something_else_is_asked(place):
    store, output = place
    with recording(store, output, "fold_0", {"a": 1}) as record:
        first = _done(store, "coverage")
        record.follow("coverage", first)
    with recording(store, output, "fold_0", {"a": 1}):
        assert _lines(place)[1] == "coverage done"
    with recording(store, output, "fold_0", {"a": 2}) as record:
        assert _lines(place)[1] == "coverage not begun"
        record.follow("coverage", _done(store, "coverage", "other"))
    assert f"coverage/{first.value.key}" in parts_of(store, run_id(output))["fold_0"]["used"]


def test_a_run_is_read_from_its_folder_or_file_without_secrets(place, monkeypatch):
    store, output = place
    monkeypatch.setattr(sys, "argv", ["run", "https://a:word@h/x"])
    record_run({"output": output, "genome": "https://me:word@host/g.fa?sig=1"}, store, {})
    text = (Path(output) / "run.json").read_text()
    assert "word" not in text
    assert "sig" not in text
    for named in (output, f"{output}/", f"{output}/run.json"):
        assert read_run(named)["complete"] is False
    record_run({"output": output}, store, {}, anew=False)
    assert not read_run(output)["complete"]  # what is there stands
    record_run({"output": output}, store, {})
    assert read_run(output)["complete"]
    with pytest.raises(InputError, match="no run is recorded there"):
        read_run(store)


def _checkpoint(store, step, key="k"):
    folder = Path(store) / "checkpoints" / step / key
    folder.mkdir(parents=True)
    (folder / "state.npz").write_bytes(b"x" * 2048)


def _left_unfinished(store, output, name):
    error = OSError("full")
    with pytest.raises(OSError, match="full"):
        _fail(store, output, error, **{name: _Over(Failed(), error)})


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
    shared, own = _done(store, "coverage"), _done(store, "train_main", "12345")
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
    import os
    import platform

    store, output = place
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid in (ended.pid, os.getpid()):
        folder = Path(store) / "scratch" / f"{platform.node()}-{pid}-ab"
        folder.mkdir(parents=True)
        (folder / "x").write_text("123")
    with recording(store, output, "fold_0", {}), pytest.raises(InputError, match="fold_0 is running on"):
        find_removable(*place)
    (item,) = find_removable(*place)
    assert (item.size, f"-{ended.pid}-" in item.shown) == (3, True)
    remove([item])
    assert [path.name.split("-")[-2] for path in (Path(store) / "scratch").iterdir()] == [str(os.getpid())]
