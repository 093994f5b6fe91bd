"""Reads, background and shards, timed against the programs that people use for them; ends with one summary line.

Every side is a process of its own, from its start to its end, with the shift stated; sides take turns, and ratios are
of medians of one run on one machine. A side is run once beforehand, uncounted: compiled code is then on disk. Exits 1
where a bound is missed or a peer is absent.

Before the summary stands what a human data set would take, computed from the rates of the run.
A further step is a function that takes a :class:`Bench` and returns rows, entered in :data:`STEPS`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import human_scale
import numpy as np
import pyBigWig
import pysam
import reads_data as data
from genome_data import LINE, write_genome, write_peaks
from shards import shards
from table import Row, report

HERE = Path(__file__).parent
SHIFT = (4, -4)
SPEED_GENOME = {"chr1": 40_000_000, "chr2": 30_000_000, "chr3": 20_000_000, "chr10": 10_000_000}
LONG_CHROMOSOME = {"chr1": 250_000_000}
BACKGROUND_GENOME = {f"chr{at}": 1_000_000 * size for at, size in enumerate((120, 100, 80, 70, 60, 40, 20, 8), start=1)} | {
    f"scaffold{at}": 20_000 for at in range(100)
}
BACKGROUND_FOLD = {
    "train": ["chr1", "chr2", "chr5", "chr6", *(f"scaffold{at}" for at in range(100))],
    "valid": ["chr3", "chr7"],
    "test": ["chr4", "chr8"],
}
LARGE_GENOME = {f"chr{at}": 248_000_000 - 10_000_000 * at for at in range(1, 23)} | {"chrX": 174_000_000}

# A process inherits the peak memory of the one that forked it: a small one must do that, and takes the time too.
_WATCH = """
import os, sys, time
begun = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - begun, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """A finished process: seconds and peak memory in MB (of its largest process)."""

    seconds: float
    peak: float


@dataclass
class Bench:
    """What the steps share: where data lies, peers, how often to repeat; ``found`` is what the extrapolation needs."""

    folder: Path
    repeats: int
    bam2bw: Path
    scale: float
    rows: list[Row] = field(default_factory=list)
    found: dict[str, float] = field(default_factory=dict)

    def made(self, name: str, make: Callable[[Path], object]) -> Path:
        """A file of the folder, made once."""
        path = self.folder / name
        if not path.exists():
            say(f"making {name}")
            make(path)
        return path

    def reads(self, count: int) -> int:
        """A number of reads, smaller in a trial run."""
        return max(1000, int(count * self.scale))


def say(text: str) -> None:
    """A line for whoever waits."""
    print(f"  {text} …", file=sys.stderr, flush=True)


def timed(command: Sequence[str | Path] | str) -> Run:
    """Run a command (a string goes to bash) and measure it; a failure ends the benchmark."""
    given = ["bash", "-o", "pipefail", "-c", command] if isinstance(command, str) else [str(part) for part in command]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    watched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _WATCH, *given], env=environment, stdout=subprocess.PIPE, check=False, text=True
    )
    if watched.returncode:
        sys.exit(f"{' '.join(given)} failed")
    seconds, peak = watched.stdout.split()[-2:]
    return Run(float(seconds), float(peak) / 1024)


def in_turns(sides: dict[str, Sequence[str | Path] | str], repeats: int) -> dict[str, list[Run]]:
    """Runs of every side, one after the other, again and again."""
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for turn in range(repeats):
        for name, command in sides.items():
            say(f"{name}, run {turn + 1} of {repeats}")
            runs[name].append(timed(command))
    return runs


def ours(kind: str, sizes: Path, output: Path, *reads: Path) -> list[str | Path]:
    """Our side."""
    return [sys.executable, HERE / "count_reads.py", kind, sizes, output, *reads, "--deltas", *map(str, SHIFT)]


