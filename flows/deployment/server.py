"""What a Prefect server should hold for this project, and what it takes to make it so.

``infra/prefect.yaml`` has the deployments and what triggers them, ``infra/automations.yaml`` recovery and notices. Both are
read strictly: an unknown key is refused, which Prefect would pass over. ``{{ $NAME }}`` stands for a setting.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from chrombpnet_core.errors import InputError

__all__ = ["CPU_POOL", "GPU_POOL", "OURS", "Change", "Desired", "Settings", "apply", "desired"]

CPU_POOL, GPU_POOL = "chrombpnet-cpu", "chrombpnet-gpu"
OURS = "chrombpnet: "
"""Begins the names of our automations: one of that name that is no longer wanted is removed."""

_FOLDER = Path(__file__).resolve().parents[2] / "infra"
_KEYS = {
    "file": {"name", "definitions", "deployments"},
    "deployment": {
        "name",
        "entrypoint",
        "description",
        "work_pool",
        "parameters",
        "triggers",
        "schedules",
        "concurrency_limit",
    },
    "work pool": {"name", "job_variables"},
    "schedule": {"cron", "timezone"},
    "concurrency limit": {"limit", "collision_strategy"},
    "trigger": {"name", "description", "type", "posture", "expect", "match", "threshold", "within", "parameters"},
    "automation": {"name", "description", "trigger", "actions"},
}
_NOWHERE = UUID(int=0)  # stands for a deployment that is not there yet


@dataclass(frozen=True)
class Settings:
    """What differs from one production to another.

    Attributes
    ----------
    store
        Where steps keep their outputs.
    drops
        Address below which new data set files start runs, such as ``gs://lab/datasets/``; None: none do.
    results
        Address below which the results of data sets lie; None: no page over them is kept.
    pool_type
        ``process``, ``kubernetes`` or ``vertex-ai``.
    cpus, gpus
        Runs of each pool at a time; None: as many as there are.
    attempts
        How often a run may begin, the first time included, before a crash is left as it is.
    heartbeat
        Seconds between signs of life of a run, 30 or more; after three without one it is taken for crashed.
    pause
        Seconds between a crash and the next attempt, 10 to 240.
    pending
        Seconds that a machine may need to take up a run.
    notify
        Notification block that is told of failures, as ``type/name``.
    variables
        Defaults of the jobs' variables, such as ``image``; ``gpu.memory`` is that of one pool alone.
    encode
        What the flow ``encode`` is asked on its schedule (:class:`flows.encode.flow.EncodeRequest`);
        None: it is not deployed.
    """

    store: str
    drops: str | None = None
    results: str | None = None
    pool_type: str = "process"
    cpus: int | None = None
    gpus: int | None = 1
    attempts: int = 5
    heartbeat: int = 60
    pause: int = 60
    pending: int = 3600
    notify: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    encode: dict[str, Any] | None = None

    def values(self, block: str | None) -> dict[str, Any]:
        """What placeholders stand for; ``block`` is the id of the notification block."""
        counts = [str(count) for count in range(1, self.attempts)]
        last = ["0", *(str(count) for count in range(self.attempts, self.attempts + 50))]
        drops = None if self.drops is None else self.drops.rstrip("/") + "/"
        return {
            "STORE": self.store,
            "DROPS": drops,
            "RESULTS": self.results,
            "HEARTBEAT": str(self.heartbeat),
            "SILENCE": 3 * self.heartbeat,
            "PAUSE": self.pause,
            "PENDING": self.pending,
            "COUNTS": counts or ["none"],
            "LAST_COUNTS": last,
            "NOTIFY": block,
            "ENCODE": self.encode,
        }


@dataclass(frozen=True)
class Change:
    """What was done, or would be, to one thing on the server."""

    kind: str
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind:<11} {self.name}: {self.what}"


@dataclass(frozen=True)
class Desired:
    """Everything that should be there, as the files have it, and what is left out for want of a setting."""

    pools: list[dict[str, Any]]
    deployments: list[dict[str, Any]]
    automations: list[dict[str, Any]]
    left_out: list[Change]


class _Unset(Exception):
    """A placeholder without a value."""


def desired(settings: Settings, block: str | None = None) -> Desired:
    """Read both files and fill in the settings; ``block`` is the id of the notification block.

    Raises
    ------
    InputError
        For a file of ours that holds what it should not, and for settings that cannot be.
    """
    if settings.heartbeat < 30:
        raise InputError(f"a heartbeat every {settings.heartbeat} s", expected="30 or more, Prefect's least")
    if not 10 <= settings.pause <= 240:  # Prefect's least; the most that a data set waits for a crashed fold is 300
        raise InputError(f"a pause of {settings.pause} s", expected="10 to 240")
    if settings.attempts < 1:
        raise InputError(f"{settings.attempts} attempts", expected="1 or more")
    values, left_out = settings.values(block), []
    pools = [
        {
            "name": name,
            "type": settings.pool_type,
            "concurrency_limit": limit,
            "base_job_template": _template(settings, name),
        }
        for name, limit in ((CPU_POOL, settings.cpus), (GPU_POOL, settings.gpus))
    ]

    def filled(kind: str, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for item in items:
            try:
                yield _fill(item, values)
            except _Unset as unset:
                left_out.append(Change(kind, item["name"], f"left out, as {unset}"))

    deployments = []
    for item in _read("prefect.yaml")["deployments"]:
        triggers = list(filled("automation", item.pop("triggers", [])))
        flow = _flow(item["entrypoint"])  # all are imported before anything is changed
        deployments += [each | {"triggers": triggers, "flow": flow} for each in filled("deployment", [item])]
    return Desired(pools, deployments, list(filled("automation", _read("automations.yaml")["automations"])), left_out)


def _template(settings: Settings, pool: str) -> dict[str, Any]:
    """A pool's base job template: ours, or that of Prefect's process worker, which has none of our variables."""
    if settings.pool_type == "process":
        if settings.variables:
            raise InputError("variables of jobs are given", expected="none for pools of type process")
        from prefect.workers.process import ProcessWorker

        return ProcessWorker.get_default_base_job_template()
    from infra.job_templates import pool_template

    own, given = pool.removeprefix("chrombpnet-"), {}
    for name, value in settings.variables.items():
        of, dot, rest = name.rpartition(".")
        if dot and of not in ("cpu", "gpu"):
            raise InputError(f"job variable {name}", expected="NAME, cpu.NAME or gpu.NAME")
        if not dot or of == own:
            given[rest] = value
    return pool_template(settings.pool_type, pool == GPU_POOL, given)


def _read(name: str) -> dict[str, Any]:
    """One of our two files, its keys checked."""
    content = yaml.safe_load((_FOLDER / name).read_text())
    if name == "automations.yaml":
        _only("automation", *content["automations"])
        return content
    _only("file", content)
    for item in content["deployments"]:
        _only("deployment", item)
        _only("work pool", item["work_pool"])
        _only("schedule", *item.get("schedules", []))
        _only("trigger", *item.get("triggers", []))
        _only("concurrency limit", item.get("concurrency_limit", {}))
    return content


def _flow(entrypoint: str) -> Any:
    module, _, function = entrypoint.rpartition(".")
    return getattr(importlib.import_module(module), function)


def _only(what: str, *items: dict[str, Any]) -> None:
    for item in items:
        if unknown := item.keys() - _KEYS[what]:
            raise InputError(
                f"{what} {item.get('name', '')}: unknown key {min(unknown)}", expected=", ".join(sorted(_KEYS[what]))
            )


_PLACEHOLDER = re.compile(r"\{\{ \$CHROMBPNET_(\w+) \}\}")


def _fill(content: Any, values: dict[str, Any]) -> Any:
    """The same with every placeholder's value in its place; one that is all of a string keeps the value's type."""
    if isinstance(content, dict):
        return {key: _fill(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [_fill(value, values) for value in content]
    if not isinstance(content, str):
        return content
    for name in _PLACEHOLDER.findall(content):
        if values[name] is None:
            raise _Unset(f"--{name.lower()} is not given")
    whole = _PLACEHOLDER.fullmatch(content)
    return values[whole[1]] if whole else _PLACEHOLDER.sub(lambda match: str(values[match[1]]), content)


# --- the server --------------------------------------------------------------------------------------------------


def apply(client: Any, wanted: Desired, dry_run: bool = False) -> list[Change]:
    """Make the server hold what is wanted, and tell what that changed; with ``dry_run`` only tell.

    Parameters
    ----------
    client
        Prefect's synchronous client.

    Raises
    ------
    InputError
        Where a pool of another type has the name of one of ours.
    """
    changes = [_pool(client, each, dry_run) for each in wanted.pools]
    automations = [(each, None) for each in wanted.automations]
    for each in wanted.deployments:
        change, deployment_id = _deployment(client, each, dry_run)
        changes.append(change)
        automations += [(trigger, deployment_id) for trigger in each["triggers"]]
    there = {each.name: each for each in client.read_automations() if each.name.startswith(OURS)}
    for content, deployment_id in automations:
        changes.append(_automation(client, content, deployment_id, there.pop(content["name"], None), dry_run))
    for name, each in there.items():
        if not dry_run:
            client.delete_automation(each.id)
        changes.append(Change("automation", name, "removed"))
    told = {change.name for change in changes}
    return changes + [change for change in wanted.left_out if change.name not in told]


def _told(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """``created``, ``updated: …`` or ``unchanged``; what the server adds by itself does not count."""
    if before is None:
        return "created"
    changed = [key for key, value in after.items() if before[key] != value]
    return f"updated: {', '.join(changed)}" if changed else "unchanged"


def _pool(client: Any, wanted: dict[str, Any], dry_run: bool) -> Change:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    try:
        there = client.read_work_pool(wanted["name"])
    except ObjectNotFound:
        there = None
    if there is not None and there.type != wanted["type"]:
        raise InputError(
            f"work pool {wanted['name']} is of type {there.type}",
            expected=wanted["type"],
            remedy="delete it first (prefect work-pool delete), or give its --pool-type",
        )
    before = there and {key: getattr(there, key) for key in wanted}
    what = _told(before, wanted)
    if not dry_run and before is None:
        client.create_work_pool(WorkPoolCreate(**wanted))
    elif not dry_run and what != "unchanged":
        client.update_work_pool(
            wanted["name"], WorkPoolUpdate(**{key: wanted[key] for key in ("concurrency_limit", "base_job_template")})
        )
    return Change("pool", wanted["name"], what)


def _deployment(client: Any, content: dict[str, Any], dry_run: bool) -> tuple[Change, UUID]:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import ConcurrencyOptions
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.exceptions import ObjectNotFound
    from prefect.utilities.callables import parameter_schema

    flow, limit = content["flow"], content.get("concurrency_limit")
    name = f"{flow.name}/{content['name']}"
    schedules = [{"cron": each["cron"], "timezone": each["timezone"]} for each in content.get("schedules", [])]
    wanted = {
        "entrypoint": content["entrypoint"],
        "description": content["description"],
        "version": importlib.metadata.version("chrombpnet-flows"),
        "work_pool_name": content["work_pool"]["name"],
        "job_variables": content["work_pool"].get("job_variables", {}),
        "parameters": content.get("parameters", {}),
        "parameter_openapi_schema": json.loads(json.dumps(parameter_schema(flow).model_dump_for_openapi(), default=str)),
        "schedules": schedules,
        "concurrency_limit": limit and limit["limit"],
        "collision_strategy": limit and limit["collision_strategy"],
    }
    try:
        there = client.read_deployment_by_name(name)
    except ObjectNotFound:
        there = None
    what = _told(there and _deployed(there, wanted), wanted)
    if dry_run or what == "unchanged":
        return Change("deployment", name, what), there.id if there else _NOWHERE
    strategy = wanted.pop("collision_strategy")
    made = client.create_deployment(
        client.create_flow_from_name(flow.name),
        content["name"],
        enforce_parameter_schema=True,
        **wanted | {"schedules": [DeploymentScheduleCreate(schedule=CronSchedule(**each)) for each in schedules]},
        concurrency_options=strategy and ConcurrencyOptions(collision_strategy=strategy),
    )
    return Change("deployment", name, what), made


def _deployed(there: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """What a deployment on the server has of what is wanted, in the same form."""
    limit, options = there.global_concurrency_limit, there.concurrency_options
    special = {
        "schedules": [
            {"cron": each.schedule.cron, "timezone": each.schedule.timezone}
            for each in there.schedules
            if hasattr(each.schedule, "cron")
        ],
        "concurrency_limit": limit.limit if limit else None,
        "collision_strategy": options.collision_strategy.value if options else None,
    }
    return {key: special[key] if key in special else getattr(there, key) for key in wanted}


def _automation(client: Any, content: dict[str, Any], deployment_id: UUID | None, there: Any, dry_run: bool) -> Change:
    from prefect.events import DeploymentEventTrigger
    from prefect.events.schemas.automations import AutomationCore

    if deployment_id is None:
        automation = AutomationCore.model_validate(content)
    else:
        trigger = DeploymentEventTrigger.model_validate(content)
        trigger.set_deployment_id(deployment_id)
        automation = trigger.as_automation()
    what = _told(there and _plain(there), _plain(automation))
    if not dry_run and there is None:
        client.create_automation(automation)
    elif not dry_run and what != "unchanged":
        client.update_automation(there.id, automation)
    return Change("automation", content["name"], what)


def _plain(automation: Any) -> dict[str, Any]:
    """What an automation says, without ids of its own and without any order of what has none."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(each) for key, each in value.items() if key != "id"}
        if isinstance(value, list):
            return sorted((ordered(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
        return value

    keys = ("description", "enabled", "trigger", "actions")
    return ordered({key: value for key, value in automation.model_dump(mode="json").items() if key in keys})
