"""Contributions of both alleles of variants: of all of a chromosome with one model, and of the top ones in a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core.progress import bar
from chrombpnet_core.variants import (
    VariantContributionsFile,
    allele_windows,
    chromosome_codes,
    read_score_tables,
    read_variant_table,
)
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.genome import genome_at
from tasks.storage import stage
from tasks.variants.score import load_predictor
from tasks.variants.tables import TOP

__all__ = ["CONTRIBUTIONS", "explain_chromosome", "report_variants"]

CONTRIBUTIONS = "contributions.{head}.h5"
"""Of a chromosome's variants."""

_REPORT, _TOP_CONTRIBUTIONS = "variants.html", "top_contributions.h5"
_REFERENCES = 20  # shuffles of each sequence that is explained
_ROWS = 128  # variants that are in memory at a time


@step_task("Explain variants")
def explain_chromosome(
    store: str,
    model: str,
    variants: str,
    chrom: str,
    genome: str,
    heads: list[str],
    seed: int = 1234,
) -> Result:
    """Contributions of both alleles of the variants of one chromosome to each of ``heads``, counts or profile, as HDF5."""
    return run_step(
        store,
        "variant_contributions",
        1,
        {"model": model, "variants": variants, "genome": genome},
        {"chrom": chrom, "heads": sorted(heads), "seed": seed},
        _explain,
    )


@step_task("Report variants")
def report_variants(
    store: str, models: list[str], tables: Result, genome: str, title: str, seed: int = 1234, precision: str = "float32"
) -> Result:
    """A page on the top variants: both alleles' profiles and contributions to counts, means over the models."""
    top = str(tables.file(TOP)) if tables.key else tables
    return run_step(
        store,
        "variants_report",
        1,
        {"models": list(models), "top": top, "genome": genome},
        {
            "title": title,
            "seed": seed,
            "precision": precision,
            "left_out": tables.facts.get("left_out", {}),
            "variants": tables.facts.get("variants", 0),
            "models": tables.facts.get("models", []),
        },
        _report,
    )


def _explain(work: Work) -> None:
    parameters = work.parameters
    with open(work.inputs["variants"], "rb") as lines:
        number = sum(1 for _ in lines) - 1  # a header
    explainer, length = _explainer(work.inputs["model"], parameters["heads"])
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        sequence = chromosome_codes(genome, parameters["chrom"])
    files = {
        head: VariantContributionsFile(work.out / CONTRIBUTIONS.format(head=head), length) for head in parameters["heads"]
    }
    with bar(f"explaining {parameters['chrom']}", number, "variants") as progress:
        for table in read_variant_table(work.inputs["variants"], _ROWS):
            codes = np.stack(allele_windows(sequence, table, length))
            scores = {head: np.empty((*codes.shape, 4), dtype=np.float32) for head in files}
            for rows, found in _explained(explainer, codes, parameters["seed"]):
                for head, values in found.items():
                    scores[head].reshape(-1, length, 4)[rows] = values
            for head, file in files.items():
                file.append(table["variant_id"], codes, scores[head])
            progress.update(len(table))
    for file in files.values():
        file.close()
    work.facts["variants"] = number


def _explainer(model: Path, heads: list[str]) -> tuple[Any, int]:
    """Explains a model without its bias; and the model's input length in bp."""
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import accessibility_part, lengths_of, load_model

    explained = load_model(model)
    if explained.name == "chrombpnet":
        explained = accessibility_part(explained)
    return Explainer(explained, heads, _REFERENCES, find_device()), lengths_of(explained)[0]


def _explained(explainer: Any, codes: np.ndarray, seed: int) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Of codes ``(2, n, L)``, all first alleles and then all second."""
    from chrombpnet_core.interpret import explain_codes

    return explain_codes(explainer, codes.reshape(-1, codes.shape[-1]), _REFERENCES, seed)


def _report(work: Work) -> None:
    from chrombpnet_core.report import TopVariants, write_variants_page

    table = pd.concat(list(read_score_tables([work.inputs["top"]])), ignore_index=True)
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        parts = [_look_at(work, model, genome, table) for model in work.inputs["models"]]
    codes = parts[0][0]
    counts, logits, scores = (np.mean([part[i] for part in parts], axis=0) for i in (1, 2, 3))
    file = VariantContributionsFile(work.out / _TOP_CONTRIBUTIONS, codes.shape[-1])
    file.append(table["variant_id"], codes, scores)
    file.close()
    parameters = work.parameters
    shown = TopVariants(table, codes, counts, logits, scores)
    write_variants_page(
        work.out / _REPORT, shown, parameters["title"], parameters["variants"], parameters["models"], parameters["left_out"]
    )


def _look_at(work: Work, model: Path, genome: Any, table: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """What one model says of the top variants ``n``: codes uint8 ``(2, n, L)``, counts ``(2, n)``, logits ``(2, n, W)``,
    contributions to counts ``(2, n, L, 4)``.
    """
    predict = load_predictor(model, work.parameters["precision"])
    codes = np.empty((2, len(table), predict.length), dtype=np.uint8)
    for chrom, rows in table.groupby("chr", sort=False).indices.items():
        codes[:, rows] = allele_windows(
            chromosome_codes(genome, chrom), table.iloc[rows].reset_index(drop=True), predict.length
        )
    counts, logits = predict(codes.reshape(-1, predict.length))
    explainer, _ = _explainer(model, ["counts"])
    scores = np.empty((codes.shape[0] * codes.shape[1], predict.length, 4), dtype=np.float32)
    for rows, found in _explained(explainer, codes, work.parameters["seed"]):
        scores[rows] = found["counts"]
    return codes, counts.reshape(2, -1), logits.reshape(2, len(table), -1), scores.reshape(*codes.shape, 4)
