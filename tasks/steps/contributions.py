"""Contributions of given regions: how much each base adds to a model's counts and profile, as HDF5 and bigWig."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome, centres, one_hot, write_regions
from chrombpnet_core.tracks import (
    RowsOnDisk,
    TrackPlacement,
    place_regions,
    track_statistics,
    write_track,
    write_track_statistics,
)
from chrombpnet_core.training_data import Stream, random_stream
from tasks.runner import At, Result, Source, Step, Work, published
from tasks.steps.genome import reference
from tasks.steps.tracks import RegionInputs, RegionParameters, away_from_edges, chosen_regions
from tasks.storage import split_prefix

__all__ = [
    "CONTRIBUTIONS",
    "EXAMPLES",
    "HEADS",
    "REGIONS",
    "ContributionsInputs",
    "ContributionsParameters",
    "contribution_files",
    "explained_files",
    "scores_file",
]

HEADS = ("profile", "counts")
"""Outputs of a model that can be explained."""


log = logging.getLogger(__name__)

EXAMPLES = "examples_contributions.npz"
"""Of the step that explains: what :func:`example_contributions` reads."""

REGIONS = "interpreted_regions.bed"
_STATISTICS = ".stats.txt"
_REFERENCES = 20  # shuffles of each sequence (REFERENCE.md 9)
_FLOOR_REGIONS = 32  # that are explained a second time, with other shuffles


def scores_file(head: str) -> str:
    """Name of the HDF5 file of a head's contributions."""
    return f"{head}_scores.h5"


@dataclass(frozen=True, kw_only=True)
class ContributionsInputs(RegionInputs[At]):
    """A model, and ``examples`` of an evaluation, which are explained besides."""

    model: At
    examples: At | None = None


@dataclass(frozen=True, kw_only=True)
class ContributionsParameters(RegionParameters):
    """What is explained, and how.

    Attributes
    ----------
    heads
        ``counts``, ``profile``, or both.
    seed
        Of the shuffles, and of the draw of regions.
    exact
        Whether contributions are kept in float32 in place of float16.
    most
        Regions that are drawn at most; all where None.
    kind
        ``bias``, ``main`` (of which the accessibility model is explained), or None for a file of any model.
    precision
        Of products on a GPU, float32 or tf32 (:func:`~chrombpnet_core.training.compute.set_precision`).
    """

    heads: tuple[str, ...] = field(metadata={"json": lambda heads: sorted({*heads})})
    seed: int = 1234
    exact: bool = False
    most: int | None = None
    kind: Literal["bias", "main"] | None = None
    references: int = _REFERENCES
    precision: str = "tf32"

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything runs."""
        if not self.heads:
            raise InputError("nothing to explain", expected="`heads` counts, profile, or both")


_Explaining = Work[ContributionsInputs[Path], ContributionsParameters]


def contribution_files(result: Result, output_prefix: str, output_prefix_stats: str | None) -> dict[str, dict[str, Path]]:
    """Folder → name → local path of the files of :data:`CONTRIBUTIONS` as the user gets them.

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


def _explain(work: _Explaining) -> None:
    with reference(work.inputs, work.parameters.naming) as (genome, sizes):
        table = chosen_regions(work.inputs.regions, work.parameters, sizes)
        device = find_device()
        explainer = _explainer(work, device)
        table = _drawn(away_from_edges(work, table, sizes, explainer.length), work.parameters)
        log.info("explaining %s of %s regions on %s", " and ".join(explainer.heads), f"{len(table):,}", device)
        write_regions(table, work.out / REGIONS)
        with RowsOnDisk(work.out.parent, explainer.length * len(explainer.heads)) as sums:
            _compute(work, explainer, genome, table, sums)
            _write_tracks(work, explainer, sizes, table, sums)
        if work.inputs.examples:
            _explain_examples(work, work.inputs.examples, explainer, genome)


def _explainer(work: _Explaining, device: Any) -> Any:
    """Make the explainer of the model, or of its accessibility part."""
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import accessibility_part, load_model
    from chrombpnet_core.training import set_precision

    parameters = work.parameters
    set_precision(parameters.precision)
    model = load_model(work.inputs.model)
    if parameters.kind == "main" and model.name == "chrombpnet":
        model = accessibility_part(model)
    return Explainer(model, sorted({*parameters.heads}), parameters.references, device)


