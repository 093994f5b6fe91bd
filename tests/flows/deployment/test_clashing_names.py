"""A worker's current folder may hold a ``tasks.py``, ``flows/`` or ``infra.py`` of the user's: its runs import ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment

import infra
from flows.deployment import CPU_POOL, Settings, apply, desired
from tests.infra.rendering import read_template

INFRA = Path(infra.__file__).parent
STOP = "raise SystemExit('a file of the user was imported')\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with modules and a package of our names."""
    (tmp_path / "flows").mkdir()
    for name in ("tasks.py", "infra.py", "flows/__init__.py"):
        (tmp_path / name).write_text(STOP)
    return tmp_path


def test_a_workers_run_is_not_disturbed(folder, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    with get_client(sync_client=True) as client:
        apply(client, desired(Settings(str(tmp_path_factory.mktemp("store")), results=str(results))))
        run = run_deployment("publish/publish", timeout=0, as_subflow=False)
        command = [sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", CPU_POOL, "--type", "process"]
        environment = os.environ | {
            "PREFECT_API_URL": str(client.api_url),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONPATH": str(INFRA.parent),
        }
        environment.pop("PYTHONSAFEPATH", None)  # the deployment says it
        with open(folder / "log", "w") as log:
            worker = subprocess.Popen([*command, "--run-once"], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while not (state := client.read_flow_run(run.id).state).is_final() and time.monotonic() < deadline:
                time.sleep(0.5)
        finally:
            worker.terminate()
            worker.wait(30)
        assert state.is_completed(), f"{state}\n{(folder / 'log').read_text()}"


def test_every_deployment_has_a_safe_path_and_copies_no_folder():
    content = yaml.safe_load((INFRA / "prefect.yaml").read_text())
    assert content["pull"] == [{"prefect.deployments.steps.run_shell_script": {"script": "true"}}]
    for deployment in content["deployments"]:
        assert ":" not in deployment["entrypoint"]
        assert deployment["work_pool"]["job_variables"]["env"]["PYTHONSAFEPATH"] == "1"


def test_images_units_and_jobs_have_a_safe_path():
    assert "PYTHONSAFEPATH=1" in (INFRA / "Dockerfile").read_text()
    units = sorted((INFRA / "systemd").glob("*.service"))
    assert units
    for unit in units:
        assert "PYTHONSAFEPATH=1" in unit.read_text(), unit.name
    job = read_template("kubernetes")["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert {"name": "PYTHONSAFEPATH", "value": "1"} in job["containers"][0]["env"]
    vertex = read_template("vertex")["job_configuration"]["job_spec"]["worker_pool_specs"][0]
    assert "PYTHONSAFEPATH=1" in vertex["container_spec"]["command"]
