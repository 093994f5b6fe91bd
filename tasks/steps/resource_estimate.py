"""Before a run: which device it gets, what it will take, and whether that can work at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from chrombpnet_core.devices import find_device, require_fast_enough
from chrombpnet_core.errors import InputError, InputErrors
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
    strict: bool = False,
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
    strict
        Whether too little disk or memory is refused, rather than warned about: a run may find steps in the store, and what
        is estimated is the most that it can take.

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
    lacks = [*_lacking_disk(store, expected.disk), *_lacking_memory(expected.host_memory)]
    if strict and lacks:
        raise lacks[0] if len(lacks) == 1 else InputErrors(lacks)
    for lack in lacks:
        log.warning("%s", lack)
    return str(expected)


def _lacking_disk(store: str, needed: float) -> Iterator[InputError]:
    """Compare what the disk of a local store has free with what is needed."""
    place = Store(store)
    if not place.local:
        return
    folder = next(path for path in [Path(place.url), *Path(place.url).parents] if path.exists())
    free = shutil.disk_usage(folder).free
    if free < 1.2 * needed:
        yield InputError(
            f"{folder}: {free / 2**30:.1f} GiB free",
            expected=f"about {needed / 2**30:.1f} GiB for the run",
            remedy="make room, or give another `store`",
        )


def _lacking_memory(needed: float) -> Iterator[InputError]:
    """Compare the machine's memory with what is needed."""
    total = psutil.virtual_memory().total
    if total < needed:
        yield InputError(
            f"this machine has {total / 2**30:.1f} GiB of memory",
            expected=f"about {needed / 2**30:.1f} GiB for the run",
            remedy="use a larger machine, or a smaller `batch_size`",
        )
