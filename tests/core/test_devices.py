"""Backend and device: chosen in any order of imports before Keras, refused afterwards; facts of a device are numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chrombpnet_core import devices
from chrombpnet_core.devices import BatchSize, Device, configure, in_fitting_batches, is_out_of_memory
from chrombpnet_core.errors import InputError


def _run(script: str, **environment: str) -> str:
    chosen = ("KERAS_BACKEND", "JAX_PLATFORMS")
    known = {name: value for name, value in os.environ.items() if name not in chosen}
    run = subprocess.run(
        [sys.executable, "-c", script], env=known | environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


CONFIGURE = "from chrombpnet_core.devices import configure, backend_name; configure('jax', 'cpu'); "
ROOMS = "import chrombpnet_core.models, chrombpnet_core.training, chrombpnet_core.interpret; "


@pytest.mark.parametrize("script", [CONFIGURE + ROOMS, ROOMS + CONFIGURE, "import jax; " + ROOMS + CONFIGURE])
def test_the_backend_is_chosen_in_any_order_of_imports(script):
    script += "from chrombpnet_core.models import bpnet; import keras, jax; "
    assert _run(script + "print(keras.backend.backend(), backend_name(), jax.default_backend())") == "jax jax cpu"


def test_another_backend_is_refused_once_keras_is_imported():
    script = """
import keras
from chrombpnet_core.devices import configure
from chrombpnet_core.errors import InputError
configure("jax")
configure()
try:
    configure("tensorflow")
except InputError as error:
    print(error)
"""
    assert _run(script, KERAS_BACKEND="jax").startswith("Keras runs on jax already; expected tensorflow; choose `backend=")


@pytest.mark.parametrize(("nodes", "hidden"), [((), {}), (("/dev/null",), {"CUDA_VISIBLE_DEVICES": "-1"})])
def test_a_cpu_is_foreseen_without_keras(nodes, hidden):
    script = (
        f"import sys\nfrom chrombpnet_core import devices\ndevices._GPU_NODES = {nodes}\n"
        "print(devices.foresee_device().kind, 'keras' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | hidden
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["cpu", "False"]


def test_where_there_may_be_a_gpu_keras_is_asked(monkeypatch):
    found = Device("gpu", "a card", 1, 0, "jax")
    monkeypatch.setattr(devices, "find_device", lambda: found)
    monkeypatch.setattr(devices, "_GPU_NODES", ("/dev/null",))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.foresee_device() is found


def test_unknown_backends_are_refused():
    with pytest.raises(InputError, match="expected tensorflow or jax"):
        configure("torch")


@pytest.mark.parametrize(("kind", "count", "gpus"), [("cpu", 1, 0), ("gpu", 1, 1), ("gpu", 4, 4)])
def test_a_device_counts_its_gpus(kind, count, gpus):
    assert Device(kind, "a card", count, 0, "jax").gpus == gpus


def test_batches_shrink_for_good_and_cover_all_rows_in_order():
    def compute(rows: slice) -> int:
        if rows.stop - rows.start > 3:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return rows.stop - rows.start

    batch = BatchSize(16)
    parts = list(in_fitting_batches(10, batch, compute))
    assert batch.size == 2
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert sum(size for _, size in parts) == 10


def test_one_that_does_not_fit_is_told():
    def compute(_: slice) -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    with pytest.raises(InputError, match="memory is too small for a single sequence"):
        list(in_fitting_batches(3, BatchSize(2), compute))


def test_errors_of_memory_are_told_by_class_or_status():
    class ResourceExhaustedError(Exception):
        """As TensorFlow's."""

    assert is_out_of_memory(ResourceExhaustedError())
    assert is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating"))
    assert not is_out_of_memory(MemoryError("no memory"))
