"""SIGTERM, SIGHUP and Ctrl-C end commands, and flows that Prefect runs, while compiled code computes and does not return."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName

from flows.cli.main import main
from tasks.runs import Interruption

_COMPUTE = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'1', b'2', 2_000_000_000)"  # an hour, in C

_COMMAND = f"""
import signal, subprocess, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which the tests may have been started to ignore
from flows.environment import run_stoppably

def work():
    child = subprocess.Popen([sys.executable, "-c", "import signal, time\\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\nprint('up', flush=True)\\ntime.sleep(600)"],
        stdout=subprocess.PIPE)
    child.stdout.readline()
    print(child.pid, flush=True)
    {_COMPUTE}

run_stoppably(work)
"""


@pytest.fixture
def start():
    """Starts scripts that run until the test is over at most."""
    processes: list[subprocess.Popen[str]] = []

    def run(script: str, **environment: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([sys.executable, "-c", script], env=os.environ | environment, **pipes))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.communicate()


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_ends_although_compiled_code_computes(start, number):
    process = start(_COMMAND)
    child = int(process.stdout.readline())
    begin = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - begin < 10
    assert process.returncode == 128 + number
    assert said.strip() == "chrombpnet: interrupted"
    assert _is_gone(child)


@pytest.mark.parametrize("stream", ["closed", "nowhere", "text that is replaced"])
def test_it_is_said_whatever_becomes_of_standard_error_meanwhile(start, stream):
    """Keras' import is quiet: the descriptor leads nowhere for some seconds."""
    change = {"closed": "os.close(2)", "nowhere": "os.dup2(os.open(os.devnull, os.O_WRONLY), 2)"}.get(
        stream, "sys.stderr = None"
    )
    script = _COMMAND.replace("    child.stdout.readline()", f"    import os\n    child.stdout.readline()\n    {change}")
    process = start(script)
    process.stdout.readline()
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (143, "chrombpnet: interrupted")


_TRAINING = """
import sys, threading, time
from flows.environment import run_stoppably
from tasks.runs import interruption

def work():
    with interruption.training() as stop:
        print("trains", flush=True)
        while not stop():
            time.sleep(0.05)
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 600)
        print("checkpoint", flush=True)

run_stoppably(work)
"""


def test_a_checkpoint_is_waited_for(start):
    process = start(_TRAINING.replace("sys.argv[1]", "'0.5'").replace("len(sys.argv) > 1", "True"))
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, "checkpoint\n")
    assert said.split("\n\n")[0].strip() == "chrombpnet: stopping: checkpoints are written; another signal ends it at once"


def test_a_second_signal_ends_at_once_and_one_that_hangs_is_not_waited_for(start):
    twice, once = start(_TRAINING), start(_TRAINING)
    for process in (twice, once):
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    assert "stopping" in twice.stderr.readline() + twice.stderr.readline()
    twice.send_signal(signal.SIGINT)
    assert twice.wait(60) == 130
    assert once.poll() is None
    assert once.wait(60) == 130
    assert time.monotonic() - begin < 10
    for process in (twice, once):
        process.communicate()


_FLOW = f"""
from prefect import flow, task
from flows.environment import stoppable

@task
def explain():
    print("explains", flush=True)
    {_COMPUTE}

@flow(name="explaining")
@stoppable
def explaining():
    explain.submit().result()

explaining()
"""


def test_a_flow_that_prefect_runs_ends_and_its_server_knows(start):
    with get_client(sync_client=True) as client:
        process = start(_FLOW, PREFECT_API_URL=str(client.api_url))
        process.stdout.readline()
        begin = time.monotonic()
        process.terminate()
        process.communicate(timeout=60)
        assert time.monotonic() - begin < 10
        assert process.returncode in (143, -signal.SIGTERM)
        (run,) = client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=["explaining"])))
        assert run.state.is_crashed()


def test_outcomes_and_errors_come_through(capsys):
    assert main(["run", "--schema"]) == 0
    assert main(["run"]) == 2
    assert "no data set given" in capsys.readouterr().err


def test_what_is_said_of_the_next_time_is_true(tmp_path):
    interruption = Interruption()
    assert interruption.outlook() == ""
    interruption.note_begun(tmp_path / "checkpoint")
    assert interruption.outlook() == "; no step was finished: the same command begins anew"
    interruption.note_finished("memory://store")
    assert interruption.outlook().endswith("begins anew")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state.npz").touch()
    assert interruption.outlook() == "; the same command goes on where this one stopped"
    interruption = Interruption()
    interruption.note_finished(str(tmp_path))
    assert interruption.outlook() == "; the same command goes on where this one stopped"


def test_a_signal_that_another_thread_is_given_is_seen(start):
    """The kernel chooses the thread; the one that waits must not sleep on."""
    given = "import signal, threading; signal.pthread_kill(threading.get_ident(), signal.SIGTERM)"
    process = start(
        f"from flows.environment import run_stoppably\ndef work():\n    {given}\n    {_COMPUTE}\nrun_stoppably(work)"
    )
    assert process.communicate(timeout=60)[1].strip() == "chrombpnet: interrupted"
    assert process.returncode == 143
