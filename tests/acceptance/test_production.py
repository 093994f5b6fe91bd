"""A production on loopback: Prefect's server on PostgreSQL, two process workers, a bucket, the bridge; all real processes.

A data set file that is put into the bucket is run to its published report; folds whose processes are killed or told to
stop in mid-training go on from their checkpoints; so does everything when workers and flows are killed together, though then
only the missing heartbeat tells. A run that crashes again and again is left alone in the end, and a cancelled one stays so.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from chrombpnet_core.genome import open_genome
from chrombpnet_core.simulation import TINY, simulate
from tasks.storage import Store
from tests.emulators import gcs_emulator
from tests.emulators.postgres import postgres_server

HEARTBEAT, PAUSE, ATTEMPTS = 30, 30, 3
TOKEN = "a-token-of-this-test"
FOLDS = [
    {"train": ["chr1", "chr2", "chr4", "chr6", "chr7"], "valid": ["chr5"], "test": ["chr3"]},
    {"train": ["chr1", "chr2", "chr5", "chr6", "chr7"], "valid": ["chr4"], "test": ["chr3"]},
]
EPOCHS = 200
"""More than pass between the first checkpoint and the kill."""


class Production:
    """What runs.

    Attributes
    ----------
    api
        Address of Prefect's server.
    environment
        Of every process.
    """

    def __init__(self, folder: Path, environment: dict[str, str], processes: contextlib.ExitStack) -> None:
        self._folder, self.environment, self._processes = folder, environment, processes
        self._number = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.api = environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        self.start("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
        _until(self._answers, 120)
        self.client = self._client()
        self.workers: dict[str, subprocess.Popen[str]] = {}

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.api}/health", timeout=5) as answer:
            return answer.status == 200
        return False

    def _client(self) -> Any:
        from prefect.client.orchestration import get_client
        from prefect.settings import PREFECT_API_URL, temporary_settings

        self._processes.enter_context(temporary_settings({PREFECT_API_URL: self.api}))
        return self._processes.enter_context(get_client(sync_client=True))

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A process in a session of its own, which ends with the test; what it says goes to a file of its own."""
        self._number += 1
        with open(self._folder / f"log-{self._number}", "w") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=self.environment,
                cwd=self._folder,
                text=True,
                start_new_session=True,
                **{"stdout": log, "stderr": log} | options,
            )
        self._processes.callback(_end, process)
        return process

    def command(self, *arguments: str) -> str:
        """What a command of ours prints; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *arguments],
            env=self.environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def work(self, pool: str) -> None:
        """Start the worker of a pool."""
        self.workers[pool] = self.start("-m", "prefect", "worker", "start", "--pool", pool)

    def runs(self, flow: str, **wanted: Any) -> list[Any]:
        """All runs of a flow, in the order in which they were made."""
        from prefect.client.schemas.filters import FlowFilter, FlowFilterName

        found = self.client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])))
        return sorted(
            (run for run in found if all(getattr(run, key) == value for key, value in wanted.items())),
            key=lambda run: run.created,
        )

    def run(self, run: Any) -> Any:
        """The same run as it is now."""
        return self.client.read_flow_run(run.id)

    def cancel(self, run: Any) -> None:
        """What the server's page does."""
        from prefect.states import Cancelling

        self.client.set_flow_run_state(run.id, Cancelling())

    def process_of(self, run: Any) -> psutil.Process:
        """The process that runs a flow: the innermost below its worker."""
        return _until(lambda: next(iter(reversed(self._below(run))), None), 60)

    def _below(self, run: Any) -> list[psutil.Process]:
        found = []
        for worker in self.workers.values():
            with contextlib.suppress(psutil.Error):
                for process in psutil.Process(worker.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if str(run.id) in process.environ().get("PREFECT__FLOW_RUN_ID", ""):
                            found.append(process)
        return found


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(psutil.Error):
        for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with contextlib.suppress(psutil.Error):
                each.kill()
    process.wait()


def _until(found: Callable[[], Any], seconds: float) -> Any:
    """What the function returns, once that is something."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.25)
    return value


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    with gcs_emulator() as found:
        found.make_bucket("data")
        yield found.url


@pytest.fixture(scope="module")
def notices() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """What takes notices, over HTTP: its address, and what has arrived so far."""
    arrived: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", arrived
        server.shutdown()


def _save_block(url: str) -> str:
    """A notification block on the server, as its page makes them; what ``--notify`` calls it."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    CustomWebhookNotificationBlock(name="alerts", url=url, json_data={"subject": "{{subject}}", "body": "{{body}}"}).save(
        "alerts"
    )
    return "custom-webhook/alerts"


