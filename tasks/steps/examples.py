"""Regions become training examples: GC-matched negatives (nonpeaks), and shards of bases and counts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold, read_bed3, read_regions, windows_fit, without_blacklisted, write_regions
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training_data import ShardLayout, candidate_bins, gc_bins, peak_gc, sample_nonpeaks, write_shards
from tasks.runner import At, Source, Step, Work, published
from tasks.steps.genome import GenomeInputs, GenomeParameters, genome_cache, reference
from tasks.steps.insertions import BIGWIG
from tasks.storage import stage

__all__ = ["NONPEAKS", "SHARDS", "NonpeaksInputs", "NonpeaksParameters", "ShardsInputs", "ShardsParameters"]

log = logging.getLogger(__name__)

NEGATIVES = "negatives.bed"


@dataclass(frozen=True, kw_only=True)
class NonpeaksInputs(GenomeInputs[At]):
    """Peaks whose GC content is matched, and regions to keep away from."""

    peaks: At
    blacklist: At | None = None


@dataclass(frozen=True, kw_only=True)
class NonpeaksParameters(GenomeParameters):
    """How nonpeaks are drawn.

    Attributes
    ----------
    input_length, stride
        Width of the candidates and distance between them in bp.
    ratio
        Nonpeaks per peak on train and valid chromosomes; on test chromosomes it is 1.
    exclude_peaks
        Whether peaks near the blacklist are not matched either.
    """

    fold: Fold
    input_length: int
    stride: int
    ratio: int
    seed: int
    exclude_peaks: bool = False


def _nonpeaks(work: Work[NonpeaksInputs[Path], NonpeaksParameters]) -> None:
    """Draw background regions with the GC content of the peaks, away from peaks and blacklist."""
    from chrombpnet_core.plots import write_png
    from chrombpnet_core.report import gc_match_of_regions

    inputs, parameters = work.inputs, work.parameters
    width, naming = parameters.input_length, parameters.naming
    with reference(inputs, naming) as (genome, sizes):
        peaks = read_regions(inputs.peaks, "peaks", sizes, naming)
        blacklist = read_bed3(inputs.blacklist, "blacklist", sizes, naming) if inputs.blacklist else None
        matched = without_blacklisted(peaks, blacklist, width) if parameters.exclude_peaks else peaks
        foreground = peak_gc(matched, genome, sizes, width)
        free = candidate_bins(gc_bins(genome, sizes, width, parameters.stride), peaks, blacklist, width)
    nonpeaks, numbers = sample_nonpeaks(foreground, free, parameters.fold, parameters.ratio, 1, parameters.seed)
    write_regions(nonpeaks, work.out / NEGATIVES)
    auxiliary = work.out / "auxiliary"
    auxiliary.mkdir()
    for name, table in (("foreground.gc.bed", foreground), ("candidates.bed", free)):
        table.to_csv(auxiliary / name, sep="\t", header=False, index=False)
    write_png(gc_match_of_regions(foreground, free, nonpeaks, numbers), auxiliary / "gc_match.png")
    work.facts |= {
        "parts": numbers,
        "candidates": len(free),
        "wanted": sum(int(str(number["wanted"])) for number in numbers.values()),
        "made": len(nonpeaks),
    }


NONPEAKS = Step(
    name="nonpeaks",
    version=3,
    title="Draw nonpeaks",
    inputs=NonpeaksInputs[Source],
    parameters=NonpeaksParameters,
    body=_nonpeaks,
    outputs=published({NEGATIVES: "auxiliary/"}, "bias", "main"),
)


@dataclass(frozen=True, kw_only=True)
class ShardsInputs(GenomeInputs[At]):
    """Insertions (the step ``coverage``), peaks, nonpeaks (a file or the step :data:`NONPEAKS`).

    Peaks near the ``blacklist`` are left out where one is given.
    """

    coverage: At
    peaks: At
    nonpeaks: At
    blacklist: At | None = None


@dataclass(frozen=True, kw_only=True)
class ShardsParameters(GenomeParameters):
    """Lengths of the examples in bp; ``jitter`` is the largest shift that training may ask for."""

    input_length: int
    output_length: int
    jitter: int


def _shards(work: Work[ShardsInputs[Path], ShardsParameters]) -> None:
    """Write bases and counts of every region once, for all folds and both models."""
    inputs, parameters = work.inputs, work.parameters
    layout = ShardLayout(parameters.input_length, parameters.output_length, parameters.jitter)
    with reference(inputs, parameters.naming) as (genome, sizes), Coverage(inputs.coverage / BIGWIG) as coverage:
        nonpeaks = inputs.nonpeaks / NEGATIVES if inputs.nonpeaks.is_dir() else inputs.nonpeaks
        tables = {
            "peaks": _usable_regions(work, inputs.peaks, "peaks", sizes),
            "nonpeaks": _usable_regions(work, nonpeaks, "nonpeaks", sizes),
        }
        write_shards(
            work.out,
            genome,
            coverage,
            tables["peaks"],
            tables["nonpeaks"],
            layout,
            saved=work.keep,
            cache=genome_cache(stage(str(inputs.genome), "genome")[1].sha256),
            resume=work.checkpoint,
        )
        for name, table in tables.items():
            gc = peak_gc(table, genome, sizes, layout.input_length)["gc"].to_numpy()
            work.facts[f"{name}_gc"] = np.bincount(np.rint(gc * 100).astype(int), minlength=101).tolist()


def _usable_regions(
    work: Work[ShardsInputs[Path], ShardsParameters], path: Path, name: str, sizes: dict[str, int]
) -> pd.DataFrame:
    """Regions whose window lies in its chromosome, written to the outputs too; the others are counted."""
    parameters = work.parameters
    width = parameters.input_length
    table = read_regions(path, name, sizes, parameters.naming)
    if name == "peaks" and work.inputs.blacklist:
        table = without_blacklisted(table, read_bed3(work.inputs.blacklist, "blacklist", sizes, parameters.naming), width)
    kept = windows_fit(table, sizes, width)
    if not kept.any():
        raise InputError(
            f"{path}: all {len(table):,} {name} are too near a chromosome end for a window of {width:,} bp",
            remedy="give regions farther from the ends, or a smaller `input_length`",
        )
    if not kept.all():
        log.info(
            "%s of %s %s are too near a chromosome end for a window of %s bp and are left out",
            f"{(~kept).sum():,}",
            f"{len(kept):,}",
            name,
            f"{width:,}",
        )
    write_regions(table[kept], work.out / f"{name}.bed")
    work.facts |= {name: int(kept.sum()), f"{name}_at_edges": int((~kept).sum())}
    return table[kept]


SHARDS = Step(
    name="shards",
    version=2,
    title="Write training examples",
    inputs=ShardsInputs[Source],
    parameters=ShardsParameters,
    body=_shards,
)
