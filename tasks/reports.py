"""Collect what the steps of a run found into its report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core.report_content import (
    BIAS,
    CORRECTED,
    FULL,
    Background,
    Example,
    ReportContent,
    SelectionSummary,
    ShiftEvidence,
    StepRecord,
)
from tasks.evaluation import truth_inputs
from tasks.steps import Result, Work, run_step, step_task

__all__ = ["report_run"]

_STEPS = {"bias": ("coverage", "insertion_logo", "nonpeaks", "shards", "select_bias", "train_bias", "evaluate_bias"),
          "main": ("coverage", "insertion_logo", "nonpeaks", "shards", "select_main", "scale_bias", "train_main",
                   "evaluate_main")}
_STEPS["dataset"] = (*_STEPS["bias"], *_STEPS["main"][4:])
_GC_EDGES = (np.arange(102) - 0.5) / 100


@step_task("Write the report")
def report_run(store: str, kind: str, title: str, assay: str, done: dict[str, Result],
               asked: dict[str, Any]) -> Result:
    """Write report and pictures of a run of ``kind`` bias, main or dataset from the steps ``done``."""
    steps = {name: done[name] for name in _STEPS[kind] if name in done}
    parameters = {"kind": kind, "title": title, "assay": assay, "asked": _told(asked, kind),
                  "steps": {name: result.key for name, result in steps.items()}}
    light = {name: result for name, result in steps.items() if name not in ("coverage", "shards")}
    known = "shift.json" in steps["coverage"].manifest["files"]  # not where insertions came as bigWig
    shift = {"shift": str(steps["coverage"].file("shift.json"))} if known else {}
    return run_step(store, "report", 2, light | shift | truth_inputs(asked.get("truth")), parameters,
                    lambda work: _report(work, steps))


def _told(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    """What was asked for, one level deep, without the place of the results: they may go to several."""
    flat: dict[str, Any] = {}
    for key, value in asked.items():
        if key == "output" or (key == "model" and kind == "bias"):
            continue
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": shown for inner, shown in value.items() if shown not in (None, [])}
        elif value is not None:
            flat[key] = value
    return flat


def _report(work: Work, steps: dict[str, Result]) -> None:
    from chrombpnet_core.report import write_pictures, write_report

    content = _content(work, steps)
    write_report(content, work.out)
    write_pictures(content, work.out)
    work.facts["overall"] = json.loads((work.out / "report.json").read_text())["overall"]


def _content(work: Work, steps: dict[str, Result]) -> ReportContent:
    parameters, kind = work.parameters, work.parameters["kind"]
    folders = {name: Path(path) for name, path in work.inputs.items()}
    models = {"bias": ("evaluate_bias", (BIAS,)), "main": ("evaluate_main", (BIAS, FULL, CORRECTED)),
              "dataset": ("evaluate_main", (BIAS, FULL, CORRECTED))}[kind]
    evaluated = folders[models[0]]
    coverage = steps["coverage"].facts
    trained = [(name, model) for name, model in (("train_bias", BIAS), ("train_main", FULL)) if name in steps]
    return ReportContent(
        kind=kind, title=parameters["title"], assay=parameters["assay"],
        metrics={name: json.loads((evaluated / f"{name}_metrics.json").read_text()) for name in models[1]},
        per_region={name: _arrays(evaluated / f"{name}_scores.npz") for name in models[1]},
        selection={name.removeprefix("select_"): _selection(result) for name, result in steps.items()
                   if name.startswith("select_")},
        reads=coverage.get("reads"), genome_size=coverage["genome_size"],
        shift=_shift(folders["shift"]) if "shift" in folders else None,
        background=_background(steps), insertion_pfm=np.load(folders["insertion_logo"] / "pfm.npy"),
        history={model: _history(folders[name], model) for name, model in trained},
        footprints={name: _footprints(evaluated / f"{name}_footprints.h5") for name in models[1]},
        examples=_examples(evaluated / "examples.npz", _planted(folders)), truth=_truth(steps[models[0]]),
        parameters=parameters["asked"], provenance=_provenance(steps),
        steps=[StepRecord(name, result.manifest["seconds"], result.manifest["peak_memory"], result.cached, result.key)
               for name, result in steps.items()])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _selection(result: Result) -> SelectionSummary:
    facts, parameters = result.facts, result.manifest["parameters"]
    bias = parameters["kind"] == "bias"
    return SelectionSummary(
        facts["counts_loss_weight"], facts["clamped"],
        peaks=None if bias else facts["peaks_considered"], peaks_kept=None if bias else facts["peaks_kept"],
        nonpeaks=facts["nonpeaks_considered"], nonpeaks_kept=facts["nonpeaks_kept"], lower=facts["lower"],
        upper=facts["upper"], threshold=facts.get("threshold"), threshold_factor=parameters.get("threshold_factor"))


def _shift(path: Path) -> ShiftEvidence:
    content = json.loads(path.read_text())
    at_zero = {strand: {name: vote + int(np.argmax(content["scores"][strand][name]))
                        for name, vote in votes.items()} for strand, votes in content["votes"].items()}
    scores = {strand: {name: (at_zero[strand][name] - np.arange(len(score)), np.asarray(score))
                       for name, score in named.items()} for strand, named in content["scores"].items()}
    return ShiftEvidence(content["plus_shift"], content["minus_shift"], content["stated"], content["votes"], scores,
                         min(content["reads"].values()))


def _background(steps: dict[str, Result]) -> Background:
    facts = steps["shards"].facts
    drawn = steps["nonpeaks"].facts if "nonpeaks" in steps else {}
    return Background(drawn.get("wanted"), drawn.get("made"), _GC_EDGES, np.asarray(facts["peaks_gc"]),
                      np.asarray(facts["nonpeaks_gc"]))


def _history(folder: Path, model: str) -> list[dict[str, Any]]:
    rows = pd.read_csv(folder / f"{model}.log").to_dict("records")
    best = min(rows, key=lambda row: row["val_loss"])
    return [{**row, "best": row is best} for row in rows]


def _footprints(path: Path) -> dict[str, np.ndarray]:
    from chrombpnet_core.footprints import read_footprints

    return {name: footprint.profile for name, footprint in read_footprints(path).items()}


def _examples(path: Path, planted: dict[str, np.ndarray]) -> list[Example]:
    if not path.exists():
        return []
    arrays = _arrays(path)
    main = FULL if FULL in arrays else None
    examples = []
    for i, label in enumerate(arrays["labels"]):
        chrom, start = str(arrays["chroms"][i]), int(arrays["starts"][i])
        observed = arrays["observed"][i]
        examples.append(Example(
            f"{label} peak", chrom, start, observed, predicted=arrays[main][i] if main else None,
            bias=arrays[BIAS][i], corrected=arrays[CORRECTED][i] if main else None,
            planted=planted[chrom][start:start + len(observed)] if planted else None,
            norm_jsd=float(arrays["norm_jsd"][i])))
    return examples


def _planted(folders: dict[str, Path]) -> dict[str, np.ndarray]:
    """Simulated data only: accessibility by chromosome."""
    if "truth" not in folders:
        return {}
    from chrombpnet_core.truth import read_truth

    return read_truth(folders["truth"], folders["truth_tracks"]).accessibility


def _truth(evaluated: Result) -> list[Any]:
    if "truth" not in evaluated.facts:
        return []
    from chrombpnet_core.truth import Check

    names = {item.name for item in fields(Check)}
    return [Check(**{key: value for key, value in check.items() if key in names})
            for check in evaluated.facts["truth"]]


def _provenance(steps: dict[str, Result]) -> dict[str, Any]:
    """Versions and host of the last step, and the digest of every file that the user gave."""
    last = next(reversed(steps.values())).manifest
    table: dict[str, Any] = {"host": last["host"], "started": next(iter(steps.values())).manifest["started"]}
    device = [result.facts["device"] for result in steps.values() if "device" in result.facts]
    table |= {"trained on": device[-1]} if device else {}
    table |= {f"version of {name}": version for name, version in last["versions"].items()}
    for result in steps.values():
        for name, origin in result.manifest["inputs"].items():
            for item in origin if isinstance(origin, list) else [origin]:
                if "uri" in item and not item["uri"].startswith(result.store):
                    table[f"SHA-256 of {name}, {item['uri'].rsplit('/', 1)[-1]}"] = item["sha256"]
    packed = json.dumps({name: result.key for name, result in steps.items()}, sort_keys=True)
    return table | {"digest of the run": hashlib.sha256(packed.encode()).hexdigest()[:16]}
