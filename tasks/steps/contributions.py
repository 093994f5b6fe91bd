"""Contributions of given regions: how much each base adds to a model's counts and profile, as HDF5 and bigWig."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome, Naming, centres, one_hot, write_regions
from chrombpnet_core.tracks import RowsOnDisk, place_regions, track_statistics, write_track, write_track_statistics
from chrombpnet_core.training_data import Stream, random_stream
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.genome import genome_at, sizes_of
from tasks.steps.tracks import away_from_edges, chosen_regions
from tasks.storage import split_prefix, stage

__all__ = ["EXAMPLES", "REGIONS", "contribution_files", "explain_regions", "scores_file"]

log = logging.getLogger(__name__)

EXAMPLES = "examples_contributions.npz"
"""Of the step that explains: what :func:`example_contributions` reads."""

REGIONS = "interpreted_regions.bed"
_STATISTICS = ".stats.txt"
_FILES = {"bias": "bias.h5", "main": "chrombpnet_nobias.h5"}
_REFERENCES = 20  # shuffles of each sequence (REFERENCE.md 9)
_FLOOR_REGIONS = 32  # that are explained a second time, with other shuffles


def scores_file(head: str) -> str:
    """Name of the HDF5 file of a head's contributions."""
    return f"{head}_scores.h5"


@step_task("Explain regions")
def explain_regions(
    store: str,
    model: Result | str,
    regions: Result | str,
    genome: str,
    chrom_sizes: str | None,
    heads: Sequence[str],
    chroms: list[str] | None = None,
    seed: int = 1234,
    naming: dict[str, Any] | None = None,
    exact: bool = False,
    most: int | None = None,
    kind: str | None = None,
    examples: Result | None = None,
    precision: str = "tf32",
) -> Result:
    """Explain ``heads``, counts or profile or both, of a model's predictions for regions.

    The result holds for each head the contributions as HDF5 (float16, or float32 where ``exact``), as bigWig and the
    statistics of that, and the regions explained. ``model`` is a file or the step that trained it; of ``kind`` bias, main
    (of which the accessibility model is explained), or by default any. ``regions`` is a file, or the step of the shards,
    whose peaks are taken; ``most`` of them at most, drawn with ``seed``, which is that of the shuffles too. ``examples`` is
    the evaluation whose example regions are explained besides; ``precision``, float32 or tf32, is that of products on a GPU
    (:func:`~chrombpnet_core.training.compute_options.set_precision`). Other arguments are as of
    :func:`~tasks.steps.tracks.predict_tracks`.
    """
    if not heads:
        raise InputError("nothing to explain", expected="-pc counts, -pc profile, or both")
    return run_step(
        store,
        "contributions",
        1,
        {
            "model": model,
            "regions": _one_file(regions, "peaks.bed"),
            "genome": genome,
            "chrom_sizes": chrom_sizes,
            "examples": _one_file(examples, "examples.npz"),
        },
        {
            "heads": sorted({*heads}),
            "chroms": sorted({*chroms}) if chroms else None,
            "seed": seed,
            "naming": naming,
            "exact": exact,
            "most": most,
            "kind": kind,
            "references": _REFERENCES,
            "precision": precision,
        },
        _explain,
    )


def _one_file(given: Result | str | None, name: str) -> Result | str | None:
    """Of a step's result that is there one file alone: it has others that are large."""
    if not isinstance(given, Result) or not given.key:
        return given
    return str(given.file(name)) if name in given.manifest["files"] else None


def contribution_files(result: Result, output_prefix: str, output_prefix_stats: str | None) -> dict[str, dict[str, Path]]:
    """Folder → name → local path of the files of :func:`explain_regions` as the user gets them.

    That is ``PREFIX.profile_scores.h5``, ``PREFIX.interpreted_regions.bed``, and so on; statistics have a prefix of their
    own, and are left out without one.
    """
    placed: dict[str, dict[str, Path]] = {}
    for file in result.manifest["files"]:
        prefix = output_prefix_stats if file.endswith(_STATISTICS) else output_prefix
        if prefix and file != EXAMPLES:
            folder, beginning = split_prefix(prefix)
            placed.setdefault(folder, {})[f"{beginning}.{file}" if beginning else file] = result.file(file)
    return placed


def _explain(work: Work) -> None:
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    with genome_at(path, artifact.sha256) as genome:
        naming = Naming.from_json(work.parameters["naming"])
        sizes = sizes_of(genome, work.inputs.get("chrom_sizes"), naming)
        table = chosen_regions(work, sizes, naming)
        device = find_device()
        explainer = _explainer(work, device)
        table = _drawn(away_from_edges(work, table, sizes, explainer.length), work.parameters)
        log.info("explaining %s of %s regions on %s", " and ".join(explainer.heads), f"{len(table):,}", device)
        write_regions(table, work.out / REGIONS)
        with RowsOnDisk(work.out.parent, explainer.length * len(explainer.heads)) as sums:
            _compute(work, explainer, genome, table, sums)
            _write_tracks(work, explainer, sizes, table, sums)
        if "examples" in work.inputs:
            _explain_examples(work, explainer, genome)


