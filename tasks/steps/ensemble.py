"""The models of all folds taken together: one model that averages them, their mean tracks, their mean contributions."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import numpy as np
import pandas as pd
import pyBigWig
from scipy.special import softmax

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import pearson
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.genome import Genome, centres, read_regions, write_regions
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
from tasks.runner import At, Source, Step, Work, published
from tasks.steps.contributions import REGIONS, explained_files, scores_file
from tasks.steps.genome import reference
from tasks.steps.tracks import RegionInputs, RegionParameters, away_from_edges, chosen_regions

__all__ = [
    "AGREEMENT",
    "AVERAGE_CONTRIBUTIONS",
    "AVERAGE_MODELS",
    "AVERAGE_TRACKS",
    "KINDS",
    "TRACK_FILES",
    "MeanContributionsInputs",
    "MeanContributionsParameters",
    "MeanTracksInputs",
    "MeanTracksParameters",
    "ModelsInputs",
    "ModelsParameters",
    "write_mean_tracks",
]

log = logging.getLogger(__name__)

KINDS = ("chrombpnet", "chrombpnet_nobias", "bias")
"""Models of a fold that are averaged: the whole one, its accessibility part, its scaled bias part."""

TRACK_FILES = {f"{kind}{end}": "tracks/" for kind in KINDS for end in (".bw", "_stats.txt")} | {"regions.bed": "tracks/"}
"""File of the steps that predict tracks → its place in the results."""

AGREEMENT = "agreement.json"
"""Of the steps that average: how well the folds agree, head or model → ``pairs`` of folds and their numbers."""


def _require_folds(results: Sequence[object]) -> None:
    if len(results) < 2:
        raise InputError(f"an average over {len(results)} fold", expected="two folds or more")


@dataclass(frozen=True, kw_only=True)
class ModelsInputs(Generic[At]):
    """The whole and the corrected model of every fold, in the folds' order."""

    chrombpnet: tuple[At, ...]
    chrombpnet_nobias: tuple[At, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything runs."""
        _require_folds(self.chrombpnet)


@dataclass(frozen=True)
class ModelsParameters:
    """There is nothing to choose."""


@dataclass(frozen=True, kw_only=True)
class MeanTracksInputs(RegionInputs[At]):
    """The whole model of every fold."""

    models: tuple[At, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything runs."""
        _require_folds(self.models)


@dataclass(frozen=True, kw_only=True)
class MeanTracksParameters(RegionParameters):
    """Rows at a time."""

    batch_size: int = 64


@dataclass(frozen=True)
class MeanContributionsInputs(Generic[At]):
    """The step ``contributions`` of every fold, which must have explained the same regions."""

    contributions: tuple[At, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything runs."""
        _require_folds(self.contributions)


@dataclass(frozen=True)
class MeanContributionsParameters:
    """``heads`` that are averaged: counts, profile, or both."""

    heads: tuple[str, ...] = field(metadata={"json": lambda heads: sorted({*heads})})


_MeanTracks = Work[Any, MeanTracksParameters]
_MeanContributions = Work[MeanContributionsInputs[Path], MeanContributionsParameters]


def _average_models(work: Work[ModelsInputs[Path], ModelsParameters]) -> None:
    """Save for the whole and for the corrected model one that averages the folds', logits and log counts."""
    from chrombpnet_core.models import average_models as average
    from chrombpnet_core.models import load_model, require_kind, save_model

    for kind, paths in (("chrombpnet", work.inputs.chrombpnet), ("chrombpnet_nobias", work.inputs.chrombpnet_nobias)):
        models = [require_kind(load_model(path), kind, path) for path in paths]
        save_model(average(models), work.out / f"{kind}.h5")
    work.facts["folds"] = len(work.inputs.chrombpnet)
    log.info("%s folds' models averaged", work.facts["folds"])


def _average_tracks(work: Work[MeanTracksInputs[Path], MeanTracksParameters]) -> None:
    write_mean_tracks(work, work.inputs.models)


def write_mean_tracks(work: _MeanTracks, files: Sequence[Path]) -> None:
    """Predict regions with the models of one fold or several and write ENCODE's tracks of the means.

    A track holds softmax(mean logits) × (exp(mean log counts) − 1); ``log_counts.npz`` each fold's, ``(folds, regions)``.
    Of several folds, how well they agree is written, too.

    Parameters
    ----------
    work
        Of the step, whose inputs are regions and a genome.
    files
        The whole model of every fold.
    """
    from chrombpnet_core.models import lengths_of, load_model, require_kind, require_lengths

    with reference(work.inputs, work.parameters.naming) as (genome, sizes):
        table = chosen_regions(work.inputs.regions, work.parameters, sizes)
        log.info("predicting with %s on %s", "all folds" if len(files) > 1 else "the model", find_device())
        models = [require_kind(load_model(file), "chrombpnet", file) for file in files]
        for model, file in zip(models, files, strict=True):
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
    arrays: dict[str, Any] = dict(log_counts)
    np.savez(work.out / "log_counts.npz", **arrays)


def _predict(
    work: _MeanTracks,
    models: list[Any],
    genome: Genome,
    table: pd.DataFrame,
    placement: TrackPlacement,
    profiles: dict[str, RowsOnDisk],
) -> dict[str, AnyArray]:
    """Fill the mean profiles and write how well the folds agree; log counts float32 ``(folds, n)`` of each model."""
    from chrombpnet_core.interpret import pairs_of, row_correlations
    from chrombpnet_core.models import Predictor, accessibility_part, bias_part, lengths_of, predict_folds

    batch_size, folds = work.parameters.batch_size, len(models)
    accessibility = [Predictor(accessibility_part(model), batch_size) for model in models]
    bias = [Predictor(bias_part(model), batch_size) for model in models]
    log_counts = {kind: np.empty((folds, len(table)), np.float32) for kind in KINDS}
    similar = {kind: np.empty((len(pairs_of(folds)), len(table)), np.float32) for kind in KINDS}
    found: dict[str, tuple[AnyArray, AnyArray]] = {}

    def predict(codes: AnyArray) -> tuple[AnyArray, AnyArray]:
        found.update(predict_folds(accessibility, bias, codes))
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
        "predicting with all folds" if folds > 1 else "predicting tracks",
    ):
        for kind, (logits, counts) in found.items():
            profiles[kind].write(rows, softmax(logits.mean(axis=0), axis=-1))
            log_counts[kind][:, rows] = counts
            if folds > 1:
                similar[kind][:, rows] = row_correlations(softmax(logits, axis=-1))
    if folds == 1:
        return log_counts
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


def _agreement(folds: int, numbers: Mapping[str, Iterable[Any]], regions: int) -> dict[str, Any]:
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
    work: _MeanTracks,
    kind: str,
    sizes: dict[str, int],
    placement: TrackPlacement,
    profiles: RowsOnDisk,
    log_counts: AnyArray,
) -> None:

    def read(rows: AnyArray) -> AnyArray:
        from chrombpnet_core.models import predicted_track

        return predicted_track(profiles.read(rows), log_counts[rows])

    _write_values(work, kind, sizes, placement, read, f"{kind}_stats.txt")


