"""The models of all folds taken together: one model that averages them, their mean tracks, their mean contributions."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyBigWig
from scipy.special import softmax

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import pearson
from chrombpnet_core.genome import Genome, Naming, centres, read_regions, write_regions
from chrombpnet_core.progress import bar
from chrombpnet_core.tracks import (
    RowsOnDisk,
    TrackPlacement,
    place_regions,
    predict_regions,
    track_statistics,
    write_track,
    write_track_statistics,
)
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.contributions import REGIONS, scores_file
from tasks.steps.genome import genome_at, sizes_of
from tasks.steps.tracks import away_from_edges, chosen_regions
from tasks.storage import stage

__all__ = ["AGREEMENT", "KINDS", "average_contributions", "average_models", "average_tracks"]

log = logging.getLogger(__name__)

KINDS = ("chrombpnet", "chrombpnet_nobias", "bias")
"""Models of a fold that are averaged: the whole one, its accessibility part, its scaled bias part."""

AGREEMENT = "agreement.json"
"""Of the steps that average: how well the folds agree, head or model → ``pairs`` of folds and their numbers."""

_SAVED = KINDS[:2]  # models that get a file


@step_task("Average the models")
def average_models(store: str, models: list[Result]) -> Result:
    """Save for the whole and for the corrected model one that averages the folds', logits and log counts.

    The result holds ``chrombpnet.h5`` and ``chrombpnet_nobias.h5``, in the form of the folds' own files. ``models`` are the
    trainings of all folds, in their order.
    """
    _require_folds(models)
    return run_step(store, "average_models", 1, {kind: _files(models, f"{kind}.h5") for kind in _SAVED}, {}, _average_models)


@step_task("Average the tracks")
def average_tracks(
    store: str,
    models: list[Result],
    regions: Result | str,
    genome: str,
    chrom_sizes: str | None,
    naming: dict[str, Any] | None = None,
    batch_size: int = 64,
) -> Result:
    """Predict regions with every fold's models and write ENCODE's tracks of their means, and how well the folds agree.

    For the whole, the corrected and the bias model the result holds ``<model>.bw``, softmax(mean logits) ×
    (exp(mean log counts) − 1), and its statistics; ``regions.bed``, the regions; ``log_counts.npz``, each fold's,
    ``(folds, regions)``; and :data:`AGREEMENT`. ``models`` are trainings of the main model; ``regions`` is a file, or the
    step of the shards, whose peaks are taken. Other arguments are as of :func:`~tasks.steps.tracks.predict_tracks`.
    """
    _require_folds(models)
    if isinstance(regions, Result):
        [regions] = _files([regions], "peaks.bed")
    return run_step(
        store,
        "average_tracks",
        1,
        {"models": _files(models, "chrombpnet.h5"), "regions": regions, "genome": genome, "chrom_sizes": chrom_sizes},
        {"chroms": None, "naming": naming, "batch_size": batch_size},
        _average_tracks,
    )


@step_task("Average the contributions")
def average_contributions(store: str, contributions: list[Result], heads: Sequence[str]) -> Result:
    """Average what the folds' models say that each base adds to ``heads``, counts or profile or both.

    The result has the form of :func:`~tasks.steps.contributions.explain_regions`, so motifs can be sought in it, and
    :data:`AGREEMENT`. ``contributions`` are that step's results of all folds, which must have explained the same regions.
    """
    _require_folds(contributions)
    for head in heads:
        _require_file(contributions, scores_file(head))
    return run_step(
        store,
        "average_contributions",
        1,
        {"contributions": contributions},
        {"heads": sorted({*heads})},
        _average_contributions,
    )


def _require_folds(results: list[Result]) -> None:
    if len(results) < 2:
        raise InputError(f"an average over {len(results)} fold", expected="two folds or more")


def _files(results: list[Result], name: str) -> list[Result | str]:
    """One file of each result; the result itself where the step has not run, as in a plan."""
    _require_file(results, name)
    return [str(result.file(name)) if result.key else result for result in results]


def _require_file(results: list[Result], name: str) -> None:
    for fold, result in enumerate(results):
        if result.key and name not in result.manifest["files"]:
            raise InputError(
                f"fold {fold}: its step {result.step} made no {name}",
                expected="the same files of every fold",
                remedy="run every fold with the same options",
            )


def _average_models(work: Work) -> None:
    from chrombpnet_core.models import average_models as average
    from chrombpnet_core.models import load_model, require_kind, save_model

    for kind in _SAVED:
        models = [require_kind(load_model(path), kind, path) for path in work.inputs[kind]]
        save_model(average(models), work.out / f"{kind}.h5")
    work.facts["folds"] = len(models)
    log.info("%s folds' models averaged", len(models))


def _average_tracks(work: Work) -> None:
    from chrombpnet_core.models import lengths_of, load_model, require_kind, require_lengths

    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        sizes = sizes_of(genome, work.inputs.get("chrom_sizes"), Naming.from_json(work.parameters["naming"]))
        table = chosen_regions(work, sizes, Naming.from_json(work.parameters["naming"]))
        log.info("predicting with all folds on %s", find_device())
        models = [require_kind(load_model(file), "chrombpnet", file) for file in work.inputs["models"]]
        for model, file in zip(models, work.inputs["models"], strict=True):
            require_lengths(model, lengths_of(models[0]), file)
        input_length, output_length = lengths_of(models[0])
        table = away_from_edges(work, table, sizes, input_length)
        write_regions(table, work.out / "regions.bed")
        placement = place_regions(table["chrom"].to_numpy(), centres(table), output_length, sizes)
        with ExitStack() as stack:
            profiles = {kind: stack.enter_context(RowsOnDisk(work.out.parent, output_length)) for kind in KINDS}
            log_counts = _predict(work, models, genome, table, placement, profiles)
            for kind in KINDS:
                _write_track(work, kind, sizes, placement, profiles[kind], log_counts[kind].mean(axis=0))
    np.savez(work.out / "log_counts.npz", **log_counts)


def _predict(
    work: Work,
    models: list[Any],
    genome: Genome,
    table: pd.DataFrame,
    placement: TrackPlacement,
    profiles: dict[str, RowsOnDisk],
) -> dict[str, np.ndarray]:
    """Fill the mean profiles and write how well the folds agree; log counts float32 ``(folds, n)`` of each model."""
    from chrombpnet_core.interpret import pairs_of, row_correlations
    from chrombpnet_core.models import Predictor, accessibility_part, bias_part, lengths_of, predict_folds

    batch_size, folds = work.parameters["batch_size"], len(models)
    parts = [[Predictor(part(model), batch_size) for model in models] for part in (accessibility_part, bias_part)]
    log_counts = {kind: np.empty((folds, len(table)), np.float32) for kind in KINDS}
    similar = {kind: np.empty((len(pairs_of(folds)), len(table)), np.float32) for kind in KINDS}
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def predict(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found.update(predict_folds(*parts, codes))
        logits, counts = found["chrombpnet"]
        return logits.mean(axis=0), counts.max(axis=0)  # what is looked at: whether a track would be finite

    for rows, *_ in predict_regions(
        predict,
        genome,
        table["chrom"].to_numpy(),
        centres(table),
        placement.rows,
        lengths_of(models[0])[0],
        batch_size,
        "predicting with all folds",
    ):
        for kind, (logits, counts) in found.items():
            profiles[kind].write(rows, softmax(logits.mean(axis=0), axis=-1))
            log_counts[kind][:, rows] = counts
            similar[kind][:, rows] = row_correlations(softmax(logits, axis=-1))
    agreement = {
        kind: _agreement(
            folds,
            {
                "log_counts": [pearson(log_counts[kind][i], log_counts[kind][j]) for i, j in pairs_of(folds)],
                "profile": similar[kind],
            },
            len(table),
        )
        for kind in KINDS
    }
    (work.out / AGREEMENT).write_text(json.dumps(agreement, indent=1) + "\n")
    return log_counts


def _agreement(folds: int, numbers: dict[str, Sequence[Any]], regions: int) -> dict[str, Any]:
    """Pairs of folds, and for each the Pearson r by name; of one r a region the median."""
    from chrombpnet_core.interpret import pairs_of

    def one(values: Any) -> float | None:
        values = np.atleast_1d(values)
        values = values[np.isfinite(values)]
        return float(np.median(values)) if len(values) else None

    return {
        "folds": folds,
        "regions": regions,
        "pairs": pairs_of(folds),
        **{name: [one(each) for each in values] for name, values in numbers.items()},
    }


def _write_track(
    work: Work, kind: str, sizes: dict[str, int], placement: TrackPlacement, profiles: RowsOnDisk, log_counts: np.ndarray
) -> None:
    from chrombpnet_core.models import predicted_track

    def read(rows: np.ndarray) -> np.ndarray:
        return predicted_track(profiles.read(rows), log_counts[rows])

    _write_values(work, kind, sizes, placement, read, f"{kind}_stats.txt")


def _write_values(
    work: Work, name: str, sizes: dict[str, int], placement: TrackPlacement, read: Any, statistics: str
) -> None:
    """A bigWig ``<name>.bw`` and the statistics of its values."""
    write_track(work.out / f"{name}.bw", sizes, placement, read)
    numbers = track_statistics(lambda: (part.values for part in placement.values(read)))
    write_track_statistics(numbers, work.out / statistics)
    work.facts[name] = {"bases": placement.bases, "statistics": numbers}


def _average_contributions(work: Work) -> None:
    folders = work.inputs["contributions"]
    regions = [(folder / REGIONS).read_bytes() for folder in folders]
    for fold, content in enumerate(regions):
        if content != regions[0]:
            raise _other_regions(fold, regions[0], content)
    (work.out / REGIONS).write_bytes(regions[0])
    table = read_regions(work.out / REGIONS, "regions")
    agreement = {head: _average_head(work, head, table) for head in work.parameters["heads"]}
    (work.out / AGREEMENT).write_text(json.dumps(agreement, indent=1) + "\n")


def _other_regions(fold: int, first: bytes, other: bytes) -> InputError:
    """The refusal of a fold whose regions are not those of the first."""
    ours, theirs = first.decode().splitlines(), other.decode().splitlines()
    both = min(len(ours), len(theirs))
    at = next((at for at in range(both) if ours[at] != theirs[at]), both)

    def shown(lines: list[str]) -> str:
        words = " ".join(lines[at].split("\t")[:3]) if at < len(lines) else "no such line"
        return f"{len(lines):,} regions, line {at + 1:,}: {words}"

    return InputError(
        f"fold {fold} explained other regions than fold 0",
        expected=shown(ours),
        found=shown(theirs),
        remedy="explain the same regions with every fold's model: one peak file, number and seed",
    )


def _sizes_of_tracks(paths: Sequence[Path]) -> dict[str, int]:
    """Chromosome sizes of the folds' tracks, in their order."""
    sizes = []
    for path in paths:
        with pyBigWig.open(str(path)) as track:
            sizes.append(track.chroms())
    for fold, other in enumerate(sizes):
        if other != sizes[0]:
            raise InputError(
                f"fold {fold}: its contributions are of another genome than those of fold 0",
                remedy="explain with one genome and one file of chromosome sizes",
            )
    return sizes[0]


