"""Estimates before a run begins: host and device memory, disk, time."""

from __future__ import annotations

from dataclasses import dataclass

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.devices import CPU_FLOPS_PER_CORE, Device
from chrombpnet_core.models import Architecture

__all__ = ["PlannedTraining", "ResourceEstimate", "estimate_resources"]

_FRAMEWORK_BYTES = 1.2e9
_LARGEST_CHROMOSOME = 2.5e8
_RECORD_SHARE = 0.35
"""Bytes on disk taken for a base of a record: 2 to 3 bits of compressed bases, and a few sparse counts."""
_GPU_FLOPS = 1.5e13
"""Sustained training speed taken for a GPU, in floating-point operations a second: a mid-range card in float32."""


@dataclass(frozen=True)
class PlannedTraining:
    """One model to train: its size and the examples it sees in all epochs at most."""

    architecture: Architecture
    examples: float


@dataclass(frozen=True)
class ResourceEstimate:
    """Bytes of host memory, device memory and disk; hours of training at most."""

    host_memory: float
    device_memory: float
    disk: float
    hours: float

    def __str__(self) -> str:
        """Put it in words."""
        gib = 2**30
        minutes = self.hours * 60
        time = "a minute" if minutes < 1 else f"{minutes:.0f} min" if self.hours < 2 else f"{self.hours:.0f} h"
        device = f"device memory {self.device_memory / gib:.1f} GiB, " if self.device_memory else ""
        disk = f"{self.disk / gib:.1f} GiB" if self.disk > gib else f"{self.disk / 2**20:.0f} MiB"
        training = f", training roughly {time} if all epochs run" if self.hours else ""
        return f"host memory {self.host_memory / gib:.1f} GiB, {device}disk {disk}{training}"


def estimate_resources(
    trainings: list[PlannedTraining], batch_size: int, regions: int, bases: int, genome_size: int, device: Device
) -> ResourceEstimate:
    """Estimate memory, disk and time of a run.

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
        At most, if all epochs run.
    """
    activations = max((_activation_bytes(training.architecture) for training in trainings), default=0) * batch_size
    chromosome = min(genome_size, _LARGEST_CHROMOSOME) * 9  # counts float32, bases, prefix sums
    on_device = activations + 4e8
    flops = sum(3 * training.architecture.flops() * training.examples for training in trainings)
    speed = _GPU_FLOPS * device.count if device.kind == "gpu" else CPU_FLOPS_PER_CORE * usable_threads()
    disk = regions * bases * _RECORD_SHARE + genome_size * 0.3 + regions * 400
    host = _FRAMEWORK_BYTES + max(chromosome, on_device if device.kind == "cpu" else 6e8)
    return ResourceEstimate(host, on_device if device.kind == "gpu" else 0, disk, flops / speed / 3600)


def _activation_bytes(size: Architecture) -> float:
    """Count the bytes that training holds of one example: each layer's float32 output, its sum, and their gradients."""
    return size.input_length * size.filters * 4 * (size.layers + 1) * 2.5