def compared(step: str, runs: dict[str, list[Run]], bounds: dict[str, float]) -> list[Row]:
    """Rows of every side, with the ratio of its median to ours."""
    mine = statistics.median(run.seconds for run in runs["ours"])
    rows = []
    for name, several in runs.items():
        seconds = [run.seconds for run in several]
        median = statistics.median(seconds)
        ratio = f", {median / mine:.2f} × ours" if name != "ours" else ""
        bound = bounds.get(name)
        rows.append(
            Row(
                step,
                name,
                f"{median:6.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), peak "
                f"{max(run.peak for run in several):,.0f} MB{ratio}",
                f"≥ {bound} ×" if bound else "",
                median / mine >= bound if bound else None,
            )
        )
    return rows


def same_counts(step: str, bigwig: Path, others: dict[str, Path]) -> list[Row]:
    """Base by base, in every chromosome."""
    rows = []
    for name, path in others.items():
        equal, total = True, 0
        with pyBigWig.open(str(bigwig)) as file:
            for chrom, size in file.chroms().items():
                mine = np.nan_to_num(file.values(chrom, 0, size, numpy=True))
                total += int(mine.sum(dtype=np.float64))
                equal &= np.array_equal(mine, _dense(path, chrom, size))
        rows.append(
            Row(
                step,
                f"counts of {name}",
                f"{total:,} insertions, {'the same' if equal else 'NOT the same'}",
                "the same",
                equal,
            )
        )
    return rows


def _dense(path: Path, chrom: str, size: int) -> np.ndarray:
    """Values per base of a bigWig or bedGraph."""
    if path.suffix == ".bw":
        with pyBigWig.open(str(path)) as file:
            return np.nan_to_num(file.values(chrom, 0, size, numpy=True))
    import pandas as pd

    table = pd.read_csv(path, sep="\t", header=None, names=["chrom", "start", "end", "value"])
    table = table[table.chrom == chrom]
    dense = np.zeros(size + 1, dtype=np.float32)
    np.add.at(dense, table.start.to_numpy(), table.value.to_numpy())
    np.add.at(dense, table.end.to_numpy(), -table.value.to_numpy())
    return np.cumsum(dense, dtype=np.float64)[:size].astype(np.float32)


def bedtools_pipeline(bam: Path, sizes: Path, output: Path) -> str:
    """The reference program's own pipeline, up to its bedGraph: the conversion to bigWig comes on top and is not timed."""
    plus, minus = SHIFT
    shift = f'{{if ($6=="+"){{print $1,$2{plus:+},$3,$4,$5,$6}} else if ($6=="-") {{print $1,$2,$3{minus:+},$4,$5,$6}}}}'
    return (
        f"bedtools bamtobed -i {bam} | awk -v OFS='\\t' '{shift}' | sort -k1,1 | bedtools genomecov -bg -5 -i stdin "
        f"-g {sizes} | LC_COLLATE=C sort -k1,1 -k2,2n > {output}"
    )


def bam2bw(bench: Bench, sizes: Path, name: Path, reads: Path, *options: str) -> list[str | Path]:
    """bam2bw, unstranded and shifted."""
    return [bench.bam2bw, "-s", sizes, "-u", "-ps", str(SHIFT[0]), "-ns", str(SHIFT[1]), "-n", name, *options, reads]


def _speed_data(bench: Bench) -> tuple[Path, Path, Path]:
    reads = data.make_fragments(SPEED_GENOME, bench.reads(5_000_000), seed=1)
    sizes = bench.made("speed.sizes", lambda path: data.write_sizes(reads, path))
    return (
        sizes,
        bench.made("speed.bam", lambda path: data.write_bam(reads, path)),
        bench.made("speed.fragments.tsv.gz", lambda path: data.write_fragments(reads, path)),
    )


