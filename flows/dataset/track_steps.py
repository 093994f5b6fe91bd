"""The step that predicts a main run's tracks: it goes over the peaks once, a training tens of times."""

from __future__ import annotations

from flows.dataset.run import Results, Run
from tasks.runner import Awaited, FileOf, Source
from tasks.steps import PEAK_TRACKS, MeanTracksParameters, PeakTracksInputs

__all__ = ["track_steps"]


def track_steps(run: Run, examples: Results, whole: Source) -> dict[str, Awaited]:
    """Begin to predict tracks of all peaks.

    Parameters
    ----------
    run
        The data set's run.
    examples
        Results of the fold's training examples, by the steps' names.
    whole
        The whole model: a file.

    Returns
    -------
    dict
        The step's future by its name.
    """
    spec = run.spec
    inputs = PeakTracksInputs[Source](
        chrombpnet=whole,
        regions=FileOf(examples["shards"], "peaks.bed"),
        genome=spec.genome,
        chrom_sizes=spec.chrom_sizes,
    )
    parameters = MeanTracksParameters(naming=run.naming, batch_size=spec.training.batch_size)
    return {"peak_tracks": run.step(PEAK_TRACKS, inputs, parameters)}