def _explainer(work: Work, device: Any) -> Any:
    """The explainer of the model, or of its accessibility part."""
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import accessibility_part, load_model
    from chrombpnet_core.training import set_precision

    path, parameters = work.inputs["model"], work.parameters
    set_precision(parameters["precision"])
    model = load_model(path / _FILES[parameters["kind"]] if path.is_dir() else path)
    if parameters["kind"] == "main" and model.name == "chrombpnet":
        model = accessibility_part(model)
    return Explainer(model, parameters["heads"], parameters["references"], device)


def _drawn(table: pd.DataFrame, parameters: dict[str, Any]) -> pd.DataFrame:
    """At most so many regions as asked for, in their order."""
    most = parameters["most"]
    if most is None or len(table) <= most:
        return table
    rows = np.sort(random_stream(parameters["seed"], Stream.EXPLAINED_PEAKS).choice(len(table), most, replace=False))
    log.info("%s of %s regions are drawn to be explained", f"{most:,}", f"{len(table):,}")
    return table.iloc[rows].reset_index(drop=True)


def _compute(work: Work, explainer: Any, genome: Genome, table: pd.DataFrame, sums: RowsOnDisk) -> None:
    """Write the HDF5 files, fill ``sums`` with each base's contribution, head after head, and measure the noise floor."""
    from chrombpnet_core.interpret import ContributionsFile, explain_regions, noise_floor

    parameters = work.parameters
    shuffles = parameters["references"], parameters["seed"]
    files = {
        head: ContributionsFile(work.out / scores_file(head), explainer.length, parameters["exact"])
        for head in explainer.heads
    }
    try:
        for part in explain_regions(
            explainer,
            genome,
            table["chrom"].to_numpy(),
            centres(table) - explainer.length // 2,
            *shuffles,
            work.checkpoint,
            work.keep,
        ):
            for head, file in files.items():
                file.append(part.codes, part.scores[head])
            present = one_hot(part.codes)
            sums.write(
                np.arange(part.rows.start, part.rows.stop),
                np.concatenate([(present * part.scores[head]).sum(axis=-1) for head in explainer.heads], axis=1),
            )
            if part.rows.start == 0:
                again = slice(0, _FLOOR_REGIONS)
                work.facts["noise_floor"] = noise_floor(
                    explainer, part.codes[again], {head: scores[again] for head, scores in part.scores.items()}, *shuffles
                )
    finally:
        for file in files.values():
            file.close()
    for head, r in work.facts["noise_floor"].items():
        log.info("%s: contributions with other shuffles agree at r = %.3f (median over regions)", head, r)


def _write_tracks(work: Work, explainer: Any, sizes: dict[str, int], table: pd.DataFrame, sums: RowsOnDisk) -> None:
    """bigWig and statistics of each head, from values that were never rounded to float16."""
    length = explainer.length
    placement = place_regions(table["chrom"].to_numpy(), centres(table), length, sizes)
    for number, head in enumerate(explainer.heads):
        columns = slice(number * length, (number + 1) * length)

        def read(rows: np.ndarray, columns: slice = columns) -> np.ndarray:
            return sums.read(rows)[:, columns]

        write_track(work.out / f"{head}_scores.bw", sizes, placement, read)
        statistics = track_statistics(lambda read=read: (part.values for part in placement.values(read)))
        write_track_statistics(statistics, work.out / f"{head}_scores{_STATISTICS}")
        work.facts[head] = {"bases": placement.bases, "statistics": statistics}


def _explain_examples(work: Work, explainer: Any, genome: Genome) -> None:
    """Actual contributions to the profile, or else the counts, of the evaluation's example regions, their outputs' width."""
    from chrombpnet_core.interpret import actual_contributions, explain_codes

    with np.load(work.inputs["examples"], allow_pickle=False) as file:
        chroms, starts = file["chroms"], file["starts"]
    margin = (explainer.length - explainer.width) // 2
    codes = genome.windows(chroms, starts - margin, explainer.length)
    scores = {head: np.empty((*codes.shape, 4), np.float32) for head in explainer.heads}
    for rows, found in explain_codes(explainer, codes, work.parameters["references"], work.parameters["seed"]):
        for head, values in found.items():
            scores[head][rows] = values
    inner = slice(margin, margin + explainer.width)
    shown = {head: actual_contributions(codes, values)[:, inner].astype(np.float16) for head, values in scores.items()}
    np.savez(work.out / EXAMPLES, chroms=chroms, starts=starts, **shown)