def bam_speed(bench: Bench) -> list[Row]:
    """BAM → bigWig."""
    sizes, bam, _ = _speed_data(bench)
    out = bench.folder / "out"
    sides = {
        "ours": ours("bam", sizes, out / "ours.bw", bam),
        "bedtools (bedGraph only)": bedtools_pipeline(bam, sizes, out / "bedtools.bedGraph"),
        "bam2bw": bam2bw(bench, sizes, out / "bam2bw", bam),
    }
    timed(sides["ours"])
    runs = in_turns(sides, bench.repeats)
    step = f"{2 * bench.reads(5_000_000):,} paired reads, BAM → bigWig"
    alone = [
        timed(
            [
                sys.executable,
                "-c",
                "import sys; from chrombpnet_core.formats import decompressed\nfor _ in decompressed(sys.argv[1]): pass",
                bam,
            ]
        )
        for _ in range(bench.repeats)
    ]
    limit = statistics.median(run.seconds for run in alone)
    mine = statistics.median(run.seconds for run in runs["ours"])
    bench.found |= {"bam s": mine, "reads": 2 * bench.reads(5_000_000), "bam bytes": bam.stat().st_size}
    return [
        *compared(step, runs, {"bedtools (bedGraph only)": 8, "bam2bw": 2.2}),
        Row(step, "limit: decompressing the BAM alone", f"{limit:6.2f} s, {limit / mine:.2f} × ours"),
        *same_counts(step, out / "ours.bw", {"bedtools": out / "bedtools.bedGraph", "bam2bw": out / "bam2bw.bw"}),
    ]


def fragments_speed(bench: Bench) -> list[Row]:
    """Fragments → bigWig."""
    sizes, _, fragments = _speed_data(bench)
    out = bench.folder / "out"
    sides = {
        "ours": ours("fragments", sizes, out / "ours.bw", fragments),
        "bam2bw": bam2bw(bench, sizes, out / "bam2bw", fragments, "-f"),
    }
    timed(sides["ours"])
    runs = in_turns(sides, bench.repeats)
    step = f"{bench.reads(5_000_000):,} fragments → bigWig"
    tiny = bench.made("tiny.tsv", lambda path: path.write_text("chr1\t1\t100\n"))
    started = [timed(ours("fragments", sizes, out / "tiny.bw", tiny)) for _ in range(bench.repeats)]
    least = statistics.median(run.seconds for run in started)
    mine = statistics.median(run.seconds for run in runs["ours"])
    bench.found |= {
        "fragments s": mine,
        "start s": least,
        "fragments": bench.reads(5_000_000),
        "fragments bytes": fragments.stat().st_size,
        "bigwig bytes": (out / "ours.bw").stat().st_size,
    }
    return [
        *compared(step, runs, {"bam2bw": 4.5}),
        Row(step, "limit: our start and end alone, one fragment", f"{least:6.2f} s, {least / mine:.2f} × ours"),
        *same_counts(step, out / "ours.bw", {"bam2bw": out / "bam2bw.bw"}),
    ]


