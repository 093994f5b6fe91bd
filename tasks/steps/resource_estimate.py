"""Before a run: which device it gets, what it will take, and whether that can work at all."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from chrombpnet_core.devices import find_device, require_fast_enough
from tasks.storage import Store

__all__ = ["estimate_run"]

log = logging.getLogger(__name__)


@task(name="Estimate the run", cache_policy=NO_CACHE, persist_result=False)
def estimate_run(
    store: str, trainings: list[dict[str, Any]], batch_size: int, regions: int, bases: int, genome_size: int, device: str
) -> str:
    """Name the device, say what the run will take, and refuse what would take days on a CPU.

    ``trainings`` holds of each model to train ``architecture`` (see :class:`~chrombpnet_core.models.Architecture`),
    ``examples``, and ``own``: whether it is the user's, whose estimate is that of a BPNet of its size.
    """
    found = find_device()  # imports Keras quietly, so it comes first
    from chrombpnet_core.models import Architecture
    from chrombpnet_core.training import PlannedTraining, estimate_resources

    log.info("device: %s", found)
    models = [PlannedTraining(Architecture(**each["architecture"]), each["examples"]) for each in trainings]
    for model, each in zip(models, trainings, strict=True):
        if not each["own"]:
            model.architecture.check()
        require_fast_enough(found, model.architecture.filters, model.architecture.flops(), model.examples, device)
    expected = estimate_resources(models, batch_size, regions, bases, genome_size, found)
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
            "%s has %.1f GiB free; the run needs about %.1f GiB (--store chooses another place)",
            folder,
            free / 2**30,
            needed / 2**30,
        )