def _average_head(work: Work, head: str, table: pd.DataFrame) -> dict[str, Any]:
    """Write HDF5, bigWig and statistics of a head's mean; how well the folds agree."""
    from chrombpnet_core.genome import one_hot
    from chrombpnet_core.interpret import ContributionsFile, mean_contributions

    folders = work.inputs["contributions"]
    paths = [folder / scores_file(head) for folder in folders]
    sizes = _sizes_of_tracks([folder / f"{head}_scores.bw" for folder in folders])
    with h5py.File(paths[0], "r") as first:
        length = first["raw/seq"].shape[2]
    similar: list[np.ndarray] = []
    with ExitStack() as stack:
        sums = stack.enter_context(RowsOnDisk(work.out.parent, length))
        file = stack.enter_context(closing(ContributionsFile(work.out / scores_file(head), length)))
        progress = stack.enter_context(bar(f"averaging {head}", len(table), "regions"))
        for part in mean_contributions(paths):
            file.append(part.codes, part.scores)
            sums.write(np.arange(part.rows.start, part.rows.stop), (one_hot(part.codes) * part.scores).sum(axis=-1))
            similar.append(part.agreement)
            progress.update(len(part.codes))
        placement = place_regions(table["chrom"].to_numpy(), centres(table), length, sizes)
        _write_values(work, f"{head}_scores", sizes, placement, sums.read, f"{head}_scores.stats.txt")
    agreement = _agreement(len(folders), {"contributions": np.concatenate(similar, axis=1)}, len(table))
    log.info(
        "%s contributions of %s folds averaged; between two folds r = %s or more (median over regions)",
        head,
        len(folders),
        min((f"{r:.3f}" for r in agreement["contributions"] if r is not None), default="–"),
    )
    return agreement
