"""Backend and device that models run on: chosen before Keras computes, named aloud, refused where hopeless; their memory."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.errors import InputError, counted

__all__ = [
    "BACKENDS",
    "BatchSize",
    "Device",
    "available_memory",
    "backend_name",
    "configure",
    "find_device",
    "foresee_device",
    "in_fitting_batches",
    "is_out_of_memory",
    "require_fast_enough",
    "with_less_memory",
]

log = logging.getLogger(__name__)

T = TypeVar("T")

BACKENDS = ("tensorflow", "jax")
CPU_FLOPS_PER_CORE = 4e10
"""Rough sustained training speed of one CPU core on these models, in floating-point operations a second."""
FULL_SIZE_FILTERS = 256
LONGEST_CPU_HOURS = 24.0

_GPU_NODES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What Linux shows of the drivers of NVIDIA and AMD, and of Windows' below it."""


@dataclass(frozen=True)
class Device:
    """Where models run.

    Attributes
    ----------
    kind
        ``cpu`` or ``gpu``.
    name
        Of the card, or how many cores there are.
    count
        Number of GPUs; 1 for a CPU.
    memory
        In bytes, of one GPU or of the host; 0 where it is not known.
    backend
        Of Keras.
    """

    kind: str
    name: str
    count: int
    memory: int
    backend: str

    @property
    def gpus(self) -> int:
        """Number of GPUs; 0 for a CPU."""
        return self.count if self.kind == "gpu" else 0

    def __str__(self) -> str:
        """Name it for people."""
        number = f"{self.count} × " if self.count > 1 else ""
        memory = f", {self.memory / 2**30:.0f} GiB" if self.memory else ""
        return f"{self.kind.upper()} ({number}{self.name}{memory}) on Keras/{self.backend}"


def backend_name() -> str:
    """Name the Keras backend of this process: Keras' own once it is imported, else ``KERAS_BACKEND``, else tensorflow."""
    keras: Any = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "backend"):
        return str(keras.backend.backend())
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def configure(backend: str | None = None, device: str = "auto") -> None:
    """Choose Keras' backend and the device.

    Choose the backend before Keras is imported, which happens when the first model is opened or built; when modules of this
    package are imported does not matter. The CPU may be chosen until the first computation.

    Parameters
    ----------
    backend
        ``tensorflow`` or ``jax``; by default ``KERAS_BACKEND``, else tensorflow.
    device
        ``cpu``; or ``auto`` or ``gpu``, which both use a GPU if the backend finds one and the CPU otherwise (commands that
        train refuse ``gpu`` if there is none: :func:`require_fast_enough`).

    Raises
    ------
    InputError
        If Keras is already imported with another backend, or the backend is unknown or not installed.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> cbp.configure(device="cpu")
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_DEPRECATION_WARNINGS", "0")
    chosen = backend or backend_name()
    if chosen not in BACKENDS:
        raise InputError(f"Keras backend {chosen}", expected=" or ".join(BACKENDS))
    if "keras" in sys.modules and backend_name() != chosen:
        raise InputError(
            f"Keras runs on {backend_name()} already",
            expected=chosen,
            remedy=f'choose `backend="{chosen}"` before anything imports Keras, or in a new process',
        )
    if importlib.util.find_spec(chosen) is None:
        raise InputError(
            f"the {chosen} backend is not installed",
            remedy="pip install 'chrombpnet-flows[jax]'" if chosen == "jax" else "",
        )
    os.environ["KERAS_BACKEND"] = chosen
    if device == "cpu":
        _hide_gpus()


def _hide_gpus() -> None:
    """Leave GPUs alone, in a backend that is imported already too."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_platforms", "cpu")
    if "tensorflow" in sys.modules:
        with contextlib.suppress(RuntimeError):  # it computes already
            sys.modules["tensorflow"].config.set_visible_devices([], "GPU")


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
    """Find the device that models will run on: the GPUs that the backend sees, else the CPU.

    Imports Keras, quietly, and is the first to do so in every command.

    Returns
    -------
    Device
        The first kind of GPU, or the CPU.
    """
    with _quiet():
        import keras  # noqa: F401
    return (_jax_gpus() if backend_name() == "jax" else _tensorflow_gpus()) or _cpu()


