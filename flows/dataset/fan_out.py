"""Folds side by side: one after the other here, several processes at a time, or a deployment's runs."""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.errors import InputError, printable
from flows.dataset.failures import Failure, Job, Numbered
from flows.environment import PARENT
from flows.spec import DatasetSpec, absolute_spec
from tasks.runs import GRACE, interruption, reason_of
from tasks.steps import CheckedInputs

__all__ = [
    "by_deployment",
    "cancel_folds",
    "end_with_parent",
    "gpus_of_slot",
    "in_processes",
    "inherited_checks",
    "one_by_one",
]

log = logging.getLogger(__name__)

J = TypeVar("J", bound=Numbered)

CHECKED = "CHROMBPNET_CHECKED"
"""Environment variable of a fold's process: a file of what is known of the data set's inputs."""

_LOOK = 0.2  # seconds between looks at processes
_POLL = 5.0  # seconds between looks at a deployment's runs
_CHILD_OF, _JOB = "parent:", "job:"  # begin the tags of runs that another run has started
_AGAIN = 300.0  # seconds within which a crashed run may be scheduled again before it is given up


def one_by_one(do: Callable[[Job], Any], jobs: list[Job]) -> list[Failure]:
    """Do all jobs in this process; those that fail. The error of a single one is raised as it is."""
    failures: list[Failure] = []
    if len(jobs) == 1:
        do(jobs[0])
        return failures
    for job in jobs:
        try:
            do(job)
        except Exception as error:
            if interruption.requested:
                raise
            user = isinstance(error, InputError)
            if not user and not isinstance(error, OSError):  # a fault of the program's: say where
                log.error("%s", "".join(traceback.format_exception(error)))
            failures.append(Failure(job, reason_of(error), user))
            log.error("%s", failures[-1])
    return failures


# --- processes ---------------------------------------------------------------------------------------------------


def gpus_of_slot(slot: int, gpus: list[str], each: int) -> list[str]:
    """Deal GPUs to the ``slot``-th process at a time, ``each`` to one, in turn: they are shared where there are few.

    No GPU comes twice; empty where there is none.
    """
    return list(dict.fromkeys(gpus[(slot * each + i) % len(gpus)] for i in range(each))) if gpus else []


def _visible_gpus(device: str) -> list[str]:
    """List what ``CUDA_VISIBLE_DEVICES`` may name; a process of its own looks, so that this one leaves them alone."""
    if device == "cpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [each for each in named.split(",") if each.strip() not in ("", "-1")]
    look = (
        "from chrombpnet_core.devices import find_device\ndevice = find_device()\n"
        "print(device.count if device.kind == 'gpu' else 0)"
    )
    found = subprocess.run([sys.executable, "-P", "-c", look], capture_output=True, text=True, check=False)
    number = found.stdout.split()[-1:] if found.returncode == 0 else []
    return [str(i) for i in range(int(number[0]))] if number else []


@dataclass
class _Child:
    """A job's process; what it says goes on to standard error with the job in front."""

    job: Job
    slot: int
    process: subprocess.Popen[str]
    said: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=50))

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True, name=str(self.job))
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if line.strip():
                self.said.append(line.strip())
                print(f"{self.job} | {printable(line.rstrip())}", file=sys.stderr, flush=True)

    def failure(self) -> Failure | None:
        """Why it failed, once it has ended; None where it did not."""
        status = self.process.returncode
        self._reader.join(5)
        if status == 0:
            return None
        if status < 0:
            return Failure(self.job, f"killed by {signal.Signals(-status).name}", user=False)
        said = self.said[-1] if self.said else f"ended with {status}"
        for prefix in ("chrombpnet: error: ", "chrombpnet: "):
            said = said.removeprefix(prefix)
        return Failure(self.job, said, user=status == 2)