@pytest.fixture(scope="module")
def production(emulator, notices, tmp_path_factory) -> Iterator[Production]:
    """Everything up and deployed."""
    folder = tmp_path_factory.mktemp("production")
    environment = os.environ | {
        "STORAGE_EMULATOR_HOST": emulator,
        "CHROMBPNET_CACHE": str(folder / "cache"),
        "CHROMBPNET_THREADS": "1",
        "CHROMBPNET_BRIDGE_TOKEN": TOKEN,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_LEVEL": "INFO",
    }
    with contextlib.ExitStack() as processes:
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = processes.enter_context(postgres_server())
        found = Production(folder, environment, processes)
        deploy = (
            "deploy",
            "--store",
            "gs://data/store",
            "--drops",
            "gs://data/datasets",
            "--results",
            "gs://data/results",
            "--gpus",
            "2",
            "--attempts",
            str(ATTEMPTS),
            "--heartbeat",
            str(HEARTBEAT),
            "--pause",
            str(PAUSE),
            "--notify",
            _save_block(notices[0]),
        )
        told = found.command(*deploy)
        assert re.findall(r": (\w+)$", told, re.M).count("created") == 14, told
        assert set(re.findall(r": (\w+)(?=$|,)", found.command(*deploy), re.M)) == {"unchanged"}
        found.work("chrombpnet-cpu")
        found.work("chrombpnet-gpu")
        yield found


