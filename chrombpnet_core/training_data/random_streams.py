"""Random streams of a run by name: what is drawn for one purpose does not depend on what is drawn for another.

Results follow from these numbers, so they never change; a new purpose takes a new number, of 100 or more: epochs, 50 by
default, are streams of their own number, which they share with the purposes here.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = ["Stream", "epoch_stream", "random_stream"]


class Stream(IntEnum):
    """What is drawn at random."""

    REGION_SELECTION = 4
    """Nonpeaks that the main model's outlier bounds are computed with, and those that are left out."""
    VALIDATION_NONPEAKS = 5
    """Nonpeaks that validate the main model."""
    FOOTPRINT_BACKGROUND = 6
    """Test nonpeaks that enzyme footprints are averaged over."""
    EXPLAINED_PEAKS = 9
    """Peaks whose contributions are computed."""
    SHUFFLED_VARIANTS = 11
    """Variants whose windows are shuffled for the background of scores."""
    RANKED_PEAKS = 12
    """Peaks whose predicted counts variants are ranked among."""


def random_stream(seed: int, purpose: Stream) -> np.random.Generator:
    """Begin the random stream of a purpose.

    Parameters
    ----------
    seed
        Of the run.
    purpose
        What is drawn.

    Returns
    -------
    numpy.random.Generator
        The same numbers for the same seed and purpose.
    """
    return np.random.default_rng([seed, int(purpose)])


def epoch_stream(seed: int, epoch: int) -> np.random.Generator:
    """Begin the random stream of a training epoch's plan.

    Parameters
    ----------
    seed
        Of the run.
    epoch
        From 0.

    Returns
    -------
    numpy.random.Generator
        The same numbers for the same seed and epoch.
    """
    return np.random.default_rng([seed, epoch])
