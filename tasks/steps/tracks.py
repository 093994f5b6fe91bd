"""Predicted tracks of given regions, and how near they come to observed insertions."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.evaluation import score_regions, summarise_scores
from chrombpnet_core.genome import Genome, centres, on_chromosomes, read_regions, same_chromosome, windows_fit, write_regions
from chrombpnet_core.models import reference_track
from chrombpnet_core.tracks import (
    Coverage,
    RegionPredictionsFile,
    RowsOnDisk,
    TrackPlacement,
    check_coverage_sizes,
    check_insertions,
    place_regions,
    predict_regions,
    track_statistics,
    write_track,
    write_track_statistics,
)
from tasks.runner import At, Result, Source, Step, Work
from tasks.steps.genome import GenomeInputs, GenomeParameters, reference
from tasks.storage import split_prefix

__all__ = [
    "TRACKS",
    "RegionInputs",
    "RegionParameters",
    "TracksInputs",
    "TracksParameters",
    "away_from_edges",
    "chosen_regions",
    "track_files",
]

log = logging.getLogger(__name__)

_STATISTICS = "_stats.txt"
_ROWS = 512  # of the predictions file written at a time
_NAMED = 5  # regions in a message


@dataclass(frozen=True, kw_only=True)
class RegionInputs(GenomeInputs[At]):
    """Inputs of steps that go through given regions."""

    regions: At


def _sorted_names(chroms: tuple[str, ...] | None) -> list[str] | None:
    return sorted({*chroms}) if chroms else None


@dataclass(frozen=True, kw_only=True)
class RegionParameters(GenomeParameters):
    """Which regions are taken, and how files name chromosomes."""

    chroms: tuple[str, ...] | None = field(default=None, metadata={"json": _sorted_names})


@dataclass(frozen=True, kw_only=True)
class TracksInputs(RegionInputs[At]):
    """At least one model, and a ``bigwig`` of observed insertions where predictions are to be measured against them."""

    bigwig: At | None = None
    bias: At | None = None
    chrombpnet: At | None = None
    chrombpnet_nobias: At | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything runs."""
        if not self.models():
            raise InputError("no model given", expected="at least one of `bias`, `chrombpnet` and `chrombpnet_nobias`")

    def models(self) -> dict[str, At]:
        """Return the models that are given, by name."""
        named = {"bias": self.bias, "chrombpnet": self.chrombpnet, "chrombpnet_nobias": self.chrombpnet_nobias}
        return {name: model for name, model in named.items() if model}


@dataclass(frozen=True, kw_only=True)
class TracksParameters(RegionParameters):
    """Rows at a time; seed of the metrics' chance level; whether a bigWig is taken that looks like no insertions."""

    batch_size: int = 64
    seed: int = 1234
    accept_bigwig: bool = field(default=False, metadata={"json": None})


_Predicting = Work[TracksInputs[Path], TracksParameters]


def track_files(result: Result, output_prefix: str, output_prefix_stats: str | None) -> dict[str, dict[str, Path]]:
    """Name the files of :data:`TRACKS` as the user gets them.

    Parameters
    ----------
    result
        Of the step.
    output_prefix
        Folder and beginning of the names: ``PREFIX_<model>.bw`` and so on.
    output_prefix_stats
        The same for statistics, which are left out without one.

    Returns
    -------
    dict
        Folder → name → local path.
    """
    placed: dict[str, dict[str, Path]] = {}
    for file in result.manifest["files"]:
        prefix = output_prefix_stats if file.endswith(_STATISTICS) else output_prefix
        if prefix:
            folder, beginning = split_prefix(prefix)
            placed.setdefault(folder, {})[f"{beginning}_{file}" if beginning else file] = result.file(file)
    return placed


