"""Scores of 500 variants in the yeast genome against float64 by hand and against variant-scorer itself; simulated truth."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import kstest

from chrombpnet_core.evaluation import auroc
from chrombpnet_core.genome import codes_of, one_hot, open_genome, reverse_complement
from chrombpnet_core.models import load_model, save_model
from chrombpnet_core.simulation import read_ground_truth
from flows.variants import VariantsRequest, score_variants
from tasks.runner import MANIFEST

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".venv-variant-scorer"
LENGTH, NUMBER, PEAKS = 2114, 500, 200
WINDOW = 1018  # input length of the demo's model, in bp
FLANK = LENGTH // 2
CLOSE = 2e-5
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


@dataclass(frozen=True)
class Case:
    """Files, the genome's letters, the variants ``chrom, pos, allele1, allele2, id``, and our scores."""

    folder: Path
    letters: dict[str, str]
    rows: list[tuple]
    model: Path
    scores: pd.DataFrame


def _draw(letters: dict[str, str], masked: dict[str, int]) -> list[tuple]:
    """SNVs, insertions and deletions: anywhere, at both ends, and at N and around it."""
    rng, rows, taken = np.random.default_rng(12), [], set()
    chroms = [chrom for chrom in letters if len(letters[chrom]) > 4 * LENGTH]
    while len(rows) < NUMBER:
        number, chrom = len(rows), chroms[rng.integers(len(chroms))]
        text, kind = letters[chrom], ["snv", "insertion", "deletion", "replacement", "bare"][len(rows) % 5]
        size = len(text)
        where = [
            rng.integers(FLANK + 1, size - FLANK - 30),
            FLANK + 1 + rng.integers(3),
            size - FLANK - 20 - rng.integers(3),
            masked[chrom] + rng.integers(-FLANK, FLANK),
        ]
        at = int(where[max(0, number % 10 - 6)])
        there = text[at - 1 : at + 11]
        if "N" in there and kind != "snv":
            continue
        first = there[0] if there[0] != "N" else "A"
        long = int(rng.integers(2, 12))
        one, two = {
            "snv": (first, OTHER[first]),
            "insertion": (first, first + "GATTACAGATTACA"[:long]),
            "deletion": (there[:long], first),
            "replacement": (there[:long], OTHER[first] + "AC"),
            "bare": ("-", "ACGTGCA"[:long]) if number % 2 else (there[:long], "-"),
        }[kind]
        if (chrom, at, one, two) not in taken and one != two:
            taken.add((chrom, at, one, two))
            rows.append((chrom, at, one, two, f"{kind}{number}"))
    return rows


