"""Expected insertions at each base: accessibility × the enzyme's preference.

Accessibility is a flat background plus, at every planted site, two hills around a footprint. The preference (the bias) is
log-linear in the 19 bases around the base (20 for DNase), after the mean of the enzyme's reference matrices made the same on
both strands, and has mean 1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from chrombpnet_core._types import Codes, Floats
from chrombpnet_core.genome import OTHER_BASE, enzyme_matrices
from chrombpnet_core.simulation.settings import SimulationSettings

__all__ = ["accessibility_tracks", "bias_tracks", "cut_scores", "log_preference"]

_EDGE = 30  # bp at chromosome ends without insertions
_REACHES = 12  # of a motif, beyond which a site adds nothing


def cut_scores(assay: str, sharpness: float = 1.0) -> Floats:
    """Compute the enzyme's log preference for each base around its cut, the same read from either strand.

    Mean over the reference matrices of log frequency against the matrix's own composition, averaged with its reverse
    complement about the insertion (ATAC: base ``c``; DNase: the bond before it), each position centred on 0.

    Parameters
    ----------
    assay
        ``ATAC`` or ``DNASE``.
    sharpness
        Factor on the scores; 1 gives back the base frequencies of the reference matrices.

    Returns
    -------
    numpy.ndarray
        ``(19, 4)`` for ATAC, of bases ``c - 9 … c + 9``; ``(20, 4)`` for DNase, of bases ``c - 10 … c + 9``.
    """
    matrices = [matrix for strand in enzyme_matrices(assay).values() for matrix in strand.values()]
    scores = np.mean([np.log(matrix / matrix.mean(axis=0)) for matrix in matrices], axis=0)
    scores = scores[1:] if assay == "ATAC" else scores
    scores = (scores + scores[::-1, ::-1]) / 2
    centred: Floats = sharpness * (scores - scores.mean(axis=1, keepdims=True))
    return centred


def log_preference(codes: Codes, scores: Floats) -> Floats:
    """Compute the enzyme's log preference at every base of a sequence.

    Parameters
    ----------
    codes
        Base codes, uint8 ``(length,)``; letters other than A, C, G and T score 0.
    scores
        As :func:`cut_scores` gives them.

    Returns
    -------
    numpy.ndarray
        float64 ``(length,)``.
    """
    before = len(scores) // 2
    padded = np.pad(codes, (before, len(scores) - 1 - before), constant_values=OTHER_BASE)
    table = np.hstack([scores, np.zeros((len(scores), 1))])
    total: Floats = sum((table[k][padded[k : k + len(codes)]] for k in range(len(scores))), np.zeros(len(codes)))
    return total


def accessibility_tracks(sizes: dict[str, int], sites: pd.DataFrame, settings: SimulationSettings) -> dict[str, Floats]:
    """Compute each chromosome's accessibility, float32: expected insertions of an enzyme without preference."""
    tracks = {chrom: np.full(size, settings.background) for chrom, size in sizes.items()}
    motifs = {motif.name: motif for motif in settings.motifs}
    middles = (sites["start"].to_numpy() + sites["end"].to_numpy() - 1) / 2
    for chrom, name, middle in zip(sites["chrom"], sites["motif"], middles, strict=True):
        motif = motifs[name]
        far = _REACHES * motif.reach
        near = np.arange(max(0, int(middle - far)), min(sizes[chrom], int(middle + far) + 1))
        tracks[chrom][near] += settings.background * motif.accessibility_added(near - middle)
    return {chrom: track.astype(np.float32) for chrom, track in tracks.items()}


def bias_tracks(genome: dict[str, Codes], scores: Floats) -> dict[str, Floats]:
    """Compute each chromosome's bias, of mean 1 over the genome; 0 near chromosome ends, where a fragment would not fit."""
    tracks = {chrom: np.exp(log_preference(codes, scores)) for chrom, codes in genome.items()}
    mean = np.mean(np.concatenate(list(tracks.values())))
    for track in tracks.values():
        track[:_EDGE] = track[len(track) - _EDGE :] = 0
    return {chrom: (track / mean).astype(np.float32) for chrom, track in tracks.items()}
