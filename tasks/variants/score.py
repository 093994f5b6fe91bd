"""Variants as steps: read and check them, predict peaks and a background, score a chromosome with a model.

Each chromosome of each model is a step of its own: what was scored once is found again, and a run that was killed goes on
at the chromosome where it was.
"""

from __future__ import annotations

import collections
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming, read_regions
from chrombpnet_core.progress import bar
from chrombpnet_core.variants import (
    LEFT_OUT_COLUMNS,
    VARIANTS_PER_BLOCK,
    AllelePredictionsFile,
    ScoreTable,
    VariantChecker,
    add_p_values,
    chromosome_codes,
    log_probability_change,
    read_variant_table,
    read_variants,
    score_alleles,
)
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.genome import genome_at, sizes_of
from tasks.storage import stage

__all__ = [
    "LEFT_OUT",
    "LOG_PROBS",
    "load_predictor",
    "model_lengths",
    "predict_peaks",
    "read_list",
    "score_background",
    "score_chromosome",
    "variants_of",
]

log = logging.getLogger(__name__)

LEFT_OUT = "left_out.tsv"
"""Of the variants that are not scored: line or record, variant, why."""

SCORED, PREDICTIONS = "scores.parquet", "predictions.h5"
LOG_PROBS = "log_probs"
"""Column of :func:`~chrombpnet_core.variants.log_probability_change`."""
_PEAKS, _BACKGROUND = "peak_counts.npy", "background.npz"


def model_lengths(models: list[str]) -> tuple[int, int]:
    """Input and output length in bp that all these models have; a bias within a model is told of.

    Raises
    ------
    InputError
        Where they differ, or a file is no model.
    """
    find_device()
    from chrombpnet_core.models import lengths_of, load_model, require_lengths

    lengths: tuple[int, int] | None = None
    for path in models:
        model = load_model(stage(path, "model")[0])
        lengths = lengths or lengths_of(model)
        require_lengths(model, lengths, path)
        if model.name == "chrombpnet":
            log.warning("%s: the enzyme's bias is in this model, and in its scores; chrombpnet_nobias.h5 is without", path)
    if lengths is None:
        raise InputError("no model given", expected="chrombpnet_nobias.h5, -m/--model")
    return lengths


@step_task("Read variants")
def read_list(
    store: str,
    variants: str,
    genome: str,
    chrom_sizes: str | None,
    lengths: tuple[int, int],
    schema: str = "chrombpnet",
    swap_ref: bool = False,
    chroms: list[str] | None = None,
    naming: dict[str, Any] | None = None,
) -> Result:
    """Read, check and divide variants by chromosome; what cannot be scored is listed with the reason.

    ``lengths`` are the models' input and output length in bp, ``schema`` is one of
    :data:`chrombpnet_core.variants.VARIANT_SCHEMAS`; ``swap_ref`` exchanges alleles of which the second is the genome's.
    Only variants on ``chroms`` are taken where some are given. Facts: ``chroms``, name → file and number.
    """
    return run_step(
        store,
        "variants",
        1,
        {"variants": variants, "genome": genome, "chrom_sizes": chrom_sizes},
        {
            "lengths": list(lengths),
            "schema": schema,
            "swap_ref": swap_ref,
            "chroms": sorted({*chroms}) if chroms else None,
            "naming": naming,
        },
        _read,
    )


def variants_of(result: Result, chrom: str) -> str:
    """Local path of the variants of one chromosome that :func:`read_list` found."""
    return str(result.file(result.facts["chroms"][chrom]["file"]))


@step_task("Predict peaks")
def predict_peaks(
    store: str,
    model: str,
    peaks: str,
    genome: str,
    chrom_sizes: str | None,
    most: int | None = None,
    seed: int = 1234,
    naming: dict[str, Any] | None = None,
    precision: str = "float32",
) -> Result:
    """Predicted counts of peaks, which quantiles are taken among; of ``most`` at most, drawn with ``seed``."""
    return run_step(
        store,
        "variant_peaks",
        1,
        {"model": model, "peaks": peaks, "genome": genome, "chrom_sizes": chrom_sizes},
        {"most": most, "seed": seed, "naming": naming, "precision": precision},
        _predict_peaks,
    )


@step_task("Score shuffled sequences")
def score_background(
    store: str,
    model: str,
    variants: Result,
    genome: str,
    number: int,
    seed: int = 1234,
    peaks: Result | None = None,
    precision: str = "float32",
) -> Result:
    """Score ``number`` variants in dinucleotide-shuffled windows: what p-values are taken against."""
    return run_step(
        store,
        "variant_background",
        1,
        {"model": model, "variants": variants, "genome": genome, "peaks": peaks},
        {"number": number, "seed": seed, "precision": precision, "chroms": variants.facts.get("chroms")},
        _score_background,
    )


@step_task("Score variants")
def score_chromosome(
    store: str,
    model: str,
    variants: str,
    chrom: str,
    genome: str,
    peaks: Result | None = None,
    background: Result | None = None,
    profiles: bool = False,
    precision: str = "float32",
    log_probs: bool = False,
) -> Result:
    """Score the variants of one chromosome, a file of :func:`variants_of`, with one model.

    The result has the table as Parquet, with :data:`LOG_PROBS` where ``log_probs`` are asked for, and predictions of both
    alleles as HDF5 where ``profiles`` are.
    """
    return run_step(
        store,
        "variant_scores",
        1,
        {"model": model, "variants": variants, "genome": genome, "peaks": peaks, "background": background},
        {"chrom": chrom, "profiles": profiles, "precision": precision, "log_probs": log_probs},
        _score,
    )


