"""infra/prefect.yaml and infra/automations.yaml against the code, and what `deploy` does to a real server."""

from __future__ import annotations

import copy
import inspect
import re
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from cronsim import CronSim
from prefect.client.orchestration import get_client
from prefect.events import DeploymentEventTrigger
from prefect.events.schemas.automations import AutomationCore, EventTrigger

from chrombpnet_core.errors import InputError
from flows.cli.main import main
from flows.deployment import (
    FINALIZED_GCS,
    FINALIZED_S3,
    OURS,
    Settings,
    Written,
    desired,
    desired_state,
    drop,
    event_of,
    read_dropped,
)

REQUEST = {
    "contact": "lab@example.org",
    "template": {"genome": "gs://lab/hg38.fa.gz", "folds": 5},
    "output": "gs://lab/encode",
}
EVERYTHING = Settings(
    "gs://lab/store", drops="gs://lab/datasets", results="gs://lab/results", encode=REQUEST | {"store": "gs://lab/store"}
)
BLOCK = "6f1c7c7e-0a53-4f5e-9a70-0a5d1c7e2b11"


@pytest.fixture(scope="module")
def wanted():
    """All that can be deployed."""
    return desired(EVERYTHING, BLOCK)


def test_deployments_name_flows_that_take_their_parameters(wanted):
    names = []
    for each in wanted.deployments:
        flow, known = each["flow"], inspect.signature(each["flow"].fn).parameters
        names.append(f"{flow.name}/{each['name']}")
        assert each["entrypoint"] == f"{flow.fn.__module__}.{flow.fn.__name__}"
        assert each["parameters"].keys() <= known.keys(), names[-1]
        given_later = {
            "dataset": {"spec"},
            "fold": {"spec", "index"},
            "drop": {"uri"},
            "variants": {"request"},
            "variants-part": {"request", "part"},
        }.get(flow.name, set())
        required = {name for name, about in known.items() if about.default is inspect.Parameter.empty}
        assert required == given_later | (required & each["parameters"].keys()), names[-1]
        assert each["work_pool"]["name"] in {pool["name"] for pool in wanted.pools}
        assert all(isinstance(value, str) for value in each["work_pool"]["job_variables"]["env"].values())
        for schedule in each.get("schedules", []):
            next(CronSim(schedule["cron"], datetime(2026, 1, 1)))
    assert names == [
        "dataset/dataset",
        "drop/drop",
        "fold/fold",
        "variants/variants",
        "variants-part/variants-part",
        "encode/encode",
        "publish/publish",
    ]
    assert wanted.left_out == []
    started = {
        value for each in wanted.deployments for key, value in each["parameters"].items() if key.endswith("_deployment")
    }
    assert started == {"fold/fold", "variants-part/variants-part"}


def test_the_trigger_fits_what_the_bridge_sends(wanted):
    from prefect.server.events.schemas.events import ReceivedEvent, ResourceSpecification

    (trigger,) = next(each for each in wanted.deployments if each["name"] == "drop")["triggers"]
    assert trigger["name"].startswith(OURS)
    assert set(trigger["expect"]) == {FINALIZED_GCS, FINALIZED_S3}
    assert trigger["parameters"].keys() <= inspect.signature(drop.fn).parameters.keys()
    for template in trigger["parameters"].values():
        used = re.findall(r"event\.(\w+)\.(\w+)", template)
        event = event_of(Written(FINALIZED_GCS, "lab", "datasets/a.yaml", "1"))
        assert used
        assert all(field in event[part] for part, field in used)
    specification = ResourceSpecification(trigger["match"])
    names = ("datasets/a.yaml", "datasets/b/c.json", "datasets/a.yml", "datasets/readme.md", "results/run.json")
    events = {name: ReceivedEvent.model_validate(event_of(Written(FINALIZED_GCS, "lab", name, "1"))) for name in names}
    assert [name for name, event in events.items() if specification.matches(event.resource)] == [*names[:3]]


def test_automations_know_only_what_prefect_knows(wanted):
    """Its own models pass over unknown keys: every key must be a field."""
    triggers = [each["trigger"] for each in wanted.automations]
    for each in wanted.automations:
        assert each["name"].startswith(OURS)
        automation = AutomationCore.model_validate(each)
        assert each["trigger"].keys() <= EventTrigger.model_fields.keys()
        for asked, action in zip(each["actions"], automation.actions, strict=True):
            assert asked.keys() <= type(action).model_fields.keys()
    for each in wanted.deployments:
        assert all(trigger.keys() <= DeploymentEventTrigger.model_fields.keys() for trigger in each["triggers"])
    counts = [set(trigger["match"]["prefect.run-count"]) for trigger in triggers if "prefect.run-count" in trigger["match"]]
    again, for_good = counts
    assert again == {"1", "2", "3", "4"}
    assert {"0", "5", "6"} <= for_good
    assert not again & for_good
    assert {trigger["within"] for trigger in triggers} == {180, 60, 3600, 0}