def foresee_device() -> Device:
    """Tell what :func:`find_device` will find; Keras, which takes seconds, is imported only where there may be a GPU.

    Returns
    -------
    Device
        The CPU where GPUs are hidden, or Linux knows of none; else that of :func:`find_device`.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    none = os.path.isdir("/dev") and os.uname().sysname == "Linux" and not any(map(os.path.exists, _GPU_NODES))
    return _cpu() if (hidden or none) and "keras" not in sys.modules else find_device()


def _cpu() -> Device:
    cores = usable_threads()
    return Device("cpu", counted(cores, "cores"), 1, _host_memory(), backend_name())


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


def _host_memory() -> int:
    """Count the bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory(device: Device | None) -> int:
    """Tell how much memory a computation may count on.

    Parameters
    ----------
    device
        Where it runs; the CPU by default.

    Returns
    -------
    int
        Bytes: the GPU's, where it is known; else what is free on the host, or all it has where psutil is not installed.
    """
    if device and device.kind == "gpu" and device.memory:
        return device.memory
    try:
        import psutil
    except ImportError:
        return _host_memory()
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error of a backend means that the device's memory is full.

    TensorFlow has an error class for it; JAX has one for everything, whose text begins with XLA's status.
    """
    return "RESOURCE_EXHAUSTED" in str(error) or type(error).__name__ == "ResourceExhaustedError"


@dataclass
class BatchSize:
    """How many examples go to the device at once; halved for good when its memory turns out too small."""

    size: int

    def halve(self) -> None:
        """Take half as many from now on; :class:`InputError` where it is one already."""
        if self.size <= 1:
            raise InputError(
                "the device's memory is too small for a single sequence",
                remedy="use a larger device, a smaller model, or close what else runs on it",
            )
        self.size //= 2
        log.warning("the device's memory is too small: %s at once from now on", counted(self.size, "sequences"))


def with_less_memory(work: Callable[[], T], halve: Callable[[], None]) -> T:
    """Compute; whenever the device's memory is too small, take less at once and compute again.

    Parameters
    ----------
    work
        The computation.
    halve
        Makes it need less, or raises where it needs the least already.

    Returns
    -------
    object
        What the computation returns.
    """
    while True:
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        halve()


def in_fitting_batches(number: int, batch: BatchSize, compute: Callable[[slice], T]) -> Iterator[tuple[slice, T]]:
    """Compute over rows in batches that fit into the device's memory.

    Parameters
    ----------
    number
        Rows in all.
    batch
        How many to begin with; it becomes smaller where memory is short.
    compute
        From a slice of rows to their result.

    Yields
    ------
    Slices, in order and without gaps, with their results.
    """
    first = 0

    def compute_next() -> tuple[slice, T]:
        rows = slice(first, min(first + batch.size, number))
        return rows, compute(rows)

    def halve() -> None:
        batch.size = min(batch.size, number - first)
        batch.halve()

    while first < number:
        rows, result = with_less_memory(compute_next, halve)
        yield rows, result
        first = rows.stop


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
        The device that the user asked for: ``auto``, ``cpu`` or ``gpu``.

    Raises
    ------
    InputError
        Naming the estimate and the ways out.
    """
    if asked == "gpu" and device.kind != "gpu":
        raise InputError(
            '`device="gpu"`: Keras sees no GPU',
            found=str(device),
            remedy="install 'chrombpnet-flows[gpu]' on a machine with an NVIDIA driver, and see `chrombpnet doctor`; "
            'or say `device="cpu"`',
        )
    if device.kind != "cpu" or asked == "cpu":
        return
    hours = 3 * flops_per_example * examples / (CPU_FLOPS_PER_CORE * usable_threads()) / 3600
    if filters >= FULL_SIZE_FILTERS or hours > LONGEST_CPU_HOURS:
        raise InputError(
            f"no GPU found: training {filters} filters on this {device} would take about {hours:,.0f} hours at most",
            remedy="use a machine with a GPU (`chrombpnet doctor` shows what Keras sees), fewer `filters`, "
            'or say `device="cpu"` to do it all the same',
        )
