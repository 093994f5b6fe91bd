"""Estimates before a run begins: host and device memory, disk, and the time of an example.

The time of an example on a CPU is a sum of four terms: operations, values that the layers write, bases, and a fixed part of
each step. They are fitted to ``benchmarks/RESULTS.md`` (64 × 8 and 128 × 4), and to runs of yeast and of the demo on two
cores (64 × 8, 32 × 4, 16 × 5, 16 × 4). Small models are bound by the last three.
"""

from __future__ import annotations

from dataclasses import dataclass

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.devices import Device
from chrombpnet_core.models import Architecture

__all__ = ["PlannedTraining", "ResourceEstimate", "estimate_resources", "seconds_per_example"]

_FRAMEWORK_BYTES = 1.2e9
_LARGEST_CHROMOSOME = 2.5e8
_RECORD_SHARE = 0.35
"""Bytes on disk taken for a base of a record: 2 to 3 bits of compressed bases, and a few sparse counts."""
_GPU_FLOPS = 1.5e13
"""Sustained training speed taken for a GPU, in floating-point operations a second: a mid-range card in float32."""

_CORE_SECONDS_PER_FLOP, _CORE_SECONDS_PER_VALUE, _CORE_SECONDS_PER_BASE = 1.05e-11, 8.8e-9, 2.9e-6
_STEP_SECONDS = 0.004


@dataclass(frozen=True)
class PlannedTraining:
    """One model to train: its size and the examples it sees in all epochs at most."""

    architecture: Architecture
    examples: float


@dataclass(frozen=True)
class ResourceEstimate:
    """Bytes of host memory, device memory and disk, at most."""

    host_memory: float
    device_memory: float
    disk: float

    def __str__(self) -> str:
        """Put it in words."""
        gib = 2**30
        device = f"device memory {self.device_memory / gib:.1f} GiB, " if self.device_memory else ""
        disk = f"{self.disk / gib:.1f} GiB" if self.disk > gib else f"{max(1, self.disk / 2**20):.0f} MiB"
        return f"host memory {self.host_memory / gib:.1f} GiB, {device}disk {disk}"


def estimate_resources(
    trainings: list[PlannedTraining], batch_size: int, regions: int, bases: int, genome_size: int, device: Device
) -> ResourceEstimate:
    """Estimate memory and disk of a run.

    Parameters
    ----------
    trainings
        The models.
    batch_size
        Examples a step.
    regions
        Records of the shards.
    bases
        In each record.
    genome_size
        In bp: coverage and GC hold one chromosome at a time.
    device
        Where models train.

    Returns
    -------
    ResourceEstimate
        At most.
    """
    activations = max((_activation_bytes(training.architecture) for training in trainings), default=0) * batch_size
    chromosome = min(genome_size, _LARGEST_CHROMOSOME) * 9  # counts float32, bases, prefix sums
    on_device = activations + 4e8
    disk = regions * bases * _RECORD_SHARE + genome_size * 0.3 + regions * 400
    host = _FRAMEWORK_BYTES + max(chromosome, on_device if device.kind == "cpu" else 6e8)
    return ResourceEstimate(host, on_device if device.kind == "gpu" else 0, disk)


def seconds_per_example(size: Architecture, batch_size: int, device: Device) -> float:
    """Estimate the time that training takes for one example: a forward and a backward pass, three times a prediction's.

    Parameters
    ----------
    size
        Of the model.
    batch_size
        Examples a step.
    device
        Where it trains.

    Returns
    -------
    float
        Seconds.
    """
    flops = 3 * size.flops()
    if device.kind == "gpu":
        return flops / (_GPU_FLOPS * device.count)
    values = size.filters * sum(size.layer_lengths)
    work = flops * _CORE_SECONDS_PER_FLOP + values * _CORE_SECONDS_PER_VALUE + size.input_length * _CORE_SECONDS_PER_BASE
    return (
        max(0.0, work) / usable_threads() + _STEP_SECONDS / batch_size
    )  # sizes that do not fit together are refused elsewhere


def _activation_bytes(size: Architecture) -> float:
    """Count the bytes that training holds of one example: each layer's float32 output, its sum, and their gradients."""
    return size.input_length * size.filters * 4 * (size.layers + 1) * 2.5
