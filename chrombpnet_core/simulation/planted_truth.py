"""What a simulation planted, and whether models trained on it have learnt that."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation.footprints import Predict, insert_motif, marginal_footprint
from chrombpnet_core.evaluation.metrics import pearson, softmax

__all__ = ["Check", "Truth", "check_models", "motif_effect", "profile_agreement", "read_truth"]


@dataclass(frozen=True)
class Truth:
    """What was planted.

    ``accessibility`` and ``bias`` give each chromosome's float32 values per base (expected insertions are their
    product); ``sites`` is a table of chrom, start, end, strand, motif, locus, sequence; ``motifs`` and ``controls``
    give consensus and shuffled consensus by name; ``enzyme`` is the sequence that the enzyme prefers to all others;
    ``scores`` are its log preferences (positions, 4), see :func:`~chrombpnet_core.simulation.simulate.log_preference`.
    """

    settings: dict
    motifs: dict[str, str]
    controls: dict[str, str]
    enzyme: str
    scores: np.ndarray
    sites: pd.DataFrame
    accessibility: dict[str, np.ndarray] = field(repr=False)
    bias: dict[str, np.ndarray] = field(repr=False)

    def windows(self, chroms: np.ndarray, centres: np.ndarray, width: int) -> np.ndarray:
        """Planted accessibility, float32 ``(n, width)``, around ``centres``, ``(n,)``."""
        starts = np.asarray(centres) - width // 2
        return np.stack(
            [self.accessibility[chrom][start : start + width] for chrom, start in zip(chroms, starts, strict=True)]
        )


def read_truth(path: str | os.PathLike, tracks_path: str | os.PathLike | None = None) -> Truth:
    """The truth of a simulation.

    Parameters
    ----------
    path
        truth.json.
    tracks_path
        truth.npz; beside it by default.

    Raises
    ------
    InputError
        Where one of the two is absent.
    """
    path = Path(path)
    tracks_path = path.with_suffix(".npz") if tracks_path is None else Path(tracks_path)
    for found in (path, tracks_path):
        if not found.is_file():
            raise InputError(f"{found}: no such file", expected="truth.json and truth.npz, as simulate writes them")
    content = json.loads(path.read_text())
    tracks: dict[str, dict[str, np.ndarray]] = {"accessibility": {}, "bias": {}}
    with np.load(tracks_path, allow_pickle=False) as archive:
        for key in archive.files:
            name, chrom = key.split("/", 1)
            tracks[name][chrom] = archive[key]
    return Truth(
        content["settings"],
        content["motifs"],
        content["controls"],
        content["enzyme"],
        np.array(content["scores"]),
        pd.DataFrame(content["sites"]),
        **tracks,
    )


@dataclass(frozen=True)
class Check:
    """One thing that a model trained on a simulation must show: ``value`` at least, or less than, ``bound``."""

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


def motif_effect(predict: Predict, codes: np.ndarray, motif: str) -> float:
    """Mean rise of predicted log counts when ``motif`` is written at the middle of sequences ``(n, L)``."""
    return float(np.mean(np.asarray(predict(insert_motif(codes, motif))[1]) - np.asarray(predict(codes)[1])))


def profile_agreement(profiles: np.ndarray, planted: np.ndarray) -> float:
    """Median over regions of Pearson r between profiles and planted accessibility, both ``(n, W)``."""
    return float(np.median([pearson(one, other) for one, other in zip(profiles, planted, strict=True)]))


def check_models(
    truth: Truth,
    chroms: np.ndarray,
    centres: np.ndarray,
    peaks: np.ndarray,
    background: np.ndarray,
    bias: Predict,
    nobias: Predict | None = None,
) -> list[Check]:
    """Hold a bias model, and a bias-corrected model where there is one, against the truth.

    1. The bias model answers to the enzyme's favourite sequence (footprint of 0.006 or more), the corrected does not
       (below 0.0025). 2. In peaks the corrected profile follows the planted accessibility: median Pearson r of 0.8 or
    more; the note says what one bump, the same for all peaks, would reach. 3. Each planted motif raises the corrected
    log counts of background sequence by 0.3 or more, its shuffle moves them by less than 0.1.

    Parameters
    ----------
    truth
        Of the simulation that the models were trained on.
    chroms, centres
        Places of the test peaks, ``(n,)``.
    peaks, background
        Base codes of test peaks, uint8 ``(n, L)``, and of test nonpeaks, ``(m, L)``.
    bias, nobias
        Predictions of the bias model and of the corrected model.
    """
    motif = truth.enzyme

    def response(predict: Predict) -> tuple[float, str]:
        profile = marginal_footprint(predict, background, motif).profile
        return float(profile.max()), f"an even profile has {1 / len(profile):.4f}"

    checks = [Check("bias model's response to the enzyme motif", *_bound(response(bias), 0.006, True))]
    if nobias is None:
        return checks
    checks.append(Check("corrected model's response to the enzyme motif", *_bound(response(nobias), 0.0025, False)))
    logits = nobias(peaks)[0]
    planted = truth.windows(chroms, centres, logits.shape[1])
    bump = np.broadcast_to(planted.mean(axis=0), planted.shape)
    checks.append(
        Check(
            "corrected profile against planted accessibility, median r",
            profile_agreement(softmax(logits), planted),
            0.8,
            True,
            f"one bump for all peaks has {profile_agreement(bump, planted):.2f}",
        )
    )
    for name, letters in truth.motifs.items():
        control = motif_effect(nobias, background, truth.controls[name])
        checks += [
            Check(f"log counts, {name} inserted", motif_effect(nobias, background, letters), 0.3, True),
            Check(f"log counts, {name} shuffled", abs(control), 0.1, False, f"{control:+.4f}"),
        ]
    return checks


def _bound(found: tuple[float, str], bound: float, at_least: bool) -> tuple[float, float, bool, str]:
    return found[0], bound, at_least, found[1]