def test_what_is_not_asked_for_is_left_out():
    found = desired(Settings("gs://lab/store", attempts=1))
    assert {each.name for each in found.left_out} == {
        f"{OURS}a data set was dropped",
        "publish",
        "encode",
        f"{OURS}failed",
        f"{OURS}crashed for good",
    }
    again = next(each for each in found.automations if each["name"].endswith("after a crash"))
    assert again["trigger"]["match"]["prefect.run-count"] == ["none"]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (lambda content: content["deployments"][0].update(paramters={}), "unknown key paramters"),
        (lambda content: content["deployments"][1]["triggers"][0].update(expects=[]), "unknown key expects"),
        (lambda content: content.update(work_pools=[]), "unknown key work_pools"),
    ],
)
def test_an_unknown_key_is_refused(where, told, tmp_path, monkeypatch):
    folder = Path(desired_state.__file__).parents[2] / "infra"
    content = copy.deepcopy(yaml.safe_load((folder / "prefect.yaml").read_text()))
    where(content)
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(desired_state, "_FOLDER", tmp_path)
    with pytest.raises(InputError, match=told):
        desired(EVERYTHING)


@pytest.mark.parametrize(
    "changed",
    [
        {"heartbeat": 29},
        {"pause": 9},
        {"pause": 241},
        {"attempts": 0},
        {"variables": {"image": "x"}},
        {"pool_type": "kubernetes", "variables": {"disk.memory": "1Gi"}},
    ],
)
def test_settings_that_cannot_be_are_refused(changed):
    with pytest.raises(InputError):
        desired(Settings("gs://lab/store", **changed))


@pytest.mark.parametrize("pool_type", ["kubernetes", "vertex-ai"])
def test_pools_of_other_machine_rooms_have_our_templates(pool_type):
    given = {"image": "registry.example.org/chrombpnet:1", "gpu.backend": "jax"}
    cpu, gpu = (
        pool["base_job_template"]["variables"]["properties"]
        for pool in desired(Settings("gs://lab/store", pool_type=pool_type, variables=given)).pools
    )
    assert cpu["image"]["default"] == gpu["image"]["default"] == given["image"]
    assert (cpu["backend"]["default"], gpu["backend"]["default"]) == ("tensorflow", "jax")
    assert cpu["gpus"]["default"] in (0, None)


@pytest.fixture(scope="module")
def api():
    """A server that lives as long as these tests."""
    with get_client(sync_client=True) as client:
        yield str(client.api_url).rstrip("/")


def _lines(capsys, *flags: str) -> dict[str, str]:
    capsys.readouterr()
    assert main(["deploy", "--store", "gs://lab/store", "--drops", "gs://lab/datasets", *flags]) == 0
    told = r"^\w+ +(.+?): (created|removed|unchanged|left out.*|updated: .*)$"
    return dict(re.findall(told, capsys.readouterr().out, re.M))


