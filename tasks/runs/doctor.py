"""What this machine has for a run, one finding a line."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import uuid

import psutil

from chrombpnet_core.concurrency import cores
from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from tasks.storage import Store, redact

__all__ = ["examine"]

Finding = tuple[bool, str, str]


def examine(store: str) -> list[Finding]:
    """Look at Python, packages, Keras' backend, device, memory and the store.

    Parameters
    ----------
    store
        Address of the store; a small object is written to it.

    Returns
    -------
    list of tuple
        Whether all is well, name, words.
    """
    memory = psutil.virtual_memory()
    findings: list[Finding] = [
        (sys.version_info >= (3, 11), "python", f"{platform.python_version()} on {platform.platform()}"),
        _packages(),
        _backend(),
        (True, "cpu", f"{cores()} cores, {memory.total / 2**30:.1f} GiB of memory, {memory.available / 2**30:.1f} GiB free"),
        _store(store),
    ]
    return findings


def _packages() -> Finding:
    try:
        words = [
            f"{name} {importlib.metadata.version(name)}"
            for name in ("chrombpnet-flows", "prefect", "numpy", "pysam", "pyBigWig", "h5py")
        ]
    except importlib.metadata.PackageNotFoundError as error:
        return False, "packages", f"{error.name} is not installed"
    return True, "packages", ", ".join(words)


def _backend() -> Finding:
    try:
        device = find_device()
        import keras
    except (ImportError, InputError) as error:
        return False, "device", str(error)
    advice = "" if device.kind == "gpu" else "; no GPU seen: full-size models need one ('chrombpnet-flows[gpu]')"
    return True, "device", f"{device}, Keras {keras.__version__}{advice}"


def _store(url: str) -> Finding:
    """Write, read and delete a small object."""
    name = f"doctor-{uuid.uuid4().hex}"
    try:
        store = Store(url)
        if store.local:
            import os

            os.makedirs(store.url, exist_ok=True)
        store.write_json({"hello": name}, name)
        right = store.read_json(name) == {"hello": name}
        store.remove(name)
    except Exception as error:
        return False, "store", f"{redact(url)}: {type(error).__name__}: {error}"
    free = f", {shutil.disk_usage(store.url).free / 2**30:.1f} GiB free" if store.local else ""
    return right, "store", f"{redact(store.url)}: written, read and deleted{free}"
