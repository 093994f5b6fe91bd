"""Predicted tracks of a main run's peaks: full, corrected and bias model, as the average of the folds has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.runner import At, Source, Step, Work, published
from tasks.steps.ensemble import TRACK_FILES, MeanTracksParameters, write_mean_tracks
from tasks.steps.tracks import RegionInputs

__all__ = ["PEAK_TRACKS", "PeakTracksInputs"]


@dataclass(frozen=True, kw_only=True)
class PeakTracksInputs(RegionInputs[At]):
    """The peaks, and the whole model: its parts predict what the corrected and the bias model do."""

    chrombpnet: At


def _predict(work: Work[PeakTracksInputs[Path], MeanTracksParameters]) -> None:
    write_mean_tracks(work, [work.inputs.chrombpnet])


PEAK_TRACKS = Step(
    name="peak_tracks",
    version=1,
    title="Predict tracks of the peaks",
    inputs=PeakTracksInputs[Source],
    parameters=MeanTracksParameters,
    body=_predict,
    outputs=published(TRACK_FILES, "main"),
)
