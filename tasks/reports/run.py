"""Collect what the steps of a run found into its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.evaluation import read_footprints
from chrombpnet_core.genome import Naming
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from chrombpnet_core.plots import configured_logo_colours
from chrombpnet_core.report import (
    MotifEntry,
    NonpeakSummary,
    ReportContent,
    SelectionSummary,
    ShiftEvidence,
    motif_name,
)
from chrombpnet_core.training_data import GC_EDGES
from tasks.reports.examples import example_contributions, example_regions
from tasks.reports.library import counts_of_regions, read_library
from tasks.reports.manifests import circumstances, provenance, step_record
from tasks.runner import At, FileOf, ManifestOf, Result, RunKind, Source, Step, Work, published
from tasks.steps import EXAMPLES, HEADS, LIBRARY_FILE, truth_tracks

__all__ = [
    "REPORT",
    "REPORT_FILES",
    "ReportInputs",
    "ReportParameters",
    "motif_entries",
    "report_request",
]

REPORT_FILES = ("report.json", "chrombpnet_mqc.json", "overall_report.pdf", "overall_report.html")
"""Besides pictures; the page is placed last."""

_HISTORIES = {"train_bias": BIAS, "train_main": FULL}  # step → model whose training curve is shown


@dataclass(frozen=True, kw_only=True)
class ReportInputs(Generic[At]):
    """What a report is written from; see :func:`report_request`.

    Attributes
    ----------
    manifests
        Of every step of the run, by its name in the run.
    evaluated, insertion_logo
        Outputs of these steps.
    losses
        Losses of every epoch, by the name of the training. A training's other files do not shape a report; its TensorBoard
        file holds times, so that a training made again would have all that depends on that made again.
    shift
        Evidence of the reads' shift; there is none where insertions came as bigWig.
    library, regions
        Quality of the library; index of the training examples.
    contributions
        Contributions to the profile of the evaluation's examples.
    motifs, patterns
        Motifs as JSON, and TF-MoDISco's HDF5, by name of the step.
    truth, truth_tracks
        Of simulated data.
    genes
        Annotation in GTF: its genes are drawn in example regions.
    """

    manifests: Mapping[str, At]
    evaluated: At
    insertion_logo: At
    losses: Mapping[str, At]
    shift: At | None = None
    library: At | None = None
    regions: At | None = None
    contributions: At | None = None
    motifs: Mapping[str, At]
    patterns: Mapping[str, At]
    truth: At | None = None
    truth_tracks: At | None = None
    genes: At | None = None


@dataclass(frozen=True, kw_only=True)
class ReportParameters:
    """What a report says and how it looks.

    Attributes
    ----------
    kind, title, assay
        Kind of run (bias, main, dataset), name of the data set, assay.
    fold
        Name of the fold, of a data set that has several.
    settings
        Shown as a table.
    naming
        How the annotation of genes names chromosomes.
    logo_colours
        Of A, C, G and T: one of :data:`~chrombpnet_core.plots.LOGO_COLOURS`.
    """

    kind: RunKind
    title: str
    assay: str
    settings: Mapping[str, Any]
    fold: str = ""
    naming: Naming = field(default_factory=Naming, metadata={"json": Naming.to_json})
    logo_colours: str = field(default_factory=configured_logo_colours)


_Reporting = Work[ReportInputs[Path], ReportParameters]


def report_request(
    kind: RunKind,
    title: str,
    assay: str,
    results: Mapping[str, Result],
    settings: Mapping[str, Any],
    fold: str = "",
    naming: Naming | None = None,
) -> tuple[ReportInputs[Source], ReportParameters]:
    """Put together what the step :data:`REPORT` takes.

    Parameters
    ----------
    kind
        bias, main or dataset.
    title
        Name of the data set.
    assay
        ``ATAC`` or ``DNASE``.
    results
        The run's steps by name. What explains the bias model of a data set has names that begin with ``bias_``.
    settings
        What was asked for.
    fold
        Name of the fold, of a data set that has several.
    naming
        How other files than the genome name chromosomes.

    Returns
    -------
    tuple
        Inputs and parameters.
    """
    truth = settings.get("truth")
    inputs = ReportInputs[Source](
        manifests={name: ManifestOf(result) for name, result in results.items()},
        evaluated=results["evaluate_bias" if kind == "bias" else "evaluate_main"],
        insertion_logo=results["insertion_logo"],
        losses={name: FileOf(results[name], f"{model}.log") for name, model in _HISTORIES.items() if name in results},
        shift=FileOf(results["coverage"], "shift.json", optional=True),
        library=FileOf(results["library_quality"], LIBRARY_FILE) if "library_quality" in results else None,
        regions=FileOf(results["shards"], "index.parquet") if "shards" in results else None,
        contributions=FileOf(results["contributions"], EXAMPLES, optional=True) if "contributions" in results else None,
        motifs={name: FileOf(results[name], "motifs.json") for name in _motifs_shown(kind) if name in results},
        patterns={name: FileOf(results[name], "modisco.h5") for name in _motifs_shown(kind) if name in results},
        truth=truth,
        truth_tracks=truth_tracks(truth),
        genes=settings.get("genes"),
    )
    return inputs, ReportParameters(
        kind=kind,
        title=title,
        assay=assay,
        settings=_flat_settings(settings, kind),
        fold=fold,
        naming=naming or Naming(),
    )


def _motifs_shown(kind: RunKind) -> dict[str, str]:
    """Name of a step that finds motifs → what the report calls that in which they were found."""
    model = "bias" if kind == "bias" else "corrected"
    return {f"bias_motifs_{head}": f"bias {head}" for head in HEADS if kind == "dataset"} | {
        f"motifs_{head}": f"{model} {head}" for head in HEADS
    }


def _flat_settings(settings: Mapping[str, Any], kind: RunKind) -> dict[str, Any]:
    """Flatten what was asked for to one level, without the place of the results: they may go to several."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if key == "output" or (key == "model" and kind == "bias"):
            continue
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": shown for inner, shown in value.items() if shown not in (None, [])}
        elif value is not None:
            flat[key] = value
    return flat


