"""Offline proofs that take long, and one-host production as processes: PostgreSQL, server and worker of the units."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import string
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.job_templates import pool_template
from tests.emulators.postgres import postgres_server
from tests.infra.rendering import INFRA

ROOT = INFRA.parent
BIN = Path(sys.executable).parent
VERTEX = ROOT / ".venv-vertex" / "bin" / "python"
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
NEEDED = {
    "image": "europe-docker.pkg.dev/p/r/chrombpnet:0.1.0",
    "region": "europe-west4",
    "service_account_name": "job@p.iam.gserviceaccount.com",
}


@pytest.fixture
def google_account(tmp_path) -> Path:
    """A key made here, which opens nothing: the configuration wants to read one."""
    key = (
        rsa.generate_private_key(65537, 2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
    file = tmp_path / "account.json"
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key_id": "1",
                "private_key": key,
                "client_email": "worker@p.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": "http://127.0.0.1:9/",
            }
        )
    )
    return file


def _vertex(account: Path, gpu: bool, **given: str) -> dict[str, Any]:
    """The job that a Vertex AI worker would ask for."""
    if not VERTEX.exists():
        pytest.fail(f"{VERTEX.parent.parent} is not there: make .venv-vertex/installed")
    template, variables = account.parent / "template.json", account.parent / "variables.json"
    template.write_text(json.dumps(pool_template("vertex-ai", gpu, NEEDED | given)))
    variables.write_text(json.dumps({"env": {"A": "1"}}))
    run = subprocess.run(
        [str(VERTEX), str(Path(__file__).parent / "clients" / "vertex_spec.py"), str(template), str(variables)],
        capture_output=True,
        text=True,
        check=False,
        cwd=account.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(account.parent), "GOOGLE_APPLICATION_CREDENTIALS": str(account)},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_vertex_job_with_a_gpu(google_account):
    spec = _vertex(google_account, gpu=True, backend="jax", gpus="2")
    (pool,) = spec["workerPoolSpecs"]
    assert pool["machineSpec"]["machineType"] == "g2-standard-8"
    assert (pool["machineSpec"]["acceleratorType"], pool["machineSpec"]["acceleratorCount"]) == ("NVIDIA_L4", 2)
    command = pool["containerSpec"]["command"]
    assert command[:2] == ["tini", "--"]
    assert command[-3:] == ["prefect", "flow-run", "execute"]
    assert "KERAS_BACKEND=jax" in command
    assert "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR=reschedule" in command
    assert {"name": "A", "value": "1"} in pool["containerSpec"]["env"]
    assert spec["scheduling"]["strategy"] == "SPOT"
    assert spec["scheduling"]["disableRetries"], "the run is Prefect's to try again"
    assert spec["scheduling"]["timeout"] == f"{72 * 3600}s"
    assert spec["serviceAccount"] == NEEDED["service_account_name"]


def test_a_vertex_job_without_a_gpu(google_account):
    spec = _vertex(google_account, gpu=False, strategy="STANDARD")
    (pool,) = spec["workerPoolSpecs"]
    assert not pool["machineSpec"].get("acceleratorCount")
    assert pool["machineSpec"].get("acceleratorType", "ACCELERATOR_TYPE_UNSPECIFIED") == "ACCELERATOR_TYPE_UNSPECIFIED"
    assert pool["machineSpec"]["machineType"] == "n2-standard-4"
    assert spec["scheduling"]["strategy"] == "STANDARD"


# --- checkov -----------------------------------------------------------------------------------------------------


def _checked(*where: str) -> list[dict[str, Any]]:
    """Reports of checkov's default checks, offline, one for each kind of file."""
    if not CHECKOV.exists():
        pytest.fail(f"{CHECKOV.parent.parent} is not there: make .venv-checkov/installed")
    run = subprocess.run(
        [str(CHECKOV), *where, "--skip-download", "--output", "json"], capture_output=True, text=True, check=False
    )
    told = json.loads(run.stdout[run.stdout.index("[" if run.stdout.lstrip().startswith("[") else "{") :])
    return [each for each in (told if isinstance(told, list) else [told]) if "results" in each]


def _faults(reports: list[dict[str, Any]]) -> list[str]:
    return [
        f"{each['check_id']} {each['resource']}: {each['check_name']}"
        for report in reports
        for each in report["results"]["failed_checks"]
    ]


def test_checkov_finds_nothing_in_terraform_and_the_image_file():
    reports = _checked("--directory", str(INFRA))
    kinds = {each["check_type"]: each["summary"] for each in reports}
    assert kinds["terraform"]["passed"] > 100
    assert kinds["dockerfile"]["passed"] > 50
    assert [each["parsing_errors"] for each in kinds.values()] == [0] * len(kinds)
    assert _faults(reports) == []
    for report in reports:
        for each in report["results"]["skipped_checks"]:
            assert len(each["check_result"]["suppress_comment"].split()) > 4, each["check_id"]


