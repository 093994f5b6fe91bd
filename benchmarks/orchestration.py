"""1,000 data sets of five folds through a real Prefect server on PostgreSQL, steps replaced by stubs; ends with a summary.

Deployments, pools and limits are those of ``chrombpnet deploy``, and a data set fans out its folds by the real function. A
worker of ours runs the stubs in threads of one process, and takes work as Prefect's own does: what is measured is the server
and the calls of flows, not the start of 6,000 processes. After that Prefect's own process worker runs 100 more folds as
processes. Server, database, worker and stubs share this machine's cores.

Writes docs/pictures/orchestration.png. Exits 1 where the limit of GPUs was passed, a run was lost, or one did not complete.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from table import Row, report  # noqa: E402

PICTURE = HERE.parent / "docs" / "pictures" / "orchestration.png"
LOOK = 2.0  # seconds between samples
STALLED = 600.0  # seconds without a run that ends, after which nothing more is waited for
CHROMOSOMES = [f"chr{i}" for i in range(1, 6)]


@dataclass
class Sample:
    """The server at one time: seconds from the start, runs by state, cores in use, memory in bytes, seconds of an answer."""

    at: float
    waiting: int
    running: int
    done: int
    server: float
    database: float
    worker: float
    memory: int
    answer: float


@dataclass
class Bench:
    """What the parts share."""

    api: str
    client: Any
    server: psutil.Process
    database: psutil.Process
    samples: list[Sample] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def main() -> int:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=100, help="folds that run as processes of their own")
    parser.add_argument("--cpus", type=int, default=20, help="data sets at a time")
    parser.add_argument("--gpus", type=int, default=16, help="folds at a time")
    parser.add_argument("--seconds", type=float, default=1.0, help="that the stub of a fold takes")
    given = parser.parse_args()
    os.environ |= {
        "STUB_SECONDS": str(given.seconds),
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "60",
        "PYTHONPATH": f"{HERE}:{HERE.parent}",
    }
    with tempfile.TemporaryDirectory() as folder, _production(Path(folder)) as bench:
        rows = in_threads(bench, given) + in_processes(bench, given)
    return report(
        rows, [f"{os.cpu_count()} cores for server, database, worker and stubs; plot: {PICTURE.name}"], "bench-orchestration"
    )


@contextlib.contextmanager
def _production(folder: Path) -> Iterator[Bench]:
    """PostgreSQL and Prefect's server, and a client of it."""
    from tests.emulators.postgres import postgres_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    os.environ |= {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "prefect")}
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgres_server())
        postgres = next(each for each in psutil.Process().children() if each.name() == "postgres")
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PREFECT_API_DATABASE_CONNECTION_URL": database},
        )
        stack.callback(_end, server)
        deadline = time.monotonic() + 180
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{api}/health", timeout=5):
                break
            if time.monotonic() > deadline or server.poll() is not None:
                sys.exit("Prefect's server did not start")
            time.sleep(0.5)
        from prefect.client.orchestration import get_client

        client = stack.enter_context(get_client(sync_client=True))
        yield Bench(api, client, psutil.Process(server.pid), postgres)


def _end(process: subprocess.Popen) -> None:
    for each in psutil.Process(process.pid).children(recursive=True):
        each.kill()
    process.kill()
    process.wait()


def _spec() -> dict[str, Any]:
    """A data set that is valid; nothing of it is read."""
    folds = [{"train": CHROMOSOMES[2:], "valid": CHROMOSOMES[1:2], "test": CHROMOSOMES[:1]} for _ in range(5)]
    return {
        "id": "stub",
        "assay": "ATAC",
        "reads": {"bam": ["gs://stub/reads.bam"]},
        "genome": "gs://stub/genome.fa",
        "peaks": "gs://stub/peaks.bed",
        "folds": folds,
        "output": "gs://stub/out",
    }


# --- runs in threads of this process -------------------------------------------------------------------------------------


