"""Predicted tracks of given regions, and how near they come to observed insertions."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import score_regions, summarise_scores
from chrombpnet_core.genome import (
    Genome,
    Naming,
    centres,
    on_chromosomes,
    read_regions,
    same_chromosome,
    windows_fit,
    write_regions,
)
from chrombpnet_core.models import reference_track
from chrombpnet_core.tracks import (
    Coverage,
    RegionPredictionsFile,
    RowsOnDisk,
    TrackPlacement,
    check_coverage_sizes,
    place_regions,
    predict_regions,
    track_statistics,
    write_track,
    write_track_statistics,
)
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.genome import genome_at, sizes_of
from tasks.storage import split_prefix, stage

__all__ = ["away_from_edges", "chosen_regions", "predict_tracks", "track_files"]

log = logging.getLogger(__name__)

_KINDS = ("bias", "chrombpnet", "chrombpnet_nobias")
_STATISTICS = "_stats.txt"
_ROWS = 512  # of the predictions file written at a time
_NAMED = 5  # regions in a message


@step_task("Predict tracks")
def predict_tracks(
    store: str,
    models: dict[str, str | None],
    regions: str,
    genome: str,
    chrom_sizes: str | None,
    bigwig: str | None = None,
    batch_size: int = 64,
    chroms: list[str] | None = None,
    seed: int = 1234,
    naming: dict[str, Any] | None = None,
) -> Result:
    """Predict ``regions``, or those on ``chroms``, with every model and write the tracks and their statistics.

    ``models`` has the file of ``bias``, ``chrombpnet`` and ``chrombpnet_nobias``, at least one. With the observed
    insertions of ``bigwig`` the predictions themselves and metrics are written too; ``seed`` is that of the chance level,
    ``naming`` is :meth:`Naming.to_json <chrombpnet_core.genome.Naming.to_json>`.
    """
    given = {kind: models.get(kind) for kind in _KINDS if models.get(kind)}
    if not given:
        raise InputError("no model given", expected="at least one of -bm, -cm and -cmb")
    return run_step(
        store,
        "tracks",
        1,
        {"regions": regions, "genome": genome, "chrom_sizes": chrom_sizes, "bigwig": bigwig} | given,
        {"batch_size": batch_size, "chroms": sorted({*chroms}) if chroms else None, "seed": seed, "naming": naming},
        _predict,
    )


def track_files(result: Result, output_prefix: str, output_prefix_stats: str | None) -> dict[str, dict[str, Path]]:
    """Folder → name → local path of the files of :func:`predict_tracks` as the user gets them, ``PREFIX_<model>.bw``, …

    Statistics have a prefix of their own, and are left out without one.
    """
    placed: dict[str, dict[str, Path]] = {}
    for file in result.manifest["files"]:
        prefix = output_prefix_stats if file.endswith(_STATISTICS) else output_prefix
        if prefix:
            folder, beginning = split_prefix(prefix)
            placed.setdefault(folder, {})[f"{beginning}_{file}" if beginning else file] = result.file(file)
    return placed


def _predict(work: Work) -> None:
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        naming = Naming.from_json(work.parameters["naming"])
        sizes = sizes_of(genome, work.inputs.get("chrom_sizes"), naming)
        table = chosen_regions(work, sizes, naming)
        with Coverage(work.inputs["bigwig"], naming, sizes) if "bigwig" in work.inputs else nullcontext() as coverage:
            if coverage:
                check_coverage_sizes(coverage, {chrom: sizes[chrom] for chrom in table["chrom"].unique()})
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


def chosen_regions(work: Work, sizes: dict[str, int], naming: Naming) -> pd.DataFrame:
    """The regions on the chromosomes asked for."""
    path, chroms = work.inputs["regions"], work.parameters["chroms"]
    if chroms:
        changed = naming.translate(chroms, sizes)
        chroms = [changed.get(chrom, chrom) for chrom in chroms]
    for chrom in chroms or ():
        if chrom not in sizes:
            other = same_chromosome(chrom, sizes)
            raise InputError(
                f"-d/--debug-chr: chromosome {chrom} is not in the chromosome sizes",
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
            remedy="give other chromosomes with -d",
        )
    log.info("%s of %s regions lie on %s; the others are left out", f"{kept.sum():,}", f"{len(table):,}", ", ".join(chroms))
    return table[kept].reset_index(drop=True)


def _load(work: Work) -> dict[str, Any]:
    """The models by name, all of one size."""
    from chrombpnet_core.models import lengths_of, load_model, require_kind, require_lengths

    models: dict[str, Any] = {}
    for kind in _KINDS:
        if kind in work.inputs:
            path = work.inputs[kind]
            models[kind] = require_kind(load_model(path), kind, path)
            require_lengths(models[kind], lengths_of(next(iter(models.values()))), path)
    return models


def away_from_edges(work: Work, table: pd.DataFrame, sizes: dict[str, int], width: int) -> pd.DataFrame:
    """The regions whose input window lies in its chromosome."""
    kept = windows_fit(table, sizes, width)
    if not kept.any():
        raise InputError(
            f"{work.inputs['regions']}: all {len(table):,} regions are too near a chromosome end for the "
            f"model's window of {width:,} bp",
            remedy="give regions farther from the ends",
        )
    if not kept.all():
        named = [f"{row.chrom}:{row.start + 1:,}-{row.end:,}" for row in table[~kept].head(_NAMED).itertuples()]
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
        log.info("%s regions have the centre of another; tracks hold each place once", f"{repeated:,}")
    work.facts |= {"regions": len(table), "at_edges": int((~kept).sum()), "repeated": repeated}
    return table


def _predict_one(
    work: Work,
    name: str,
    model: Any,
    genome: Genome,
    table: pd.DataFrame,
    placement: TrackPlacement,
    coverage: Coverage | None,
    profiles: RowsOnDisk,
) -> np.ndarray:
    """Fill ``profiles``, and write metrics where there is a coverage; log counts ``(n,)`` in the order of the table."""
    from chrombpnet_core.models import Predictor, lengths_of

    batch_size = work.parameters["batch_size"]
    chroms, middles, width = table["chrom"].to_numpy(), centres(table), placement.width
    log_counts = np.empty(len(table), dtype=np.float32)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
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
        work.parameters["seed"],
    )
    (work.out / f"{name}_metrics.json").write_text(json.dumps(summarise_scores(scores), indent=1) + "\n")
    return log_counts


def _observed(coverage: Coverage, chroms: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
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


def _write_predictions(path: Path, table: pd.DataFrame, profiles: RowsOnDisk, log_counts: np.ndarray, width: int) -> None:
    """Rows in the order of the table."""
    chroms, middles = table["chrom"].to_numpy(), centres(table)
    with RegionPredictionsFile(path, width) as file:
        for at in range(0, len(table), _ROWS):
            rows = np.arange(at, min(at + _ROWS, len(table)))
            file.append(chroms[rows], middles[rows], np.ones(len(rows)), profiles.read(rows), log_counts[rows])


def _write_track(
    work: Work, name: str, sizes: dict[str, int], placement: TrackPlacement, profiles: RowsOnDisk, log_counts: np.ndarray
) -> None:
    def read(rows: np.ndarray) -> np.ndarray:
        return reference_track(profiles.read(rows), log_counts[rows])

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
