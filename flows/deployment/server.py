"""What it takes to make a Prefect server hold the desired state: create, update, remove."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any
from uuid import UUID

from chrombpnet_core.errors import InputError
from flows.deployment.desired_state import OURS, Change, Desired

__all__ = ["apply"]

_NOWHERE = UUID(int=0)  # stands for a deployment that is not there yet


def apply(client: Any, wanted: Desired, dry_run: bool = False) -> list[Change]:
    """Make the server hold the desired state.

    Parameters
    ----------
    client
        Prefect's synchronous client.
    wanted
        The desired state.
    dry_run
        Whether the server is only looked at.

    Returns
    -------
    list of Change
        What was, or would be, created, updated, removed or left as it is.

    Raises
    ------
    InputError
        Where a pool of another type has the name of one of ours.
    """
    changes = [_pool(client, pool, dry_run) for pool in wanted.pools]
    automations: list[tuple[dict[str, Any], UUID | None]] = [(automation, None) for automation in wanted.automations]
    for deployment in wanted.deployments:
        change, deployment_id = _deployment(client, deployment, dry_run)
        changes.append(change)
        automations += [(trigger, deployment_id) for trigger in deployment["triggers"]]
    present = {automation.name: automation for automation in client.read_automations() if automation.name.startswith(OURS)}
    for content, owner in automations:
        changes.append(_automation(client, content, owner, present.pop(content["name"], None), dry_run))
    for name, automation in present.items():
        if not dry_run:
            client.delete_automation(automation.id)
        changes.append(Change("automation", name, "removed"))
    names = {change.name for change in changes}
    return changes + [change for change in wanted.left_out if change.name not in names]


def _difference(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """Say ``created``, ``updated: …`` or ``unchanged``; what the server adds by itself does not count."""
    if before is None:
        return "created"
    changed = [key for key, value in after.items() if before[key] != value]
    return f"updated: {', '.join(changed)}" if changed else "unchanged"


def _pool(client: Any, wanted: dict[str, Any], dry_run: bool) -> Change:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    try:
        present = client.read_work_pool(wanted["name"])
    except ObjectNotFound:
        present = None
    if present is not None and present.type != wanted["type"]:
        raise InputError(
            f"work pool {wanted['name']} is of type {present.type}",
            expected=wanted["type"],
            remedy="delete it first (prefect work-pool delete), or give its --pool-type",
        )
    before = present and {key: getattr(present, key) for key in wanted}
    what = _difference(before, wanted)
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
        "pull_steps": content["pull_steps"],
        "parameter_openapi_schema": json.loads(json.dumps(parameter_schema(flow).model_dump_for_openapi(), default=str)),
        "schedules": schedules,
        "concurrency_limit": limit and limit["limit"],
        "collision_strategy": limit and limit["collision_strategy"],
    }
    try:
        present = client.read_deployment_by_name(name)
    except ObjectNotFound:
        present = None
    what = _difference(present and _deployed(present, wanted), wanted)
    if dry_run or what == "unchanged":
        return Change("deployment", name, what), present.id if present else _NOWHERE
    strategy = wanted.pop("collision_strategy")
    made = client.create_deployment(
        client.create_flow_from_name(flow.name),
        content["name"],
        enforce_parameter_schema=True,
        **wanted | {"schedules": [DeploymentScheduleCreate(schedule=CronSchedule(**each)) for each in schedules]},
        concurrency_options=strategy and ConcurrencyOptions(collision_strategy=strategy),
    )
    return Change("deployment", name, what), made


def _deployed(present: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """Read what a deployment on the server has of what is wanted, in the same form."""
    limit, options = present.global_concurrency_limit, present.concurrency_options
    special = {
        "schedules": [
            {"cron": each.schedule.cron, "timezone": each.schedule.timezone}
            for each in present.schedules
            if hasattr(each.schedule, "cron")
        ],
        "concurrency_limit": limit.limit if limit else None,
        "collision_strategy": options.collision_strategy.value if options else None,
    }
    return {key: special[key] if key in special else getattr(present, key) for key in wanted}


def _automation(client: Any, content: dict[str, Any], deployment_id: UUID | None, present: Any, dry_run: bool) -> Change:
    from prefect.events import DeploymentEventTrigger
    from prefect.events.schemas.automations import AutomationCore

    if deployment_id is None:
        automation = AutomationCore.model_validate(content)
    else:
        trigger = DeploymentEventTrigger.model_validate(content)
        trigger.set_deployment_id(deployment_id)
        automation = trigger.as_automation()
    what = _difference(present and _plain(present), _plain(automation))
    if not dry_run and present is None:
        client.create_automation(automation)
    elif not dry_run and what != "unchanged":
        client.update_automation(present.id, automation)
    return Change("automation", content["name"], what)


def _plain(automation: Any) -> dict[str, Any]:
    """Reduce an automation to what it says, without ids of its own and without any order of what has none."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(each) for key, each in value.items() if key != "id"}
        if isinstance(value, list):
            return sorted((ordered(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
        return value

    keys = ("description", "enabled", "trigger", "actions")
    return {key: ordered(value) for key, value in automation.model_dump(mode="json").items() if key in keys}
