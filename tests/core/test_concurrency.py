"""Threads are as many as were asked for; a function in a process of its own: its outcome, log lines, errors, end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from chrombpnet_core.concurrency import in_own_process, set_threads
from chrombpnet_core.errors import InputError


def add(one, other):
    logging.getLogger("chrombpnet_core.sums").info("adding %d", one)
    return one + other, os.getpid()


def refuse(what):
    raise InputError(what, expected="something else")


def fail():
    return {}["absent"]


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_outcome_and_log_lines_come_back(caplog):
    with caplog.at_level(logging.INFO, "chrombpnet_core"):
        total, process = in_own_process(add, 2, 3, what="sum")
    assert total == 5
    assert process != os.getpid()
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("chrombpnet_core.sums", "adding 2")]


def test_a_refusal_stays_one(caplog):
    with pytest.raises(InputError, match=r"^a thing; expected something else$"):
        in_own_process(refuse, "a thing", what="sum")


def test_a_fault_is_seen(capfd):
    with pytest.raises(RuntimeError, match="KeyError: 'absent'"):
        in_own_process(fail, what="sum")
    assert "Traceback" in capfd.readouterr().err


def test_a_process_that_is_killed_is_told():
    with pytest.raises(InputError, match=r"sum was ended from outside \(exit code -9\); was memory short"):
        in_own_process(die, what="sum")


_OWN_PROCESS = """
import os
from chrombpnet_core.concurrency import in_own_process

def compute():
    print(os.getpid(), flush=True)
    return sum(range(10**12))  # an hour in C, which lets no other thread run

if __name__ == "__main__":
    in_own_process(compute, what="sum")
"""


def test_an_own_process_ends_with_its_parent_however_busy_and_leaves_signals_to_it(tmp_path):
    (tmp_path / "script.py").write_text(_OWN_PROCESS)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    child = psutil.Process(int(parent.stdout.readline()))
    for number in (signal.SIGINT, signal.SIGTERM):
        child.send_signal(number)
    time.sleep(0.3)
    assert child.is_running()
    assert child.status() != psutil.STATUS_ZOMBIE
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


_PREDICT = """
import os, sys, time
from chrombpnet_core.concurrency import set_threads, usable_threads
set_threads(1)
assert usable_threads() == 1 and usable_threads(3) == 3
import numpy as np
from chrombpnet_core.models import Architecture, Predictor, bpnet

def ticks():
    ticks = {}
    for thread in os.listdir("/proc/self/task"):
        name, numbers = open(f"/proc/self/task/{thread}/stat").read().split("(", 1)[1].rsplit(")", 1)
        ticks[thread, name] = sum(map(int, numbers.split()[11:13]))
    return ticks

predict = Predictor(bpnet(Architecture(64, 4, 600, 200)), 64)
codes = np.random.default_rng(1).integers(0, 4, (64, 600), dtype=np.uint8)
predict(codes)
before, wall, cpu = ticks(), time.perf_counter(), time.process_time()
for _ in range(20):
    predict(codes)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
busy = {thread: after - before.get(thread, 0) for thread, after in ticks().items()}
pools = [name for _, name in busy if name in ("tf_Compute", "tf_XLAEigen")]
print(cpu / wall, len(pools), sorted(busy.values())[-2] / max(busy.values()))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_one_thread_is_one_thread_in_a_real_prediction(backend):
    run = subprocess.run(
        [sys.executable, "-c", _PREDICT],
        env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    load, pool, second = map(float, run.stdout.split())
    assert load < 1.3
    assert pool <= 1
    assert second < 0.3  # what the second busiest thread does, of the busiest


_LATER = """
import subprocess, sys
import numba
import numpy as np
from chrombpnet_core.concurrency import set_threads, usable_threads
from chrombpnet_core.genome import dinucleotide_shuffles
if sys.argv[1] == "late":
    dinucleotide_shuffles(np.zeros((2, 30), np.uint8), 1, 1)
set_threads(1)
dinucleotide_shuffles(np.zeros((2, 30), np.uint8), 1, 1)
child = "import numba, chrombpnet_core.concurrency as c; print(c.usable_threads(), numba.get_num_threads())"
print(usable_threads(), numba.get_num_threads())
subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_the_limit_holds_for_numba_and_processes_started_later(when):
    run = subprocess.run([sys.executable, "-u", "-c", _LATER, when], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.splitlines()
    assert first == "1 1"
    assert second.startswith("1 ")
    if when == "early":
        assert second == "1 1"


def test_threads_below_one_are_refused():
    with pytest.raises(InputError, match="1 or more"):
        set_threads(0)