def in_processes(spec: DatasetSpec, store: str, jobs: list[Job], checked: CheckedInputs | None = None) -> list[Failure]:
    """Do the jobs in processes of their own, ``spec.folds_at_once`` at a time; those that fail.

    Every process has its share of threads, and GPUs of its own where there are enough. SIGTERM and Ctrl-C are passed on, and
    awaited: trainings write their checkpoints.
    """
    gpus, at_once = _visible_gpus(spec.training.device), min(spec.folds_at_once, len(jobs))
    threads = max(1, usable_threads() // at_once)
    waiting, running, failures = list(jobs), list[_Child](), list[Failure]()
    with tempfile.TemporaryDirectory() as folder, _passing_on(running):
        fold_run = _FoldRun(
            Path(folder) / "dataset.json", store, threads, Path(folder) / "checked.json" if checked else None
        )
        fold_run.dataset.write_text(json.dumps(absolute_spec(spec).model_dump(mode="json")))
        if checked and fold_run.checked:
            fold_run.checked.write_text(checked.to_json())
        while waiting or running:
            while waiting and len(running) < at_once and not interruption.requested:
                slot = min(set(range(at_once)) - {child.slot for child in running})
                running.append(_start(fold_run, waiting.pop(0), gpus_of_slot(slot, gpus, spec.training.gpus), slot))
            time.sleep(_LOOK)
            if interruption.requested:  # who asked waits for the processes, and ends this one
                continue
            for child in [child for child in running if child.process.poll() is not None]:
                running.remove(child)
                failure = child.failure()
                if failure:
                    failures.append(failure)
                    log.error("%s", failure)
    return failures


@dataclass(frozen=True)
class _FoldRun:
    """What all folds' processes are told: files of the data set and of what is known of its inputs, store, threads."""

    dataset: Path
    store: str
    threads: int
    checked: Path | None


def inherited_checks() -> CheckedInputs | None:
    """Return what the process that started this fold's process knows of the data set's inputs; None where none did."""
    path = os.environ.get(CHECKED)
    return CheckedInputs.from_json(Path(path).read_text()) if path else None


def _start(fold_run: _FoldRun, job: Job, gpus: list[str], slot: int) -> _Child:
    # -P: a tasks.py or infra.py of the user's in the current folder must not take the place of our packages.
    command = [sys.executable, "-P", "-m", "flows.cli", "run", str(fold_run.dataset), "--store", fold_run.store]
    command += ["--fold", str(job.index), "--threads", str(fold_run.threads), *(["--bias-only"] if job.bias_only else [])]
    environment = os.environ | {PARENT: str(os.getpid()), **_server()}
    if fold_run.checked:
        environment[CHECKED] = str(fold_run.checked)
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    log.info("%s: a process of its own, threads: %s, GPU: %s", job, fold_run.threads, ", ".join(gpus) or "none")
    # A session of its own: Ctrl-C reaches this process alone, which passes it on once.
    return _Child(
        job,
        slot,
        subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ),
    )


def _server() -> dict[str, str]:
    """Where this flow's Prefect server is: its folds need not start one each."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return {"PREFECT_API_URL": str(context.client.api_url)} if context else {}


@contextlib.contextmanager
def _passing_on(running: list[_Child]) -> Iterator[None]:
    """Within it SIGTERM and Ctrl-C reach the processes, which have time for checkpoints; none is left at its end."""

    def stop(_: int = 0) -> None:
        for child in running:
            child.process.terminate()
        deadline = time.monotonic() + GRACE + 1
        for child in running:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()

    with interruption.calling(stop):
        try:
            yield
        finally:
            stop()


def end_with_parent() -> None:
    """In a fold's process: end as if told to when the process that started it is gone, however that ended."""
    parent = int(os.environ.get(PARENT) or 0)
    if parent == 0 or os.getppid() != parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()


# --- deployments -------------------------------------------------------------------------------------------------