def test_deploying_twice_changes_nothing_and_a_change_is_named(api, capsys, tmp_path):
    request = tmp_path / "encode.yaml"
    request.write_text(yaml.safe_dump(REQUEST))
    place = ("--api", api, "--results", "gs://lab/results", "--encode", str(request))
    told = _lines(capsys, *place, "--dry-run")
    assert {told[name] for name in ("dataset/dataset", "chrombpnet-gpu", f"{OURS}no heartbeat")} == {"created"}
    first = _lines(capsys, *place)
    assert first == told
    assert [what for what in first.values() if not what.startswith("left out")] == ["created"] * 13
    again = _lines(capsys, *place)
    assert {what for what in again.values() if not what.startswith("left out")} == {"unchanged"}
    more = _lines(capsys, *place, "--gpus", "4", "--attempts", "3", "--heartbeat", "90")
    changed = {name: what.removeprefix("updated: ") for name, what in more.items() if what.startswith("updated")}
    assert changed == {
        "chrombpnet-gpu": "concurrency_limit",
        f"{OURS}no heartbeat": "trigger",
        f"{OURS}try again after a crash": "trigger",
        **{
            f"{name}/{name}": "job_variables"
            for name in ("dataset", "drop", "fold", "variants", "variants-part", "encode", "publish")
        },
    }
    with get_client(sync_client=True) as client:
        deployed = client.read_deployment_by_name("publish/publish")
        assert (deployed.global_concurrency_limit.limit, deployed.schedules[0].schedule.cron) == (1, "7 * * * *")
        assert deployed.parameters == {"root": "gs://lab/results", "store": "gs://lab/store"}
        asked = client.read_deployment_by_name("encode/encode").parameters["request"]
        assert asked.items() >= (REQUEST | {"store": "gs://lab/store", "deployment": "dataset/dataset"}).items()
        assert client.read_work_pool("chrombpnet-gpu").concurrency_limit == 4
        assert len(client.read_automations()) == 4
    assert main(["deploy", "--store", "gs://lab/store", "--api", api]) == 0  # without --drops nothing starts by itself
    assert f"{OURS}a data set was dropped: removed" in capsys.readouterr().out
    assert main(["deploy", "--store", "s", "--api", api, "--pool-type", "kubernetes", "--job-variable", "image=a"]) == 2
    assert "work pool chrombpnet-cpu is of type process" in capsys.readouterr().err
    assert main(["deploy", "--store", "s", "--api", api, "--notify", "slack-webhook/absent"]) == 2
    assert "no such block" in capsys.readouterr().err


def test_a_server_that_does_not_answer_and_none_at_all_are_told(capsys):
    assert main(["deploy", "--store", "s", "--api", "http://user:secret@127.0.0.1:9/api"]) == 2
    told = capsys.readouterr().err
    assert "no Prefect server answers" in told
    assert "secret" not in told
    assert main(["deploy", "--store", "s"]) == 2
    assert "no Prefect server is named" in capsys.readouterr().err
    assert main(["deploy", "--api", "http://127.0.0.1:9/api"]) == 2
    assert "no store given" in capsys.readouterr().err
    assert main(["deploy", "--store", "s", "--encode", "pyproject.toml"]) == 2
    assert "pyproject.toml" in capsys.readouterr().err


@pytest.mark.parametrize(("password", "told"), [(None, "found none"), ("admin:not-this-one", "found another one")])
def test_a_server_that_asks_for_a_password_is_told_in_one_line(password, told, capsys, monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = (200, b"true") if self.path == "/api/health" else (401, b'{"exception_message": "Unauthorized"}')
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    if password:
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", password)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True).start()
        assert main(["deploy", "--store", "s", "--api", f"http://127.0.0.1:{service.server_address[1]}/api"]) == 2
        service.shutdown()
    error = capsys.readouterr().err
    assert "asks for a password" in error
    assert told in error
    assert "PREFECT_API_AUTH_STRING" in error
    assert "not-this-one" not in error


@pytest.mark.parametrize(
    ("flags", "token", "told"),
    [
        ([], "", "CHROMBPNET_BRIDGE_TOKEN"),
        ([], "short", "16 characters"),
        ([], "two words of a phrase", "without spaces"),
        (["--token-file", "absent"], "", "--token-file absent cannot be read"),
        (["--audience", "https://b.example.org/"], "", "only one of --service-account and --audience"),
        (["--service-account", "a@p.iam.gserviceaccount.com"], "sixteen-letters-!", "only one of"),
    ],
)
def test_a_bridge_that_anybody_could_call_does_not_start(flags, token, told, capsys, monkeypatch):
    monkeypatch.setenv("CHROMBPNET_BRIDGE_TOKEN", token)
    assert main(["bridge", "gs://lab/datasets", "--api", "http://127.0.0.1:9/api", *flags]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"genome": "genome.fa"}, "genome.fa is not allowed"),
        ({"model": {"architecture": "gs://lab/net.py"}}, "names code to run"),
        ({"peeks": "x"}, "peeks"),
        (None, "not a data set"),
    ],
)
def test_a_dropped_file_that_may_not_run_is_refused(changed, told, tmp_path):
    content = {
        "assay": "ATAC",
        "reads": {"bam": ["gs://lab/a.bam"]},
        "genome": "gs://lab/genome.fa",
        "peaks": "gs://lab/peaks.bed",
        "folds": 2,
        "output": "gs://lab/results/a",
    }
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(content))
    assert read_dropped(str(path), ["gs://lab/"], "gs://lab/store").genome == "gs://lab/genome.fa"
    path.write_text("words" if changed is None else yaml.safe_dump(content | changed))
    with pytest.raises(InputError, match=told):
        read_dropped(str(path), ["gs://lab/"], "gs://lab/store")
