"""Shards of 250,000 regions at L 2114, W 1000, jitter 500: size, speed of writing and of reading at random, memory.

Peers, in the same run: the same records with zlib over them, and bases and counts as plain bytes under zlib. A step of
``preprocess.py``; as a program of its own it is one of the processes that are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyBigWig
from genome_data import write_genome
from table import Row

REGIONS, MEDIAN = 250_000, 500
MAX_MB, MIN_WRITTEN, MIN_READ, MAX_MEMORY_MB, MAX_GROWTH_MB = 600, 10_000, 8_000, 2048, 300
LENGTHS = (2114, 1000, 500)
CHROMS = {f"chr{at}": size for at, size in enumerate((70, 55, 42, 30, 22, 16, 10), start=1)}  # Mb
SIZES = {name: size * 1_000_000 for name, size in CHROMS.items()} | {f"scaffold{at}": 125_000 for at in range(1, 81)}
BIN = 1000


def make_data(folder: Path, scale: float) -> None:
    """A genome and its insertions: in each kilobase a number drawn from a log-normal, most of them around its middle.

    A trial run takes ``scale`` of the genome and of the regions.
    """
    from chrombpnet_core.genome import open_genome, regions_at

    rng = np.random.default_rng(1)
    shape = 0.3 / BIN + 0.7 * _bell()
    sizes = {name: max(int(size * scale) // BIN, 5) * BIN for name, size in SIZES.items()}
    write_genome(sizes, folder / "g.fa", seed=1)
    loci = []
    with pyBigWig.open(str(folder / "c.bw"), "w") as bigwig:
        bigwig.addHeader(list(sizes.items()), maxZooms=0)
        for name, size in sizes.items():
            totals = rng.lognormal(np.log(MEDIAN), 0.9, size // BIN)
            loci += [(name, at) for at in range(2 * BIN, size - 2 * BIN, BIN)]
            for first in range(0, len(totals), 1 << 12):
                counts = rng.poisson((totals[first : first + (1 << 12), None] * shape).astype(np.float32).ravel())
                where = np.flatnonzero(counts)
                bigwig.addEntries(name, where + first * BIN, values=counts[where].astype(np.float64), span=1)
    open_genome(folder / "g.fa", folder / "cache").close()
    chosen = rng.choice(len(loci), min(int(REGIONS * scale), len(loci)), replace=False)
    starts = np.array([loci[at][1] for at in chosen]) + BIN // 2 - LENGTHS[0] // 2 + rng.integers(-50, 51, len(chosen))
    regions_at(np.array([loci[at][0] for at in chosen]), starts, LENGTHS[0]).to_pickle(folder / "regions.pkl")
    (folder / "made").touch()


def _bell() -> np.ndarray:
    at = np.arange(BIN) - BIN / 2
    height = np.exp(-(at**2) / (2 * 120**2))
    return height / height.sum()


def write(folder: Path) -> dict[str, float]:
    """Write the shards; seconds are those of the call, processes' start included."""
    import pandas as pd

    from chrombpnet_core.genome import open_genome
    from chrombpnet_core.tracks import Coverage
    from chrombpnet_core.training_data import ShardLayout, write_shards

    regions = pd.read_pickle(folder / "regions.pkl")
    shutil.rmtree(folder / "shards", ignore_errors=True)
    (folder / "shards").mkdir()
    with open_genome(folder / "g.fa", folder / "cache") as genome, Coverage(folder / "c.bw") as coverage:
        begun = time.perf_counter()
        index = write_shards(
            folder / "shards", genome, coverage, regions, regions[:0], ShardLayout(*LENGTHS), cache=folder / "cache"
        )
    seconds = time.perf_counter() - begun
    return {
        "regions": len(index),
        "per_second": len(index) / seconds,
        "median": float(index["counts"].median()),
        "mb": sum(path.stat().st_size for path in (folder / "shards").iterdir()) / 1e6,
    }


def read(folder: Path, share: float) -> dict[str, float]:
    """Batches of 64 of an epoch's plan over a share of the regions: jitter, reverse complement, one-hot."""
    from chrombpnet_core.training_data import ShardSet, read_batches, training_plan

    with ShardSet(folder / "shards") as shards:
        plan = training_plan(np.arange(int(share * len(shards))), np.arange(0), 0, LENGTHS[2], LENGTHS[2], 1, 0)
        begun, done = time.perf_counter(), 0
        for batch in read_batches(shards, plan, 64):
            done += batch.sequences.shape[0]
        return {"per_second": done / (time.perf_counter() - begun)}


