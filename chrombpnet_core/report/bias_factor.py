"""Which of several bias threshold factors to take, by what the report of each bias model says.

The rule, from the rules of thumb of the ChromBPNet authors (see :mod:`~chrombpnet_core.report.rules`): nonpeaks with more
reads teach the enzyme's preference better, until open chromatin is among them. So of the factors whose model is acceptable
the largest is taken. A model is acceptable where its counts correlate with the reads (r above 0 in nonpeaks), it is blind to
accessibility (r above −0.3 in peaks), no transcription factor's motif is in it, and it had enough nonpeaks to learn from.
Where nobody looked for motifs, nothing speaks against open chromatin, and the smallest acceptable factor is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import STATUSES, THRESHOLDS

__all__ = ["FactorCandidate", "FactorChoice", "choose_factor", "read_candidate"]

_JUDGED = ("bias_r_nonpeaks", "bias_r_peaks", "bias_motifs", "training_regions_bias")
"""Verdicts that depend on the factor, by the beginning of their keys; the others are the same for all factors."""


@dataclass(frozen=True)
class FactorCandidate:
    """A factor and what became of its bias model.

    Attributes
    ----------
    factor
        Bias threshold factor.
    r_nonpeaks, r_peaks
        Pearson r of its log counts with the reads' in held-out regions; None where it is undefined.
    motifs
        How the best match to a transcription factor is shown, for profile and counts; empty where nobody looked.
    tf_motif
        Whether a transcription factor's motif is in it; None where nobody looked.
    verdict
        The worst of the verdicts that depend on the factor.
    error
        Why there is no such model; empty where there is one.
    """

    factor: float
    r_nonpeaks: float | None = None
    r_peaks: float | None = None
    motifs: str = ""
    tf_motif: bool | None = None
    verdict: str = "fail"
    error: str = ""

    @property
    def faults(self) -> list[str]:
        """What speaks against it, in words; nothing where it is acceptable."""
        if self.error:
            return [f"no model: {self.error}"]
        found = []
        if not _passes("bias_r_nonpeaks", self.r_nonpeaks):
            found.append(f"r in nonpeaks {_shown(self.r_nonpeaks)} is not above {THRESHOLDS['bias_r_nonpeaks'].good:g}")
        if not _passes("bias_r_peaks", self.r_peaks):
            found.append(f"r in peaks {_shown(self.r_peaks)} is not above {THRESHOLDS['bias_r_peaks'].good:g}")
        if self.tf_motif:
            found.append(f"it has a transcription factor's motif ({self.motifs})")
        if not found and self.verdict == "fail":
            found.append("too few nonpeaks trained it")
        return [words.replace("-", "−") for words in found]

    @property
    def usable(self) -> bool:
        """Whether a main model could be trained beside it at all."""
        limit = THRESHOLDS["bias_r_peaks"].bad
        return not self.error and self.r_peaks is not None and limit is not None and self.r_peaks >= limit


@dataclass(frozen=True)
class FactorChoice:
    """The factor that is taken, why, and whether its model is acceptable."""

    factor: float
    reason: str
    acceptable: bool


def read_candidate(factor: float, report: dict[str, Any]) -> FactorCandidate:
    """A candidate of what ``report.json`` of its bias model says."""
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
    )


def choose_factor(candidates: Sequence[FactorCandidate]) -> FactorChoice:
    """The factor to take.

    Acceptable ones first, the largest of them, or the smallest where nobody looked for motifs. Else the least evil of those
    that a main model can be trained with: without a transcription factor's motif the one with the highest r in peaks; where
    all have one, the smallest.

    Raises
    ------
    InputError
        Where no model is usable: none was trained, or r in peaks is below −0.5 or undefined for all.
    """
    acceptable = [each for each in candidates if not each.faults]
    if acceptable:
        looked = all(each.tf_motif is not None for each in acceptable)
        best = (max if looked else min)(acceptable, key=lambda each: each.factor)
        order = "largest" if looked else "smallest (nobody looked for motifs)"
        others = "" if len(candidates) == 1 else f" of {len(acceptable)} acceptable of {len(candidates)}"
        return FactorChoice(
            best.factor,
            f"the {order}{others}: r in peaks above −0.3, no transcription factor's motif"
            if looked
            else f"the {order}{others}: r in peaks above −0.3",
            True,
        )
    usable = [each for each in candidates if each.usable]
    if not usable:
        told = "; ".join(f"{each.factor:g}: {', '.join(each.faults)}" for each in candidates)
        raise InputError(
            "no bias threshold factor gives a usable bias model",
            found=told,
            remedy="try factors 0.1 apart above these, more reads, or give a bias model of the same protocol",
        )
    clean = [each for each in usable if not each.tf_motif]
    best = max(clean, key=lambda each: (each.r_peaks, -each.factor)) if clean else min(usable, key=lambda each: each.factor)
    why = "the highest r in peaks" if clean else "the smallest, as all have a transcription factor's motif"
    return FactorChoice(
        best.factor,
        f"none is acceptable; this has {why}. Beware: {', '.join(best.faults)}"
        if clean
        else f"none is acceptable; this is {why}",
        False,
    )


def _passes(key: str, value: float | None) -> bool:
    return value is not None and THRESHOLDS[key].status(value) == "pass"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
