"""What is recorded of a run and its parts, and how status shows it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prefect.states import Failed, Pending

from chrombpnet_core.errors import InputError, Stopped
from tasks.runs import parts_of, read_run, record_run, recording, run_id, status_lines
from tasks.runs.run_record import is_whole, seal_fits
from tasks.runs.status import local_time
from tests.tasks.runs.futures import Over, UnderWay, done, fail

STEPS = {
    "fold_0": {"coverage": "", "train_bias": "", "bias_report": ""},
    "fold_1": {"coverage": ""},
}


def _lines(place, part="fold_0"):
    """What status says of a part and its steps, in order, without times."""
    lines = [line.split(" at 2")[0].split(" since 2")[0] for line in status_lines(*place, STEPS)]
    begin = next(i for i, line in enumerate(lines) if line.startswith(part))
    return [" ".join(line.split()) for line in lines[begin : begin + 1 + len(STEPS[part])]]


def test_a_part_is_not_begun_then_running_then_done(place):
    store, output = place
    assert status_lines(store, output, STEPS) == ["fold_0     not begun", "fold_1     not begun"]
    with recording(store, output, "fold_0", {"a": 1}) as record:
        record.follow("coverage", done(store, "coverage"))
        record.follow("train_bias", UnderWay(None))
        assert _lines(place) == ["fold_0 running", "coverage done", "train_bias running", "bias_report not begun"]
        record.follow("train_bias", done(store, "train_bias"))
        record.follow("bias_report", done(store, "report"))
    assert _lines(place) == ["fold_0 done", "coverage done", "train_bias done", "bias_report done"]
    assert "took 0.0 s" in "\n".join(status_lines(store, output, STEPS))


def test_a_step_waits_then_runs_and_tells_how_far_it_is(place, monkeypatch):
    store, output = place
    with recording(store, output, "fold_0", {}, {"train_bias": "step 2 of 3"}) as record:
        watcher = record.announce("train_bias", "train_bias", "Train the bias model")
        assert watcher.place == "step 2 of 3"
        record.attach("train_bias", UnderWay(None))
        assert _lines(place)[2] == "train_bias waiting for the steps before it"
        watcher.begun()
        watcher.progress(0.1, "epoch 1 of at most 8")
        later = time.time() + 30
        monkeypatch.setattr(time, "time", lambda: later)
        watcher.progress(0.4, "epoch 4 of at most 8")
        (line,) = (line for line in status_lines(store, output, STEPS) if "train_bias" in line)
        assert line.endswith(", 40 % (epoch 4 of at most 8); at most 60 s left")


def test_a_step_that_waited_when_the_run_ended_is_not_begun(place):
    with recording(*place, "fold_0", {}) as record:
        record.announce("train_bias", "train_bias", "Train the bias model")
    assert _lines(place)[2] == "train_bias not begun"


def test_the_time_left_is_what_was_expected_of_the_steps_to_come(place):
    store, output = place
    seconds = {"coverage": 40.0, "train_bias": 300.0, "bias_report": 20.0}
    with recording(store, output, "fold_0", {}) as record:
        record.follow("coverage", done(store, "coverage"))
        told = status_lines(store, output, STEPS, seconds)
    assert told[0].endswith("; at most 5 min left")  # training and report
    assert told[-1] == "all parts: at most 6 min left"  # the other fold's coverage, too
    assert "left" not in "\n".join(status_lines(store, output, STEPS, seconds))  # nothing runs any more


def test_parts_that_nobody_expects_are_told_last(place):
    with recording(*place, "xmain", {}) as record:
        record.follow("coverage", done(place[0], "coverage"), "coverage", "Count insertions")
    told = status_lines(*place, STEPS)
    assert told[-2].startswith("xmain      done at")
    assert told[-1].split()[:4] == ["coverage", "Count", "insertions", "done"]


def test_times_are_local(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert local_time("2026-11-27T22:30:01+0000") == "2026-11-28 07:30:01"
        assert local_time("some day") == "some day"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_run_without_results_is_found_in_its_store(place):
    store, output = place
    record_run({"output": output, "id": "x"}, store, {}, placed=False)
    assert not Path(output).exists()
    assert read_run(output, store)["spec"]["id"] == "x"
    with pytest.raises(InputError, match="no run is recorded there"):
        read_run(output)
    with recording(store, output, "bias", {}) as record:
        record.place_run()
    assert read_run(output)["spec"]["id"] == "x"


def test_a_failed_part_says_why_and_a_step_that_never_began_is_none(place):
    store, output = place
    error = InputError("peaks.bed, line 3", expected="an integer", found="x")
    with pytest.raises(InputError, match="line 3"):
        fail(store, output, error, coverage=Over(Failed(), error), train_bias=Over(Pending(name="NotReady")))
    told = status_lines(store, output, STEPS)
    assert told[0].endswith(": peaks.bed, line 3; expected an integer, found x")
    assert "failed at" in told[1]
    assert told[1].endswith("found x")
    assert told[2].split() == ["train_bias", "not", "begun"]


def test_a_step_whose_output_is_gone_runs_again(place):
    store, output = place
    with recording(store, output, "fold_1", {}) as record:
        future = done(store, "coverage")
        record.follow("coverage", future)
    (Path(store) / "coverage" / future.value.key / "manifest.json").unlink()
    assert _lines(place, "fold_1") == ["fold_1 ended", "coverage no longer in the store: runs again"]


def test_a_killed_process_leaves_an_interrupted_part(place):
    program = (
        "import os, sys\nfrom tasks.runs import recording\nfrom tests.tasks.runs.futures import UnderWay\n"
        "with recording(*sys.argv[1:], 'fold_1', {}) as record:\n    record.follow('coverage', UnderWay(None))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, *place], check=False)
    assert _lines(place, "fold_1") == ["fold_1 interrupted; begun", "coverage interrupted, goes on from there;"]


def test_a_training_that_was_told_to_stop_has_not_failed(place):
    error = Stopped("a checkpoint was written")
    with pytest.raises(Stopped):
        fail(*place, error, coverage=done(place[0], "coverage"), train_bias=Over(Failed(), error))
    assert _lines(place)[0].startswith("fold_0 interrupted")
    assert _lines(place)[2].startswith("train_bias interrupted")


def test_what_an_earlier_attempt_did_is_known_until_something_else_is_asked(place):
    store, output = place
    with recording(store, output, "fold_0", {"a": 1}) as record:
        first = done(store, "coverage")
        record.follow("coverage", first)
    with recording(store, output, "fold_0", {"a": 1}):
        assert _lines(place)[1] == "coverage done"
    with recording(store, output, "fold_0", {"a": 2}) as record:
        assert _lines(place)[1] == "coverage not begun"
        record.follow("coverage", done(store, "coverage", "other"))
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


@pytest.mark.parametrize(("old", "new"), [("peaks.bed", "qeaks.bed"), ('"fold": 1', '"fold": 3'), ("auto", "autn")])
def test_a_damaged_run_json_is_refused(place, old, new):
    store, output = place
    record_run({"output": output, "peaks": "peaks.bed", "fold": 1}, store, {"device": "auto"})
    path = Path(output) / "run.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=r"run\.json: damaged, its checksum is wrong; start the run's first command again"):
        read_run(output)


def _written(place):
    """Texts of the records of a run."""
    store, output = place
    record_run({"output": output, "peaks": "peaks.bed"}, store, {"device": "auto"})
    with recording(store, output, "fold_1", {}) as record:
        record.follow("coverage", done(store, "coverage"))
    folder = Path(store) / "runs" / run_id(output)
    return {"run.json": (folder / "run.json").read_bytes(), "fold_1.json": (folder / "fold_1.json").read_bytes()}


def _is_right(name: str, data: bytes) -> bool:
    try:
        content = json.loads(data)
    except ValueError:
        return False
    return isinstance(content, dict) and (seal_fits(content) if name == "run.json" else is_whole(content))


@pytest.mark.parametrize("name", ["run.json", "fold_1.json"])
def test_each_flipped_bit_of_a_record_is_noticed(place, name):
    data = _written(place)[name]
    assert _is_right(name, data)
    passed = [
        (position, bit)
        for position in range(len(data))
        for bit in range(8)
        if _is_right(name, data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :])
    ]
    assert passed == []


@pytest.mark.parametrize("name", ["run.json", "fold_1.json"])
@pytest.mark.parametrize("key", ["qha256", "sha25", "SHA256"])
def test_a_record_whose_checksum_has_another_name_is_damaged(place, name, key):
    assert not _is_right(name, _written(place)[name].replace(b"sha256", key.encode()))


@pytest.mark.parametrize("name", ["run.json", "fold_1.json"])
def test_a_record_of_an_earlier_version_has_no_checksum_and_is_read(place, name):
    content = json.loads(_written(place)[name])
    old = {key: value for key, value in content.items() if key not in ("sha256", "alive")}
    assert _is_right(name, json.dumps(old).encode())
    assert not _is_right(name, json.dumps(old | {"more": 1}).encode())


@pytest.mark.parametrize("damage", [lambda text: text[:-20], lambda text: text.replace("done", "dona"), lambda text: "[]"])
def test_a_damaged_record_is_told_and_not_used(place, caplog, damage):
    store, output = place
    with recording(store, output, "fold_1", {}) as record:
        record.follow("coverage", done(store, "coverage"))
    path = Path(store) / "runs" / run_id(output) / "fold_1.json"
    path.write_text(damage(path.read_text()))
    assert _lines(place, "fold_1")[0] == "fold_1 not begun"
    assert "fold_1.json: damaged" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["[]", "7", "{", '{"spec": 1, "store": "s", "options": {}}', '{"spec": {}, "store": [], "options": {}}', "[" * 99999],
)
def test_a_record_of_another_form_is_none(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match="no run is recorded there"):
        read_run(str(tmp_path))
