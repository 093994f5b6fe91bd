"""Look at everything the user gave before any work begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import h5py
from prefect import task
from prefect.cache_policies import NO_CACHE

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.folds import Fold, make_fold, read_fold
from chrombpnet_core.genome import Genome, open_genome, read_chrom_sizes
from chrombpnet_core.regions import inside, read_bed3, read_regions
from tasks.store import cache_folder, require, require_place, stage

__all__ = ["Checked", "check_inputs", "genome_at", "sizes_of"]

@dataclass(frozen=True)
class Checked:
    """What later steps need of inputs that are in order.

    Attributes
    ----------
    folds
        Chromosome lists of every fold.
    peaks, nonpeaks
        Number of regions; nonpeaks 0 where they are still to be drawn.
    genome_size
        Bases of the chromosomes in use.
    """

    folds: list[dict[str, list[str]]]
    peaks: int
    nonpeaks: int
    genome_size: int


def genome_at(path: Path, digest: str) -> Genome:
    """Open a FASTA with indexes kept in the machine's cache under its digest."""
    return open_genome(path, cache_folder() / "genomes" / digest)


def sizes_of(genome: Genome, sizes_path: Path | None) -> dict[str, int]:
    """Sizes of the chromosomes in use: the user's, checked against the genome, or all of the genome's."""
    if sizes_path is None:
        return dict(genome.sizes)
    sizes = read_chrom_sizes(sizes_path)
    genome.check_sizes(sizes, sizes_path)
    return sizes


@task(name="Check inputs", cache_policy=NO_CACHE, persist_result=False)
def check_inputs(reads: list[str], genome: str, chrom_sizes: str | None, peaks: str, nonpeaks: str | None,
                 blacklist: str | None, folds: list[str | dict[str, list[str]]], bias_model: str | None,
                 architecture: str | None, input_length: int, places: dict[str, str]) -> Checked:
    """Check that every file exists, is what it should be, and that their chromosomes agree.

    ``places`` names the folders that will be written to.
    """
    for what, place in (places | {"cache": str(cache_folder())}).items():
        require_place(place, what)
    for path in reads:
        require(path, "reads")
    if architecture:
        require(architecture, "architecture")
    if bias_model:
        _check_bias_model(stage(bias_model, "bias model")[0], input_length)
    genome_path, artifact = stage(genome, "genome")
    with genome_at(genome_path, artifact.sha256) as opened:
        sizes = sizes_of(opened, stage(chrom_sizes, "chromosome sizes")[0] if chrom_sizes else None)
    found = [make_fold(fold, sizes, f"fold {i}") if isinstance(fold, dict) else
             read_fold(stage(fold, "fold")[0], sizes) for i, fold in enumerate(folds)]
    numbers = []
    for path, what in ((peaks, "peaks"), (nonpeaks, "nonpeaks")):
        numbers.append(_check_regions(stage(path, what)[0], what, sizes, input_length, found) if path else 0)
    if blacklist:
        read_bed3(stage(blacklist, "blacklist")[0])
    return Checked([_lists(fold) for fold in found], *numbers, sum(sizes.values()))


def _lists(fold: Fold) -> dict[str, list[str]]:
    return {"train": list(fold.train), "valid": list(fold.valid), "test": list(fold.test)}


def _check_regions(path: Path, what: str, sizes: dict[str, int], input_length: int, folds: list[Fold]) -> int:
    """Number of regions whose window lies in its chromosome; every part of every fold must have some."""
    table = read_regions(path, what, sizes)
    usable = table[inside(table, sizes, input_length)]
    if usable.empty:
        raise InputError(f"{path}: all {len(table):,} {what} are too near a chromosome end for a window of "
                         f"{input_length:,} bp", remedy="give regions farther from the ends, or a smaller -il")
    for fold in folds:
        for part in ("train", "valid", "test"):
            if not usable["chrom"].isin(getattr(fold, part)).any():
                raise InputError(f"{path}: no {what} on the fold's {part} chromosomes "
                                 f"({', '.join(getattr(fold, part))})", remedy="give more regions, or another fold")
    return len(usable)


def _check_bias_model(path: Path, input_length: int) -> None:
    """Tell early, without Keras, that a file is no bias model or one of another input length."""
    if not h5py.is_hdf5(path):
        raise ModelFileError(f"{path}: the bias model is no HDF5 file", expected="a bias.h5 made by 'chrombpnet bias "
                             "pipeline' or by the reference program")
    names: set[str] = set()
    with h5py.File(path, "r") as file:
        file.visit(lambda name: names.update(name.split("/")))
        config = str(file.attrs.get("model_config", ""))
    if "bpnet_1st_conv" not in names or "wo_bias_bpnet_1st_conv" in names:
        raise ModelFileError(f"{path}: not a bias model", expected="a layer bpnet_1st_conv and no accessibility model",
                             remedy="give bias.h5, not chrombpnet.h5 or chrombpnet_nobias.h5")
    found = re.search(r'"batch_(?:input_)?shape": \[null, (\d+), 4\]', config)
    if found and int(found[1]) != input_length:
        raise InputError(f"{path}: input length of the bias model", expected=f"{input_length:,} bp",
                         found=f"{int(found[1]):,} bp", remedy="give -il and -ol of the bias model")
