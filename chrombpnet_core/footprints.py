"""Marginal footprints: what a model predicts, on average, around a motif put into background (REFERENCE.md 11).

A model that still answers to the enzyme's own motifs has not been freed of the enzyme's bias.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import h5py
import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import codes_of, reverse_complement
from chrombpnet_core.metrics import softmax

__all__ = ["CONTROL", "MAX_BIAS_RESPONSE", "BiasVerdict", "Footprint", "Predict", "bias_response", "bias_verdict",
           "insert_motif", "marginal_footprint", "marginal_footprints", "read_footprints", "write_footprints"]

Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Base codes uint8 ``(n, L)`` to profile logits ``(n, W)`` and log counts ``(n,)`` or ``(n, 1)``."""

CONTROL = "control"
"""The name of the footprint without a motif."""

MAX_BIAS_RESPONSE = 0.003
"""Bias is corrected where the maximum of every enzyme footprint, rounded to 3 decimals, is below this."""


@dataclass(frozen=True)
class Footprint:
    """A marginal footprint.

    Attributes
    ----------
    profile
        float64 ``(W,)``: mean over sequences of the share of cuts at each base, both strands together; its sum is 1.
    counts
        Predicted cuts of a sequence, forward plus reverse complement, mean over sequences.
    """

    profile: np.ndarray
    counts: float


def insert_motif(codes: np.ndarray, motif: str) -> np.ndarray:
    """Copies of sequences with a motif written over their centre, from ``L // 2 - len(motif) // 2``.

    Parameters
    ----------
    codes
        Base codes, uint8 ``(n, L)``.
    motif
        Letters; one that is not A, C, G or T masks the base. Empty: no motif.

    Raises
    ------
    InputError
        Where the motif is longer than the sequences.
    """
    length = codes.shape[-1]
    if len(motif) > length:
        raise InputError(f"motif {motif}: longer than the model's input", expected=f"at most {length} bp",
                         found=f"{len(motif)} bp")
    inserted = np.array(codes, dtype=np.uint8)
    start = length // 2 - len(motif) // 2
    inserted[..., start:start + len(motif)] = codes_of(motif)
    return inserted


def marginal_footprint(predict: Predict, codes: np.ndarray, motif: str = "", batch_size: int = 64) -> Footprint:
    """The footprint of one motif over background sequences; without one, the control.

    Track = softmax(logits) × (exp(log counts) − 1), forward plus the flipped one of the reverse complement, scaled to a
    sum of 1 per sequence, then the mean over sequences. A sequence whose two tracks cancel to 0 has no footprint and is
    left out.

    Parameters
    ----------
    predict
        See :data:`Predict`.
    codes
        Base codes of the background, uint8 ``(n, L)``.
    motif
        Letters of the motif.
    batch_size
        Sequences predicted at a time.

    Raises
    ------
    InputError
        Where there are no sequences, none with a footprint, or predictions are not finite.
    """
    if len(codes) == 0:
        raise InputError("no background sequences for the footprints",
                         remedy="give nonpeaks on the test chromosomes of the fold")
    profile, counts, used = 0.0, 0.0, 0
    for start in range(0, len(codes), batch_size):
        batch = insert_motif(codes[start:start + batch_size], motif)
        forward, backward = _tracks(predict, batch), _tracks(predict, reverse_complement(batch))
        both = forward + backward[:, ::-1]
        totals = both.sum(axis=1)
        if not np.isfinite(totals).all():
            raise InputError("the model predicts values that are not finite",
                             remedy="its training diverged; train it again with a lower learning rate (-l)")
        valid = totals != 0
        profile = profile + (both[valid] / totals[valid, None]).sum(axis=0)
        counts += float(totals.sum())
        used += int(valid.sum())
    if not used:
        raise InputError("the model predicts no cuts on any background sequence",
                         remedy="check that the model is trained")
    return Footprint(np.asarray(profile) / used, counts / len(codes))


def _tracks(predict: Predict, codes: np.ndarray) -> np.ndarray:
    """Predicted cuts per base, float64 ``(n, W)``."""
    logits, logcounts = predict(np.ascontiguousarray(codes))
    totals = np.expm1(np.asarray(logcounts, dtype=np.float64).reshape(-1, 1))
    return softmax(np.asarray(logits, dtype=np.float64)) * totals


def marginal_footprints(predict: Predict, codes: np.ndarray, motifs: Mapping[str, str], batch_size: int = 64, *,
                        on_done: Callable[[str], None] = lambda name: None) -> dict[str, Footprint]:
    """Footprints by name: the control first, then every motif of ``motifs`` (name to letters).

    ``on_done`` is called with each name, for progress. Other arguments as in :func:`marginal_footprint`.
    """
    footprints = {}
    for name, motif in {CONTROL: "", **motifs}.items():
        footprints[name] = marginal_footprint(predict, codes, motif, batch_size)
        on_done(name)
    return footprints


def bias_response(footprints: Mapping[str, Footprint | np.ndarray], motifs: Iterable[str] | None = None,
                  ) -> dict[str, float]:
    """The maximum of each motif's footprint, the control left out.

    Parameters
    ----------
    footprints
        By name; :class:`Footprint` or profiles ``(W,)``.
    motifs
        The names that count, the enzyme's; all by default.
    """
    names = [name for name in footprints if name != CONTROL] if motifs is None else list(motifs)
    return {name: float(np.max(getattr(footprints[name], "profile", footprints[name]))) for name in names}


@dataclass(frozen=True)
class BiasVerdict:
    """Whether enzyme motifs still leave footprints.

    Attributes
    ----------
    corrected
        Every maximum, rounded to 3 decimals, is below :data:`MAX_BIAS_RESPONSE`.
    responses
        Those rounded maxima by motif.
    """

    corrected: bool
    responses: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean of the rounded maxima, rounded to 3 decimals."""
        return float(np.round(np.mean(list(self.responses.values())), 3))

    @property
    def text(self) -> str:
        """What ``*_max_bias_response.txt`` holds, such as ``corrected_0.002_0.002/0.001``."""
        word = "corrected" if self.corrected else "uncorrected"
        return f"{word}_{self.mean}_{'/'.join(str(value) for value in self.responses.values())}"


def bias_verdict(responses: Mapping[str, float]) -> BiasVerdict:
    """The verdict on maxima of :func:`bias_response`.

    Raises
    ------
    InputError
        Where there is no enzyme motif to judge by.
    """
    if not responses:
        raise InputError("no enzyme motifs to judge the bias correction by",
                         remedy="give at least one of the enzyme's motifs")
    rounded = {name: float(np.round(value, 3)) for name, value in responses.items()}
    return BiasVerdict(all(value < MAX_BIAS_RESPONSE for value in rounded.values()), rounded)


def write_footprints(footprints: Mapping[str, Footprint], path: str | os.PathLike) -> None:
    """Write HDF5: a group for each name with ``footprint``, float32 ``(W,)``, and ``counts``, a number."""
    with h5py.File(path, "w") as file:
        for name, footprint in footprints.items():
            group = file.create_group(name.replace("/", "_"))
            group.create_dataset("footprint", data=footprint.profile.astype(np.float32))
            group.create_dataset("counts", data=np.float32(footprint.counts))


def read_footprints(path: str | os.PathLike) -> dict[str, Footprint]:
    """What :func:`write_footprints` wrote."""
    with h5py.File(path, "r") as file:
        return {name: Footprint(group["footprint"][()].astype(np.float64), float(group["counts"][()]))
                for name, group in file.items()}