def _report(work: _Reporting) -> None:
    """Write the report of a run; pictures, too, where the run publishes them: a data set's models have done so."""
    from chrombpnet_core.plots import use_logo_colours
    from chrombpnet_core.report import write_motif_pdfs, write_pictures, write_report

    use_logo_colours(work.parameters.logo_colours)
    content = _content(work)
    write_report(content, work.out)
    if work.parameters.kind != "dataset":
        write_pictures(content, work.out)
        write_motif_pdfs(content, work.out)
    numbers = json.loads((work.out / "report.json").read_text())
    work.facts |= {name: numbers[name] for name in ("overall", "verdicts")}


def _content(work: _Reporting) -> ReportContent:
    inputs, parameters = work.inputs, work.parameters
    steps = {name: json.loads(path.read_text()) for name, path in inputs.manifests.items()}
    facts = {name: manifest["facts"] for name, manifest in steps.items()}
    main_models = (BIAS, FULL, CORRECTED)
    models = (BIAS,) if parameters.kind == "bias" else main_models
    evaluated = inputs.evaluated
    footprints = {name: read_footprints(evaluated / f"{name}_footprints.h5") for name in models}
    noise_floor = facts.get("contributions", {}).get("noise_floor", {})
    contributions = example_contributions(inputs.contributions)
    shown = _motifs_shown(parameters.kind)
    return ReportContent(
        kind=parameters.kind,
        title=parameters.title,
        assay=parameters.assay,
        fold=parameters.fold,
        **circumstances(steps, parameters.settings),
        metrics={name: json.loads((evaluated / f"{name}_metrics.json").read_text()) for name in models},
        per_region={name: _arrays(evaluated / f"{name}_scores.npz") for name in models},
        selection={
            name.removeprefix("select_"): _selection(manifest)
            for name, manifest in steps.items()
            if name.startswith("select_")
        },
        reads=facts["coverage"].get("reads"),
        genome_size=facts["coverage"]["genome_size"],
        library=read_library(inputs.library),
        region_counts=counts_of_regions(inputs.regions),
        accepted=facts["coverage"].get("accepted", ()),
        shift=_shift(inputs.shift) if inputs.shift else None,
        nonpeaks=_nonpeaks(facts),
        insertion_pfm=np.load(inputs.insertion_logo / "pfm.npy"),
        history={_HISTORIES[name]: _history(path) for name, path in inputs.losses.items()},
        footprints={
            name: {motif: footprint.profile for motif, footprint in named.items()} for name, named in footprints.items()
        },
        footprint_errors={
            name: {motif: footprint.error for motif, footprint in named.items() if footprint.error is not None}
            for name, named in footprints.items()
        },
        motifs={shown[name]: motif_entries(path, inputs.patterns[name]) for name, path in inputs.motifs.items()},
        noise_floor={head: r for head, r in noise_floor.items() if r is not None},
        examples=example_regions(
            evaluated / "examples.npz", _planted(inputs), contributions, inputs.genes, parameters.naming
        ),
        truth=_truth(facts["evaluate_bias" if parameters.kind == "bias" else "evaluate_main"]),
        parameters=dict(parameters.settings),
        provenance=provenance(steps),
        steps=[step_record(name, manifest) for name, manifest in steps.items()],
    )


