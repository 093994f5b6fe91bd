"""Folds made for a data set where it names only their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chrombpnet_core.genome import Fold, Naming, make_folds, read_regions, windows_fit
from tasks.steps.genome import genome_at, naming_of, sizes_of
from tasks.storage import place_files, stage

__all__ = ["balanced_folds", "place_folds"]


def balanced_folds(
    genome: str,
    chrom_sizes: str | None,
    peaks: str,
    k: int,
    seed: int,
    input_length: int,
    chromosomes: dict[str, Any] | None = None,
) -> tuple[Fold, ...]:
    """Make folds that are even in length and in peaks whose window lies in its chromosome.

    Parameters
    ----------
    genome
        FASTA.
    chrom_sizes
        Names and lengths of the chromosomes in use, or None for all.
    peaks
        Table of regions.
    k
        Number of folds.
    seed
        Of the divisions that are tried.
    input_length
        Width of the window in bp.
    chromosomes
        The section of that name of a DatasetSpec.

    Returns
    -------
    tuple of Fold
        The folds.

    Raises
    ------
    InputError
        Where too few chromosomes have peaks, or a file is not what it should be.
    """
    naming: Naming = naming_of(chromosomes)
    path, artifact = stage(genome, "genome")
    with genome_at(path, artifact.sha256) as opened:
        sizes = sizes_of(opened, stage(chrom_sizes, "chromosome sizes")[0] if chrom_sizes else None, naming)
    table = read_regions(stage(peaks, "peaks")[0], "peaks", sizes, naming)
    counts = table[windows_fit(table, sizes, input_length)]["chrom"].value_counts()
    return tuple(make_folds(sizes, {str(chrom): int(number) for chrom, number in counts.items()}, k, seed))


def place_folds(folds: Sequence[Fold], output: str) -> None:
    """Write ``fold_0.json``, … to ``output``, in the reference's form."""
    place_files({}, {f"fold_{i}.json": fold.to_json() for i, fold in enumerate(folds)}, output)