def memory(bench: Bench) -> list[Row]:
    """Peak memory by depth, order and genome."""
    out, rows, peaks = bench.folder / "out", [], {}
    for millions in (10, 40):
        count = bench.reads(millions * 500_000)
        name = f"memory{millions}"
        bam = bench.made(
            f"{name}.bam",
            lambda path, count=count: data.write_bam(data.make_fragments(LONG_CHROMOSOME, count, seed=2), path, whole=False),
        )
        sizes = bench.made(
            "long.sizes",
            lambda path: data.write_sizes(data.Reads(LONG_CHROMOSOME, np.empty(0), np.empty(0), np.empty(0)), path),
        )
        run = timed(ours("bam", sizes, out / "memory.bw", bam))
        peaks[millions] = run.peak
        rows.append(
            Row(
                "250 Mb chromosome",
                f"{2 * count:,} reads, BAM",
                f"{run.seconds:6.2f} s, peak {run.peak:,.0f} MB",
                "< 2 GB",
                run.peak < 2048,
            )
        )
    rows.append(
        Row(
            "250 Mb chromosome",
            "four times the reads",
            f"{peaks[40] / peaks[10]:.2f} × the memory",
            "≤ 1.20 ×",
            peaks[40] <= 1.2 * peaks[10],
        )
    )
    reads = data.shuffled(data.make_fragments(LARGE_GENOME, bench.reads(5_000_000), seed=3), seed=4)
    sizes = bench.made("large.sizes", lambda path: data.write_sizes(reads, path))
    bam = bench.made("by_name.bam", lambda path: data.write_bam(reads, path, by_name=True, whole=False))
    first = bench.made("unsorted1.tsv.gz", lambda path: data.write_fragments(reads, path))
    second = bench.made("unsorted2.tsv.gz", lambda path: data.write_fragments(data.shuffled(reads, seed=5), path))
    for what, kind, files in (
        ("name-sorted BAM", "bam", [bam]),
        ("two unsorted fragment files", "fragments", [first, second]),
    ):
        run = timed(ours(kind, sizes, out / "memory.bw", *files))
        rows.append(
            Row(
                "3.1 Gb genome",
                f"{2 * len(files) * len(reads.starts):,} reads, {what}",
                f"{run.seconds:6.2f} s, peak {run.peak:,.0f} MB",
                "< 4 GB",
                run.peak < 4096,
            )
        )
        bench.found["large MB"] = max(run.peak, bench.found.get("large MB", 0))
    bench.found |= {"unsorted s": run.seconds, "unsorted fragments": 2 * len(reads.starts)}
    return rows + _empty_large_genome(bench, sizes)


def _empty_large_genome(bench: Bench, sizes: Path) -> list[Row]:
    """What the bases of a genome take, whatever the reads: one fragment on each chromosome."""
    few = bench.made("few.tsv", lambda path: path.write_text("".join(f"{name}\t1\t100\n" for name in LARGE_GENOME)))
    run = timed(ours("fragments", sizes, bench.folder / "out" / "memory.bw", few))
    bench.found |= {"large s": run.seconds, "large bases": sum(LARGE_GENOME.values())}
    return [Row("3.1 Gb genome", "one fragment on each chromosome", f"{run.seconds:6.2f} s, peak {run.peak:,.0f} MB")]


