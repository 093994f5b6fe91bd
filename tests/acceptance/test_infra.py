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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.job_templates import pool_template
from tests.emulators.postgres import postgres_server
from tests.infra.rendering import INFRA, environment, read_unit

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


def _unit(name: str) -> dict[str, list[str]]:
    return read_unit(INFRA / "systemd" / name)


def _command(name: str, **placeholders: str) -> list[str]:
    """What a unit starts, of this environment in place of /opt/chrombpnet."""
    (text,) = _unit(name)["ExecStart"]
    for placeholder, value in placeholders.items():
        text = text.replace(f"%{placeholder}", value)
    return shlex.split(text.replace("/opt/chrombpnet/bin", str(BIN)))


def _environment(name: str, home: Path, **more: str) -> dict[str, str]:
    """What a unit's processes see: its own lines, the password's file, and ``more`` in place of its other one."""
    own = environment(INFRA / "systemd" / name) | {"PREFECT_HOME": str(home)}
    path = {name: os.environ.get(name, "") for name in ("PATH", "PYTHONPATH")}
    return path | {"HOME": str(home)} | own | _password(home.parent) | more


def _password(folder: Path) -> dict[str, str]:
    """What infra/systemd/make-password writes."""
    subprocess.run([str(INFRA / "systemd" / "make-password"), str(folder / "etc")], check=True, capture_output=True)
    lines = (folder / "etc" / "password.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _until(told: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(1)


@pytest.fixture
def postgresql() -> Iterator[str]:
    """An empty database; its address."""
    with postgres_server() as address:
        yield address


def _default_signals() -> None:
    """Give a process what systemd gives it, however these tests were started.

    A shell has what it starts in the background ignore SIGINT. Prefect's worker turns SIGTERM into a SIGINT to itself, which
    asyncio then does not handle: it would never end.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class _Host:
    """Processes of the units, started in one folder, and what their server answers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self._started = folder, _free_port(), []
        self.origin = f"http://127.0.0.1:{self.port}"
        self.client = {"PREFECT_API_URL": f"{self.origin}/api", "PREFECT_WORKER_QUERY_SECONDS": "2"}
        self.password = tuple(_password(folder)["PREFECT_API_AUTH_STRING"].split(":"))

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{name}.log", "wb") as log:
            self._started.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    start_new_session=True,
                    preexec_fn=_default_signals,
                )
            )
        return self._started[-1]

    def run(self, *command: str) -> str:
        """Output of a command of ours, by someone who has the password."""
        environment = os.environ | self.client | _password(self.folder) | {"PREFECT_HOME": str(self.folder / "person")}
        run = subprocess.run(
            [sys.executable, "-m", "flows.cli", *command],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def ask(self, path: str, **options: Any) -> Any:
        """What the server answers to a caller with password and CSRF token."""
        with httpx.Client(base_url=f"{self.origin}/api", auth=self.password, timeout=20) as caller:
            answer = caller.request("POST" if options else "GET", path, headers=self.token(), **options)
        answer.raise_for_status()
        return answer.json()

    def token(self) -> dict[str, str]:
        """A CSRF token as the web interface and Prefect's client fetch it."""
        answer = httpx.get(f"{self.origin}/api/csrf-token", params={"client": "test"}, auth=self.password)
        return {"Prefect-Csrf-Token": answer.json()["token"], "Prefect-Csrf-Client": "test"}

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.origin}/api/health").json() is True
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._started:
            process.wait(60)


@pytest.fixture
def host(tmp_path, postgresql) -> Iterator[_Host]:
    """The server's unit on PostgreSQL, with the password that the installation makes."""
    found = _Host(tmp_path)
    server = _command("chrombpnet-server.service")
    server[server.index("--port") + 1] = str(found.port)
    more = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": postgresql}
    try:
        found.start("server", server, _environment("chrombpnet-server.service", tmp_path / "server", **more))
        _until(found.healthy)
        yield found
    finally:
        found.end()