def in_threads(bench: Bench, given: argparse.Namespace) -> list[Row]:
    """All data sets; rows of the table."""
    from flows.deployment import CPU_POOL, GPU_POOL, Settings, apply, desired

    apply(bench.client, desired(Settings("gs://stub/store", cpus=given.cpus, gpus=given.gpus)))
    deployment = bench.client.read_deployment_by_name("dataset/dataset").id
    begin = time.monotonic()
    threading.Thread(target=_sample, args=(bench, begin, given), daemon=True).start()
    parameters = {"spec": _spec(), "store": "gs://stub/store", "fold_deployment": "fold/fold"}
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda _: bench.client.create_flow_run_from_deployment(deployment, parameters=parameters),
                range(given.datasets),
            )
        )
    submitted = time.monotonic() - begin
    workers = [
        threading.Thread(target=_work, args=(bench, name, most), daemon=True)
        for name, most in ((CPU_POOL, given.cpus), (GPU_POOL, given.gpus))
    ]
    for worker in workers:
        worker.start()
    told, done, moved = 0.0, 0, time.monotonic()
    while done < 6 * given.datasets and time.monotonic() - moved < STALLED:
        time.sleep(LOOK)
        if bench.samples and bench.samples[-1].done > done:
            done, moved = bench.samples[-1].done, time.monotonic()
        if bench.samples and time.monotonic() - told > 30:
            told, last = time.monotonic(), bench.samples[-1]
            print(
                f"  {last.at:,.0f} s: {last.done:,} of {6 * given.datasets:,} runs done, {last.running} run, "
                f"{last.waiting:,} wait; server {last.server:.2f} cores, answers in {1000 * last.answer:.0f} ms",
                file=sys.stderr,
                flush=True,
            )
    seconds = time.monotonic() - begin
    bench.stop.set()
    folds, datasets = _runs(bench, GPU_POOL), _runs(bench, CPU_POOL)
    _draw(bench.samples, folds, datasets, begin, given)
    return _told(bench, given, submitted, seconds, folds, datasets)


def _work(bench: Bench, pool: str, most: int) -> None:
    """Take runs as Prefect's workers do, what the server hands out within the pool's limit, and run them in threads."""
    import stubs
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow_sync
    from prefect.states import Pending
    from prefect.utilities.engine import propose_state_sync

    flow = stubs.fold if pool.endswith("gpu") else stubs.dataset

    def run(flow_run: Any) -> None:
        with contextlib.suppress(Exception):  # it has failed, and the server knows
            run_flow_sync(flow, flow_run, dict(flow_run.parameters))

    with get_client(sync_client=True) as client, ThreadPoolExecutor(most + 4) as threads:
        while not bench.stop.is_set():
            soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=10)
            found = client.get_scheduled_flow_runs_for_work_pool(pool, scheduled_before=soon)
            for each in found:
                if propose_state_sync(client, Pending(), each.flow_run.id).is_pending():
                    threads.submit(run, each.flow_run)
            time.sleep(0.1 if found else 1.0)


def _sample(bench: Bench, begin: float, given: argparse.Namespace) -> None:
    """Look at the server until told to stop."""
    from prefect.client.orchestration import get_client

    def cores(processes: Sequence[psutil.Process]) -> float:
        total = 0.0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def count(client: Any, kinds: list[str]) -> int:
        return client.request("POST", "/flow_runs/count", json={"flow_runs": {"state": {"type": {"any_": kinds}}}}).json()

    before, now = None, time.monotonic()
    with get_client(sync_client=True) as client:
        while not bench.stop.wait(LOOK):
            asked = time.monotonic()
            numbers = [count(client, kinds) for kinds in (["SCHEDULED"], ["RUNNING", "PENDING"], ["COMPLETED"])]
            answer = (time.monotonic() - asked) / 3
            database = [bench.database, *bench.database.children(recursive=True)]
            server = [bench.server, *bench.server.children(recursive=True)]
            used, then, now = [cores(server), cores(database), cores([psutil.Process()])], now, time.monotonic()
            if before is not None:
                rates = [max(0.0, (a - b) / (now - then)) for a, b in zip(used, before, strict=True)]
                memory = sum(process.memory_info().rss for process in server)
                bench.samples.append(Sample(now - begin, *numbers, *rates, memory, answer))
            before = used


