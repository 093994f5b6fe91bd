"""What needs all folds of a data set: their models averaged, their report, the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chrombpnet_core.genome import Fold
from flows.dataset.fold_steps import explained_heads, motif_step, settings_of
from flows.dataset.run import Results, Run
from tasks.reports import (
    FOLDS_REPORT,
    folds_report_request,
    publish_bundle,
    publish_folds,
    publish_quality_metric,
    publish_run,
)
from tasks.runner import Awaited, FileOf, Result, Source
from tasks.steps import (
    AVERAGE_CONTRIBUTIONS,
    AVERAGE_MODELS,
    AVERAGE_TRACKS,
    HEADS,
    HITS,
    QUALITY_METRIC,
    SWEEP,
    HitsInputs,
    HitsParameters,
    MeanContributionsInputs,
    MeanContributionsParameters,
    MeanTracksInputs,
    MeanTracksParameters,
    ModelsInputs,
    ModelsParameters,
)
from tasks.storage import Store

__all__ = ["ENSEMBLE", "FinishedFold", "across_folds"]

ENSEMBLE = "ensemble"
"""Folder of the output for what the folds' models say together."""


@dataclass(frozen=True)
class FinishedFold:
    """A fold whose steps are all done: number, chromosomes, results by the steps' names, the report's address."""

    index: int
    fold: Fold
    results: Results
    report: str

    @property
    def name(self) -> str:
        """Such as ``fold_0``."""
        return f"fold_{self.index}"


def across_folds(run: Run, folds: Sequence[FinishedFold]) -> str:
    """Average, report and publish the folds of a data set.

    Parameters
    ----------
    run
        The data set's run.
    folds
        All folds, in order.

    Returns
    -------
    str
        Address of the report over them.
    """
    spec = run.spec
    run.call(publish_quality_metric, [fold.results["evaluate_main"] for fold in folds], spec.output).result()
    averages = _average(run, folds) if len(folds) > 1 else {}
    report = _report(run, folds, averages, _links(run, averages))
    address: str = run.call(publish_folds, report, spec.output).result()
    if spec.publish:
        report = _report(run, folds, averages, _links_in_bundle(spec.id, averages))
        about = {"assay": spec.assay, "genome": spec.assembly or spec.genome.rsplit("/", 1)[-1]}
        by_name = {fold.name: fold.results for fold in folds}
        bundled = {**averages, "folds_report": report}
        run.call(publish_bundle, run.store, spec.id, spec.publish, by_name, bundled, about).result()
    return address


def _report(run: Run, folds: Sequence[FinishedFold], averages: Results, links: dict[str, str]) -> Result:
    spec = run.spec
    sweep = (Store(spec.output).read_json(SWEEP) or {}).get("candidates") if len(spec.bias.factors) > 1 else None
    results = {fold.name: fold.results for fold in folds}
    tests = {fold.name: fold.fold.test for fold in folds}
    inputs, parameters = folds_report_request(spec.title, spec.assay, results, tests, averages, sweep, links)
    report: Result = run.step(FOLDS_REPORT, inputs, parameters).result()
    return report


def _average(run: Run, folds: Sequence[FinishedFold]) -> dict[str, Result]:
    """Mean models, tracks, contributions and the motifs in these, put below :data:`ENSEMBLE`."""
    spec = run.spec
    trained, first = [fold.results["train_main"] for fold in folds], folds[0].results
    whole = tuple(FileOf(result, "chrombpnet.h5") for result in trained)
    corrected = tuple(FileOf(result, "chrombpnet_nobias.h5") for result in trained)
    steps: dict[str, Awaited] = {}
    steps["average_models"] = run.step(
        AVERAGE_MODELS, ModelsInputs[Source](chrombpnet=whole, chrombpnet_nobias=corrected), ModelsParameters()
    )
    steps["average_tracks"] = run.step(
        AVERAGE_TRACKS,
        MeanTracksInputs[Source](
            models=whole,
            regions=FileOf(first["shards"], "peaks.bed"),
            genome=spec.genome,
            chrom_sizes=spec.chrom_sizes,
        ),
        MeanTracksParameters(naming=run.naming, batch_size=spec.training.batch_size),
    )
    if spec.explanation.peaks:
        steps |= _average_contributions(run, folds)
    averages = {name: step.result() for name, step in steps.items()}
    beside = {name: first[name] for name in ("coverage", "evaluate_main")}  # for browsers: reads, and where to look first
    output = f"{spec.output.rstrip('/')}/{ENSEMBLE}"
    run.call(publish_run, ENSEMBLE, averages | beside, settings_of(spec), output, "", spec.assembly).result()
    return averages


def _average_contributions(run: Run, folds: Sequence[FinishedFold]) -> dict[str, Awaited]:
    """Mean contributions, and the motifs and their sites in them."""
    heads = explained_heads(run.spec, "main")
    mean = run.step(
        AVERAGE_CONTRIBUTIONS,
        MeanContributionsInputs[Source](tuple(fold.results["contributions"] for fold in folds)),
        MeanContributionsParameters(heads),
    )
    steps: dict[str, Awaited] = {"average_contributions": mean}
    for head in heads:
        motifs = steps[f"motifs_{head}"] = motif_step(run, head, mean)
        steps[f"motif_hits_{head}"] = run.step(
            HITS[head], HitsInputs[Source](contributions=mean, motifs=motifs), HitsParameters(head)
        )
    return steps


def _links_in_bundle(name: str, averages: Results) -> dict[str, str]:
    """Words → address, as :func:`_links`, for the report in the bundle, whose files have other names."""
    return {"About these models": "README.md"} | {
        f"Motifs, {head}": f"motifs/{name}.{head}_sequence_motifs.html" for head in HEADS if f"motifs_{head}" in averages
    }


def _links(run: Run, averages: Results) -> dict[str, str]:
    """Words → address, relative to the report over folds, of what lies beside it."""
    links: dict[str, Any] = {
        f"Motifs, {head}": f"{ENSEMBLE}/evaluation/modisco_{head}/motifs.html"
        for head in HEADS
        if f"motifs_{head}" in averages
    }
    if averages:
        links["Mean model, corrected (HDF5)"] = f"{ENSEMBLE}/models/chrombpnet_nobias.h5"
        links["Mean track, corrected (bigWig)"] = f"{ENSEMBLE}/tracks/chrombpnet_nobias.bw"
    if len(run.spec.bias.factors) > 1:
        links["Bias factors (JSON)"] = SWEEP
    return links | {"ENCODE's quality metric (JSON)": QUALITY_METRIC}
