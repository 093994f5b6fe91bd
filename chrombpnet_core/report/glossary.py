"""Abbreviations and terms of a report, explained for a reader who knows biology and not this program."""

from __future__ import annotations

import re

__all__ = ["TERMS", "glossary"]

TERMS: dict[str, str] = {
    "ATAC-seq": "sequencing of DNA that the enzyme Tn5 cuts out of open chromatin",
    "AUPRC": "area under the precision–recall curve: how pure peaks rank above nonpeaks; 1 is perfect, the share of peaks "
    "is chance",
    "AUROC": "area under the receiver operating characteristic: probability that a peak ranks above a nonpeak; 1 is "
    "perfect, 0.5 is chance",
    "bias threshold": "the bias model trains on nonpeaks with fewer reads than this: the factor times the reads of the 1 % "
    "weakest peaks",
    "bp": "base pairs",
    "contribution": "how much a base of the sequence adds to a prediction, compared with shuffled sequences (DeepLIFT)",
    "CWM": "contribution weight matrix: the mean contribution of every base at every position of a motif",
    "DNase-seq": "sequencing of DNA that the enzyme DNase I cuts out of open chromatin",
    "footprint": "mean profile that a model predicts around a motif put into background sequences, as share of the "
    "insertions at each base",
    "FRiP": "fraction of reads in peaks: the share of insertions that lie in peaks",
    "GC": "share of G and C among the bases",
    "GiB": "gibibyte of memory, 2³⁰ bytes",
    "held-out": "on the test chromosomes of the fold, on which no model was trained",
    "insertion": "a position at which the enzyme cut: the 5' end of a read, after the shift",
    "JSD": "Jensen–Shannon distance of two profiles: 0 where they are the same, 0.833 where they have nothing in common",
    "kb": "thousand base pairs",
    "key": "the digest of a step's inputs and parameters, by which its results are found again",
    "ln": "natural logarithm",
    "log counts": "ln(1 + reads in the region)",
    "logo": "letters stacked by base; their height is information (bits) or contribution",
    "M reads": "million reads",
    "MACS2": "the usual program for calling peaks; p is its threshold",
    "Mb": "million base pairs",
    "MSE": "mean squared error",
    "n": "number of regions in a picture",
    "nucleosome": "a spool of proteins around which 147 bp of DNA are wound",
    "nonpeaks": "regions outside peaks with the same GC content as the peaks, used as background",
    "normalised JSD": "JSD on a scale from 0, as far from the observed profile as an even one, to 1, the observed profile",
    "q": "q-value: share of false matches to expect among all matches that are at least as good",
    "r": "Pearson's correlation: 1 is perfect, 0 is none",
    "seqlet": "a short stretch of sequence with high contributions; similar seqlets make up a motif",
    "SHA-256": "a checksum of a file's content: the same for the same bytes only",
    "shift": "how far the 5' ends of reads are moved so that both strands mark the same insertion",
    "summit": "the highest point of a peak, on which its window is centred",
    "TF": "transcription factor",
    "TF-MoDISco": "the method that groups seqlets into motifs",
    "Tn5": "the enzyme of ATAC-seq; it prefers some sequences to others, which is its bias",
    "TSS": "transcription start site: the first base of a gene that is transcribed",
    "TSS enrichment": "insertions at transcription starts, as a multiple of those 1,900 to 2,000 bp away",
    "validation": "chromosomes on which the loss is measured after each epoch, to decide when training ends and which epoch "
    "is kept",
    "ρ": "Spearman's correlation of ranks: 1 is the same order, 0 is none",
}
"""Term → explanation."""


def glossary(text: str) -> list[tuple[str, str]]:
    """Find the terms that occur in a text, tags left out, with their explanations, by alphabet."""
    text = re.sub(r"<[^>]*>", " ", text)
    return [
        (term, meaning)
        for term, meaning in sorted(TERMS.items(), key=lambda item: item[0].lower())
        if re.search(rf"(?<![A-Za-z]){re.escape(term)}(?![A-Za-rt-z])", text)
    ]