def _write_values(
    work: Work[Any, Any], name: str, sizes: dict[str, int], placement: TrackPlacement, read: Any, statistics: str
) -> None:
    """Write a bigWig ``<name>.bw`` and the statistics of its values."""
    write_track(work.out / f"{name}.bw", sizes, placement, read)
    numbers = track_statistics(lambda: (part.values for part in placement.values(read)))
    write_track_statistics(numbers, work.out / statistics)
    work.facts[name] = {"bases": placement.bases, "statistics": numbers}


def _average_contributions(work: _MeanContributions) -> None:
    """Average what the folds' models say that each base adds; the result has the form of the step ``contributions``."""
    folders = work.inputs.contributions
    regions = [(folder / REGIONS).read_bytes() for folder in folders]
    for fold, content in enumerate(regions):
        if content != regions[0]:
            raise _other_regions(fold, regions[0], content)
    (work.out / REGIONS).write_bytes(regions[0])
    table = read_regions(work.out / REGIONS, "regions")
    for fold, folder in enumerate(folders):
        for name in map(scores_file, work.parameters.heads):
            if not (folder / name).exists():
                raise InputError(
                    f"fold {fold}: its step contributions made no {name}",
                    expected="the same files of every fold",
                    remedy="run every fold with the same options",
                )
    agreement = {head: _average_head(work, head, table) for head in sorted({*work.parameters.heads})}
    (work.out / AGREEMENT).write_text(json.dumps(agreement, indent=1) + "\n")


def _other_regions(fold: int, first: bytes, other: bytes) -> InputError:
    """Make the error for a fold whose regions are not those of the first."""
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
    sizes: list[dict[str, int]] = []
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


def _average_head(work: _MeanContributions, head: str, table: pd.DataFrame) -> dict[str, Any]:
    """Write HDF5, bigWig and statistics of a head's mean; how well the folds agree."""
    from chrombpnet_core.genome import one_hot
    from chrombpnet_core.interpret import ContributionsFile, mean_contributions

    folders = work.inputs.contributions
    paths = [folder / scores_file(head) for folder in folders]
    sizes = _sizes_of_tracks([folder / f"{head}_scores.bw" for folder in folders])
    with open_hdf5(paths[0], "contributions") as first:
        length = first["raw/seq"].shape[2]
    similar: list[AnyArray] = []
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


AVERAGE_MODELS = Step(
    name="average_models",
    version=1,
    title="Average the models",
    inputs=ModelsInputs[Source],
    parameters=ModelsParameters,
    body=_average_models,
    outputs=published({"chrombpnet.h5": "models/", "chrombpnet_nobias.h5": "models/"}, "ensemble"),
)

AVERAGE_TRACKS = Step(
    name="average_tracks",
    version=1,
    title="Average the tracks",
    inputs=MeanTracksInputs[Source],
    parameters=MeanTracksParameters,
    body=_average_tracks,
    outputs=published(TRACK_FILES, "ensemble"),
)

AVERAGE_CONTRIBUTIONS = Step(
    name="average_contributions",
    version=1,
    title="Average the contributions",
    inputs=MeanContributionsInputs[Source],
    parameters=MeanContributionsParameters,
    body=_average_contributions,
    outputs=published(explained_files("chrombpnet_nobias"), "ensemble"),
)
