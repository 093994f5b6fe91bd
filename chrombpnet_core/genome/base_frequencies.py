"""What base frequencies say: their information content against a uniform background."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._types import Floats

__all__ = ["information_content"]


def information_content(pfm: Floats, pseudocount: float = 0.0) -> Floats:
    """Compute the information content of each position against a uniform background, ``2 + Σ_b p_b log2(p_b)``.

    Parameters
    ----------
    pfm
        Base frequencies, ``(n, 4)``, rows summing to 1.
    pseudocount
        Added to every frequency inside the logarithm, after which rows are scaled to 1 again.

    Returns
    -------
    ndarray
        float64 ``(n,)``, bits.
    """
    pfm = np.asarray(pfm, dtype=np.float64)
    inner = (pfm + pseudocount) / (1 + 4 * pseudocount)
    logs = np.log2(inner, out=np.zeros_like(inner), where=inner > 0)
    content: Floats = 2.0 + (pfm * logs).sum(axis=1)
    return content