def by_deployment(name: str, jobs: Mapping[J, dict[str, Any]], label: str) -> list[Failure]:
    """Do each job as a run of a deployment, all at a time, and return those that fail.

    How many really run at a time, where, and how often one is tried again is the deployment's: a run that has crashed is
    given up only when nothing has scheduled it again for five minutes. Ctrl-C and cancelling cancel
    them; SIGTERM, as schedulers send it before they move a process, leaves them.

    Parameters
    ----------
    name
        ``flow/deployment``.
    jobs
        Job → parameters of its run.
    label
        Begins the runs' names.

    Returns
    -------
    list of Failure
        Of the jobs that failed.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    waiting = _started_runs(name, jobs, label)
    failures: list[Failure] = []
    crashed: dict[Any, float] = {}
    with get_client(sync_client=True) as client, _cancelling(client, waiting):
        while waiting:
            time.sleep(_POLL)
            these_runs = FlowRunFilter(id=FlowRunFilterId(any_=list(waiting.values())))
            states = {run.id: run.state for run in client.read_flow_runs(flow_run_filter=these_runs)}
            for job, run_id in list(waiting.items()):
                state = states.get(run_id)
                if state is not None and state.is_crashed():
                    crashed.setdefault(run_id, time.monotonic())
                else:
                    crashed.pop(run_id, None)
                given_up = time.monotonic() - crashed.get(run_id, math.inf) > _AGAIN
                if state is not None and not (given_up or (state.is_final() and not state.is_crashed())):
                    continue
                del waiting[job]
                if state is None or not state.is_completed():
                    words = " ".join(((state.message or state.name or "") if state else "its run was deleted").split())
                    failures.append(Failure(job, words, user="InputError" in words))
                    log.error("%s", failures[-1])
    return failures


def _started_runs(name: str, jobs: Mapping[J, dict[str, Any]], label: str) -> dict[J, Any]:
    """Start a run of the deployment for each job and return the runs' ids; a parent that was killed finds its runs again."""
    from prefect.context import FlowRunContext
    from prefect.deployments import run_deployment

    context = FlowRunContext.get()
    parent = context.flow_run if context and context.flow_run else None
    lost = _lost(parent.id) if parent else collections.Counter()
    runs: dict[J, Any] = {}
    for job, parameters in jobs.items():
        words = str(job).replace(" ", "-")
        # The key finds a run again; a run that failed begins anew when the parent is tried again.
        started: Any = run_deployment(
            name,
            parameters=parameters,
            timeout=0,
            flow_run_name=f"{label}-{words}",
            tags=[f"{_CHILD_OF}{parent.id}", f"{_JOB}{words}"] if parent else None,
            idempotency_key=f"{parent.id}-{words}-{lost[words]}" if parent else None,
        )
        runs[job] = started.id
        log.info("%s: run %s of %s", job, started.name, name)
    return runs


@contextlib.contextmanager
def _cancelling(client: Any, waiting: dict[Any, Any]) -> Iterator[None]:
    """Within it Ctrl-C cancels the runs that are waited for."""

    def stop(number: int) -> None:
        if number == signal.SIGINT:
            _cancel(client, list(waiting.values()))

    with interruption.calling(stop):
        yield


def _cancel(client: Any, runs: list[Any]) -> None:
    from prefect.states import Cancelling

    for each in runs:
        client.set_flow_run_state(each, Cancelling())


def _started(client: Any, parent: Any) -> list[Any]:
    """Find the runs that a flow's run has started."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

    children = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"{_CHILD_OF}{parent}"]))
    runs: list[Any] = client.read_flow_runs(flow_run_filter=children)
    return runs


def _lost(parent: Any) -> collections.Counter[str]:
    """How many runs of each job have ended badly, for good: one that crashed lately may yet be scheduled again."""
    from prefect.client.orchestration import get_client

    def for_good(state: Any) -> bool:
        crashed_long_ago = state.is_crashed() and time.time() - state.timestamp.timestamp() > _AGAIN
        return bool(state.is_failed() or state.is_cancelled() or crashed_long_ago)

    with get_client(sync_client=True) as client:
        return collections.Counter(
            tag.removeprefix(_JOB)
            for run in _started(client, parent)
            if run.state and for_good(run.state)
            for tag in run.tags
            if tag.startswith(_JOB)
        )


def cancel_folds(flow: Any, flow_run: Any, state: Any) -> None:
    """Prefect's hook of a flow that is cancelled, which it calls by these names: the runs that it started are, too."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = _started(client, flow_run.id)
        _cancel(client, [each.id for each in found if each.state is None or not each.state.is_final()])