@pytest.fixture(scope="module")
def tell(production) -> Callable[[str], int]:
    """Does what Pub/Sub does when an object was written: pushes the bucket's notification."""
    service = production.start("-m", "flows.cli.main", "bridge", "gs://data/datasets", "--port", "0", stdout=subprocess.PIPE)
    url = service.stdout.readline().strip()

    def push(name: str, generation: str = "1", token: str = TOKEN) -> int:
        content = {"bucket": "data", "name": name, "generation": generation, "size": "900"}
        message = {
            "attributes": {
                "eventType": "OBJECT_FINALIZE",
                "bucketId": "data",
                "objectId": name,
                "objectGeneration": generation,
                "payloadFormat": "JSON_API_V1",
            },
            "data": base64.b64encode(json.dumps(content).encode()).decode(),
            "messageId": "7",
        }
        body = json.dumps({"message": message, "subscription": "projects/lab/subscriptions/data"}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{url}/?token={token}", body), timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    return push


@pytest.fixture(scope="module")
def inputs(emulator, tmp_path_factory) -> dict[str, Path]:
    """Key of the data set file → file of a tiny genome; the same files lie in the bucket."""
    found = simulate(tmp_path_factory.mktemp("tiny"), TINY, bgzip=True)
    given = {
        "fragments": found.fragments,
        "genome": found.genome,
        "chrom_sizes": found.sizes,
        "peaks": found.peaks,
        "bias": _untrained(found.peaks.with_name("bias.h5")),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", emulator)
        Store("gs://data/in").upload_all({path.name: path for path in given.values()})
    return given


def _untrained(path: Path) -> Path:
    """A bias model that nobody trained."""
    from chrombpnet_core.devices import find_device

    find_device()
    from chrombpnet_core.models import Architecture, bpnet, draw_weights, save_model

    model = bpnet(Architecture(filters=4, layers=3, input_length=600, output_length=200))
    draw_weights(model, 2)
    save_model(model, path)
    return path


def _spec(inputs: Mapping[str, Path], name: str, output: str, remote: bool = True, seed: int = 1) -> dict[str, Any]:
    given = {key: f"gs://data/in/{path.name}" if remote else str(path) for key, path in inputs.items()}
    return {
        "id": name,
        "assay": "ATAC",
        "reads": {"fragments": [given["fragments"]]},
        "genome": given["genome"],
        "chrom_sizes": given["chrom_sizes"],
        "peaks": given["peaks"],
        "folds": FOLDS,
        "input_length": 600,
        "output_length": 200,
        "background": {"stride": 200},
        "bias": {"model": given["bias"]},
        "model": {"filters": 8, "layers": 4, "epochs": EPOCHS, "jitter": 50},
        "explanation": {"peaks": 0},
        "output": output,
        "training": {"batch_size": 16, "device": "cpu", "patience": EPOCHS, "seed": seed},
    }


@pytest.fixture
def drop(production, tell, inputs, emulator, tmp_path, monkeypatch) -> Callable[..., Any]:
    """Puts a data set file into the bucket, which tells the bridge; the run that this starts."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)

    def put(name: str, seed: int) -> Any:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(_spec(inputs, name, f"gs://data/results/{name}", seed=seed)))
        Store("gs://data/datasets").upload(path, path.name)
        known = {run.id for run in production.runs("drop")}
        assert tell(f"datasets/{name}.yaml") == 200
        return _until(lambda: next((run for run in production.runs("drop") if run.id not in known), None), 60)

    return put


def _both_train(production: Production, run: Any) -> Callable[[], bool]:
    """Whether the main models of both folds are in training, with an epoch or more in their checkpoints."""

    def look() -> bool:
        state = production.run(run).state
        assert not state.is_final(), state.message
        names = Store("gs://data/store").sizes("checkpoints", "train_main")
        return sum(name.endswith("state.npz") for name in names) == 2

    return look


def _folds_of(production: Production, run: Any) -> list[Any]:
    return sorted((each for each in production.runs("fold") if f"parent:{run.id}" in each.tags), key=lambda each: each.name)


def _ended(production: Production, run: Any) -> Callable[[], Any]:
    def look() -> Any:
        state = production.run(run).state
        assert not state.is_failed(), state.message
        return state if state.is_completed() else None

    return look


def _metrics(store: Store, fold: int) -> bytes:
    return json.dumps(store.read_json(f"fold_{fold}", "main", "evaluation", "chrombpnet_metrics.json")).encode()


def test_a_dropped_data_set_is_published_though_its_folds_are_killed(production, drop, tell, inputs, tmp_path):
    run = drop("killed", seed=1)
    assert tell("datasets/killed.yaml") == 200  # Pub/Sub delivers at least once
    assert tell("datasets/killed.yaml", generation="2", token="wrong") == 403
    assert tell("datasets/notes.txt") == 200
    assert tell("results/killed/run.json") == 200
    _until(_both_train(production, run), 400)
    first, second = _folds_of(production, run)
    production.process_of(first).kill()
    production.process_of(second).terminate()
    crashed = time.monotonic()
    for fold in (first, second):
        _until(lambda fold=fold: production.run(fold).run_count == 2, 180)
        print(f"{fold.name} goes on {time.monotonic() - crashed:.0f} s after it was stopped")
    _until(_ended(production, run), 600)
    assert [production.run(fold).run_count for fold in (first, second)] == [2, 2]
    assert (production.run(run).run_count, len(production.runs("drop")), len(_folds_of(production, run))) == (1, 1, 2)
    results = Store("gs://data/results/killed")
    names = results.sizes()
    assert {"folds_report.html", "fold_0/overall_report.html", "fold_1/overall_report.html", "run.json"} <= names.keys()
    path = tmp_path / "whole.yaml"
    path.write_text(yaml.safe_dump(_spec(inputs, "killed", str(tmp_path / "out"), remote=False, seed=1)))
    production.command("run", str(path), "--store", str(tmp_path / "store"))
    for fold in range(2):  # which training from the start gives, too: that nothing was lost, the next test tells
        assert _metrics(results, fold) == _metrics(Store(str(tmp_path / "out")), fold) != b"null"


def test_a_data_set_that_is_asked_for_by_its_deployment_is_on_record(production, inputs):
    """With what the first test left in the store, so that little is to be done."""
    from prefect.deployments import run_deployment

    spec = _spec(inputs, "asked", "gs://data/results/asked", seed=1) | {"folds": FOLDS[:1]}
    run = run_deployment("dataset/dataset", parameters={"spec": spec}, timeout=600, as_subflow=False)
    assert run.state.is_completed(), run.state.message
    told = production.command("status", "gs://data/results/asked")
    parts = [line for line in told.splitlines()[1:] if not line.startswith(" ")]
    assert [" ".join(line.split()[:2]) for line in parts] == ["fold_0 done", "together done"], told
    assert "nothing to delete" in production.command("clean", "gs://data/results/asked")


def test_workers_and_flows_that_are_killed_together_recover_by_the_heartbeat(production, drop):
    run = drop("lost", seed=2)
    _until(_both_train(production, run), 400)
    folds = _folds_of(production, run)
    for worker in production.workers.values():
        _end(worker)
    lost = time.monotonic()
    production.work("chrombpnet-cpu")
    production.work("chrombpnet-gpu")
    for each in (run, *folds):
        _until(lambda each=each: production.run(each).run_count == 2, 5 * HEARTBEAT + PAUSE + 120)
        print(f"{each.name} goes on {time.monotonic() - lost:.0f} s after it was lost")
    _until(_ended(production, run), 600)
    assert [each.id for each in _folds_of(production, run)] == [each.id for each in folds]
    assert "folds_report.html" in Store("gs://data/results/lost").sizes()


def test_a_failed_run_is_told(production, notices, tmp_path):
    from prefect.deployments import run_deployment

    run = run_deployment("drop/drop", parameters={"uri": "gs://data/absent.yaml"}, timeout=120, as_subflow=False)
    assert run.state.is_failed()
    notice = _until(lambda: next((each for each in notices[1] if run.name in each["subject"]), None), 60)
    assert notice["subject"] == f"chrombpnet: {run.name} is Failed"
    assert notice["body"].startswith(f"drop, run {run.name}, is Failed: ")
    assert "gs://data/absent.yaml: no such object" in notice["body"]


def test_a_run_that_crashes_again_and_again_is_left_alone(production, drop, notices):
    run = drop("again", seed=3)
    _until(_both_train(production, run), 400)
    first, _ = _folds_of(production, run)
    for attempt in range(1, ATTEMPTS + 1):
        _until(
            lambda attempt=attempt: production.run(first).run_count == attempt and production.run(first).state.is_running(),
            240,
        )
        production.process_of(first).kill()
        _until(lambda: not production.run(first).state.is_running(), 60)
    time.sleep(2 * PAUSE)  # for an automation that should not act
    assert production.run(first).state.is_crashed()
    assert production.run(first).run_count == ATTEMPTS
    told = [each["subject"] for each in notices[1] if "Crashed" in each["subject"]]  # and nothing of those that came back
    print(f"{len(told)} notices of one crash for good")
    assert set(told) == {f"chrombpnet: {first.name} is Crashed"}
    production.cancel(run)
    _until(lambda: production.run(run).state.is_cancelled(), 120)
    Store("gs://data/store").remove("checkpoints", "train_main")


def test_a_cancelled_data_set_takes_its_folds_along_and_none_comes_back(production, drop):
    run = drop("cancelled", seed=4)
    _until(_both_train(production, run), 400)
    everything = [run, *_folds_of(production, run)]
    production.cancel(run)
    _until(lambda: all(production.run(each).state.is_cancelled() for each in everything), 180)
    time.sleep(2 * PAUSE)
    assert [production.run(each).state.type.value for each in everything] == ["CANCELLED"] * 3
    assert not any(name.startswith("cancelled/folds_report") for name in Store("gs://data/results").sizes())


def test_what_is_published_is_listed_on_a_page(production, emulator, monkeypatch):
    from prefect.deployments import run_deployment

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    run = run_deployment("publish/publish", parameters={"bundles": "gs://data/bundles"}, timeout=300)
    assert run.state.is_completed(), run.state.message
    assert "index.html" in Store("gs://data/results").sizes()
    assert "lost/README.md" in Store("gs://data/bundles").sizes()


def test_variants_are_scored_over_a_bundle_a_run_for_each_model(production, inputs, emulator, tmp_path, monkeypatch):
    from prefect.deployments import run_deployment

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    listed, genome = tmp_path / "list.tsv", f"gs://data/in/{inputs['genome'].name}"
    with open_genome(inputs["genome"], tmp_path / "index") as opened:
        codes = {chrom: opened.codes(chrom) for chrom in ("chr3", "chr5")}
    listed.write_text(
        "".join(
            f"{chrom}\t{at + 1}\t{'ACGT'[of[at]]}\t{'CGTA'[of[at]]}\t{chrom}-{at}\n"
            for chrom, of in codes.items()
            for at in range(1000, 3000, 100)
        )
    )
    Store("gs://data/in").upload(listed, listed.name)
    asked = {
        "variants": "gs://data/in/list.tsv",
        "genome": genome,
        "bundle": "gs://data/bundles/lost",
        "top": 3,
        "output_prefix": "gs://data/variants/cloud",
    }
    run = run_deployment("variants/variants", parameters={"request": asked}, timeout=600)
    assert run.state.is_completed(), run.state.message
    parts = production.runs("variants-part")
    assert [each.parameters["part"] for each in parts] == ["fold_0", "fold_1", "report"]
    assert all(each.state.is_completed() for each in parts)
    production.command(
        "variants",
        "-l",
        str(listed),
        "-g",
        str(inputs["genome"]),
        "--bundle",
        "gs://data/bundles/lost",
        "--top",
        "3",
        "-op",
        str(tmp_path / "cloud"),
        "--store",
        str(tmp_path / "store"),
    )
    found = Store("gs://data/variants")
    assert found.sizes().keys() == {path.name for path in tmp_path.glob("cloud.*")}
    for name in ("cloud.mean.variant_scores.tsv", "cloud.fold_1.variant_scores.tsv", "cloud.variants.html"):
        assert found.read_bytes(name) == (tmp_path / name).read_bytes(), name