def background(bench: Bench) -> list[Row]:
    """Nonpeaks, with the index of the genome; bedtools measures bins and finds candidates, without peaks' GC or draws."""
    sizes = {name: max(int(size * bench.scale) // LINE * LINE, 10_000) for name, size in BACKGROUND_GENOME.items()}
    count = bench.reads(200_000)
    fasta = bench.made("background.fa", lambda path: write_genome(sizes, path, seed=6))
    index = bench.made("background.fa.fai", lambda path: pysam.faidx(str(fasta), catch_stdout=False))
    peaks = bench.made("background.narrowPeak", lambda path: write_peaks(sizes, count, path, seed=7))
    fold = bench.made("background.json", lambda path: path.write_text(json.dumps(BACKGROUND_FOLD)))
    out, theirs = bench.folder / "out", bench.folder / "out" / "candidates.bedtools.bed"
    width, stride = 2114, 1000
    sides = {
        "ours": [sys.executable, HERE / "draw_nonpeaks.py", fasta, peaks, fold, out],
        "bedtools (bins and candidates only)": f"bedtools makewindows -g {index} -w {width} -s {stride} "
        f"| awk '$3-$2=={width}' "
        f"| bedtools nuc -fi {fasta} -bed stdin | tail -n +2 | cut -f1-3,5 "
        f"| bedtools intersect -v -a stdin -b <(bedtools slop -i {peaks} -g {index} -b {width // 2}) > {theirs}",
    }
    runs = in_turns(sides, bench.repeats)
    step = f"{count:,} peaks, {sum(sizes.values()):,} bp → nonpeaks"
    numbers = json.loads((out / "numbers.json").read_text())
    slowest, peak = max(run.seconds for run in runs["ours"]), max(run.peak for run in runs["ours"])
    _note_background(bench, numbers, peak, sum(sizes.values()), count)
    parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in numbers["seconds"].items())
    return [
        *compared(step, runs, {}),
        Row(step, "ours, slowest", f"{slowest:6.2f} s: {parts}", "< 60 s", slowest < 60),
        Row(
            step,
            "nonpeaks",
            f"{numbers['wanted']:,} wanted, {numbers['candidates']:,} candidates; "
            f"{numbers['found']:,} found, {numbers['same_gc']:,} of the same GC; {numbers['missing']:,} missing",
        ),
        _same_candidates(step, out / "candidates.bed", theirs),
    ]


def _note_background(bench: Bench, numbers: dict, peak: float, bases: int, peaks: int) -> None:
    """Seconds that grow with bases and with peaks, for the extrapolation."""
    seconds = numbers["seconds"]
    imported = timed([sys.executable, "-c", "import chrombpnet_core.training_data.nonpeaks, chrombpnet_core.genome"])
    bench.found |= {
        "index s": seconds["index"],
        "import s": seconds["import"],
        "import MB": imported.peak,
        "by base s": sum(seconds[part] for part in ("GC of peaks", "GC of bins", "candidates")),
        "by peak s": sum(seconds[part] for part in ("read peaks", "draw", "write")),
        "bases": bases,
        "peaks": peaks,
        "background MB": peak,
        "nonpeak bytes": (bench.folder / "out" / "nonpeaks.bed").stat().st_size / max(numbers["found"], 1),
    }


def _same_candidates(step: str, mine: Path, theirs: Path) -> Row:
    """The same bins, and the same GC: bedtools prints six decimals, ours has two."""
    import pandas as pd

    tables = [pd.read_csv(path, sep="\t", header=None, names=["chrom", "start", "end", "gc"]) for path in (mine, theirs)]
    first, second = (table.sort_values(["chrom", "start"], ignore_index=True) for table in tables)
    equal = first[["chrom", "start", "end"]].equals(second[["chrom", "start", "end"]]) and bool(
        (np.abs(first["gc"] - second["gc"]) <= 0.005001).all()
    )
    return Row(
        step, "candidates of bedtools", f"{len(second):,} bins, {'the same' if equal else 'NOT the same'}", "the same", equal
    )


def shard_records(bench: Bench) -> list[Row]:
    """Shards: written, read at random."""
    return shards(bench.folder / "shards", bench.scale, bench.found)


STEPS: dict[str, Callable[[Bench], list[Row]]] = {
    "bam": bam_speed,
    "fragments": fragments_speed,
    "memory": memory,
    "background": background,
    "shards": shard_records,
}


def main() -> int:
    """Run the steps asked for, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="where generated data is kept (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=[*STEPS], default=[*STEPS])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of reads: a trial run, in its own folder")
    parser.add_argument("--bam2bw", type=Path, default=Path(".venv-bam2bw/bin/bam2bw"))
    given = parser.parse_args()
    if not shutil.which("bedtools"):
        print("bench-preprocess: bedtools is not installed; apt-get install bedtools", file=sys.stderr)
        return 1
    if not given.bam2bw.exists():
        print(f"bench-preprocess: {given.bam2bw} is not there; make bench-preprocess makes it", file=sys.stderr)
        return 1
    folder = (given.folder if given.scale == 1 else given.folder / f"scale{given.scale}").resolve()
    (folder / "out").mkdir(parents=True, exist_ok=True)
    bench = Bench(folder, given.repeats, given.bam2bw.resolve(), given.scale)
    for name in given.only:
        bench.rows += STEPS[name](bench)
    return report(bench.rows, human_scale.plan(bench.found, bench.scale != 1))


if __name__ == "__main__":
    sys.exit(main())