def _drawn(table: pd.DataFrame, parameters: ContributionsParameters) -> pd.DataFrame:
    """At most so many regions as asked for, in their order."""
    most = parameters.most
    if most is None or len(table) <= most:
        return table
    rows = np.sort(random_stream(parameters.seed, Stream.EXPLAINED_PEAKS).choice(len(table), most, replace=False))
    log.info("%s of %s regions are drawn to be explained", f"{most:,}", f"{len(table):,}")
    return table.iloc[rows].reset_index(drop=True)


def _compute(work: _Explaining, explainer: Any, genome: Genome, table: pd.DataFrame, sums: RowsOnDisk) -> None:
    """Write the HDF5 files, fill ``sums`` with each base's contribution, head after head, and measure the noise floor."""
    from chrombpnet_core.interpret import ContributionsFile, explain_regions, noise_floor

    parameters = work.parameters
    shuffles = parameters.references, parameters.seed
    files = {
        head: ContributionsFile(work.out / scores_file(head), explainer.length, parameters.exact) for head in explainer.heads
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


def _write_tracks(work: _Explaining, explainer: Any, sizes: dict[str, int], table: pd.DataFrame, sums: RowsOnDisk) -> None:
    """Write bigWig and statistics of each head, from values that were never rounded to float16."""
    length = explainer.length
    placement = place_regions(table["chrom"].to_numpy(), centres(table), length, sizes)
    for number, head in enumerate(explainer.heads):
        columns = slice(number * length, (number + 1) * length)

        def read(rows: AnyArray, columns: slice = columns) -> AnyArray:
            return sums.read(rows)[:, columns]

        write_track(work.out / f"{head}_scores.bw", sizes, placement, read)
        statistics = track_statistics(functools.partial(_values, placement, read))
        write_track_statistics(statistics, work.out / f"{head}_scores{_STATISTICS}")
        work.facts[head] = {"bases": placement.bases, "statistics": statistics}


def _values(placement: TrackPlacement, read: Callable[[AnyArray], AnyArray]) -> Iterator[AnyArray]:
    """Go through the track's values, piece by piece."""
    return (part.values for part in placement.values(read))


def _explain_examples(work: _Explaining, path: Path, explainer: Any, genome: Genome) -> None:
    """Actual contributions to the profile, or else the counts, of the evaluation's example regions, their outputs' width."""
    from chrombpnet_core.interpret import actual_contributions, explain_codes

    with np.load(path, allow_pickle=False) as file:
        chroms, starts = file["chroms"], file["starts"]
    margin = (explainer.length - explainer.width) // 2
    codes = genome.windows(chroms, starts - margin, explainer.length)
    scores = {head: np.empty((*codes.shape, 4), np.float32) for head in explainer.heads}
    for rows, found in explain_codes(explainer, codes, work.parameters.references, work.parameters.seed):
        for head, values in found.items():
            scores[head][rows] = values
    inner = slice(margin, margin + explainer.width)
    shown: dict[str, Any] = {
        head: actual_contributions(codes, values)[:, inner].astype(np.float16) for head, values in scores.items()
    }
    np.savez(work.out / EXAMPLES, chroms=chroms, starts=starts, **shown)


def explained_files(prefix: str) -> dict[str, str]:
    """Return the places of a step's contributions in the results folder, by file.

    Parameters
    ----------
    prefix
        Name of the model that is explained.

    Returns
    -------
    dict
        File → place, as :func:`tasks.runner.published` takes it.
    """
    names = [f"{head}_scores{end}" for head in HEADS for end in (".h5", ".bw", _STATISTICS)]
    return dict.fromkeys([*names, REGIONS], f"auxiliary/interpret_subsample/{prefix}.")


CONTRIBUTIONS = Step(
    name="contributions",
    version=1,
    title="Explain regions",
    inputs=ContributionsInputs[Source],
    parameters=ContributionsParameters,
    body=_explain,
    outputs=published(explained_files("bias"), "bias") | published(explained_files("chrombpnet_nobias"), "main"),
)
