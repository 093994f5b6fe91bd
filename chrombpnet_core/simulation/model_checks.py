"""Whether models that were trained on a simulation have learnt what it planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from chrombpnet_core._types import AnyArray, Codes, Floats, Ints
from chrombpnet_core.evaluation import PredictFunction, insert_motif, marginal_footprint, pearson
from chrombpnet_core.simulation.ground_truth import GroundTruth

__all__ = ["ModelCheck", "check_models", "motif_effect", "profile_agreement"]

_BIAS_RESPONSE, _CORRECTED_RESPONSE = 0.006, 0.0025  # of the footprint of the enzyme's favourite sequence: at least, below
_PROFILE_AGREEMENT = 0.8
_MOTIF_EFFECT, _CONTROL_EFFECT = 0.3, 0.1  # on log counts: of a planted motif at least, of its shuffle below


@dataclass(frozen=True)
class ModelCheck:
    """One thing that a model trained on a simulation must show: ``value`` at least, or less than, ``bound``.

    Attributes
    ----------
    name
        What is checked.
    value, bound
        What the model shows, and what it is held against.
    at_least
        Whether ``value`` must reach ``bound``; else it must stay below.
    note
        What helps to read the value.
    """

    name: str
    value: float
    bound: float
    at_least: bool
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the bound holds; NaN never does."""
        return self.value >= self.bound if self.at_least else self.value < self.bound

    def __str__(self) -> str:
        sign = "at least" if self.at_least else "below"
        line = f"{'ok  ' if self.passed else 'FAIL'} {self.name}: {self.value:.4f}, to be {sign} {self.bound:g}"
        return f"{line} ({self.note})" if self.note else line


def motif_effect(predict: PredictFunction, codes: Codes, motif: str) -> float:
    """Compute the mean rise of predicted log counts when a motif is written over the middle of sequences.

    Parameters
    ----------
    predict
        See :data:`~chrombpnet_core.evaluation.PredictFunction`.
    codes
        Base codes, uint8 ``(n, L)``.
    motif
        Letters.

    Returns
    -------
    float
        Mean difference of natural logarithms.
    """
    return float(np.mean(np.asarray(predict(insert_motif(codes, motif))[1]) - np.asarray(predict(codes)[1])))


def profile_agreement(profiles: AnyArray, planted: AnyArray) -> float:
    """Compute the median over regions of Pearson r between profiles and planted accessibility.

    Parameters
    ----------
    profiles
        Predicted, ``(n, W)``.
    planted
        Accessibility, ``(n, W)``.

    Returns
    -------
    float
        Median of n correlations.
    """
    return float(np.median([pearson(one, other) for one, other in zip(profiles, planted, strict=True)]))


def check_models(
    truth: GroundTruth,
    chroms: AnyArray,
    centres: Ints,
    peaks: Codes,
    background: Codes,
    bias: PredictFunction,
    nobias: PredictFunction | None = None,
) -> list[ModelCheck]:
    """Hold a bias model, and a bias-corrected model where there is one, against the truth.

    1. The bias model answers to the enzyme's favourite sequence (footprint of 0.006 or more), the corrected does not
       (below 0.0025). 2. In peaks the corrected profile follows the planted accessibility: median Pearson r of 0.8 or
    more; the note says what one bump, the same for all peaks, would reach. 3. Each planted motif raises the corrected
    log counts of background sequence by 0.3 or more, its shuffle moves them by less than 0.1.

    Parameters
    ----------
    truth
        Of the simulation that the models were trained on.
    chroms
        Chromosomes of the test peaks, ``(n,)``.
    centres
        Their centres, ``(n,)``.
    peaks
        Their base codes, uint8 ``(n, L)``.
    background
        Base codes of test nonpeaks, uint8 ``(m, L)``.
    bias
        Predictions of the bias model.
    nobias
        Predictions of the corrected model.

    Returns
    -------
    list of ModelCheck
        The first is the bias model's.
    """
    checks = [
        _check_response("bias model's response to the enzyme motif", bias, background, truth.enzyme, _BIAS_RESPONSE, True)
    ]
    if nobias is None:
        return checks
    name = "corrected model's response to the enzyme motif"
    checks.append(_check_response(name, nobias, background, truth.enzyme, _CORRECTED_RESPONSE, False))
    logits = nobias(peaks)[0]
    checks.append(_check_profiles(softmax(logits, axis=-1), truth.accessibility_around(chroms, centres, logits.shape[1])))
    for name, letters in truth.motifs.items():
        control = motif_effect(nobias, background, truth.controls[name])
        checks += [
            ModelCheck(f"log counts, {name} inserted", motif_effect(nobias, background, letters), _MOTIF_EFFECT, True),
            ModelCheck(f"log counts, {name} shuffled", abs(control), _CONTROL_EFFECT, False, f"{control:+.4f}"),
        ]
    return checks


def _check_response(
    name: str, predict: PredictFunction, background: Codes, enzyme: str, bound: float, at_least: bool
) -> ModelCheck:
    """Check the highest point of the footprint of the enzyme's favourite sequence."""
    profile = marginal_footprint(predict, background, enzyme).profile
    return ModelCheck(name, float(profile.max()), bound, at_least, f"an even profile has {1 / len(profile):.4f}")


def _check_profiles(profiles: Floats, planted: Floats) -> ModelCheck:
    """Check predicted profiles against planted accessibility."""
    bump = np.broadcast_to(planted.mean(axis=0), planted.shape)
    note = f"one bump for all peaks has {profile_agreement(bump, planted):.2f}"
    name = "corrected profile against planted accessibility, median r"
    return ModelCheck(name, profile_agreement(profiles, planted), _PROFILE_AGREEMENT, True, note)
