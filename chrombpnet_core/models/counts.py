"""Log counts, counts and tracks: what the count head predicts, and what is written of it.

The count head learns ln(1 + insertions in the output window), so a model predicts exp(log counts) − 1 insertions. That holds
here for a fold, for the average of folds, in footprints and in notebooks. The reference program leaves the 1 in where it
writes tracks (``pred_bw``) and scores variants; there, and only there, we do as it does, under names that say so.
"""

from __future__ import annotations

import numpy as np

from chrombpnet_core._types import Floats

__all__ = ["counts_from_log", "predicted_track", "reference_counts_from_log", "reference_track"]


def counts_from_log(log_counts: Floats) -> Floats:
    """Compute predicted insertions from log counts: exp(log counts) − 1.

    Parameters
    ----------
    log_counts
        What the count head predicts, ln(1 + insertions), of any shape.

    Returns
    -------
    numpy.ndarray
        Insertions in the output window, of the same shape and type; a little below 0 where log counts are.
    """
    counts: Floats = np.expm1(log_counts)
    return counts


def reference_counts_from_log(log_counts: Floats) -> Floats:
    """Compute exp(log counts), one more than :func:`counts_from_log`: what the reference scales tracks and variants by.

    Parameters
    ----------
    log_counts
        What the count head predicts, ln(1 + insertions), of any shape.

    Returns
    -------
    numpy.ndarray
        Of the same shape and type; infinite where they are too large for it.
    """
    with np.errstate(over="ignore"):
        counts: Floats = np.exp(log_counts)
    return counts


def predicted_track(profiles: Floats, log_counts: Floats) -> Floats:
    """Compute predicted insertions per base: profile × (exp(log counts) − 1), as ENCODE's tracks of ChromBPNet hold.

    Parameters
    ----------
    profiles
        Profile probabilities ``(n, W)``: the softmax of logits, for an ensemble of the folds' mean logits.
    log_counts
        Log counts ``(n,)``; for an ensemble the folds' mean.

    Returns
    -------
    numpy.ndarray
        ``(n, W)``, of the profiles' type.
    """
    return profiles * counts_from_log(np.asarray(log_counts, dtype=profiles.dtype))[:, None]


def reference_track(profiles: Floats, log_counts: Floats) -> Floats:
    """Compute the track that the reference's ``pred_bw`` writes: profile × exp(log counts).

    Parameters
    ----------
    profiles
        Profile probabilities ``(n, W)``, the softmax of logits.
    log_counts
        Log counts ``(n,)``.

    Returns
    -------
    numpy.ndarray
        ``(n, W)``, of the profiles' type.
    """
    return profiles * reference_counts_from_log(np.asarray(log_counts, dtype=profiles.dtype))[:, None]
