"""Run cases, each in a process forked from one that has imported everything; JSON lines in, JSON lines out."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

__all__ = ["serve"]

_IMPORTED = ("flows.cli.main", "flows.dataset", "flows.variants", "chrombpnet_core.models.files")
"""Imported once, Keras among it: TensorFlow starts no threads before a computation, so that a fork is safe."""
_MEMORY = 2 << 30  # bytes that a case may have resident, its children included
_BACKSTOP = 12 << 30  # of address space that it may write to


def serve(seconds: float) -> None:
    """Read cases, run them, and print what became of each."""
    with contextlib.redirect_stdout(sys.stderr):
        for module in _IMPORTED:
            importlib.import_module(module)
        importlib.import_module("tasks.registry").declared_steps()
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line), seconds)), flush=True)


def _run(case: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Fork, wait, and end all that is left of it."""
    folder, began = Path(case["folder"]), time.monotonic()
    child = os.fork()
    if child == 0:
        _become(case, folder)
    memory, status, why = 0, None, ""
    process = psutil.Process(child)
    while status is None:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(code)
            break
        memory = max(memory, _resident(process))
        if memory > _MEMORY:
            why = "memory"
        elif time.monotonic() - began > seconds:
            why = "hang"
        if why:
            _end(process)
            os.waitpid(child, 0)
            status = -9
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    return {"status": status, "why": why, "memory": memory, "seconds": round(time.monotonic() - began, 1)}


def _resident(process: psutil.Process) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss - each.memory_info().shared
    return total


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.Error):
                each.kill()


def _become(case: dict[str, Any], folder: Path) -> None:
    """Be the command: never returns."""
    status = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_DATA, (_BACKSTOP, _BACKSTOP))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(folder)
        os.environ["TMPDIR"] = str(folder / "tmp")
        import tempfile

        tempfile.tempdir = None
        for number, name in ((1, "stdout"), (2, "stderr")):
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        from flows.cli.main import main

        try:
            status = main(case["words"])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(float(sys.argv[1]))
