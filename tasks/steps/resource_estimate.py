"""Before a run: which device it gets, what it will take, and whether that can work at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from chrombpnet_core.devices import find_device, require_fast_enough
from tasks.runner import prefect_task
from tasks.steps.training import ModelSize
from tasks.storage import Store

__all__ = ["ModelToTrain", "estimate_run"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ModelToTrain:
    """A model, and the examples that its training sees; ``own`` where it is the user's: its size is that of a like BPNet."""

    size: ModelSize
    examples: float
    own: bool


@prefect_task("Estimate the run", retried=False)
def estimate_run(
    store: str,
    trainings: Sequence[ModelToTrain],
    batch_size: int,
    *,
    regions: int,
    bases: int,
    genome_size: int,
    device: str,
) -> str:
    """Name the device, say what the run will take, and refuse what would take days on a CPU.

    Parameters
    ----------
    store
        Where steps keep their outputs.
    trainings
        Models to train.
    batch_size
        Examples a step.
    regions
        Training examples on disk.
    bases
        Length of each in bp.
    genome_size
        Bases of the chromosomes in use.
    device
        ``auto``, ``cpu`` or ``gpu``, as asked for.

    Returns
    -------
    str
        The estimate in words.
    """
    available = find_device()  # imports Keras quietly, so it comes first
    from chrombpnet_core.models import Architecture
    from chrombpnet_core.training import PlannedTraining, estimate_resources

    log.info("device: %s", available)
    models = [PlannedTraining(Architecture(**asdict(training.size)), training.examples) for training in trainings]
    for model, training in zip(models, trainings, strict=True):
        if not training.own:
            model.architecture.check()
        require_fast_enough(available, model.architecture.filters, model.architecture.flops(), model.examples, device)
    expected = estimate_resources(models, batch_size, regions, bases, genome_size, available)
    log.info("estimate: %s", expected)
    _warn_about_disk(store, expected.disk)
    return str(expected)


def _warn_about_disk(store: str, needed: float) -> None:
    place = Store(store)
    if not place.local:
        return
    folder = next(path for path in [Path(place.url), *Path(place.url).parents] if path.exists())
    free = shutil.disk_usage(folder).free
    if free < 1.2 * needed:
        log.warning(
            "%s has %.1f GiB free; the run needs about %.1f GiB (give another `store`)",
            folder,
            free / 2**30,
            needed / 2**30,
        )
