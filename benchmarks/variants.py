"""Scoring variants on this machine's CPU: speed against allele by allele, and memory from 10,000 variants to 1,000,000.

Speed: a model of 64 filters and 8 dilated layers, 2114 bp to 1000; the peer calls ``model.predict`` once for each allele and
strand, as a short script would, and scores with scipy; both take turns in one process and must give the same scores. Memory:
whole runs, list to tables, of a small model in processes of their own. Exits 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import Row, report

SEED, LEAST_RATIO, MOST_GROWTH_MB = 1234, 5.0, 150
SMALL = (4, 2, 200, 80)


def simulated(folder: Path, number: int, size: int):
    """A genome of one chromosome and a sorted table of SNVs at ``number`` places and alleles."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    codes = rng.integers(0, 4, size).astype(np.uint8)
    letters = np.frombuffer(b"ACGT", np.uint8)[codes].tobytes().decode()
    (folder / "genome.fa").write_text(">chr1\n" + "\n".join(letters[at : at + 60] for at in range(0, size, 60)) + "\n")
    picked = np.sort(rng.choice(3 * (size - 5000), number, replace=False))
    with open(folder / "list.tsv", "w") as file:
        for number_, each in enumerate(picked):
            at, change = int(each) // 3 + 2500, int(each) % 3 + 1
            file.write(f"chr1\t{at + 1}\t{letters[at]}\t{'ACGT'[(codes[at] + change) % 4]}\tv{number_}\n")
    return codes


def whole_run(number: int) -> dict:
    """Seconds and peak memory in MB of scoring so many variants from list to tables."""
    from chrombpnet_core.devices import configure

    configure(device="cpu")
    from chrombpnet_core.models import Architecture, bpnet, draw_weights, save_model
    from flows.variants import VariantsRequest, score_variants

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulated(folder, number, 2_000_000)
        os.environ["CHROMBPNET_CACHE"] = str(folder / "cache")
        model = bpnet(Architecture(*SMALL), "wo_bias_", "model_wo_bias")
        draw_weights(model, SEED)
        save_model(model, folder / "model.h5")
        begin = time.perf_counter()
        score_variants(
            VariantsRequest(
                variants=str(folder / "list.tsv"),
                genome=str(folder / "genome.fa"),
                top=0,
                models=[str(folder / "model.h5")],
                output_prefix=str(folder / "out" / "x"),
            ),
            str(folder / "store"),
        )
        return {"seconds": time.perf_counter() - begin, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def speed(seconds: float, repeats: int) -> dict:
    """Variants a second of both ways, in turns, and the largest difference of their scores."""
    import numpy as np

    from chrombpnet_core.devices import configure, find_device

    configure(device="cpu")
    device = find_device()
    from scipy.spatial.distance import jensenshannon

    from chrombpnet_core.genome import one_hot, reverse_complement
    from chrombpnet_core.models import Architecture, BothStrandsPredictor, bpnet, draw_weights
    from chrombpnet_core.variants import allele_windows, predict_alleles, read_variants, score_alleles

    model = bpnet(Architecture(64, 8), "wo_bias_", "model_wo_bias")
    draw_weights(model, SEED)
    with tempfile.TemporaryDirectory() as name:
        sequence = simulated(Path(name), 128, 100_000)
        table = next(read_variants(Path(name) / "list.tsv", "chrombpnet"))
    predict = BothStrandsPredictor(model, device)

    def ours(rows: int) -> list[tuple[float, float]]:
        scores = score_alleles(predict_alleles(predict, sequence, table.iloc[:rows].reset_index(drop=True)))
        return [*zip(scores["logfc"], scores["jsd"], strict=True)]

    def theirs(rows: int) -> list[tuple[float, float]]:
        found = []
        for row in range(rows):
            counts, profiles = [], []
            for codes in allele_windows(sequence, table.iloc[[row]].reset_index(drop=True), 2114):
                (one, log_one), (two, log_two) = (
                    model.predict(one_hot(each), verbose=0) for each in (codes, reverse_complement(codes))
                )
                counts.append((np.exp(log_one[0, 0]) + np.exp(log_two[0, 0])) / 2)
                logits = (one[0] + two[0, ::-1]) / 2
                profiles.append(np.exp(logits - logits.max()))
            found.append((np.log2(counts[1] / counts[0]), jensenshannon(*profiles, base=2)))
        return found

    apart = float(np.abs(np.array(ours(16)) - np.array(theirs(16))).max())  # warms both up
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for side, score, rows in (("ours", ours, 128), ("theirs", theirs, 16)):
            begin, done = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds:
                score(rows)
                done += rows
            rates[side].append(done / (time.perf_counter() - begin))
    return {"rates": rates, "apart": apart}


def in_process(*arguments: object) -> dict:
    """The last line that this program says when run with ``arguments``, as JSON."""
    run = subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout.splitlines()[-1])


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each turn")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", type=int, nargs=2, default=[10_000, 1_000_000], metavar="N")
    parser.add_argument("--side", choices=["speed", "memory"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(speed(given.seconds, given.repeats) if given.side == "speed" else whole_run(given.variants[0])))
        return 0
    found = in_process("--side", "speed", "--seconds", given.seconds, "--repeats", given.repeats)
    rates = {side: statistics.median(values) for side, values in found["rates"].items()}
    ratio = rates["ours"] / rates["theirs"]
    few, many = (in_process("--side", "memory", "--variants", number, number) for number in given.variants)
    growth = many["peak"] - few["peak"]
    rows = [
        Row("speed", "ours", f"{rates['ours']:.1f} variants/s"),
        Row("speed", "allele by allele, model.predict", f"{rates['theirs']:.1f} variants/s"),
        Row("speed", "ratio", f"{ratio:.1f}", f">= {LEAST_RATIO:g}", ratio >= LEAST_RATIO),
        Row("speed", "largest difference of a score", f"{found['apart']:.1e}", "<= 2e-05", found["apart"] <= 2e-5),
    ]
    rows += [
        Row("memory", f"{number:,} variants", f"{side['peak']:,.0f} MB, {number / side['seconds']:,.0f} variants/s")
        for number, side in zip(given.variants, (few, many), strict=True)
    ]
    rows.append(Row("memory", "growth", f"{growth:,.0f} MB", f"<= {MOST_GROWTH_MB} MB", growth <= MOST_GROWTH_MB))
    return report(rows, name="bench-variants")


if __name__ == "__main__":
    sys.exit(main())
