"""Steps that explain variants: contributions of both alleles of a chromosome's variants, and the report on the top ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.genome import Genome
from chrombpnet_core.progress import bar
from chrombpnet_core.variants import (
    VariantContributionsFile,
    allele_windows,
    chromosome_codes,
    read_score_tables,
    read_variant_table,
)
from tasks.runner import At, Source, Step, Work
from tasks.steps import GenomeInputs, reference
from tasks.variants.scoring import load_predictor, rows_of

__all__ = [
    "CONTRIBUTIONS",
    "REPORT",
    "ContributionsInputs",
    "ContributionsParameters",
    "ReportInputs",
    "ReportParameters",
]

_CONTRIBUTIONS, _PAGE, _TOP_CONTRIBUTIONS = "contributions.{head}.h5", "variants.html", "top_contributions.h5"
_REFERENCES = 20  # shuffles of each sequence that is explained
_ROWS = 128  # variants that are in memory at a time


@dataclass(frozen=True, kw_only=True)
class ContributionsInputs(GenomeInputs[At]):
    """A model and the variants of one chromosome."""

    model: At
    variants: At


@dataclass(frozen=True, kw_only=True)
class ContributionsParameters:
    """The chromosome, and the heads that are explained, ``counts``, ``profile`` or both, sorted."""

    chrom: str
    heads: tuple[str, ...]
    seed: int = 1234


def _explain(work: Work[ContributionsInputs[Path], ContributionsParameters]) -> None:
    parameters, number = work.parameters, rows_of(work.inputs.variants)
    explainer, length = _explainer(work.inputs.model, list(parameters.heads))
    with reference(work.inputs) as (genome, _):
        sequence = chromosome_codes(genome, parameters.chrom)
    files = {
        head: VariantContributionsFile(work.out / _CONTRIBUTIONS.format(head=head), length) for head in parameters.heads
    }
    with bar(f"explaining {parameters.chrom}", number, "variants") as progress:
        for table in read_variant_table(work.inputs.variants, _ROWS):
            codes = np.stack(allele_windows(sequence, table, length))
            scores = {head: np.empty((*codes.shape, 4), dtype=np.float32) for head in files}
            for rows, explained in _explained(explainer, codes, parameters.seed):
                for head, values in explained.items():
                    scores[head].reshape(-1, length, 4)[rows] = values
            for head, file in files.items():
                file.append(table["variant_id"], codes, scores[head])
            progress.update(len(table))
    for file in files.values():
        file.close()
    work.facts["variants"] = number


def _explainer(model: Path, heads: list[str]) -> tuple[Any, int]:
    """Make an explainer of a model without its bias; tell the model's input length in bp."""
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import FULL, accessibility_part, kind_of, lengths_of, load_model, members_of

    explained = load_model(model)
    if kind_of(explained) == FULL and not members_of(explained):
        explained = accessibility_part(explained)
    return Explainer(explained, heads, _REFERENCES, find_device()), lengths_of(explained)[0]


def _explained(explainer: Any, codes: AnyArray, seed: int) -> Iterator[tuple[slice, dict[str, AnyArray]]]:
    """Contributions of codes ``(2, n, L)``: all first alleles and then all second."""
    from chrombpnet_core.interpret import explain_codes

    return explain_codes(explainer, codes.reshape(-1, codes.shape[-1]), _REFERENCES, seed)


CONTRIBUTIONS = Step(
    name="variant_contributions",
    version=1,
    title="Explain variants",
    inputs=ContributionsInputs[Source],
    parameters=ContributionsParameters,
    body=_explain,
)


# --- the report ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ReportInputs(GenomeInputs[At]):
    """The models, and the file of the variants in the page's table, those that rank first first."""

    models: tuple[At, ...]
    top: At


@dataclass(frozen=True, kw_only=True)
class ReportParameters:
    """What the page shows.

    Attributes
    ----------
    title
        Of the page.
    top
        Variants that have a picture.
    variants, models, left_out
        What it says of the list: variants that were scored, names of models, reasons of the others.
    """

    title: str
    top: int
    variants: int
    models: tuple[str, ...]
    left_out: Mapping[str, int]
    seed: int = 1234
    precision: str = "float32"


@dataclass(frozen=True)
class _TopPredictions:
    """What one model says of the top variants ``n``.

    Attributes
    ----------
    codes
        Bases of both alleles, uint8 ``(2, n, L)``.
    counts, logits
        Predicted counts ``(2, n)``, profile logits ``(2, n, W)``.
    scores
        Contributions to counts ``(2, n, L, 4)``.
    """

    codes: AnyArray
    counts: AnyArray
    logits: AnyArray
    scores: AnyArray


def _report(work: Work[ReportInputs[Path], ReportParameters]) -> None:
    from chrombpnet_core.report import TopVariants, write_variants_page

    parameters = work.parameters
    listed = pd.concat(list(read_score_tables([work.inputs.top])), ignore_index=True)
    table = listed.head(parameters.top)
    with reference(work.inputs) as (genome, _):
        models = [_predict_top(model, genome, table, parameters) for model in work.inputs.models]
    codes = models[0].codes
    counts, logits, scores = (
        np.mean([getattr(model, name) for model in models], axis=0) for name in ("counts", "logits", "scores")
    )
    file = VariantContributionsFile(work.out / _TOP_CONTRIBUTIONS, codes.shape[-1])
    file.append(table["variant_id"], codes, scores)
    file.close()
    shown = TopVariants(table, codes, counts, logits, scores)
    write_variants_page(
        work.out / _PAGE,
        shown,
        listed,
        parameters.title,
        parameters.variants,
        list(parameters.models),
        dict(parameters.left_out),
    )


def _predict_top(model: Path, genome: Genome, table: pd.DataFrame, parameters: ReportParameters) -> _TopPredictions:
    predict = load_predictor(model, parameters.precision)
    codes = np.empty((2, len(table), predict.length), dtype=np.uint8)
    for chrom, indices in table.groupby("chr", sort=False).indices.items():
        rows = table.iloc[indices].reset_index(drop=True)
        codes[:, indices] = allele_windows(chromosome_codes(genome, str(chrom)), rows, predict.length)
    counts, logits = predict(codes.reshape(-1, predict.length))
    explainer, _ = _explainer(model, ["counts"])
    scores = np.empty((codes.shape[0] * codes.shape[1], predict.length, 4), dtype=np.float32)
    for batch, explained in _explained(explainer, codes, parameters.seed):
        scores[batch] = explained["counts"]
    return _TopPredictions(codes, counts.reshape(2, -1), logits.reshape(2, len(table), -1), scores.reshape(*codes.shape, 4))


REPORT = Step(
    name="variants_report",
    version=2,
    title="Report variants",
    inputs=ReportInputs[Source],
    parameters=ReportParameters,
    body=_report,
)
