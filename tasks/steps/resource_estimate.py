"""Before a run: which device it gets, what it will take, and whether that can work at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from chrombpnet_core.devices import Device, find_device, foresee_device, require_fast_enough
from chrombpnet_core.errors import InputError, InputErrors
from chrombpnet_core.progress import readable_time
from chrombpnet_core.training import PlannedTraining, ResourceEstimate, estimate_resources
from tasks.runner import prefect_task
from tasks.steps.step_times import START_SECONDS, Workload, seconds_of_steps
from tasks.storage import Store

__all__ = ["RunEstimate", "estimate_run"]

log = logging.getLogger(__name__)

_GROUPS = {
    "training": ("train_",),
    "evaluation": ("evaluate_",),
    "contributions": ("contributions",),
    "motifs": ("motif",),
    "tracks": ("tracks",),
    "reports": ("report",),
}
"""What people call steps → what their names hold."""


@dataclass(frozen=True)
class RunEstimate:
    """What a run takes at most: memory and disk, and seconds by the names of its steps, which come once for each fold."""

    resources: ResourceEstimate
    seconds: Mapping[str, float]
    steps: Sequence[str]

    def __str__(self) -> str:
        """Put it in words, longest work first."""
        if not self.steps:
            return f"{self.resources}; nothing is left to compute"
        groups: dict[str, float] = {}
        for name in self.steps:
            group = next((group for group, parts in _GROUPS.items() if any(part in name for part in parts)), "all else")
            groups[group] = groups.get(group, START_SECONDS if group == "all else" else 0.0) + self.seconds[name]
        parts = sorted(groups.items(), key=lambda item: (item[0] == "all else", -item[1]))
        shown = ", ".join(f"{group} {readable_time(seconds)}" for group, seconds in parts)
        at_most = " if all epochs run" if "training" in groups else ""
        return f"{self.resources}; about {readable_time(sum(groups.values()))}{at_most}: {shown}"


@prefect_task("Estimate the run", retried=False)
def estimate_run(
    store: str,
    work: Workload,
    steps: Sequence[str],
    *,
    device: str,
    strict: bool = False,
    ahead: bool = False,
) -> RunEstimate:
    """Name the device, say what the run will take, and refuse what would take days on a CPU.

    Parameters
    ----------
    store
        Where steps keep their outputs.
    work
        What the steps of a fold have to do.
    steps
        Names of the steps that will run.
    device
        ``auto``, ``cpu`` or ``gpu``, as asked for.
    strict
        Whether too little disk or memory is refused, rather than warned about: a run may find steps in the store, and what
        is estimated is the most that it can take.
    ahead
        Whether nothing is computed afterwards, so that Keras need not be there.

    Returns
    -------
    RunEstimate
        What it takes.
    """
    available = foresee_device() if ahead else find_device()  # imports Keras quietly, so it comes first
    if not ahead:
        log.info("device: %s", available)
    kinds = [kind for kind in work.models if any(name.endswith(f"train_{kind}") for name in steps)]
    _require_trainable(kinds, work, available, device)
    trainings = [PlannedTraining(work.models[kind], work.examples(kind)) for kind in kinds]
    regions, bases = work.peaks + work.nonpeaks, _record_length(work)
    resources = estimate_resources(trainings, work.batch_size, regions, bases, work.genome_size, available)
    expected = RunEstimate(resources, seconds_of_steps(steps, work, available), steps)
    if not ahead:
        log.info("estimate: %s", expected)
    lacks = [*_lacking_disk(store, resources.disk), *_lacking_memory(resources.host_memory)]
    if strict and lacks:
        raise lacks[0] if len(lacks) == 1 else InputErrors(lacks)
    for lack in lacks:
        log.warning("%s", lack)
    return expected


def _require_trainable(kinds: Sequence[str], work: Workload, available: Device, device: str) -> None:
    """Refuse sizes that do not fit together, and trainings that would take days."""
    for kind in kinds:
        size = work.models[kind]
        if not (work.own and kind == "main"):
            size.check()
        require_fast_enough(available, size.filters, size.flops(), work.examples(kind), device)


def _record_length(work: Workload) -> int:
    """Length in bp of a training example on disk."""
    return max((size.input_length for size in work.models.values()), default=0) + 2 * work.jitter


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
