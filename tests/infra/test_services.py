"""What always runs, as systemd units of one host and as Kubernetes objects: their commands exist and take their flags."""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flows.cli.deploy import add_bridge
from flows.deployment import CPU_POOL, GPU_POOL
from tasks.runs import GRACE
from tests.infra.rendering import INFRA, read_unit

BIN = Path(sys.executable).parent
UNITS = sorted((INFRA / "systemd").glob("*.service"))
VALUES = {
    "project": "p",
    "image": "r/chrombpnet:0.1.0",
    "push_account": "chrombpnet-push@p.iam.gserviceaccount.com",
    "push_audience": "https://bridge.example.org/",
    "drops": "gs://b/datasets/",
}


@functools.cache
def objects() -> list[dict[str, Any]]:
    """What Terraform's templatefile makes of the manifests, whose placeholders are all plain names."""
    return list(
        yaml.safe_load_all(string.Template((INFRA / "terraform" / "services.yaml.tftpl").read_text()).substitute(VALUES))
    )


def _deployments() -> list[dict[str, Any]]:
    return [each for each in objects() if each["kind"] == "Deployment"]


def _containers() -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"]["containers"][0] for each in _deployments()]


def _commands() -> list[list[str]]:
    units = [shlex.split(read_unit(file)["ExecStart"][0]) for file in UNITS]
    assert {str(Path(command[0]).parent) for command in units} == {"/opt/chrombpnet/bin"}
    return [[Path(command[0]).name, *command[1:]] for command in units] + [each["args"] for each in _containers()]


@functools.cache
def _help(*command: str) -> str:
    return subprocess.run(
        [str(BIN / command[0]), *command[1:], "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "HOME": "/tmp", "NO_COLOR": "1"},
    ).stdout


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_commands_exist_and_take_their_flags(command):
    if command[0] == "chrombpnet":
        assert command[1] == "bridge"
        parser = argparse.ArgumentParser(exit_on_error=False)
        add_bridge(parser)
        parser.parse_args(command[2:])
        return
    subcommand = command[:3]
    told = _help(*subcommand)
    flags = [word for word in command[3:] if word.startswith("-")]
    assert flags
    assert [flag for flag in flags if not re.search(rf"{flag}\b", told)] == []


def test_both_pools_have_a_worker_with_the_names_that_deploy_gives():
    pools = [command[command.index("--pool") + 1] for command in _commands() if "worker" in command]
    assert {each.replace("%i", kind) for each in pools for kind in ("cpu", "gpu")} == {CPU_POOL, GPU_POOL}


def test_a_worker_that_stops_leaves_time_for_checkpoints():
    unit = read_unit(INFRA / "systemd" / "chrombpnet-worker@.service")
    assert float(unit["TimeoutStopSec"][0]) > GRACE
    assert unit["KillMode"] == ["control-group"], "trainings are told, too"


def test_every_object_is_strictly_valid():
    assert len(objects()) > 10
    for each in objects():
        kubernetes_validate.validate(each, "1.33", strict=True)


def test_a_secret_is_only_ever_named():
    """Its content is in Secret Manager alone: no manifest has it, and no output of Terraform's."""
    assert not [each for each in objects() if each["kind"] == "Secret"]
    asked = {
        each["valueFrom"]["secretKeyRef"]["key"]
        for container in _containers()
        for each in container["env"]
        if "valueFrom" in each
    }
    (kept,) = re.findall(
        r'"google_secret_manager_secret" .*?toset\(\[(.*?)\]\)', (INFRA / "terraform/secrets.tf").read_text(), re.S
    )
    assert asked == set(re.findall(r'"([\w-]+)"', kept))
    for container in _containers():
        for each in container["env"]:
            secret = re.search(r"AUTH_STRING$|CONNECTION_URL|TOKEN|PASSWORD", each["name"])
            assert "valueFrom" in each or not secret, each["name"]


def test_services_lead_to_pods_and_probes_to_their_ports():
    pods = {
        each["spec"]["template"]["metadata"]["labels"]["app"]: each["spec"]["template"]["spec"]["containers"][0]
        for each in _deployments()
    }
    for each in objects():
        if each["kind"] == "Service":
            container = pods[each["spec"]["selector"]["app"]]
            assert each["spec"]["ports"][0]["targetPort"] == container["ports"][0]["containerPort"]
    for container in pods.values():
        port = container["ports"][0]["containerPort"]
        assert {container[kind]["httpGet"]["port"] for kind in ("readinessProbe", "livenessProbe")} == {port}
        told = container["args"]
        assert "--port" not in told or int(told[told.index("--port") + 1]) == port


def test_a_worker_may_do_no_more_than_run_jobs():
    (role,) = [each for each in objects() if each["kind"] == "Role"]
    writable = {
        resource
        for rule in role["rules"]
        for resource in rule["resources"]
        if {"create", "patch", "delete", "update", "*"} & set(rule["verbs"])
    }
    assert writable == {"jobs"}
    assert not any(each["kind"].startswith("ClusterRole") for each in objects())


def test_the_server_is_closed_to_pages_of_other_addresses_and_parts_are_different_accounts():
    (server,) = [each for each in _containers() if each["name"] == "server"]
    own = {each["name"]: each.get("value") for each in server["env"]}
    assert own["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert "*" not in own["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"]
    accounts = {each["metadata"]["name"]: each["spec"]["template"]["spec"]["serviceAccountName"] for each in _deployments()}
    assert len({accounts["server"], accounts["bridge"], accounts["worker-gpu"]}) == 3
    assert accounts["worker-gpu"] == accounts["worker-cpu"]


def test_objects_of_one_namespace_with_accounts_that_exist():
    accounts = {each["metadata"]["name"] for each in objects() if each["kind"] == "ServiceAccount"}
    assert {each["spec"]["template"]["spec"]["serviceAccountName"] for each in _deployments()} <= accounts
    assert "chrombpnet-job" in accounts, "that of the job template"
    assert {each["metadata"]["namespace"] for each in objects() if each["kind"] != "Namespace"} == {"chrombpnet"}