def _predict(work: _Predicting) -> None:
    inputs, naming = work.inputs, work.parameters.naming
    with reference(inputs, naming) as (genome, sizes):
        table = chosen_regions(inputs.regions, work.parameters, sizes)
        with Coverage(inputs.bigwig, naming, sizes) if inputs.bigwig else nullcontext() as coverage:
            if coverage:
                check_coverage_sizes(coverage, {chrom: sizes[chrom] for chrom in table["chrom"].unique()})
                accepted = check_insertions(coverage, work.parameters.accept_bigwig)
                work.facts |= {"accepted": accepted.replace(coverage.path, Path(coverage.path).name)} if accepted else {}
            log.info("predicting on %s", find_device())
            from chrombpnet_core.models import lengths_of

            models = _load(work)
            input_length, output_length = lengths_of(next(iter(models.values())))
            table = away_from_edges(work, table, sizes, input_length)
            placement = place_regions(table["chrom"].to_numpy(), centres(table), output_length, sizes)
            for name, model in models.items():
                with RowsOnDisk(work.out.parent, output_length) as profiles:
                    log_counts = _predict_one(work, name, model, genome, table, placement, coverage, profiles)
                    if coverage:
                        _write_predictions(work.out / f"{name}_predictions.h5", table, profiles, log_counts, output_length)
                    _write_track(work, name, sizes, placement, profiles, log_counts)
                write_regions(table, work.out / f"{name}_preds.bed")


def chosen_regions(path: Path, parameters: RegionParameters, sizes: dict[str, int]) -> pd.DataFrame:
    """Read the regions on the chromosomes asked for.

    Parameters
    ----------
    path
        The table of regions.
    parameters
        Chromosomes asked for, and how they are named.
    sizes
        Sizes of the chromosomes in use.

    Returns
    -------
    pandas.DataFrame
        As :func:`~chrombpnet_core.genome.read_regions` gives it.
    """
    naming = parameters.naming
    chroms = sorted({*parameters.chroms}) if parameters.chroms else None
    if chroms:
        changed = naming.translate(chroms, sizes)
        chroms = [changed.get(chrom, chrom) for chrom in chroms]
    for chrom in chroms or ():
        if chrom not in sizes:
            other = same_chromosome(chrom, sizes)
            raise InputError(
                f"`chroms`: chromosome {chrom} is not in the chromosome sizes",
                expected="some of " + ", ".join([*sizes][:5]) + (", …" if len(sizes) > 5 else ""),
                remedy=f"the genome calls it {other}" if other else "",
            )
    table = read_regions(path, "regions", sizes, naming)
    if chroms is None:
        return table
    kept = on_chromosomes(table, chroms)
    if not kept.any():
        raise InputError(
            f"{path}: none of the {len(table):,} regions lies on {', '.join(chroms)}",
            remedy="give other `chroms`",
        )
    log.info("%s of %s regions lie on %s; the others are left out", f"{kept.sum():,}", f"{len(table):,}", ", ".join(chroms))
    return table[kept].reset_index(drop=True)


def _load(work: _Predicting) -> dict[str, Any]:
    """Load the models by name, all of one size."""
    from chrombpnet_core.models import lengths_of, load_model, require_kind, require_lengths

    models: dict[str, Any] = {}
    for name, path in work.inputs.models().items():
        models[name] = require_kind(load_model(path), name, path)
        require_lengths(models[name], lengths_of(next(iter(models.values()))), path)
    return models


def away_from_edges(
    work: Work[RegionInputs[Path], Any], table: pd.DataFrame, sizes: dict[str, int], width: int
) -> pd.DataFrame:
    """Return the regions whose window lies in its chromosome; their numbers are noted in the facts.

    Parameters
    ----------
    work
        Of the step.
    table
        Regions.
    sizes
        Sizes of the chromosomes in use.
    width
        Width of the window in bp.

    Returns
    -------
    pandas.DataFrame
        Some of the table's rows.
    """
    kept = windows_fit(table, sizes, width)
    if not kept.any():
        raise InputError(
            f"{work.inputs.regions}: all {len(table):,} regions are too near a chromosome end for the "
            f"model's window of {width:,} bp",
            remedy="give regions farther from the ends",
        )
    if not kept.all():
        left_out = table[~kept].head(_NAMED)[["chrom", "start", "end"]].to_numpy().tolist()
        named = [f"{chrom}:{start + 1:,}-{end:,}" for chrom, start, end in left_out]
        log.warning(
            "%s of %s regions are too near a chromosome end for the model's window of %s bp and are left out: %s%s",
            f"{(~kept).sum():,}",
            f"{len(table):,}",
            f"{width:,}",
            ", ".join(named),
            ", …" if (~kept).sum() > _NAMED else "",
        )
    table = table[kept].reset_index(drop=True)
    repeated = int(table.assign(centre=centres(table)).duplicated(["chrom", "centre"]).sum())
    if repeated:
        log.info("tracks hold each place once: %s at the centre of another", counted(repeated, "regions"))
    work.facts |= {"regions": len(table), "at_edges": int((~kept).sum()), "repeated": repeated}
    return table