def _others_are_refused(host: _Host) -> None:
    """Without the password nothing; with it nothing from another page's address, and no change without a CSRF token."""
    api = f"{host.origin}/api"
    filters = f"{api}/work_pools/filter"
    for auth in (None, ("admin", ""), ("admin", "wrong"), ("", host.password[1]), (host.password[1], "admin")):
        assert httpx.post(filters, json={}, auth=auth).status_code == 403, auth
        assert httpx.post(filters, json={}, auth=auth, headers=host.token()).status_code == 401, auth
        assert httpx.get(f"{api}/admin/version", auth=auth).status_code == 401, auth
        assert httpx.get(f"{api}/csrf-token?client=b", auth=auth).status_code == 401, auth
    for origin in (
        "https://evil.example.org",
        "null",
        f"http://127.0.0.1:{host.port + 1}",
        "http://127.0.0.1:4200.evil.org",
    ):
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert httpx.options(filters, headers=asks).status_code == 400, origin
        page = {"Origin": origin}
        assert httpx.post(filters, json={}, auth=host.password, headers=page).status_code == 403, "no CSRF token"
        answer = httpx.get(f"{api}/admin/version", auth=host.password, headers=page)
        assert "access-control-allow-origin" not in answer.headers, "a browser gives it to no other page"
    forged = {"Prefect-Csrf-Token": "0" * 64, "Prefect-Csrf-Client": "test"}
    assert httpx.post(filters, json={}, auth=host.password, headers=forged).status_code == 403
    assert httpx.delete(f"{api}/work_pools/chrombpnet-gpu", auth=host.password).status_code == 403


def test_the_units_of_one_host_work_together(tmp_path, host):
    """The server lets in who has the password; ``chrombpnet deploy``, a worker and the bridge have it."""
    _others_are_refused(host)
    host.run("deploy", "--store", str(tmp_path / "store"), "--drops", "s3://lab/datasets")
    assert "unchanged" in host.run("deploy", "--store", str(tmp_path / "store"), "--drops", "s3://lab/datasets")
    worker = host.start(
        "worker",
        _command("chrombpnet-worker@.service", i="gpu", H="host"),
        _environment("chrombpnet-worker@.service", tmp_path / "worker") | host.client,
    )
    bridge = _command("chrombpnet-bridge.service")
    bridge[bridge.index("${CHROMBPNET_DROPS}")], bridge[bridge.index("8080")] = "s3://lab/datasets", "0"
    token = {"CHROMBPNET_BRIDGE_TOKEN": "sixteen-letters-!"}
    host.start("bridge", bridge, _environment("chrombpnet-bridge.service", tmp_path / "bridge") | host.client | token)

    def online() -> bool:
        found = host.ask("/work_pools/chrombpnet-gpu/workers/filter", json={})
        return [(each["name"], each["status"]) for each in found] == [("host-gpu", "ONLINE")]

    _until(online)
    _until(lambda: "http://" in (tmp_path / "bridge.log").read_text())
    (address,) = re.findall(r"^http://\S+", (tmp_path / "bridge.log").read_text(), re.MULTILINE)
    written = {"bucket": {"name": "lab"}, "object": {"key": "datasets/a.txt", "size": 5, "sequencer": "0055"}}
    notification = {"source": "aws.s3", "detail-type": "Object Created", "detail": written}
    heard = {"Authorization": "Bearer sixteen-letters-!"}
    assert httpx.post(address, json=notification).status_code == 403
    assert httpx.post(address, json=notification, headers=heard, timeout=60).text == "forwarded\n"
    assert httpx.post(address, json=notification, headers=heard, timeout=60).text == "known already\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) is not None
    assert host.ask("/work_pools/chrombpnet-gpu")["concurrency_limit"] == 1
    for log in tmp_path.glob("*.log"):
        assert host.password[1] not in log.read_text(), log.name