@pytest.fixture(scope="module")
def case(yeast, golden, tmp_path_factory) -> Case:
    folder = tmp_path_factory.mktemp("variants")
    with open_genome(yeast / "genome.fa.gz", folder / "index") as genome:
        letters = {chrom: "".join("ACGTN"[code] for code in genome.codes(chrom)) for chrom in genome.sizes}
    masked = {chrom: len(text) // 2 for chrom, text in letters.items()}
    letters = {chrom: text[: masked[chrom]] + "N" * 200 + text[masked[chrom] + 200 :] for chrom, text in letters.items()}
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    (folder / "sizes").write_text("".join(f"{chrom}\t{len(text)}\n" for chrom, text in letters.items()))
    lines = (yeast / "peaks.narrowPeak").read_text().splitlines()
    places = [(line.split("\t")[0], int(line.split("\t")[1])) for line in lines]
    inner = [
        line
        for line, (chrom, start) in zip(lines, places, strict=True)
        if 2 * LENGTH < start < len(letters[chrom]) - 2 * LENGTH
    ]
    (folder / "peaks.bed").write_text("\n".join(inner[:: len(inner) // PEAKS][:PEAKS]) + "\n")
    rows = sorted(_draw(letters, masked), key=lambda row: [*letters].index(row[0]))
    (folder / "list.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    model = folder / "model.h5"
    _save_louder(golden / "models" / "chrombpnet_nobias.h5", model)
    score_variants(
        VariantsRequest(
            variants=str(folder / "list.tsv"),
            genome=str(folder / "genome.fa"),
            models=[str(model)],
            top=0,
            peaks=str(folder / "peaks.bed"),
            output_prefix=str(folder / "ours"),
        ),
        str(folder / "store"),
    )
    scores = pd.read_csv(folder / "ours.variant_scores.tsv", sep="\t").set_index("variant_id")
    return Case(folder, letters, rows, model, scores)


def _save_louder(source: Path, target: Path) -> None:
    """A copy whose counts answer to sequence ten times as much: the golden model is small, and its effects are."""
    model = load_model(source)
    head = next(layer for layer in model.layers if layer.name.endswith("logcount_predictions"))
    kernel, bias = head.get_weights()
    head.set_weights([10 * kernel, bias])
    save_model(model, target)


def _predicted(model, letters: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Counts and logits, means of both strands, in float64 from the model's float32 outputs."""
    codes = codes_of("".join(letters)).reshape(len(letters), -1)
    (one, log_one), (two, log_two) = (
        model.predict(one_hot(each), batch_size=16, verbose=0) for each in (codes, reverse_complement(codes))
    )
    counts = (np.exp(log_one[:, 0].astype(np.float64)) + np.exp(log_two[:, 0].astype(np.float64))) / 2
    return counts, (one.astype(np.float64) + two[:, ::-1].astype(np.float64)) / 2


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _distances(one: np.ndarray, two: np.ndarray, first: int, second: int) -> tuple[float, float]:
    """JSD with and without the letters of an indel left out."""
    original, middle, lost = jensenshannon(one, two, base=2), len(one) // 2, abs(first - second)
    if first > second:
        one, two = np.delete(one, range(middle + second, middle + first)), two[:-lost]
    elif second > first:
        two, one = np.delete(two, range(middle + first, middle + second)), one[:-lost]
    return jensenshannon(one / one.sum(), two / two.sum(), base=2), original


def test_scores_are_those_of_the_definitions(case):
    model = load_model(case.model)
    assert len(case.scores) == NUMBER
    windows = []
    for chrom, pos, one, two, _ in case.rows:
        text, one, two = case.letters[chrom], one.replace("-", ""), two.replace("-", "")
        left, right = text[pos - 1 - FLANK : pos - 1], text[pos - 1 + len(one) : pos - 1 + FLANK + 30]
        windows += [(left + allele + right)[:LENGTH] for allele in (one, two)]
    counts, logits = _predicted(model, windows)
    peaks = [line.split("\t") for line in (case.folder / "peaks.bed").read_text().splitlines()]
    begins = [int(peak[1]) + int(peak[9]) - FLANK - 1 for peak in peaks]
    among, _ = _predicted(model, [case.letters[peak[0]][at : at + LENGTH] for peak, at in zip(peaks, begins, strict=True)])
    worst = dict.fromkeys(("logfc", "jsd", "original_jsd", "logfc_x_jsd", "abs_logfc_x_jsd"), 0.0)
    for row, (_, _, one, two, name) in enumerate(case.rows):
        got, (first, second) = case.scores.loc[name], counts[2 * row : 2 * row + 2]
        jsd, original = _distances(*map(_softmax, logits[2 * row : 2 * row + 2]), len(one.strip("-")), len(two.strip("-")))
        logfc = np.log2(second / first)
        wanted = {
            "logfc": logfc,
            "jsd": jsd,
            "original_jsd": original,
            "logfc_x_jsd": logfc * jsd,
            "abs_logfc_x_jsd": abs(logfc) * jsd,
        }
        worst = {score: max(worst[score], abs(got[score] - value)) for score, value in wanted.items()}
        for allele, value in (("allele1", first), ("allele2", second)):
            assert abs(got[f"{allele}_quantile"] - max(np.mean(among < value), 1 / PEAKS)) <= 1 / PEAKS + 1e-9
    print(
        "largest differences:",
        {score: f"{value:.1e}" for score, value in worst.items()},
        "of values up to",
        case.scores[[*worst]].abs().max().round(3).to_dict(),
    )
    assert np.isfinite(case.scores[[*worst]].to_numpy()).all()
    assert max(worst.values()) <= CLOSE


def test_a_killed_run_goes_on_at_the_chromosome_where_it_was(case, tmp_path):
    """kill -9 when some are scored: nothing is half-written, these are not scored again, and the table is the same."""
    store = tmp_path / "store"
    command = [
        sys.executable,
        "-m",
        "flows.cli.main",
        "variants",
        "-l",
        case.folder / "list.tsv",
        "-g",
        case.folder / "genome.fa",
        "-m",
        case.model,
        "-p",
        case.folder / "peaks.bed",
        "--top",
        "0",
        "-op",
        tmp_path / "out" / "again",
        "--store",
        store,
    ]

    def scored() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in store.glob(f"variant_scores/*/{MANIFEST}")}

    chroms = len({chrom for chrom, *_ in case.rows})
    process = subprocess.Popen(command)
    while len(scored()) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = scored()
    assert 3 <= len(before) < chroms
    assert not (tmp_path / "out").exists()
    assert subprocess.run(command, check=False).returncode == 0
    after = scored()
    assert len(after) == chroms
    assert before.items() <= after.items()
    assert (tmp_path / "out" / "again.variant_scores.tsv").read_bytes() == (
        case.folder / "ours.variant_scores.tsv"
    ).read_bytes()


def test_variant_scorer_says_the_same(case):
    if not (PEER / "installed").exists():
        pytest.fail(f"{PEER.name} is not installed (make {PEER.name}/installed tells why)")
    out = case.folder / "theirs"
    run = subprocess.run(
        [
            PEER / "bin" / "python",
            PEER / "variant-scorer" / "src" / "variant_scoring.py",
            "-l",
            case.folder / "list.tsv",
            "-g",
            case.folder / "genome.fa",
            "-m",
            case.model,
            "-o",
            out,
            "-s",
            case.folder / "sizes",
            "-p",
            case.folder / "peaks.bed",
            "-sc",
            "chrombpnet",
            "-t",
            "5",
            "-bs",
            "64",
            "--no_hdf5",
        ],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_USE_LEGACY_KERAS": "1", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    theirs = pd.read_csv(f"{out}.variant_scores.tsv", sep="\t").set_index("variant_id")
    ours = case.scores.loc[theirs.index]
    assert len(theirs) == NUMBER
    shared = [name for name in theirs.columns if "pval" not in name]
    assert [name for name in ours.columns if name not in ("swapped", "peak_overlap")] == shared
    worst = {}
    for name in shared[4:]:
        difference = np.abs(ours[name] - theirs[name])
        close = 1 / PEAKS + 1e-9 if "quantile" in name else CLOSE
        if "counts" in name:
            difference, close = difference / theirs[name], 1e-4
        elif "_x_active" in name:
            close *= max(1.0, float(theirs[name.split("_x_active")[0]].abs().max()))
        worst[name] = float(difference.max())
        assert worst[name] <= close, name
    print("largest differences:", {name: f"{value:.1e}" for name, value in worst.items()})


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """The demo, trained."""
    folder = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", "demo", "-o", folder / "out", "--store", folder / "store"], check=False
    )
    assert run.returncode == 0
    return folder / "out"


def test_variants_that_break_planted_motifs_rank_above_others(demo, tmp_path):
    """AUROC ≥ 0.95 on the test chromosome; p-values of variants in shuffled sequence are uniform."""
    truth = read_ground_truth(demo / "inputs" / "truth.json")
    genome, rng, rows = demo / "inputs" / "genome.fa.gz", np.random.default_rng(4), []
    model = demo / "fold_0" / "main" / "models" / "chrombpnet_nobias.h5"
    with open_genome(genome, tmp_path / "index") as opened:
        codes = opened.codes("chr3")
    sites = truth.sites[truth.sites["chrom"] == "chr3"]
    middles = sites["start"].to_numpy() + (sites["end"] - sites["start"]).to_numpy() // 2
    middles = middles[(middles > 600) & (middles < len(codes) - 600)]
    drawn = np.unique(rng.integers(600, len(codes) - 600, 40 * len(middles)))
    away = np.array([np.abs(sites["start"].to_numpy() - at).min() for at in drawn])
    outside = rng.choice(drawn[(away > 30) & (away < 500)], 2 * len(middles), replace=False)
    neutral = rng.choice(drawn[away > WINDOW // 2 + 20], 400, replace=False)  # no site in their windows
    places = [(at, kind) for kind, many in (("in", middles), ("out", outside), ("neutral", neutral)) for at in many]
    for number, (at, kind) in enumerate(sorted(places)):
        one = "ACGT"[codes[at]]
        rows.append(f"chr3\t{at + 1}\t{one}\t{OTHER[one]}\t{kind}{number}\n")
    (tmp_path / "list.tsv").write_text("".join(rows))
    score_variants(
        VariantsRequest(
            variants=str(tmp_path / "list.tsv"),
            genome=str(genome),
            models=[str(model)],
            top=3,
            shuffles=2000,
            output_prefix=str(tmp_path / "x"),
        ),
        str(tmp_path / "store"),
    )
    table = pd.read_csv(tmp_path / "x.variant_scores.tsv", sep="\t")
    broken = table["variant_id"].str.startswith("in").to_numpy()
    reached = auroc(table["abs_logfc_x_jsd"].to_numpy(), broken)
    print(f"AUROC {reached:.4f}, {broken.sum()} in motifs, {(~broken).sum()} outside")
    assert reached >= 0.95
    assert table["abs_logfc_x_jsd.pval"][broken].median() < 0.05
    of_neutral = table[table["variant_id"].str.startswith("neutral")]
    for name in ("logfc", "jsd", "abs_logfc_x_jsd"):
        even = kstest(of_neutral[f"{name}.pval"], "uniform")
        print(f"{name}: p-values of {len(of_neutral)} neutral variants differ from uniform by {even.statistic:.3f}")
        assert even.statistic < 0.1