def test_checkov_finds_nothing_in_the_clusters_objects(tmp_path):
    from tests.infra.test_services import VALUES

    template = (INFRA / "terraform" / "services.yaml.tftpl").read_text()
    (tmp_path / "services.yaml").write_text(string.Template(template).substitute(VALUES))
    reports = _checked("--file", str(tmp_path / "services.yaml"), "--framework", "kubernetes")
    assert reports[0]["summary"]["passed"] > 300
    assert _faults(reports) == []


def test_checkov_sees_faults(tmp_path):
    ours = (INFRA / "terraform" / "storage.tf").read_text()
    (tmp_path / "bucket.tf").write_text(ours.replace('"enforced"', '"inherited"'))
    assert any("CKV_GCP_114" in each for each in _faults(_checked("--directory", str(tmp_path))))


# --- one host ----------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _unit(name: str) -> str:
    return (INFRA / "systemd" / name).read_text()


def _command(name: str, **placeholders: str) -> list[str]:
    """What a unit starts, of this environment in place of /opt/chrombpnet."""
    (text,) = re.findall(r"^ExecStart=(.*)$", _unit(name), re.MULTILINE)
    for placeholder, value in placeholders.items():
        text = text.replace(f"%{placeholder}", value)
    return shlex.split(text.replace("/opt/chrombpnet/bin", str(BIN)))


def _environment(name: str, home: Path, **more: str) -> dict[str, str]:
    """What a unit's processes see: its own lines, and ``more`` in place of its EnvironmentFile."""
    lines = re.findall(r"^Environment=(.*)$", _unit(name), re.MULTILINE)
    own = dict(word.split("=", 1) for line in lines for word in shlex.split(line))
    own["PREFECT_HOME"] = str(home)
    return {"PATH": os.environ["PATH"], "HOME": str(home)} | own | more


def _until(told: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(1)


@pytest.fixture
def postgresql() -> Iterator[str]:
    """An empty database; its address."""
    with postgres_server() as address:
        yield address


def test_the_units_of_one_host_work_together(tmp_path, postgresql):
    """The server on PostgreSQL, asking for a password; ``chrombpnet deploy`` on it; a worker that is seen there."""
    import base64

    port, secret = _free_port(), "admin:only-here"
    api = f"http://127.0.0.1:{port}/api"
    started = []

    def start(name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with open(tmp_path / f"{name}.log", "wb") as log:
            started.append(
                subprocess.Popen(
                    command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path, start_new_session=True
                )
            )
        return started[-1]

    def asked(path: str, body: bytes | None = None, authorized: bool = True) -> Any:
        headers = {"Content-Type": "application/json"}
        if authorized:
            headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
        with urllib.request.urlopen(urllib.request.Request(api + path, body, headers), timeout=10) as answer:
            return json.loads(answer.read())

    def healthy() -> bool:
        try:
            return asked("/health", authorized=False) is True
        except OSError:
            return False

    server = _command("chrombpnet-server.service")
    server[server.index("--port") + 1] = str(port)
    try:
        start(
            "server",
            server,
            _environment(
                "chrombpnet-server.service",
                tmp_path / "server",
                **{"PREFECT_SERVER_DATABASE_CONNECTION_URL": postgresql, "PREFECT_SERVER_API_AUTH_STRING": secret},
            ),
        )
        _until(healthy)
        with pytest.raises(OSError, match="401"):
            asked("/work_pools/filter", b"{}", authorized=False)
        client = {"PREFECT_API_URL": api, "PREFECT_API_AUTH_STRING": secret, "PREFECT_WORKER_QUERY_SECONDS": "2"}
        deployed = subprocess.run(
            [
                sys.executable,
                "-c",
                "import argparse\nfrom flows import deploy_commands, deploy_flags\n"
                "parser = argparse.ArgumentParser()\ndeploy_flags.add_deploy(parser)\n"
                f"deploy_commands.deploy(parser.parse_args(['--store', {str(tmp_path / 'store')!r}]))",
            ],
            env=os.environ | client | {"PREFECT_HOME": str(tmp_path / "deploy")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert deployed.returncode == 0, deployed.stderr
        worker = start(
            "worker",
            _command("chrombpnet-worker@.service", i="gpu", H="host"),
            _environment("chrombpnet-worker@.service", tmp_path / "worker") | client,
        )

        def online() -> bool:
            found = asked("/work_pools/chrombpnet-gpu/workers/filter", b"{}")
            return [(each["name"], each["status"]) for each in found] == [("host-gpu", "ONLINE")]

        _until(online)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) is not None
        pool = asked("/work_pools/chrombpnet-gpu")
        assert pool["concurrency_limit"] == 1
        assert secret.partition(":")[2] not in (tmp_path / "worker.log").read_text()
    finally:
        for process in reversed(started):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(60)
