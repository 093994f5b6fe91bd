"""What needs all folds of a data set: their models averaged, their report, the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.dataset.fold_steps import Done, Fold, Run, asked_of
from flows.dataset.step_names import explained_heads
from tasks.reports import publish_bundle, publish_folds, publish_quality_metric, publish_run, report_folds
from tasks.steps.bias_sweep import SWEEP
from tasks.steps.ensemble import average_contributions, average_models, average_tracks
from tasks.steps.evaluation import QUALITY_METRIC
from tasks.steps.motifs import find_hits, find_motifs
from tasks.storage import Store

__all__ = ["ENSEMBLE", "FoldDone", "gather"]

ENSEMBLE = "ensemble"
"""Folder of the output for what the folds' models say together."""


@dataclass(frozen=True)
class FoldDone:
    """A fold that is done: number, chromosomes, folder of results, the report's address, the results of its steps."""

    index: int
    split: Fold
    output: str
    report: str
    done: Done

    @property
    def name(self) -> str:
        """Such as ``fold_0``."""
        return f"fold_{self.index}"


def gather(run: Run, folds: Sequence[FoldDone]) -> str:
    """Average, report and publish folds that are all done; the address of the report over them."""
    spec = run.spec
    run.call(publish_quality_metric, [each.done["evaluate_main"] for each in folds], spec.output).result()
    together = _average(run, folds) if len(folds) > 1 else {}
    by_name = {each.name: each.done for each in folds}
    sweep = (Store(spec.output).read_json(SWEEP) or {}).get("candidates") if len(spec.bias.factors) > 1 else None
    report = run.step(
        "folds_report", report_folds, run.store, spec.id, spec.assay, by_name, together, sweep, _links(run, together)
    ).result()
    address = run.call(publish_folds, report, spec.output).result()
    if spec.publish:
        report = run.call(
            report_folds, run.store, spec.id, spec.assay, by_name, together, sweep, _links_in_bundle(spec.id, together)
        ).result()
        about = {"assay": spec.assay, "genome": spec.assembly or spec.genome.rsplit("/", 1)[-1]}
        run.call(publish_bundle, run.store, spec.id, spec.publish, by_name, together | {"report": report}, about).result()
    return address


def _average(run: Run, folds: Sequence[FoldDone]) -> Done:
    """Mean models, tracks, contributions and the motifs in these, put below :data:`ENSEMBLE`."""
    spec, store = run.spec, run.store
    first, trained = folds[0].done, [each.done["train_main"] for each in folds]
    models = run.step("average_models", average_models, store, trained)
    tracks = run.step(
        "average_tracks",
        average_tracks,
        store,
        trained,
        first["shards"],
        spec.genome,
        spec.chrom_sizes,
        run.naming,
        spec.training.batch_size,
    )
    found: dict[str, Any] = {"models": models, "tracks": tracks}
    if spec.explanation.peaks:
        heads, asked = explained_heads(spec, "main"), spec.explanation
        found["contributions"] = mean = run.step(
            "average_contributions", average_contributions, store, [each.done["contributions"] for each in folds], heads
        )
        for head in heads:
            found[f"motifs_{head}"] = motifs = run.step(
                f"motifs_{head}",
                find_motifs,
                store,
                mean,
                head,
                asked.max_seqlets,
                asked.window,
                motifs=asked.motifs,
                seed=spec.training.seed,
            )
            found[f"hits_{head}"] = run.step(f"hits_{head}", find_hits, store, mean, None, motifs, head)
    together = {name: each.result() for name, each in found.items()}
    beside = {name: first[name] for name in ("coverage", "evaluate_main")}  # for browsers: reads, and where to look first
    run.call(
        publish_run, ENSEMBLE, together | beside, asked_of(spec), f"{spec.output.rstrip('/')}/{ENSEMBLE}", "", spec.assembly
    ).result()
    return together


def _links_in_bundle(name: str, together: Done) -> dict[str, str]:
    """The same for the report in the bundle, whose files have other names."""
    return {"About these models": "README.md"} | {
        f"Motifs, {head}": f"motifs/{name}.{head}_sequence_motifs.html"
        for head in ("profile", "counts")
        if f"motifs_{head}" in together
    }


def _links(run: Run, together: Done) -> dict[str, str]:
    """Words → address, relative to the report over folds, of what lies beside it."""
    motifs = {
        f"Motifs, {head}": f"{ENSEMBLE}/evaluation/modisco_{head}/motifs.html"
        for head in ("profile", "counts")
        if f"motifs_{head}" in together
    }
    several = (
        {
            "Mean model, corrected (HDF5)": f"{ENSEMBLE}/models/chrombpnet_nobias.h5",
            "Mean track, corrected (bigWig)": f"{ENSEMBLE}/tracks/chrombpnet_nobias.bw",
        }
        if together
        else {}
    )
    sweep = {"Bias factors (JSON)": SWEEP} if len(run.spec.bias.factors) > 1 else {}
    return motifs | several | sweep | {"ENCODE's quality metric (JSON)": QUALITY_METRIC}
