"""How long the steps of a run take, at most: rates measured on two cores, by the size of models and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.devices import Device
from chrombpnet_core.models import Architecture
from chrombpnet_core.training import seconds_per_example

__all__ = ["START_SECONDS", "Workload", "seconds_of_steps"]

START_SECONDS = 20.0
"""Prefect's server and Keras."""

_PREDICTION = 1 / 3  # of the time of an example in training
_EXPLANATION = {0: 0.0, 1: 14.5, 2: 22.0}  # the same, by the number of heads explained in one pass
_BIAS_SEQUENCES = 12  # of an enzyme's footprints: motifs and control, on both strands
_MOTIF_START, _MOTIF_REGION = 15.0, 0.1  # seconds of TF-MoDISco, and of one core for each region and 500 bp
_SIDE_BY_SIDE = 0.6  # share of its time that a search adds where two run at once
_OTHER_STEP = 1.0


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the steps of one fold have to do.

    Attributes
    ----------
    models
        ``bias`` and ``main`` → size.
    epochs
        The same → epochs at most.
    heads
        The same → heads that are explained, of the bias model in the data set or of the main model.
    peaks, nonpeaks
        Regions of the data set.
    tested
        Share of the regions that lies on test chromosomes.
    negative_ratio
        Nonpeaks for each peak that trains the main model.
    batch_size
        Examples a step.
    explained
        Regions that are explained at most.
    window
        Width in bp that is searched for motifs.
    folds
        Folds of the data set.
    genome_size
        Bases of the chromosomes in use.
    jitter
        Largest shift of the examples in bp.
    own
        Whether the main model is of the user's architecture: its size is then taken to be that of a like BPNet.
    """

    models: Mapping[str, Architecture]
    epochs: Mapping[str, int]
    heads: Mapping[str, int]
    peaks: int
    nonpeaks: int
    tested: float = 0.2
    negative_ratio: float = 0.1
    batch_size: int = 64
    explained: int = 0
    window: int = 500
    folds: int = 1
    genome_size: int = 0
    jitter: int = 0
    own: bool = False

    def examples(self, kind: str) -> float:
        """Count the examples that the training of a model sees in all epochs; validation counts a third."""
        regions = self.nonpeaks if kind == "bias" else self.peaks * (1 + self.negative_ratio)
        return regions * (1 - self.tested) * self.epochs[kind]


def seconds_of_steps(names: Sequence[str], work: Workload, device: Device) -> dict[str, float]:
    """Estimate the time of each step of a run, at most: all epochs are taken to run.

    Parameters
    ----------
    names
        Of the steps in the run, such as ``train_bias``, ``bias_contributions``, ``0.5 train_bias``.
    work
        What they have to do.
    device
        Where models run.

    Returns
    -------
    dict
        Name → seconds.
    """
    return {name: _seconds(name.rpartition(" ")[2], work, device) for name in names}


def _seconds(name: str, work: Workload, device: Device) -> float:
    """Estimate one step; it is the bias model's where its name says so, else the main model's."""
    kind = "bias" if "bias" in name and name != "scale_bias" else "main"
    example = {model: seconds_per_example(size, work.batch_size, device) for model, size in work.models.items()}
    whole = example.get(kind, 0.0) + (_PREDICTION * example.get("bias", 0.0) if kind == "main" else 0.0)  # both, in one pass
    regions, explained = work.peaks + work.nonpeaks, min(work.explained, work.peaks)
    step = name.removeprefix("bias_")
    if step.startswith("train_"):
        return 6 + work.examples(kind) * whole if kind in work.models else _OTHER_STEP
    if step.startswith("evaluate_"):
        predicted = work.tested * (regions + _BIAS_SEQUENCES * work.nonpeaks)
        models = whole if kind == "bias" else 2 * whole
        return 3 + predicted * models * _PREDICTION
    if step == "contributions":
        return 5 + explained * example.get(kind, 0.0) * _EXPLANATION[work.heads[kind]]
    if step.startswith("motifs_"):
        searches = work.heads[kind]
        alone = _MOTIF_START + explained * _MOTIF_REGION * work.window / 500 / min(usable_threads(), 8)
        return alone * (_SIDE_BY_SIDE if searches > 1 else 1)
    if "tracks" in step:
        return 5 + work.peaks * whole * _PREDICTION * (work.folds if step == "average_tracks" else 1)
    data = {
        "coverage": 5 + work.genome_size / 4e7,
        "nonpeaks": 1 + regions / 3e4,
        "shards": 1 + regions / 2e4,
        "scale_bias": 3 + regions / 2 * example.get("bias", 0.0) * _PREDICTION,
        "motif_hits_profile": 2 + explained / 500,
        "motif_hits_counts": 2 + explained / 500,
        "average_contributions": 5 + explained / 50,
    }
    reports = 12.0 if explained else 6.0
    return data.get(step, reports if step.endswith("report") else _OTHER_STEP)
