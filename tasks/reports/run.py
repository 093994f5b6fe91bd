"""Collect what the steps of a run found into its report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core.models import BIAS, CORRECTED, FULL
from chrombpnet_core.report import (
    ExampleRegion,
    MotifEntry,
    NonpeakSummary,
    ReportContent,
    SelectionSummary,
    ShiftEvidence,
    StepRecord,
)
from chrombpnet_core.training_data import GC_EDGES
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.contributions import EXAMPLES
from tasks.steps.evaluation import truth_inputs

__all__ = ["example_contributions", "motif_entries", "report_run"]

_STEPS = {
    "bias": ("coverage", "insertion_logo", "nonpeaks", "shards", "select_bias", "train_bias", "evaluate_bias"),
    "main": ("coverage", "insertion_logo", "nonpeaks", "shards", "select_main", "scale_bias", "train_main", "evaluate_main"),
}
_STEPS["dataset"] = (*_STEPS["bias"], *_STEPS["main"][4:])
_MOTIFS = {
    "bias": {"motifs_profile": "bias profile", "motifs_counts": "bias counts"},
    "main": {"motifs_profile": "corrected profile", "motifs_counts": "corrected counts"},
}
_MOTIFS["dataset"] = {f"bias_{step}": explained for step, explained in _MOTIFS["bias"].items()} | _MOTIFS["main"]
_CONTRIBUTIONS = "contributions"


@step_task("Write the report")
def report_run(store: str, kind: str, title: str, assay: str, done: dict[str, Result], asked: dict[str, Any]) -> Result:
    """Write report and pictures of a run of ``kind`` bias, main or dataset from the steps ``done``."""
    steps = {name: done[name] for name in (*_STEPS[kind], _CONTRIBUTIONS, *_MOTIFS[kind]) if name in done}
    parameters = {
        "kind": kind,
        "title": title,
        "assay": assay,
        "asked": _told(asked, kind),
        "steps": {name: result.key for name, result in steps.items()},
    }
    # Of large results one file alone. There is no shift where insertions came as bigWig.
    single = {
        "coverage": ("shift", "shift.json"),
        _CONTRIBUTIONS: (_CONTRIBUTIONS, EXAMPLES),
        **{name: (name, "motifs.json") for name in _MOTIFS[kind]},
        "shards": ("", ""),
    }
    light = {name: result for name, result in steps.items() if name not in single}
    files = {
        name: str(steps[step].file(file))
        for step, (name, file) in single.items()
        if step in steps and file in steps[step].manifest["files"]
    }
    return run_step(
        store, "report", 3, light | files | truth_inputs(asked.get("truth")), parameters, lambda work: _report(work, steps)
    )


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
    from chrombpnet_core.report import write_motif_pdfs, write_pictures, write_report

    content = _content(work, steps)
    write_report(content, work.out)
    write_pictures(content, work.out)
    write_motif_pdfs(content, work.out)
    work.facts["overall"] = json.loads((work.out / "report.json").read_text())["overall"]


def _content(work: Work, steps: dict[str, Result]) -> ReportContent:
    parameters, kind = work.parameters, work.parameters["kind"]
    folders = {name: Path(path) for name, path in work.inputs.items()}
    models = {
        "bias": ("evaluate_bias", (BIAS,)),
        "main": ("evaluate_main", (BIAS, FULL, CORRECTED)),
        "dataset": ("evaluate_main", (BIAS, FULL, CORRECTED)),
    }[kind]
    evaluated = folders[models[0]]
    coverage = steps["coverage"].facts
    footprints = {name: _footprints(evaluated / f"{name}_footprints.h5") for name in models[1]}
    explained = steps[_CONTRIBUTIONS].facts if _CONTRIBUTIONS in steps else {}
    trained = [(name, model) for name, model in (("train_bias", BIAS), ("train_main", FULL)) if name in steps]
    return ReportContent(
        kind=kind,
        title=parameters["title"],
        assay=parameters["assay"],
        metrics={name: json.loads((evaluated / f"{name}_metrics.json").read_text()) for name in models[1]},
        per_region={name: _arrays(evaluated / f"{name}_scores.npz") for name in models[1]},
        selection={
            name.removeprefix("select_"): _selection(result) for name, result in steps.items() if name.startswith("select_")
        },
        reads=coverage.get("reads"),
        genome_size=coverage["genome_size"],
        shift=_shift(folders["shift"]) if "shift" in folders else None,
        nonpeaks=_background(steps),
        insertion_pfm=np.load(folders["insertion_logo"] / "pfm.npy"),
        history={model: _history(folders[name], model) for name, model in trained},
        footprints={name: {motif: found.profile for motif, found in named.items()} for name, named in footprints.items()},
        footprint_errors={
            name: {motif: found.error for motif, found in named.items() if found.error is not None}
            for name, named in footprints.items()
        },
        motifs={key: motif_entries(folders[name]) for name, key in _MOTIFS[kind].items() if name in folders},
        noise_floor={head: r for head, r in explained.get("noise_floor", {}).items() if r is not None},
        examples=_examples(
            evaluated / "examples.npz", _planted(folders), example_contributions(folders.get(_CONTRIBUTIONS))
        ),
        truth=_truth(steps[models[0]]),
        parameters=parameters["asked"],
        provenance=_provenance(steps),
        steps=[
            StepRecord(name, result.manifest["seconds"], result.manifest["peak_memory"], result.cached, result.key)
            for name, result in steps.items()
        ],
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _selection(result: Result) -> SelectionSummary:
    facts, parameters = result.facts, result.manifest["parameters"]
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


def _background(steps: dict[str, Result]) -> NonpeakSummary:
    facts = steps["shards"].facts
    drawn = steps["nonpeaks"].facts if "nonpeaks" in steps else {}
    return NonpeakSummary(
        drawn.get("wanted"), drawn.get("made"), GC_EDGES, np.asarray(facts["peaks_gc"]), np.asarray(facts["nonpeaks_gc"])
    )


def _history(folder: Path, model: str) -> list[dict[str, Any]]:
    rows = pd.read_csv(folder / f"{model}.log").to_dict("records")
    best = min(rows, key=lambda row: row["val_loss"])
    return [{**row, "best": row is best} for row in rows]


def _footprints(path: Path) -> dict[str, Any]:
    from chrombpnet_core.evaluation import read_footprints

    return read_footprints(path)


def motif_entries(path: Path) -> list[MotifEntry]:
    """The motifs of ``motifs.json``, as :func:`chrombpnet_core.motifs.write_discovered_motifs` writes it, for a report."""
    from chrombpnet_core.motifs import read_discovered_motifs

    def named(match: Any) -> str:
        return " ".join(dict.fromkeys((match.name, match.identifier)))

    return [
        MotifEntry(
            row.pattern, row.seqlets, row.cwm, row.reverse, [(named(match), match.q) for match in row.matches], row.kind
        )
        for row in read_discovered_motifs(path)
    ]


def example_contributions(path: Path | None) -> dict[tuple[str, int], np.ndarray]:
    """(chromosome, middle) → contributions to the profile ``(W, 4)``: 0 but for the base that is there.

    The file holds ``chroms`` and ``starts`` ``(n,)`` of windows, 0-based, and ``profile`` ``(n, W, 4)``; there are none
    without one, or where the counts alone were explained.
    """
    arrays = _arrays(path) if path is not None else {}
    if "profile" not in arrays:
        return {}
    middle = arrays["profile"].shape[1] // 2
    return {
        (str(chrom), int(start) + middle): profile.astype(np.float64)
        for chrom, start, profile in zip(arrays["chroms"], arrays["starts"], arrays["profile"], strict=True)
    }


def _examples(
    path: Path, planted: dict[str, np.ndarray], contributions: dict[tuple[str, int], np.ndarray]
) -> list[ExampleRegion]:
    if not path.exists():
        return []
    arrays = _arrays(path)
    main = FULL if FULL in arrays else None
    examples = []
    for i, label in enumerate(arrays["labels"]):
        chrom, start = str(arrays["chroms"][i]), int(arrays["starts"][i])
        observed = arrays["observed"][i]
        examples.append(
            ExampleRegion(
                f"{label} peak",
                chrom,
                start,
                observed,
                predicted=arrays[main][i] if main else None,
                bias=arrays[BIAS][i],
                corrected=arrays[CORRECTED][i] if main else None,
                planted=planted[chrom][start : start + len(observed)] if planted else None,
                norm_jsd=float(arrays["norm_jsd"][i]),
                contributions=contributions.get((chrom, start + len(observed) // 2)),
            )
        )
    return examples


def _planted(folders: dict[str, Path]) -> dict[str, np.ndarray]:
    """Simulated data only: accessibility by chromosome."""
    if "truth" not in folders:
        return {}
    from chrombpnet_core.simulation import read_ground_truth

    return read_ground_truth(folders["truth"], folders["truth_tracks"]).accessibility


def _truth(evaluated: Result) -> list[Any]:
    if "truth" not in evaluated.facts:
        return []
    from chrombpnet_core.simulation import ModelCheck

    names = {item.name for item in fields(ModelCheck)}
    return [ModelCheck(**{key: value for key, value in check.items() if key in names}) for check in evaluated.facts["truth"]]


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
