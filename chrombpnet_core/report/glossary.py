"""Abbreviations and terms of a report, explained for a reader who knows biology and not this program."""

from __future__ import annotations

import re

__all__ = ["TERMS", "glossary"]

TERMS: dict[str, str] = {
    "ATAC-seq": "sequencing of the places where the enzyme Tn5 could cut: open chromatin",
    "AUPRC": "area under the precision–recall curve: how purely peaks rank above nonpeaks; 1 is perfect, the share of "
    "peaks is chance",
    "AUROC": "area under the receiver operating characteristic: chance that a peak ranks above a nonpeak; 1 is perfect, "
    "0.5 is chance",
    "bp": "base pairs",
    "clamped": "raised to the lowest value that is allowed",
    "contribution": "how much one base of the sequence moves a prediction, by the method DeepLIFT, against "
    "shuffled sequences",
    "CWM": "contribution weight matrix: the mean contribution of every base at every position of a motif",
    "DNase-seq": "sequencing of the places where the enzyme DNase I could cut: open chromatin",
    "footprint": "share of predicted cuts by base around a motif that was put into background sequences, their mean",
    "GC": "share of G and C among the bases",
    "ln": "natural logarithm",
    "Mb": "million base pairs",
    "M reads": "million reads",
    "n": "number of regions in a picture",
    "TF": "transcription factor",
    "GiB": "gibibyte of memory, 2³⁰ bytes",
    "held-out": "on chromosomes that trained no model: the test chromosomes of the fold",
    "JSD": "Jensen–Shannon distance of two profiles: 0 where they are the same, 0.833 where nothing is shared",
    "key": "the digest of a step's inputs and parameters, by which its results are found again",
    "log counts": "ln(1 + reads in the region)",
    "logo": "letters stacked by base; their height is information (bits) or contribution",
    "MACS2": "the program that peaks are commonly called with; p is its threshold",
    "MSE": "mean squared error",
    "nonpeaks": "background regions outside peaks with the same GC content as the peaks",
    "normalised JSD": "JSD on a scale from 0, as far as an even profile, to 1, the same as observed",
    "r": "Pearson's linear correlation: 1 is perfect, 0 is none",
    "q": "q-value: share of false matches that is expected among all matches at least as good",
    "seqlet": "a short stretch of high contributions; seqlets that look alike make up a motif",
    "SHA-256": "a checksum of a file's content: the same for the same bytes only",
    "shift": "how far reads' ends are moved so that both strands mark the same cut",
    "ρ": "Spearman's correlation of ranks: 1 is the same order, 0 is none",
    "summit": "the highest point of a peak, on which its window is centred",
    "TF-MoDISco": "the method that groups seqlets into motifs",
    "Tn5": "the enzyme of ATAC-seq; it prefers some sequences to others, which is its bias",
    "validation": "chromosomes that decide when training ends, and which epoch is kept",
}
"""Term → explanation."""


def glossary(text: str) -> list[tuple[str, str]]:
    """The terms that occur in ``text``, tags left out, with their explanations, by alphabet."""
    text = re.sub(r"<[^>]*>", " ", text)
    return [
        (term, meaning)
        for term, meaning in sorted(TERMS.items(), key=lambda item: item[0].lower())
        if re.search(rf"(?<![A-Za-z]){re.escape(term)}(?![A-Za-rt-z])", text)
    ]
