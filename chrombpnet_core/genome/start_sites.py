"""Where the transcription of genes starts."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from chrombpnet_core.genome.genes import Transcript

__all__ = ["find_start_sites"]

_CODING = "protein_coding"


def find_start_sites(transcripts: Iterable[Transcript]) -> pd.DataFrame:
    """Find the transcription start of each gene: that of the transcript which begins farthest upstream.

    Where the annotation tells which genes code for proteins, the others are left out: ENCODE's lists of starts, by which it
    judges libraries, are of these. Genes without a strand are left out, and a place counts once.

    Parameters
    ----------
    transcripts
        As :func:`~chrombpnet_core.genome.read_genes` reads them.

    Returns
    -------
    DataFrame
        ``chrom``, ``position`` of the first base that is transcribed (0-based), ``strand``; sorted.
    """
    stranded = [transcript for transcript in transcripts if transcript.strand in ("+", "-")]
    coding = [transcript for transcript in stranded if transcript.biotype == _CODING]
    first: dict[tuple[str, str, str], int] = {}
    for transcript in coding or stranded:
        gene = transcript.chrom, transcript.gene, transcript.strand
        farther = max if transcript.strand == "-" else min
        first[gene] = farther(first.get(gene, transcript.tss), transcript.tss)
    rows = sorted({(chrom, position, strand) for (chrom, _, strand), position in first.items()})
    return pd.DataFrame(rows, columns=["chrom", "position", "strand"]).astype({"position": "int64"})
