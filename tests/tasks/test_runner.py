"""The step runner: found again, run again when it must be, safe against kills and against two runs at once."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

import pytest

from chrombpnet_core.errors import InputError
from tasks.runner import MANIFEST, At, FileOf, ManifestOf, Source, Step, Work, planning
from tasks.storage import Owner
from tests.tasks.declaring import run_step

_PROCESSES = multiprocessing.get_context("spawn")


class Counter:
    """A body that copies its input in upper case and counts how often it ran."""

    def __init__(self, name: str = "out.txt") -> None:
        self.runs, self.name = 0, name

    def __call__(self, work) -> None:
        self.runs += 1
        text = "".join(
            path.read_text() if path.is_file() else "".join(p.read_text() for p in sorted(path.glob("*.txt")))
            for path in work.inputs.values()
        )
        (work.out / self.name).write_text(text.upper() + str(work.parameters.get("suffix", "")))
        (work.out / "sub").mkdir()
        (work.out / "sub" / "more.txt").write_text("more")
        work.facts["letters"] = len(text)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "in.txt").write_text("abc")
    return tmp_path


def _run(place, body, suffix="", step="upper", version=1, **inputs):
    inputs = inputs or {"text": place / "in.txt"}
    return run_step(str(place / "store"), step, version, inputs, {"suffix": suffix}, body)


def test_a_step_runs_once(place):
    body = Counter()
    first, second = _run(place, body), _run(place, body)
    assert (first.cached, second.cached, body.runs) == (False, True, 1)
    assert second.file("out.txt").read_text() == "ABC"
    assert second.facts == {"letters": 3}
    assert second.folder() == place / "store" / "upper" / second.key / second.manifest["place"]
    assert set(second.manifest["files"]) == {"out.txt", "sub/more.txt"}


@pytest.mark.parametrize("change", ["parameter", "input", "version"])
def test_what_shapes_the_result_makes_another_step(place, change):
    body = Counter()
    _run(place, body)
    if change == "input":
        (place / "in.txt").write_text("abcd")
    _run(place, body, suffix="!" if change == "parameter" else "", version=2 if change == "version" else 1)
    assert body.runs == 2


def test_the_place_and_age_of_an_input_do_not_matter(place):
    body = Counter()
    _run(place, body)
    (place / "elsewhere.txt").write_text("abc")
    os.utime(place / "in.txt", (1, 1))
    _run(place, body)
    _run(place, body, text=place / "elsewhere.txt")
    assert body.runs == 1


def test_a_change_reaches_only_what_depends_on_it(place):
    one, other, last = Counter("a.txt"), Counter("b.txt"), Counter("c.txt")
    for suffix in ("", "", "!"):
        a = _run(place, one, step="a")
        b = _run(place, other, step="b", suffix=suffix)
        c = _run(place, last, step="c", left=a, right=b)
    assert (one.runs, other.runs, last.runs) == (1, 2, 2)
    assert c.file("c.txt").read_text() == "ABCABC!"


@pytest.mark.parametrize("damage", ["delete", "truncate", "manifest"])
def test_a_damaged_result_is_made_again(place, damage):
    body = Counter()
    result = _run(place, body)
    path = result.file("out.txt")
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_text("A")
    else:
        (result.folder().parent / MANIFEST).write_text('{"files"')
    again = _run(place, body)
    assert not again.cached
    assert again.file("out.txt").read_text() == "ABC"
    assert body.runs == 2


def test_an_error_leaves_nothing_behind(place):
    def fail(work):
        (work.out / "half.txt").write_text("half")
        raise InputError("wrong")

    with pytest.raises(InputError, match="wrong"):
        _run(place, fail)
    left = [path for path in (place / "store").rglob("*") if path.is_file() and "locks" not in path.parts]
    assert left == []
    assert not (place / "store" / "upper").exists()


def test_manifests_tell_where_things_came_from_but_no_secrets(place):
    result = _run(place, Counter())
    manifest = json.loads((result.folder().parent / MANIFEST).read_text())
    assert manifest["inputs"]["text"]["uri"] == str(place / "in.txt")
    assert len(manifest["inputs"]["text"]["sha256"]) == 64
    assert {"python", "keras", "prefect"} <= set(manifest["versions"])
    assert manifest["seconds"] >= 0
    assert manifest["peak_memory"] > 1e6


def test_a_checkpoint_outlives_a_failed_attempt_and_not_a_finished_one(place):
    def first(work):
        (work.checkpoint / "state").write_text("7")
        raise RuntimeError

    def second(work):
        (work.out / "out.txt").write_text((work.checkpoint / "state").read_text())

    with pytest.raises(RuntimeError):
        _run(place, first)
    result = _run(place, second)
    assert result.file("out.txt").read_text() == "7"
    assert not (place / "store" / "checkpoints" / "upper" / result.key).exists()


def _slow(work) -> None:
    with open(work.parameters["log"], "a") as log:
        log.write("x")
    time.sleep(1.5)
    (work.out / "out.txt").write_text("done")


def _slow_step(place: str, results) -> None:
    result = run_step(f"{place}/store", "slow", 1, {"text": f"{place}/in.txt"}, {"log": f"{place}/log"}, _slow)
    results.put(result.cached)


def test_of_two_runs_at_once_one_works_and_the_other_waits(place):
    results = _PROCESSES.Queue()
    both = [_PROCESSES.Process(target=_slow_step, args=(str(place), results)) for _ in range(2)]
    for process in both:
        process.start()
    cached = sorted(results.get(timeout=120) for _ in both)
    for process in both:
        process.join(30)
    assert cached == [False, True]
    assert (place / "log").read_text() == "x"


def test_a_killed_run_never_happened(place):
    results = _PROCESSES.Queue()  # held here: a queue that nobody holds is gone before the process has started
    process = _PROCESSES.Process(target=_slow_step, args=(str(place), results))
    process.start()
    deadline = time.monotonic() + 60
    while not (place / "log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert not (place / "store" / "slow").exists()
    result = run_step(f"{place}/store", "slow", 1, {"text": place / "in.txt"}, {"log": f"{place}/log"}, _slow)
    assert not result.cached
    assert (place / "log").read_text() == "xx"


def test_scratch_of_a_killed_run_is_removed(place):
    scratch, here = place / "store" / "scratch", Owner.here()
    owners = {
        "dead": here._replace(pid=999_999_999),
        "number given again": here._replace(start=here.start - 1),
        "live": here,
        "of another namespace": here._replace(pid=999_999_999, namespace="1"),
        "of another boot": here._replace(pid=999_999_999, boot="1"),
        "of another host": here._replace(pid=999_999_999, host="other"),
        "silent for two days": here._replace(namespace="1"),
    }
    for name, owner in owners.items():
        folder = scratch / f"{owner.host}-{owner.pid}-{name}"
        folder.mkdir(parents=True)
        (folder / ".owner").write_text(f"{owner}\n")
    _age(folder / ".owner", days=2)
    (scratch / "host-1-just-made").mkdir()  # its owner's file comes next
    (scratch / "host-1-of-an-earlier-version").mkdir()
    _age(scratch / "host-1-of-an-earlier-version", days=2)
    _run(place, Counter())
    left = {path.name.split("-", 2)[-1] for path in scratch.iterdir()}
    assert left == {"live", "of another namespace", "of another boot", "of another host", "just-made"}


def _age(path, days):
    moment = time.time() - days * 86400
    os.utime(path, (moment, moment))


def test_of_two_runs_on_a_remote_store_the_slower_takes_the_others_result(place, tmp_path):
    store = f"memory://race-{tmp_path.name}"

    def run(body):
        return run_step(store, "upper", 1, {"text": place / "in.txt"}, {}, body)

    def slow(work):
        fast = run(Counter())
        assert not fast.cached
        (work.out / "out.txt").write_text("other bytes")

    assert run(slow).file("out.txt").read_text() == "ABC"


def test_a_plan_runs_nothing_and_tells_what_is_there(place):
    body = Counter()
    first = _run(place, body)
    with planning() as planned:
        found = _run(place, body)
        other = _run(place, body, suffix="!")
        behind = _run(place, body, step="behind", text=other)
    assert planned == [found, other, behind]
    assert [result.cached for result in planned] == [True, False, False]
    assert found.key == first.key
    assert body.runs == 1
    assert not (place / "store" / "behind").exists()
    assert not _run(place, body, suffix="!").cached


def test_a_missing_input_is_a_users_error(place):
    with pytest.raises(InputError, match=r"nowhere\.txt: no such file"):
        _run(place, Counter(), text=place / "nowhere.txt")


def test_a_store_in_memory_works_as_a_remote_one(place, tmp_path):
    """Any fsspec address: results are uploaded, fetched on demand, and checkpoints are copied."""
    store, body = f"memory://{tmp_path.name}", Counter()

    def failing(work):
        (work.checkpoint / "state").write_text("7")
        work.keep()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run_step(store, "upper", 1, {"text": place / "in.txt"}, {}, failing)

    def finishing(work):
        assert (work.checkpoint / "state").read_text() == "7"
        body(work)

    first = run_step(store, "upper", 1, {"text": place / "in.txt"}, {}, finishing)
    again = run_step(store, "upper", 1, {"text": place / "in.txt"}, {}, finishing)
    assert (first.cached, again.cached, body.runs) == (False, True, 1)
    assert Path(again.file("sub/more.txt")).read_text() == "more"
    last = run_step(store, "next", 1, {"folder": again}, {}, Counter())
    assert last.file("out.txt").read_text() == "ABC"


def test_in_a_flow_a_found_step_ends_in_a_state_named_cached(place):
    from prefect import flow

    upper = Step("upper", 1, "Upper", dict, dict, Counter())
    arguments = f"{place}/store", {"text": f"{place}/in.txt"}, {}

    @flow
    def twice() -> list[tuple[str, str, bool]]:
        ended = []
        for _ in range(2):
            future = upper.task.submit(*arguments)
            future.wait()
            ended.append((upper.task.name, future.state.name, future.result().cached))
        return ended

    assert twice() == [("Upper", "Completed", False), ("Upper", "Cached", True)]
    assert upper(*arguments).cached


def test_a_users_error_is_not_retried_in_a_flow(place):
    from prefect import flow

    calls = []

    def fail(work):
        calls.append(work)
        raise InputError("wrong file")

    @flow
    def once() -> None:
        Step("fail", 1, "Fail", dict, dict, fail).task.submit(f"{place}/store", {}, {}).result()

    with pytest.raises(InputError, match="wrong file"):
        once()
    assert len(calls) == 1


@dataclass(frozen=True, kw_only=True)
class WordsInputs(Generic[At]):
    text: At
    more: tuple[At, ...] = ()
    by_name: Mapping[str, At] = field(default_factory=dict)
    extra: At | None = None


@dataclass(frozen=True)
class WordsParameters:
    suffix: str
    loud: bool = field(default=False, metadata={"json": None})


def _words(work: Work[WordsInputs[Path], WordsParameters]) -> None:
    inputs = work.inputs
    paths = [inputs.text, *inputs.more, *inputs.by_name.values(), *([inputs.extra] if inputs.extra else [])]
    (work.out / "words.txt").write_text("".join(path.read_text() for path in paths) + work.parameters.suffix)
    work.facts["n"] = len(paths)


WORDS = Step("words", 1, "Join words", WordsInputs[Source], WordsParameters, _words)


def test_a_declared_step_sees_paths_and_typed_parameters(place):
    store = str(place / "store")
    first = WORDS(store, WordsInputs(text=str(place / "in.txt")), WordsParameters("!"))
    file = FileOf(first, "words.txt")
    inputs = WordsInputs(text=file, more=(file, str(place / "in.txt")), by_name={"manifest": ManifestOf(first)})
    second = WORDS(store, inputs, WordsParameters("?"))
    begin, manifest = second.file("words.txt").read_text().split("{", 1)
    assert begin == "abc!abc!abc"
    assert json.loads("{" + manifest.removesuffix("?"))["facts"] == {"n": 1}
    assert (first.manifest["title"], second.facts) == ("Join words", {"n": 4})
    assert second.manifest["inputs"]["text"] == {
        "step": "words",
        "key": first.key,
        "file": "words.txt",
        "sha256": first.manifest["files"]["words.txt"]["sha256"],
    }
    assert WORDS(store, inputs, WordsParameters("?", loud=True)).cached


def test_the_key_of_a_step_is_that_of_earlier_versions(place):
    """Name, version, digests and parameters as JSON: results of stores that are in use are found again."""
    digest = hashlib.sha256(b"abc").hexdigest()
    content = json.dumps(["words", 1, {"text": digest, "more": [], "by_name": {}}, {"suffix": ""}], sort_keys=True)
    result = WORDS(str(place / "store"), WordsInputs(text=place / "in.txt"), WordsParameters(""))
    assert result.key == hashlib.sha256(content.encode()).hexdigest()[:40]


def test_a_file_that_a_step_has_not_made(place):
    store = str(place / "store")
    first = WORDS(store, WordsInputs(text=place / "in.txt"), WordsParameters(""))
    with pytest.raises(InputError, match=r"step words made no other\.txt"):
        WORDS(store, WordsInputs(text=FileOf(first, "other.txt")), WordsParameters(""))
    inputs = WordsInputs(text=place / "in.txt", extra=FileOf(first, "other.txt", optional=True))
    assert WORDS(store, inputs, WordsParameters("")).cached


def test_other_inputs_or_parameters_are_refused_before_anything_runs(place):
    with pytest.raises(TypeError, match="step words: dict in place of"):
        WORDS(str(place / "store"), {"text": place / "in.txt"}, WordsParameters(""))
    assert not (place / "store").exists()
