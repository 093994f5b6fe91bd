"""The profile head's loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["multinomial_nll"]


def _log_gamma(x: Any) -> Any:
    if keras.backend.backend() == "jax":
        from jax.scipy.special import gammaln

        return gammaln(x)
    import tensorflow

    return tensorflow.math.lgamma(x)


def multinomial_nll(counts: Any, logits: Any) -> Any:
    """Compute the multinomial negative log-likelihood of observed profiles, coefficient included.

    −log P = −ln Γ(1 + Σₖ) + Σ ln Γ(1 + kᵢ) − Σ kᵢ · log softmax(logits)ᵢ

    Parameters
    ----------
    counts
        Observed profile, ``(n, W)``.
    logits
        Predicted profile logits, ``(n, W)``.

    Returns
    -------
    tensor
        ``(n,)``, one value an example; as a Keras loss it is averaged over the batch.
    """
    counts = ops.cast(counts, logits.dtype)
    log_likelihood = ops.sum(counts * ops.log_softmax(logits, axis=-1), axis=-1)
    coefficient = _log_gamma(1 + ops.sum(counts, axis=-1)) - ops.sum(_log_gamma(1 + counts), axis=-1)
    return -log_likelihood - coefficient
