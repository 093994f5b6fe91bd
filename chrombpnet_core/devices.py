"""Backend and device of a run: chosen before Keras is imported, named aloud, refused where hopeless."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from chrombpnet_core.concurrency import cores
from chrombpnet_core.errors import InputError

__all__ = ["BACKENDS", "Device", "backend_name", "configure", "find_device", "is_out_of_memory", "require_fast_enough"]

BACKENDS = ("tensorflow", "jax")
CPU_FLOPS_PER_CORE = 4e10
"""Rough sustained training speed of one CPU core on these models, in floating-point operations a second."""
FULL_SIZE_FILTERS = 256
LONGEST_CPU_HOURS = 24.0


@dataclass(frozen=True)
class Device:
    """Where models run: ``kind`` is cpu or gpu; memory in bytes (0 = not known)."""

    kind: str
    name: str
    count: int
    memory: int
    backend: str

    def __str__(self) -> str:
        number = f"{self.count} × " if self.count > 1 else ""
        memory = f", {self.memory / 2**30:.0f} GiB" if self.memory else ""
        return f"{self.kind.upper()} ({number}{self.name}{memory}) on Keras/{self.backend}"


def backend_name() -> str:
    """Keras backend of this process: ``KERAS_BACKEND``, else tensorflow."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def configure(backend: str | None = None, device: str = "auto") -> None:
    """Choose backend and device; must come before the first import of Keras.

    Raises
    ------
    InputError
        Where Keras is imported already with another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_DEPRECATION_WARNINGS", "0")
    if backend:
        if "keras" in sys.modules and backend_name() != backend:
            raise InputError(
                f"Keras runs on {backend_name()} already", expected=backend, remedy="start a new process with --backend"
            )
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend_name() not in BACKENDS:
        raise InputError(f"KERAS_BACKEND {backend_name()}", expected=" or ".join(BACKENDS))
    if importlib.util.find_spec(backend_name()) is None:
        raise InputError(
            f"the {backend_name()} backend is not installed",
            remedy="pip install 'chrombpnet-flows[jax]'" if backend_name() == "jax" else "",
        )
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what TensorFlow's libraries print on import, before any log level takes effect; Python errors still rise."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def find_device() -> Device:
    """The device that models will run on: the first kind of GPU the backend sees, else the CPU.

    Imports Keras, quietly, and is the first to do so in every command.
    """
    with _quiet():
        import keras  # noqa: F401
    found = _jax_gpus() if backend_name() == "jax" else _tensorflow_gpus()
    if found:
        return found
    return Device("cpu", f"{cores()} cores", 1, psutil.virtual_memory().total, backend_name())


def _tensorflow_gpus() -> Device | None:
    import tensorflow

    tensorflow.get_logger().setLevel("ERROR")
    gpus = tensorflow.config.list_physical_devices("GPU")
    if not gpus:
        return None
    for gpu in gpus:
        try:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            break  # already in use, as set up by an earlier call
    details = tensorflow.config.experimental.get_device_details(gpus[0])
    return Device("gpu", details.get("device_name", "GPU"), len(gpus), 0, "tensorflow")


def _jax_gpus() -> Device | None:
    import jax

    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    if not gpus:
        return None
    statistics = gpus[0].memory_stats() or {}
    return Device("gpu", gpus[0].device_kind, len(gpus), int(statistics.get("bytes_limit", 0)), "jax")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of a backend says that the device's memory is full."""
    return "RESOURCE_EXHAUSTED" in str(error) or type(error).__name__ == "ResourceExhaustedError"


def require_fast_enough(device: Device, filters: int, flops_per_example: float, examples: float, asked: str) -> None:
    """Refuse to train a full-size model, or for days, on a CPU unless the user asked for the CPU by name.

    Parameters
    ----------
    device
        Where it would run.
    filters
        Of the model to train.
    flops_per_example
        Of one forward pass; training costs about three.
    examples
        Seen in all epochs.
    asked
        ``--device`` as given.

    Raises
    ------
    InputError
        Naming the estimate and the ways out.
    """
    if asked == "gpu" and device.kind != "gpu":
        raise InputError(
            "--device gpu: Keras sees no GPU",
            found=str(device),
            remedy="run 'chrombpnet doctor'; install 'chrombpnet-flows[gpu]' on a machine with an NVIDIA "
            "driver, or give --device cpu",
        )
    if device.kind != "cpu" or asked == "cpu":
        return
    hours = 3 * flops_per_example * examples / (CPU_FLOPS_PER_CORE * cores()) / 3600
    if filters >= FULL_SIZE_FILTERS or hours > LONGEST_CPU_HOURS:
        raise InputError(
            f"no GPU found: training {filters} filters on this {device} would take about {hours:,.0f} hours at most",
            remedy="use a machine with a GPU ('chrombpnet doctor' shows what Keras "
            "sees), a smaller -fil, or say --device cpu to do it all the same",
        )
