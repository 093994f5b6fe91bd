"""Annotation of variants: peaks, nearest genes, motif hits; columns named as variant-scorer's annotations."""

from __future__ import annotations

import os

import bioframe
import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines, whole_number
from chrombpnet_core.genome import overlapping
from chrombpnet_core.variants.windows import allele_lengths

__all__ = ["NEAREST_GENES", "annotate_variants", "read_named_intervals"]

NEAREST_GENES = 3
"""Genes that are named for each variant."""


def read_named_intervals(path: str | os.PathLike[str], what: str) -> pd.DataFrame:
    """Read the first four columns of a BED file.

    Parameters
    ----------
    path
        The file, plain or gzip.
    what
        What it holds, for messages, such as "genes".

    Returns
    -------
    pandas.DataFrame
        ``chrom, start, end, name``.

    Raises
    ------
    InputError
        Naming file and line, where a line has fewer, or ends before it begins.
    """
    rows = []
    for number, line in numbered_lines(path, what):
        fields = line.split("\t")
        start, end = (whole_number(field) for field in fields[1:3]) if len(fields) > 3 else (None, None)
        if start is None or end is None or end <= start:
            raise InputError(
                f"{path}, line {number:,}",
                expected=f"chromosome, start, end, name of {what}, tab-separated",
                found=repr(line),
            )
        rows.append((fields[0], start, end, fields[3]))
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "name"])


def annotate_variants(
    table: pd.DataFrame,
    peaks: pd.DataFrame | None = None,
    genes: pd.DataFrame | None = None,
    hits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Annotate variants with peaks, nearest genes and motif hits.

    Parameters
    ----------
    table
        Variant table.
    peaks
        ``chrom, start, end``.
    genes
        ``chrom, start, end, name``.
    hits
        Motif hits: ``chrom, start, end, name``.

    Returns
    -------
    pandas.DataFrame
        The table with columns for each thing given: ``closest_gene_1`` … ``closest_gene_3`` and ``gene_distance_1`` …
        (bp, 0 within, ``.`` where there is none), ``peak_overlap``, ``hits_overlap`` and ``hits_motifs`` (names, or ``-``).
    """
    places = pd.DataFrame({"chrom": table["chr"].to_numpy(), "start": table["pos"].to_numpy() - 1})
    places["end"] = places["start"] + np.maximum(allele_lengths(table["allele1"]), 1)
    added: dict[str, AnyArray] = {}
    if genes is not None:
        added |= _nearest(places, genes)
    if peaks is not None:
        added["peak_overlap"] = overlapping(places, peaks)
    if hits is not None:
        motifs = _motifs_over(places, hits)
        added |= {
            "hits_overlap": np.array([bool(names) for names in motifs], dtype=bool),
            "hits_motifs": np.array([names or "-" for names in motifs], dtype=object),
        }
    return table.assign(**added)


def _nearest(places: pd.DataFrame, genes: pd.DataFrame) -> dict[str, AnyArray]:
    """Distances count as bedtools': 0 where they overlap, 1 where they touch."""
    names = np.full((len(places), NEAREST_GENES), ".", dtype=object)
    distances = np.full((len(places), NEAREST_GENES), ".", dtype=object)
    pairs = bioframe.closest(places, genes, k=NEAREST_GENES, return_index=True, return_input=False, return_distance=False)
    pairs = pairs.dropna().astype(np.int64)
    variant, gene = pairs["index"].to_numpy(), pairs["index_"].to_numpy()
    apart = np.maximum(
        genes["start"].to_numpy()[gene] - places["end"].to_numpy()[variant],
        places["start"].to_numpy()[variant] - genes["end"].to_numpy()[gene],
    )
    distance = np.where(apart < 0, 0, apart + 1)
    order = np.lexsort((gene, distance, variant))
    variant, gene, distance = variant[order], gene[order], distance[order]
    rank = np.arange(len(variant)) - np.searchsorted(variant, variant)
    near = rank < NEAREST_GENES
    names[variant[near], rank[near]] = genes["name"].to_numpy()[gene[near]]
    distances[variant[near], rank[near]] = distance[near]
    return {
        f"{what}_{number + 1}": values[:, number].astype(str)
        for number in range(NEAREST_GENES)
        for what, values in (("closest_gene", names), ("gene_distance", distances))
    }


def _motifs_over(places: pd.DataFrame, hits: pd.DataFrame) -> list[str]:
    """Names of the motifs over each variant, each once, joined by commas."""
    if hits.empty:
        return [""] * len(places)
    pairs = bioframe.overlap(places, hits, how="inner", return_index=True, return_input=False)
    motifs = hits["name"].to_numpy()
    names: dict[int, set[str]] = {}
    for variant, hit in zip(pairs["index"], pairs["index_"], strict=True):
        names.setdefault(int(variant), set()).add(str(motifs[int(hit)]))
    return [",".join(sorted(names.get(row, ()))) for row in range(len(places))]