def peers(folder: Path) -> dict[str, float]:
    """Bytes a record and microseconds to decode one in batches of 64: ours, ours under zlib, plain bytes under zlib."""
    from chrombpnet_core.training_data import ShardSet, decode_records, encode_records

    with ShardSet(folder / "shards") as shards:
        ids = np.random.default_rng(2).choice(len(shards), min(4096, len(shards)), replace=False)
        codes, counts = shards.read(ids)
        layout = shards.layout
    packed = encode_records(ids, ids * 0, ids * 0, ids, codes, counts)
    squeezed = [zlib.compress(record, 1) for record in packed]
    plain = [zlib.compress(bases.tobytes() + values.tobytes(), 1) for bases, values in zip(codes, counts, strict=True)]

    def inflate(record: bytes) -> tuple[np.ndarray, np.ndarray]:
        raw = zlib.decompress(record)
        return np.frombuffer(raw, np.uint8, layout.bases), np.frombuffer(raw, "<f4", layout.positions, layout.bases)

    def stacked(records: list[bytes]) -> list[np.ndarray]:
        return [np.stack(values) for values in zip(*map(inflate, records), strict=True)]

    ways: dict[str, tuple[list[bytes], Callable[[list[bytes]], object]]] = {
        "packed": (packed, lambda records: decode_records(records, layout)),
        "packed + zlib": (squeezed, lambda records: decode_records([zlib.decompress(record) for record in records], layout)),
        "plain + zlib": (plain, stacked),
    }
    found = {}
    for name, (records, work) in ways.items():
        begun = time.perf_counter()
        for at in range(0, len(records), 64):
            work(records[at : at + 64])
        found[f"{name}, us"] = (time.perf_counter() - begun) / len(records) * 1e6
        found[f"{name}, bytes"] = sum(map(len, records)) / len(records)
    return found


def measured(*arguments: str) -> dict[str, float]:
    """What a process of this script prints, and the most memory that it and its children held together, in MB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, env=environment) as running:
        most = [0.0]
        watched = threading.Thread(target=_watch, args=(psutil.Process(running.pid), most), daemon=True)
        watched.start()
        output, _ = running.communicate()
        watched.join()
    if running.returncode:
        sys.exit(f"{arguments[0]} failed")
    return json.loads(output) | {"memory": most[0]}


def _watch(process: psutil.Process, most: list[float]) -> None:
    while True:
        held = 0
        try:
            for each in (process, *process.children(recursive=True)):
                held += each.memory_info().rss
        except psutil.NoSuchProcess:
            if not process.is_running():
                return
        if process.status() == psutil.STATUS_ZOMBIE:
            return
        most[0] = max(most[0], held / 1e6)
        time.sleep(0.02)


def shards(folder: Path, scale: float, found: dict[str, float]) -> list[Row]:
    """Make the data once, measure each part in a process of its own; numbers for the extrapolation go to ``found``."""
    if not (folder / "made").exists():
        print(f"  making {folder.name} …", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        make_data(folder, scale)
    written = measured("write", str(folder))
    few, many, full = (measured("read", str(folder), "--share", share) for share in ("0.04", "0.4", "1"))
    compared = measured("peers", str(folder))
    number = int(written["regions"])
    step = f"{number:,} shard records, median {written['median']:.0f} cuts"
    rows = [
        _bounded(step, "size", written["mb"], "MB", "≤", MAX_MB),
        _bounded(step, "written", written["per_second"], "regions/s", "≥", MIN_WRITTEN),
        _bounded(step, "read at random", full["per_second"], "examples/s", "≥", MIN_READ),
        _bounded(step, "peak while writing", written["memory"], "MB", "≤", MAX_MEMORY_MB),
        _bounded(step, "peak while reading", full["memory"], "MB", "≤", MAX_MEMORY_MB),
        _bounded(
            step,
            f"peak, {number // 25:,} → {2 * number // 5:,} read",
            many["memory"] - few["memory"],
            "MB",
            "≤",
            MAX_GROWTH_MB,
        ),
    ]
    for way in ("packed", "packed + zlib", "plain + zlib"):
        size, spent = compared[f"{way}, bytes"], compared[f"{way}, us"]
        rows.append(
            Row(
                step,
                f"a record, {way}",
                f"{size:,.0f} bytes, {size / compared['packed, bytes']:.2f} × packed; "
                f"decoded in {spent:.0f} µs, {spent / compared['packed, us']:.1f} × packed",
            )
        )
    found |= {"shards/s": written["per_second"], "shard bytes": written["mb"] * 1e6 / number, "shards MB": written["memory"]}
    return rows


def _bounded(step: str, what: str, found: float, unit: str, sign: str, bound: float) -> Row:
    kept = found <= bound if sign == "≤" else found >= bound
    return Row(step, what, f"{found:,.0f} {unit}", f"{sign} {bound:,} {unit}", kept)


def main() -> None:
    """One part, whose numbers are printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("write", "read", "peers"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=1.0)
    given = parser.parse_args()
    parts = {"write": write, "read": lambda folder: read(folder, given.share), "peers": peers}
    print(json.dumps(parts[given.part](given.folder)))


if __name__ == "__main__":
    main()
