"""A small simulated experiment, for tests and for the demo: what opens chromatin and where the enzyme cuts are known.

Log insertion rates are the sum of log accessibility and log bias, as the two halves of ChromBPNet add up, so
:func:`~chrombpnet_core.simulation.check_models` can hold a trained pair of models against what was planted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold, write_regions
from chrombpnet_core.simulation.fragments import draw_fragments
from chrombpnet_core.simulation.genome import call_peaks, draw_genome, plant_sites
from chrombpnet_core.simulation.ground_truth import write_ground_truth
from chrombpnet_core.simulation.insertion_rates import accessibility_tracks, bias_tracks, cut_scores
from chrombpnet_core.simulation.output_files import READ_FORMATS, write_bam, write_fragments, write_genome, write_tagalign
from chrombpnet_core.simulation.settings import CHROMOSOME_SHARES, DEMO, SimulationSettings

__all__ = ["Simulation", "simulate"]

_FOLD = Fold(train=("chr1", "chr2", "chr4", "chr6", "chr7"), valid=("chr5",), test=("chr3",))
_FARTHEST_SHIFT = 8  # bp that reads may be shifted: a shortest fragment keeps a length


@dataclass(frozen=True)
class Simulation:
    """Paths of what :func:`simulate` wrote; reads of a format that was not asked for are None.

    Attributes
    ----------
    folder
        That holds all files.
    genome, sizes, peaks, fold
        FASTA, chromosome sizes, narrowPeak and the fold's JSON.
    truth
        ``truth.json``; ``truth.npz`` lies beside it.
    fragments, bam, tagalign
        The reads.
    """

    folder: Path
    genome: Path
    sizes: Path
    peaks: Path
    fold: Path
    truth: Path
    fragments: Path | None = None
    bam: Path | None = None
    tagalign: Path | None = None


def simulate(
    folder: str | os.PathLike[str],
    settings: SimulationSettings = DEMO,
    shift: tuple[int, int] = (0, 0),
    formats: tuple[str, ...] = READ_FORMATS,
    bgzip: bool = False,
) -> Simulation:
    """Draw a genome, its open loci and its reads, and write them with their truth.

    Parameters
    ----------
    folder
        Made if absent. Receives genome.fa(.gz), chrom.sizes, peaks.narrowPeak, fold_0.json, fragments.tsv.gz, reads.bam
        (with index), reads.tagAlign.gz, truth.npz and truth.json. The same settings give the same bytes.
    settings
        What is planted; checked here.
    shift
        Added to the fragments' starts and ends before they are written: (0, 0) is what an aligner gives, (4, -5) and
        (4, -4) are common for ATAC, (0, 1) for DNase.
    formats
        Which of :data:`READ_FORMATS` to write; they hold the same fragments.
    bgzip
        Whether the genome is compressed.

    Returns
    -------
    Simulation
        The paths of the files.

    Raises
    ------
    InputError
        For settings that cannot be drawn and unknown formats.
    """
    settings.check()
    _check_reads(shift, formats)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = Simulation(
        folder,
        genome=folder / ("genome.fa.gz" if bgzip else "genome.fa"),
        sizes=folder / "chrom.sizes",
        peaks=folder / "peaks.narrowPeak",
        fold=folder / "fold_0.json",
        truth=folder / "truth.json",
        fragments=folder / "fragments.tsv.gz" if "fragments" in formats else None,
        bam=folder / "reads.bam" if "bam" in formats else None,
        tagalign=folder / "reads.tagAlign.gz" if "tagalign" in formats else None,
    )
    _draw(paths, settings, shift, bgzip)
    return paths


def _check_reads(shift: tuple[int, int], formats: tuple[str, ...]) -> None:
    if unknown := set(formats) - set(READ_FORMATS):
        raise InputError("simulation: formats", expected=f"some of {', '.join(READ_FORMATS)}", found=", ".join(unknown))
    if max(map(abs, shift)) > _FARTHEST_SHIFT:
        raise InputError("simulation: shift", expected=f"at most {_FARTHEST_SHIFT} bp either way", found=str(tuple(shift)))


def _draw(paths: Simulation, settings: SimulationSettings, shift: tuple[int, int], bgzip: bool) -> None:
    """Draw everything, in an order that the seed's bytes depend on, and write it."""
    rng = np.random.default_rng(settings.seed)
    sizes = {chrom: int(settings.size * share) for chrom, share in CHROMOSOME_SHARES.items()}
    genome = draw_genome(sizes, rng)
    sites = plant_sites(genome, settings, rng)
    accessibility = accessibility_tracks(sizes, sites, settings)
    scores = cut_scores(settings.assay, settings.sharpness)
    bias = bias_tracks(genome, scores)
    fragments = draw_fragments(accessibility, bias, settings.assay, shift, rng)
    write_genome(genome, paths.genome, bgzip)
    paths.sizes.write_text("".join(f"{chrom}\t{size}\n" for chrom, size in sizes.items()))
    write_regions(call_peaks(sites, accessibility, rng), paths.peaks)
    _FOLD.write(paths.fold)
    tracks = {"accessibility": accessibility, "bias": bias}
    write_ground_truth(paths.truth, settings, shift, scores, sites, tracks, rng)
    for path, write in (
        (paths.fragments, write_fragments),
        (paths.bam, write_bam),
        (paths.tagalign, write_tagalign),
    ):
        if path is not None:
            write(fragments, sizes, path)