def _append(table: pd.DataFrame, path: Path) -> None:
    """Add rows to a TSV, which has a header once."""
    if len(table) or not path.exists():
        table.to_csv(path, sep="\t", index=False, mode="a", header=not path.exists(), quoting=3, quotechar="\a")


def _read(work: Work) -> None:
    parameters, chroms = work.parameters, {}
    naming = Naming.from_json(parameters["naming"])
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        sizes = sizes_of(genome, work.inputs.get("chrom_sizes"), naming)
        checker = VariantChecker(
            genome, sizes, tuple(parameters["lengths"]), naming, parameters["chroms"], parameters["swap_ref"]
        )
        with bar("reading variants", None, "variants") as progress:
            for table in read_variants(work.inputs["variants"], parameters["schema"]):
                scored, left_out = checker.check(table)
                _append(left_out[LEFT_OUT_COLUMNS], work.out / LEFT_OUT)
                for chrom, part in scored.groupby("chr", sort=False):
                    entry = chroms.setdefault(str(chrom), {"file": f"chromosome-{len(chroms) + 1:04d}.tsv", "variants": 0})
                    entry["variants"] += len(part)
                    _append(part, work.out / entry["file"])
                progress.update(len(table))
        checker.finish(work.inputs["variants"])
    work.facts |= {
        "variants": checker.scored,
        "chroms": chroms,
        "left_out": dict(checker.reasons),
        "swapped": checker.swapped,
    }
    log.info("%s variants on %s chromosomes", f"{checker.scored:,}", f"{len(chroms):,}")


def load_predictor(path: Path, precision: str) -> Any:
    """A model's :class:`~chrombpnet_core.models.BothStrandsPredictor`."""
    device = find_device()
    from chrombpnet_core.models import BothStrandsPredictor, load_model
    from chrombpnet_core.training import set_precision

    set_precision(precision)
    return BothStrandsPredictor(load_model(path), device)


def _predict_peaks(work: Work) -> None:
    from chrombpnet_core.variants import choose_peaks, predict_peak_counts

    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        naming = Naming.from_json(work.parameters["naming"])
        sizes = sizes_of(genome, work.inputs.get("chrom_sizes"), naming)
        table = read_regions(work.inputs["peaks"], "peaks", sizes, naming)
        predict = load_predictor(work.inputs["model"], work.parameters["precision"])
        chosen = choose_peaks(table, sizes, predict.length, work.parameters["most"], work.parameters["seed"])
        counts = predict_peak_counts(predict, genome, *chosen)
    np.save(work.out / _PEAKS, counts)
    work.facts |= {"peaks": len(counts), "median": float(np.median(counts))}


def _score_background(work: Work) -> None:
    from chrombpnet_core.variants import draw_background, score_shuffled

    parameters, found = work.parameters, collections.defaultdict(list)
    total = sum(told["variants"] for told in parameters["chroms"].values())
    rows, times = draw_background(parameters["number"], total, parameters["seed"])
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    predict, peaks = load_predictor(work.inputs["model"], parameters["precision"]), _peak_counts(work)
    first = 0
    with (
        genome_at(path, artifact.sha256) as genome,
        bar("scoring shuffled sequences", parameters["number"], "variants") as progress,
    ):
        for chrom, told in parameters["chroms"].items():
            sequence = chromosome_codes(genome, chrom)
            for table in read_variant_table(Path(work.inputs["variants"]) / told["file"], VARIANTS_PER_BLOCK):
                here = slice(*np.searchsorted(rows, [first, first + len(table)]))
                drawn = table.iloc[rows[here] - first].reset_index(drop=True)
                for scores in score_shuffled(predict, sequence, drawn, times[here], parameters["seed"], peaks):
                    for name, values in scores.items():
                        found[name].append(values)
                    progress.update(len(scores["logfc"]))
                first += len(table)
    np.savez(work.out / _BACKGROUND, **{name: np.sort(np.concatenate(parts)) for name, parts in found.items()})
    work.facts["shuffled"] = parameters["number"]


def _peak_counts(work: Work) -> np.ndarray | None:
    return np.load(work.inputs["peaks"] / _PEAKS, allow_pickle=False) if "peaks" in work.inputs else None


def _score(work: Work) -> None:
    from chrombpnet_core.models import lengths_of
    from chrombpnet_core.variants import VARIANTS_AT_ONCE, predict_alleles

    parameters, peaks, background = work.parameters, _peak_counts(work), None
    if "background" in work.inputs:
        with np.load(work.inputs["background"] / _BACKGROUND, allow_pickle=False) as file:
            background = dict(file)
    predict = load_predictor(work.inputs["model"], parameters["precision"])
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        sequence = chromosome_codes(genome, parameters["chrom"])
    file = AllelePredictionsFile(work.out / PREDICTIONS, lengths_of(predict.model)[1]) if parameters["profiles"] else None
    with open(work.inputs["variants"], "rb") as lines:
        number = sum(1 for _ in lines) - 1  # a header
    with bar(f"scoring {parameters['chrom']}", number, "variants") as progress, ScoreTable([work.out / SCORED]) as target:
        for table in read_variant_table(work.inputs["variants"], VARIANTS_PER_BLOCK):
            scored = []
            for at in range(0, len(table), VARIANTS_AT_ONCE):
                part = table.iloc[at : at + VARIANTS_AT_ONCE].reset_index(drop=True)
                alleles = predict_alleles(predict, sequence, part)
                if file is not None:
                    file.append(part["variant_id"], alleles)
                more = {LOG_PROBS: log_probability_change(alleles)} if parameters["log_probs"] else {}
                scored.append(part.assign(**add_p_values(score_alleles(alleles, peaks), background), **more))
                progress.update(len(part))
            target.append(pd.concat(scored, ignore_index=True))
    if file is not None:
        file.close()
    work.facts["variants"] = number
