"""Example regions of a report: their tracks, contributions, and the genes that lie in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.genome import Naming, Transcript, genes_at, read_genes, same_chromosome
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from chrombpnet_core.report import ExampleRegion

__all__ = ["example_contributions", "example_regions"]


def example_regions(
    path: Path,
    planted: Mapping[str, AnyArray],
    contributions: Mapping[tuple[str, int], AnyArray],
    genes: Path | None,
    naming: Naming,
) -> list[ExampleRegion]:
    """Read the regions that an evaluation chose to be shown.

    Parameters
    ----------
    path
        Its ``examples.npz``; there are none where it is absent.
    planted
        Chromosome → planted accessibility, of simulated data only.
    contributions
        Of :func:`example_contributions`.
    genes
        Annotation in GTF, if there is one.
    naming
        How its chromosomes are named.

    Returns
    -------
    list of ExampleRegion
        In the order of the file.
    """
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    transcripts = None if genes is None else read_genes(genes)
    main = FULL if FULL in arrays else None
    examples = []
    for i, label in enumerate(arrays["labels"]):
        chrom, start = str(arrays["chroms"][i]), int(arrays["starts"][i])
        observed = arrays["observed"][i]
        examples.append(
            ExampleRegion(
                f"{label} peak",
                chrom,
                start,
                observed,
                predicted=arrays[main][i] if main else None,
                bias=arrays[BIAS][i],
                corrected=arrays[CORRECTED][i] if main else None,
                planted=planted[chrom][start : start + len(observed)] if planted else None,
                norm_jsd=float(arrays["norm_jsd"][i]),
                contributions=contributions.get((chrom, start + len(observed) // 2)),
                genes=None if transcripts is None else _genes(transcripts, chrom, start, start + len(observed), naming),
            )
        )
    return examples


def _genes(transcripts: list[Transcript], chrom: str, start: int, end: int, naming: Naming) -> list[Transcript]:
    """Find the genes of a window, under the genome's name for the chromosome, whatever the annotation calls it."""
    name = _name_in_file(chrom, {transcript.chrom for transcript in transcripts}, naming)
    return [replace(gene, chrom=chrom) for gene in genes_at(transcripts, name, start, end)]


def _name_in_file(chrom: str, names: Collection[str], naming: Naming) -> str:
    by_table = next((old for old, new in naming.aliases.items() if new == chrom and old in names), None)
    return by_table or same_chromosome(chrom, names) or chrom


def example_contributions(path: Path | None) -> dict[tuple[str, int], AnyArray]:
    """(chromosome, middle) → contributions to the profile ``(W, 4)``: 0 but for the base that is there.

    The file holds ``chroms`` and ``starts`` ``(n,)`` of windows, 0-based, and ``profile`` ``(n, W, 4)``; there are none
    without one, or where the counts alone were explained.
    """
    if path is None:
        return {}
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    if "profile" not in arrays:
        return {}
    middle = arrays["profile"].shape[1] // 2
    return {
        (str(chrom), int(start) + middle): profile.astype(np.float64)
        for chrom, start, profile in zip(arrays["chroms"], arrays["starts"], arrays["profile"], strict=True)
    }
