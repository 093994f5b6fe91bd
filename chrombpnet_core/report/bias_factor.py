"""The choice of one of several bias threshold factors, by what the report of each bias model says.

It follows the rules of thumb of the ChromBPNet authors (:mod:`~chrombpnet_core.report.rules`). Nonpeaks with more reads
teach the enzyme's sequence preference better, as long as no open chromatin is among them. So the largest factor whose model
is acceptable is chosen. A model is acceptable where its counts correlate with the observed ones in nonpeaks (r above 0) and
are not anticorrelated in peaks (r above −0.3), where it responds to the enzyme's motifs, where it has no motif of a
transcription factor, and where it was trained on enough nonpeaks. Where contributions were not searched for motifs, open
chromatin among the nonpeaks would go unnoticed: then the smallest acceptable factor is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import STATUSES, THRESHOLDS

__all__ = ["FactorCandidate", "FactorChoice", "choose_factor", "read_candidate"]

_JUDGED = ("bias_r_nonpeaks", "bias_r_peaks", "bias_response", "bias_motifs", "training_regions_bias")
"""How the keys of verdicts begin that depend on the factor; other verdicts are the same for all factors."""


@dataclass(frozen=True)
class FactorCandidate:
    """Hold a factor and what the report says of its bias model.

    Attributes
    ----------
    factor
        Bias threshold factor.
    r_nonpeaks, r_peaks
        Pearson r of its log counts with the observed ones in held-out regions; None where it is undefined.
    motifs
        How the best match to a transcription factor is shown, for profile and counts; empty where motifs were not
        searched for.
    tf_motif
        Whether it has a motif of a transcription factor; None where motifs were not searched for.
    verdict
        The worst of the verdicts that depend on the factor.
    error
        Why there is no such model; empty where there is one.
    responds
        Whether it responds to the enzyme's motifs; None where that was not judged.
    """

    factor: float
    r_nonpeaks: float | None = None
    r_peaks: float | None = None
    motifs: str = ""
    tf_motif: bool | None = None
    verdict: str = "fail"
    error: str = ""
    responds: bool | None = None

    @property
    def faults(self) -> list[str]:
        """What speaks against the factor, in words; nothing where its model is acceptable."""
        if self.error:
            return [f"no model: {self.error}"]
        faults = []
        if not _passes("bias_r_nonpeaks", self.r_nonpeaks):
            faults.append(f"r in nonpeaks {_shown(self.r_nonpeaks)} is not above {THRESHOLDS['bias_r_nonpeaks'].good:g}")
        if not _passes("bias_r_peaks", self.r_peaks):
            faults.append(f"r in peaks {_shown(self.r_peaks)} is not above {THRESHOLDS['bias_r_peaks'].good:g}")
        if self.tf_motif:
            faults.append(f"it has a motif of a transcription factor ({self.motifs})")
        if self.responds is False:
            faults.append("it does not respond to the enzyme's motifs")
        if not faults and self.verdict == "fail":
            faults.append("it was trained on too few nonpeaks")
        return [words.replace("-", "−") for words in faults]

    @property
    def usable(self) -> bool:
        """Whether a main model could be trained with this bias model at all."""
        limit = THRESHOLDS["bias_r_peaks"].bad
        return not self.error and self.r_peaks is not None and limit is not None and self.r_peaks >= limit


@dataclass(frozen=True)
class FactorChoice:
    """Hold the factor that is chosen, why, and whether its model is acceptable."""

    factor: float
    reason: str
    acceptable: bool


def read_candidate(factor: float, report: dict[str, Any]) -> FactorCandidate:
    """Read what the report of a bias model says of its factor.

    Parameters
    ----------
    factor
        The bias threshold factor.
    report
        Content of ``report.json``.

    Returns
    -------
    FactorCandidate
        The factor, with the verdicts that depend on it.
    """
    verdicts = [verdict for verdict in report["verdicts"] if verdict["key"].startswith(_JUDGED)]
    value = {verdict["key"]: verdict["value"] for verdict in verdicts}
    motifs = [verdict for verdict in verdicts if verdict["key"].startswith("bias_motifs")]
    shown = "; ".join(f"{verdict['key'].removeprefix('bias_motifs_')}: {verdict['shown']}" for verdict in motifs)
    return FactorCandidate(
        factor,
        value.get("bias_r_nonpeaks"),
        value.get("bias_r_peaks"),
        shown,
        any(verdict["status"] == "fail" for verdict in motifs) if motifs else None,
        min((verdict["status"] for verdict in verdicts), key=STATUSES.index, default="info"),
        responds=next((verdict["status"] == "pass" for verdict in verdicts if verdict["key"] == "bias_response"), None),
    )


def choose_factor(candidates: Sequence[FactorCandidate]) -> FactorChoice:
    """Choose a bias threshold factor.

    Of the acceptable factors it is the largest, or the smallest where motifs were not searched for. Where none is
    acceptable it is the best of those with which a main model can be trained: of those without a motif of a transcription
    factor, the one with the highest r in peaks; where all have such a motif, the smallest.

    Parameters
    ----------
    candidates
        All factors that were tried.

    Returns
    -------
    FactorChoice
        The factor and the reason.

    Raises
    ------
    InputError
        Where no model is usable: none was trained, or r in peaks is below −0.5 or undefined for all.
    """
    acceptable = [candidate for candidate in candidates if not candidate.faults]
    if acceptable:
        searched = all(candidate.tf_motif is not None for candidate in acceptable)
        best = (max if searched else min)(acceptable, key=lambda candidate: candidate.factor)
        order = "largest" if searched else "smallest (motifs were not searched for)"
        others = "" if len(candidates) == 1 else f" of {len(acceptable)} acceptable of {len(candidates)}"
        without_motif = ", no motif of a transcription factor" if searched else ""
        limit = f"{THRESHOLDS['bias_r_peaks'].good:g}".replace("-", "−")
        return FactorChoice(best.factor, f"the {order}{others}: r in peaks above {limit}{without_motif}", True)
    usable = [candidate for candidate in candidates if candidate.usable]
    if not usable:
        faults = "; ".join(f"{candidate.factor:g}: {', '.join(candidate.faults)}" for candidate in candidates)
        raise InputError(
            "no bias threshold factor gives a usable bias model",
            found=faults,
            remedy="try factors 0.1 apart above these, more reads, or give a bias model of the same protocol",
        )
    clean = [candidate for candidate in usable if not candidate.tf_motif]
    if not clean:
        smallest = min(usable, key=lambda candidate: candidate.factor)
        reason = "none is acceptable; this is the smallest, as all have a motif of a transcription factor"
        return FactorChoice(smallest.factor, reason, False)
    best = max(clean, key=lambda candidate: (candidate.r_peaks or 0.0, -candidate.factor))
    reason = f"none is acceptable; this has the highest r in peaks, but {', '.join(best.faults)}"
    return FactorChoice(best.factor, reason, False)


def _passes(key: str, value: float | None) -> bool:
    return value is not None and THRESHOLDS[key].status(value) == "pass"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
