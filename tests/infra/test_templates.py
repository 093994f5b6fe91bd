"""The work pools' job templates: what a worker makes of Kubernetes' is a Job that it takes."""

from __future__ import annotations

from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from prefect.utilities.templating import find_placeholders
from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration

from chrombpnet_core.devices import BACKENDS
from chrombpnet_core.errors import InputError
from infra.job_templates import POOL_TYPES, pool_template
from tasks.runs import GRACE
from tests.infra.rendering import INFRA, configuration, read_template

TEMPLATES = {name: read_template(name) for name in ("kubernetes", "vertex")}


def _job(**values: Any) -> dict[str, Any]:
    values = {"image": "europe-docker.pkg.dev/p/r/chrombpnet:0.1.0"} | values
    return configuration(KubernetesWorkerJobConfiguration, TEMPLATES["kubernetes"], values).job_manifest


@pytest.mark.parametrize("version", ["1.30", "1.33"])
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"backend": "jax", "gpus": 4, "spot": "false", "memory": "96Gi", "cpu": "24", "ephemeral_storage": "300Gi"},
        {
            "node_pool": "cpu",
            "gpus": 0,
            "cpu": "4",
            "memory": "16Gi",
            "grace_seconds": 120,
            "env": {"A": "1"},
            "labels": {"team": "x"},
            "annotations": {"note": "y"},
        },
    ],
    ids=["gpu", "large", "cpu"],
)
def test_a_job_is_strictly_valid(values, version):
    kubernetes_validate.validate(_job(**values), version, strict=True)


def test_a_template_of_the_worker_itself_is_not():
    """So that the check above is known to see faults."""
    theirs = configuration(KubernetesWorkerJobConfiguration, KubernetesWorker.get_default_base_job_template(), {})
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(theirs.job_manifest, "1.33", strict=True)


def test_job_variables_reach_the_job():
    job = _job(
        backend="jax",
        gpus=2,
        spot="false",
        memory="48Gi",
        cpu="12",
        ephemeral_storage="200Gi",
        grace_seconds=90,
        env={"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
    )
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["KERAS_BACKEND"] == "jax"
    assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    assert container["resources"]["limits"] == {"memory": "48Gi", "ephemeral-storage": "200Gi", "nvidia.com/gpu": 2}
    assert container["resources"]["requests"] == container["resources"]["limits"] | {"cpu": "12"}
    assert pod["nodeSelector"] == {"chrombpnet.io/pool": "gpu", "chrombpnet.io/spot": "false"}
    assert pod["terminationGracePeriodSeconds"] == 90


def test_the_backend_of_a_deployments_environment_wins():
    (container,) = _job(env={"KERAS_BACKEND": "jax"})["spec"]["template"]["spec"]["containers"]
    assert [each["value"] for each in container["env"] if each["name"] == "KERAS_BACKEND"] == ["jax"]


def test_a_spot_machine_that_goes_leaves_the_run_to_prefect():
    job = _job()
    pod = job["spec"]["template"]["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] > GRACE, "a training must have written its checkpoint by then"
    assert {"name": "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR", "value": "reschedule"} in pod["containers"][0]["env"]
    assert {each["key"] for each in pod["tolerations"]} == {"nvidia.com/gpu", "chrombpnet.io/spot"}


def test_a_job_has_no_more_rights_than_it_needs():
    pod = _job()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    user = f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user in (INFRA / "Dockerfile").read_text()
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    written = [each["mountPath"] for each in container["volumeMounts"]]
    home = {each["name"]: each["value"] for each in container["env"]}["HOME"]
    assert home in written
    assert container["args"] == ["prefect", "flow-run", "execute"], "no shell"


@pytest.mark.parametrize("wrong", [{"backend": "torch"}, {"gpus": -1}, {"spot": True}, {"gpus": "1"}], ids=str)
def test_wrong_job_variables_are_refused(wrong):
    with pytest.raises(jsonschema.ValidationError):
        _job(**wrong)


def test_an_image_must_be_named():
    with pytest.raises(jsonschema.ValidationError, match="image"):
        jsonschema.validate({}, TEMPLATES["kubernetes"]["variables"])


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_variable_is_used_and_every_placeholder_declared(name):
    template = TEMPLATES[name]
    used = {each.name for each in find_placeholders(template["job_configuration"])}
    assert used == set(template["variables"]["properties"])
    assert template["variables"]["properties"]["backend"]["enum"] == list(BACKENDS)
    for each in template["variables"]["properties"].values():
        if "default" in each:
            jsonschema.validate(each["default"], each)


# --- the template of a pool --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool_type", POOL_TYPES)
def test_the_pool_without_gpus_asks_for_none(pool_type):
    cpu, gpu = (pool_template(pool_type, gpu=each)["variables"]["properties"] for each in (False, True))
    assert not cpu["gpus"]["default"]
    assert gpu["gpus"]["default"] == 1
    for each in cpu.values():
        if "default" in each:
            jsonschema.validate(each["default"], each)


def test_what_is_given_becomes_the_pools_default():
    template = pool_template(
        "kubernetes",
        gpu=False,
        given={"image": "r/chrombpnet:0.1.0", "grace_seconds": "90", "spot": "false", "env": '{"A": "1"}'},
    )
    assert template["variables"]["required"] == [], "nothing is left for deployments to name"
    job = configuration(KubernetesWorkerJobConfiguration, template, {}).job_manifest
    kubernetes_validate.validate(job, "1.33", strict=True)
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "r/chrombpnet:0.1.0"
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 0
    assert (pod["terminationGracePeriodSeconds"], pod["nodeSelector"]["chrombpnet.io/pool"]) == (90, "cpu")
    assert read_template("kubernetes")["variables"]["required"] == ["image"], "the file is as it was"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"imgae": "x"}, "one of annotations"),
        ({"backend": "torch"}, "expected tensorflow or jax, found torch"),
        ({"gpus": "two"}, "expected integer, found two"),
        ({"gpus": "true"}, "found true"),
        ({"env": "A=1"}, "found A=1"),
    ],
)
def test_a_variable_that_cannot_be_is_refused(given, told):
    with pytest.raises(InputError, match=told):
        pool_template("kubernetes", gpu=True, given=given)