def _arrays(path: Path) -> dict[str, AnyArray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _selection(manifest: dict[str, Any]) -> SelectionSummary:
    facts, parameters = manifest["facts"], manifest["parameters"]
    bias = parameters["kind"] == "bias"
    return SelectionSummary(
        facts["counts_loss_weight"],
        facts["clamped"],
        peaks=None if bias else facts["peaks_considered"],
        peaks_kept=None if bias else facts["peaks_kept"],
        nonpeaks=facts["nonpeaks_considered"],
        nonpeaks_kept=facts["nonpeaks_kept"],
        lower=facts["lower"],
        upper=facts["upper"],
        threshold=facts.get("threshold"),
        threshold_factor=parameters.get("threshold_factor"),
    )


def _shift(path: Path) -> ShiftEvidence:
    content = json.loads(path.read_text())
    at_zero = {
        strand: {name: vote + int(np.argmax(content["scores"][strand][name])) for name, vote in votes.items()}
        for strand, votes in content["votes"].items()
    }
    scores = {
        strand: {name: (at_zero[strand][name] - np.arange(len(score)), np.asarray(score)) for name, score in named.items()}
        for strand, named in content["scores"].items()
    }
    return ShiftEvidence(
        content["plus_shift"],
        content["minus_shift"],
        content["stated"],
        content["votes"],
        scores,
        min(content["reads"].values()),
    )


def _nonpeaks(facts: dict[str, dict[str, Any]]) -> NonpeakSummary:
    shards, nonpeaks = facts["shards"], facts.get("nonpeaks", {})
    gc = np.asarray(shards["peaks_gc"]), np.asarray(shards["nonpeaks_gc"])
    return NonpeakSummary(nonpeaks.get("wanted"), nonpeaks.get("made"), GC_EDGES, *gc)


def _history(path: Path) -> list[dict[str, Any]]:
    table = pd.read_csv(path)
    rows = [dict(zip(table.columns, values, strict=True)) for values in table.to_numpy(dtype=object).tolist()]
    best = min(rows, key=lambda row: row["val_loss"])
    return [{**row, "best": row is best} for row in rows]


def motif_entries(path: Path, patterns: Path | None = None) -> list[MotifEntry]:
    """Read ``motifs.json`` for a report, and how far from the middle of their regions the sites lie from ``modisco.h5``."""
    from chrombpnet_core.motifs import read_discovered_motifs, site_distances

    distances = {} if patterns is None else site_distances(patterns)
    return [
        MotifEntry(
            row.pattern,
            row.seqlets,
            row.cwm,
            row.reverse,
            [(motif_name(match.name, match.identifier), match.q) for match in row.matches],
            row.kind,
            row.matches[0].pfm if row.matches else None,
            distances.get(row.pattern),
        )
        for row in read_discovered_motifs(path)
    ]


def _planted(inputs: ReportInputs[Path]) -> dict[str, AnyArray]:
    """Read the planted accessibility by chromosome, of simulated data only."""
    if inputs.truth is None or inputs.truth_tracks is None:
        return {}
    from chrombpnet_core.simulation import read_ground_truth

    return read_ground_truth(inputs.truth, inputs.truth_tracks).accessibility


def _truth(facts: dict[str, Any]) -> list[Any]:
    """Read the checks of models against what was planted, of simulated data only."""
    if "truth" not in facts:
        return []
    from chrombpnet_core.simulation import ModelCheck

    names = {item.name for item in fields(ModelCheck)}
    return [ModelCheck(**{key: value for key, value in check.items() if key in names}) for check in facts["truth"]]


REPORT = Step(
    name="report",
    version=6,
    title="Write the report",
    inputs=ReportInputs[Source],
    parameters=ReportParameters,
    body=_report,
    outputs=published({"*": "evaluation/"} | dict.fromkeys(REPORT_FILES, "evaluation/"), "bias", "main")
    | published(dict.fromkeys(REPORT_FILES, ""), "dataset"),
)