def _runs(bench: Bench, pool: str) -> list[dict[str, Any]]:
    """All runs of a pool, with their times."""
    found: list[dict[str, Any]] = []
    while True:
        page = bench.client.request(
            "POST",
            "/flow_runs/filter",
            json={"sort": "ID_DESC", "limit": 200, "offset": len(found), "work_pools": {"name": {"any_": [pool]}}},
        ).json()
        found += page
        if len(page) < 200:
            return found


def _at(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def at_once(runs: Sequence[dict[str, Any]]) -> list[tuple[float, int]]:
    """When runs began or ended, by their own times, and how many were under way from then on."""
    edges = sorted([(_at(run["start_time"]), 1) for run in runs] + [(_at(run["end_time"]), -1) for run in runs])
    return [(at, now) for (at, _), now in zip(edges, itertools.accumulate(change for _, change in edges), strict=True)]


def most_at_once(runs: Sequence[dict[str, Any]]) -> int:
    """How many were under way at a time at most."""
    return max(now for _, now in at_once(runs))


def displacements(runs: Sequence[dict[str, Any]]) -> list[tuple[float, int]]:
    """When each run began, and how many places later (or, below 0, earlier) than in the order of scheduling."""
    asked = sorted(runs, key=lambda run: run["expected_start_time"])
    begun = {run["id"]: place for place, run in enumerate(sorted(runs, key=lambda run: run["start_time"]))}
    return [(_at(run["start_time"]), begun[run["id"]] - place) for place, run in enumerate(asked)]


def _told(
    bench: Bench,
    given: argparse.Namespace,
    submitted: float,
    seconds: float,
    folds: list[dict[str, Any]],
    datasets: list[dict[str, Any]],
) -> list[Row]:
    busy = [sample for sample in bench.samples if sample.at > submitted and sample.running]
    number, all_of = len(folds) + len(datasets), 6 * given.datasets
    failed = [run for run in folds + datasets if run["state_type"] != "COMPLETED"]
    folds = [run for run in folds if run["state_type"] == "COMPLETED"]
    ends = sorted(_at(run["end_time"]) for run in folds)
    rate = len(ends) / (ends[-1] - min(_at(run["start_time"]) for run in folds))
    most, gaps = most_at_once(folds), sorted(abs(places) for _, places in displacements(folds))
    under_way = [now for _, now in at_once(folds)]

    def typical(key: str) -> str:
        values = [getattr(sample, key) for sample in busy]
        return f"{statistics.median(values):.2f} (most {max(values):.2f})"

    return [
        Row("submit", f"{given.datasets:,} data sets, runs/s", f"{given.datasets / submitted:.1f}"),
        Row("folds", f"{len(folds):,} runs, runs/s", f"{rate:.2f}"),
        Row("folds", "at a time at most", f"{most}", f"<= {given.gpus}", most <= given.gpus),
        Row("folds", "at a time, median", f"{statistics.median(under_way):.0f}"),
        Row("folds", "places out of the queue's order", f"{gaps[len(gaps) // 2]} (most {gaps[-1]})"),
        Row("all", "runs lost", f"{all_of - number}", "0", number == all_of),
        Row("all", "runs that did not complete", f"{len(failed)}", "0", not failed),
        Row("all", "seconds", f"{seconds:,.0f}"),
        Row("server", "cores", typical("server")),
        Row("database", "cores", typical("database")),
        Row("worker", "cores (and stubs)", typical("worker")),
        Row("server", "memory, MB", f"{max(sample.memory for sample in busy) / 1e6:,.0f}"),
        Row(
            "server",
            "ms to count runs",
            f"{1000 * statistics.median(s.answer for s in busy):.0f} (most {1000 * max(s.answer for s in busy):.0f})",
        ),
    ]


def _draw(
    samples: Sequence[Sample],
    folds: Sequence[dict[str, Any]],
    datasets: Sequence[dict[str, Any]],
    begin: float,
    given: argparse.Namespace,
) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    minutes, zero = [sample.at / 60 for sample in samples], time.time() - (time.monotonic() - begin)
    figure, axes = plt.subplots(5, 1, figsize=(8, 10.5), sharex=True, layout="constrained")
    for key, words, colour in (("done", "ended", "#0b6e99"), ("waiting", "wait", "#8a5a00")):
        axes[0].plot(minutes, [getattr(sample, key) for sample in samples], color=colour, label=words)
    axes[0].set_ylabel("runs")
    ended = [[run for run in runs if run["start_time"] and run["end_time"]] for runs in (folds, datasets)]
    thin = max(1, len(folds) // 1500)
    for of, words, limit, colour in zip(
        ended, ("folds", "data sets"), (given.gpus, given.cpus), ("#1a7f4b", "#777777"), strict=True
    ):
        curve = at_once(of)[::thin]
        axes[1].step(
            [(at - zero) / 60 for at, _ in curve],
            [now for _, now in curve],
            where="post",
            color=colour,
            label=words,
            linewidth=0.6,
        )
        axes[1].axhline(limit, color=colour, linestyle="--", linewidth=0.8)
    axes[1].set_ylabel("under way\n(dashed: limits)")
    moved = displacements(ended[0])[::thin]
    axes[2].plot([(at - zero) / 60 for at, _ in moved], [places for _, places in moved], ".", color="#1a7f4b", markersize=2)
    axes[2].set_ylabel("places begun later\nthan scheduled (folds)")
    for key, colour in (("server", "#0b6e99"), ("database", "#8a5a00"), ("worker", "#777777")):
        axes[3].plot(minutes, [getattr(sample, key) for sample in samples], color=colour, label=key, linewidth=0.8)
    axes[3].set_ylabel("cores in use")
    axes[4].plot(minutes, [1000 * sample.answer for sample in samples], color="#0b6e99", linewidth=0.8)
    axes[4].set_ylabel("ms to count runs")
    axes[4].set_xlabel("minutes")
    figure.suptitle(
        f"{given.datasets:,} data sets of 5 folds, stubs of {given.seconds:g} s; {given.cpus} data sets and "
        f"{given.gpus} folds at a time",
        fontsize=11,
    )
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        if each is not axes[2]:
            each.set_ylim(bottom=0)
    for each in (axes[0], axes[1], axes[3]):
        each.legend(frameon=False, ncols=3, loc="upper right", bbox_to_anchor=(1, 1.15))
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100, facecolor="white")


# --- runs as processes ---------------------------------------------------------------------------------------------------


def in_processes(bench: Bench, given: argparse.Namespace) -> list[Row]:
    """Folds by Prefect's own process worker, as many at a time as there are cores; rows of the table."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    name, most = "stubs", os.cpu_count() or 1
    if not given.processes:
        return []
    bench.client.create_work_pool(
        WorkPoolCreate(
            name=name,
            type="process",
            concurrency_limit=most,
            base_job_template=ProcessWorker.get_default_base_job_template(),
        )
    )
    deployment = bench.client.create_deployment(
        bench.client.create_flow_from_name("fold"),
        "stub",
        entrypoint="stubs.fold",
        work_pool_name=name,
        enforce_parameter_schema=False,
    )
    for index in range(given.processes):
        bench.client.create_flow_run_from_deployment(
            deployment, parameters={"spec": json.loads(json.dumps(_spec())), "store": "gs://stub/store", "index": index}
        )
    worker = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", name],
        env=os.environ | {"PREFECT_WORKER_QUERY_SECONDS": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60 * given.processes
        while True:
            runs = _runs(bench, name)
            ended = [run for run in runs if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED")]
            if len(ended) == given.processes or time.monotonic() > deadline or worker.poll() is not None:
                break
            print(f"  {len(ended)} of {given.processes} processes ended", file=sys.stderr, flush=True)
            time.sleep(20)
    finally:
        _end(worker)
    good = [run for run in runs if run["state_type"] == "COMPLETED"]
    if not good:
        return [Row("processes", "runs that completed", "0", f"{given.processes}", False)]
    span = max(_at(run["end_time"]) for run in good) - min(_at(run["start_time"]) for run in good)
    return [
        Row("processes", "runs that completed", f"{len(good)}", f"{given.processes}", len(good) == given.processes),
        Row("processes", "at a time at most", f"{most_at_once(good)}", f"<= {most}", most_at_once(good) <= most),
        Row("processes", "runs/s", f"{len(good) / span:.2f}"),
        Row("processes", "seconds of a core for each, start included", f"{most * span / len(good) - given.seconds:.1f}"),
    ]


if __name__ == "__main__":
    sys.exit(main())
