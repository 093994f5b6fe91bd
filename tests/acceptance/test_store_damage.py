"""One bit flipped in each of hundreds of places over every kind of file that a run leaves in its store.

Each is told and not used; what was damaged is made again with the same content. A smaller count: ``STORE_DAMAGE_PLACES=40``.
"""

from __future__ import annotations

import io
import json
import logging
import os
import random
import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from chrombpnet_core.simulation import TINY, simulate
from chrombpnet_core.training import Checkpoint
from tasks.runner import MANIFEST, _valid_manifest
from tasks.runs import parts_of, verify_store
from tasks.storage import Store
from tests.flows.dataset.tiny_runs import command_of, weights_of, write_spec

PLACES = int(os.environ.get("STORE_DAMAGE_PLACES", "300"))
SEED = 7

TIMED = (
    "overall_report.html",
    "overall_report.pdf",
    "report.json",
    "events.out.tfevents.bias",
    "events.out.tfevents.chrombpnet",
)
"""Files that hold times: a report tells when its steps ran and how long they took, TensorBoard draws losses over time. No
step depends on them."""


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory) -> Path:
    """A finished run of a tiny data set, and a checkpoint such as a killed training leaves."""
    folder = tmp_path_factory.mktemp("damage")
    spec = write_spec(simulate(folder / "genome", TINY, bgzip=True), folder, 24)
    _run(spec, folder)
    leave_checkpoint(folder / "store")
    return folder


def leave_checkpoint(store: Path) -> None:
    state = store / "checkpoints" / "train_main" / "key" / "state.npz"
    state.parent.mkdir(parents=True, exist_ok=True)
    Checkpoint(state).save({"weights": np.random.default_rng(1).normal(size=5000), "step": np.array(3)})


def _run(spec: Path, folder: Path) -> str:
    command = command_of("run", spec, "--store", folder / "store", "--device", "cpu")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stderr


def _kind(path: Path) -> str:
    if path.parts[-4:-3] == ("checkpoints",):
        return "checkpoint"
    if path.name == MANIFEST:
        return "manifest"
    if "runs" in path.parts[-3:]:
        return "record of a run"
    return "TensorBoard events" if "tfevents" in path.name else path.suffix


def _by_kind(store: Path) -> dict[str, list[Path]]:
    kinds = defaultdict(list)
    for path in sorted(store.rglob("*")):
        if path.is_file() and path.stat().st_size and not {"locks", "scratch"} & set(path.relative_to(store).parts[:1]):
            kinds[_kind(path)].append(path)
    return kinds


def _flip(path: Path, chance: random.Random) -> None:
    """Change one bit, as a disk does: the file's time stays."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(chance.randrange(status.st_size))
        byte = file.read(1)[0]
        file.seek(-1, io.SEEK_CUR)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _is_used(store: Store, path: Path) -> bool:
    """Whether the program would use the file, damaged as it is."""
    parts = path.relative_to(store.url).parts
    if parts[0] == "checkpoints":
        return Checkpoint(path).load() is not None
    if parts[0] == "runs":
        if path.name == "run.json":
            return not verify_store(store.url).damages
        return path.stem in parts_of(store.url, parts[1])
    return _valid_manifest(store, *parts[:2]) is not None


def test_each_flipped_bit_is_told_and_nothing_damaged_is_used(finished_run, caplog):
    chance, store = random.Random(SEED), Store(str(finished_run / "store"))
    kinds = _by_kind(Path(store.url))
    tried, told, refused, listed = Counter(), Counter(), Counter(), Counter()
    with caplog.at_level(logging.WARNING):
        for place in range(PLACES):
            kind = sorted(kinds)[place % len(kinds)]
            path = chance.choice(kinds[kind])
            whole = path.read_bytes()
            _flip(path, chance)
            caplog.clear()
            tried[kind] += 1
            refused[kind] += not _is_used(store, path)
            told[kind] += caplog.text.count(str(path)) == 1 or path.name == "run.json"
            damages = verify_store(store.url).damages
            listed[kind] += [damage.path for damage in damages] == [path.relative_to(store.url).as_posix()]
            path.write_bytes(whole)
    print(f"\n{'kind of file':<20} {'files':>6} {'bits':>6} {'not used':>9} {'told':>6} {'listed by verify':>17}")
    for kind in sorted(kinds):
        print(f"{kind:<20} {len(kinds[kind]):>6} {tried[kind]:>6} {refused[kind]:>9} {told[kind]:>6} {listed[kind]:>17}")
    assert refused == told == listed == tried
    assert verify_store(store.url).damages == []


def _digests(store: Path) -> dict[tuple[str, str, str], str]:
    """Step, key and file → SHA-256 of its content."""
    return {
        (path.parts[-3], path.parts[-2], name): entry["sha256"]
        for path in sorted(store.glob(f"*/*/{MANIFEST}"))
        for name, entry in json.loads(path.read_text())["files"].items()
    }


def test_a_run_over_a_store_with_a_bit_flipped_in_every_file_makes_all_again(finished_run):
    """In two steps of three one bit of each file, in the others one of the manifest."""
    chance, store = random.Random(SEED + 1), finished_run / "store"
    before, out = _digests(store), finished_run / "out" / "fold_0"
    weights = weights_of(out / "main" / "models" / "chrombpnet.h5")
    texts = {path: path.read_bytes() for path in out.rglob("*") if path.suffix in (".bed", ".tsv", ".batch", ".bw", ".npy")}
    flipped = []
    for number, path in enumerate(sorted(store.glob(f"*/*/{MANIFEST}"))):
        place = path.parent / json.loads(path.read_text())["place"]
        files = (
            [path]
            if number % 3 == 0
            else [each for each in sorted(place.rglob("*")) if each.is_file() and each.stat().st_size]
        )
        for each in files:
            _flip(each, chance)
        flipped += files
    log = _run(next(finished_run.glob("*.yaml")), finished_run)
    untold = [path for path in flipped if len(re.findall(rf"{re.escape(str(path))}[: ]", log)) != 1]
    assert untold == []
    assert verify_store(str(store)).damages == []
    after = _digests(store)
    assert after.keys() == before.keys()
    other = [file for file in before if after[file] != before[file]]
    print(f"\n{len(flipped)} files damaged at once: each told once; {len(before)} files are there again, ", end="")
    print(f"{len(before) - len(other)} with the same content, {len(other)} that hold times")
    assert [file for file in other if file[-1] not in TIMED] == []
    for path, content in texts.items():
        assert path.read_bytes() == content, path
    for mine, yours in zip(weights, weights_of(out / "main" / "models" / "chrombpnet.h5"), strict=True):
        np.testing.assert_array_equal(mine, yours)
