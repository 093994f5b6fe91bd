"""Open a reference genome: its sequence, the chromosomes in use, and how other files name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from chrombpnet_core.genome import AUTO_ALIASES, Genome, Naming, open_genome, read_aliases, read_chrom_sizes
from tasks.runner import At
from tasks.storage import cache_folder, stage

__all__ = ["GenomeInputs", "GenomeParameters", "genome_at", "genome_cache", "naming_of", "reference", "sizes_of"]


@dataclass(frozen=True, kw_only=True)
class GenomeInputs(Generic[At]):
    """Inputs of steps that read sequence; without ``chrom_sizes`` all chromosomes of the genome are in use."""

    genome: At
    chrom_sizes: At | None = None


@dataclass(frozen=True, kw_only=True)
class GenomeParameters:
    """How other files name the genome's chromosomes; None in the key where that changes nothing."""

    naming: Naming = field(default_factory=Naming, metadata={"json": Naming.to_json})


@contextmanager
def reference(inputs: GenomeInputs[Path], naming: Naming | None = None) -> Iterator[tuple[Genome, dict[str, int]]]:
    """Open a step's genome.

    Parameters
    ----------
    inputs
        Local paths.
    naming
        How other files name chromosomes, and which are left out.

    Yields
    ------
    tuple
        The genome, closed at the end, and the sizes of the chromosomes in use.
    """
    path, artifact = stage(str(inputs.genome), "genome")
    with genome_at(path, artifact.sha256) as genome:
        yield genome, sizes_of(genome, inputs.chrom_sizes, naming)


def genome_cache(digest: str) -> Path:
    """Folder of this machine that keeps the indexes of the FASTA of that digest."""
    return cache_folder() / "genomes" / digest


def genome_at(path: Path, digest: str) -> Genome:
    """Open a FASTA with indexes kept in the machine's cache under its digest."""
    return open_genome(path, genome_cache(digest))


def sizes_of(genome: Genome, sizes_path: Path | None, naming: Naming | None = None) -> dict[str, int]:
    """Sizes of the chromosomes in use: the user's, checked against the genome, or all of the genome's."""
    naming = naming or Naming()
    if sizes_path is None:
        return naming.sizes(genome.sizes)
    sizes = read_chrom_sizes(sizes_path)
    changed = naming.translate(sizes, genome.sizes)
    sizes = {changed.get(name, name): size for name, size in sizes.items()}
    genome.check_sizes(sizes, sizes_path)
    return naming.sizes(sizes)


def naming_of(chromosomes: dict[str, Any] | None) -> Naming:
    """How names are read, from the section ``chromosomes`` of a DatasetSpec."""
    alias, excluded = (chromosomes or {}).get("alias"), (chromosomes or {}).get("exclude") or ()
    aliases = read_aliases(stage(alias, "aliases")[0]) if alias and alias != AUTO_ALIASES else {}
    return Naming(aliases, alias == AUTO_ALIASES, frozenset(excluded))