def _predict_one(
    work: _Predicting,
    name: str,
    model: Any,
    genome: Genome,
    table: pd.DataFrame,
    placement: TrackPlacement,
    coverage: Coverage | None,
    profiles: RowsOnDisk,
) -> AnyArray:
    """Fill ``profiles``, and write metrics where there is a coverage; log counts ``(n,)`` in the order of the table."""
    from chrombpnet_core.models import Predictor, lengths_of

    batch_size = work.parameters.batch_size
    chroms, middles, width = table["chrom"].to_numpy(), centres(table), placement.width
    log_counts = np.empty(len(table), dtype=np.float32)

    def batches() -> Iterator[tuple[AnyArray, AnyArray, AnyArray]]:
        for rows, logits, counts in predict_regions(
            Predictor(model, batch_size),
            genome,
            chroms,
            middles,
            placement.rows,
            lengths_of(model)[0],
            batch_size,
            f"predicting with {name}",
        ):
            profiles.write(rows, softmax(logits, axis=-1))
            log_counts[rows] = counts
            yield rows, logits, counts

    if coverage is None:
        for _ in batches():
            pass
        return log_counts
    scores = score_regions(
        (
            (_observed(coverage, chroms[rows], middles[rows] - width // 2, width), logits, counts)
            for rows, logits, counts in batches()
        ),
        work.parameters.seed,
    )
    metrics = summarise_scores(scores) | {key: value for key, value in work.facts.items() if key == "accepted"}
    (work.out / f"{name}_metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    return log_counts


def _observed(coverage: Coverage, chroms: AnyArray, starts: AnyArray, width: int) -> AnyArray:
    counts = coverage.windows(chroms, starts, width)
    bad = ~np.isfinite(counts) | (counts < 0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"{coverage.path}: {chroms[row]}:{starts[row] + column + 1:,}",
            expected="insertions per base, 0 or more",
            found=f"{counts[row, column]:g}",
            remedy="give raw unstranded counts, not log ratios or differences",
        )
    return counts


def _write_predictions(path: Path, table: pd.DataFrame, profiles: RowsOnDisk, log_counts: AnyArray, width: int) -> None:
    """Rows in the order of the table."""
    chroms, middles = table["chrom"].to_numpy(), centres(table)
    with RegionPredictionsFile(path, width) as file:
        for at in range(0, len(table), _ROWS):
            rows = np.arange(at, min(at + _ROWS, len(table)))
            file.append(chroms[rows], middles[rows], np.ones(len(rows)), profiles.read(rows), log_counts[rows])


def _write_track(
    work: _Predicting,
    name: str,
    sizes: dict[str, int],
    placement: TrackPlacement,
    profiles: RowsOnDisk,
    log_counts: AnyArray,
) -> None:
    def read(rows: AnyArray) -> AnyArray:
        values: AnyArray = reference_track(profiles.read(rows), log_counts[rows])
        return values

    write_track(work.out / f"{name}.bw", sizes, placement, read)
    statistics = track_statistics(lambda: (part.values for part in placement.values(read)))
    write_track_statistics(statistics, work.out / f"{name}{_STATISTICS}")
    work.facts[name] = {"bases": placement.bases, "statistics": statistics}
    log.info(
        "%s: %s bp of %s regions, median %.3g, largest %.3g insertions per base",
        name,
        f"{placement.bases:,}",
        f"{len(log_counts):,}",
        statistics["50%"],
        statistics["max"],
    )


TRACKS = Step(
    name="tracks",
    version=1,
    title="Predict tracks",
    inputs=TracksInputs[Source],
    parameters=TracksParameters,
    body=_predict,
)
