"""The Prefect tasks of the ENCODE flow: ask the portal, ask Prefect, start a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chrombpnet_core.errors import InputError
from tasks.encode import Portal, Search
from tasks.runner import prefect_task

__all__ = ["find_deployment", "find_experiments", "look_at_runs", "start_run"]

_AT_ONCE = 100  # runs that are asked for at once


@prefect_task("Search the portal")
def find_experiments(portal: Portal, search: Search, known: Sequence[str]) -> list[dict[str, Any]]:
    """Search the portal for experiments, and look up all others that are known.

    Parameters
    ----------
    portal
        The portal.
    search
        Which experiments are looked for.
    known
        Accessions of the catalogue.

    Returns
    -------
    list of dict
        Experiments as the portal tells them.
    """
    found = portal.experiments(search)
    names = {each["accession"] for each in found}
    return found + portal.named([name for name in known if name not in names])


@prefect_task("Find the deployment")
def find_deployment(name: str) -> None:
    """Raise :class:`InputError` where Prefect's server has no such deployment.

    Parameters
    ----------
    name
        Flow and deployment, such as ``dataset/gpu``.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    if name.count("/") != 1:
        raise InputError(f"deployment {name!r}", expected="flow/deployment, such as dataset/gpu")
    with get_client(sync_client=True) as client:
        try:
            client.read_deployment_by_name(name)
        except ObjectNotFound:
            raise InputError(
                f"{name}: no such deployment at {client.api_url}", remedy="deploy it, or look at 'prefect deployment ls'"
            ) from None


@prefect_task("Look at runs")
def look_at_runs(ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Ask Prefect for the states of runs.

    Parameters
    ----------
    ids
        Of flow runs.

    Returns
    -------
    dict
        Run → type of its state, such as ``RUNNING``, and message; runs that the server does not know are left out.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    states = {}
    with get_client(sync_client=True) as client:
        for i in range(0, len(ids), _AT_ONCE):
            part = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(name) for name in ids[i : i + _AT_ONCE]]))
            for run in client.read_flow_runs(flow_run_filter=part, limit=_AT_ONCE):
                state = run.state
                states[str(run.id)] = (state.type.value, state.message or "") if state else ("PENDING", "")
    return states


@prefect_task("Start a data set")
def start_run(deployment: str, spec: dict[str, Any], store: str, fold_deployment: str | None, key: str) -> tuple[str, str]:
    """Start a run of the flow ``dataset``, or find the one with this key.

    Parameters
    ----------
    deployment
        Deployment of the flow.
    spec
        The data set.
    store
        Where steps keep their outputs.
    fold_deployment
        Deployment that folds are runs of.
    key
        Same key, same run.

    Returns
    -------
    tuple of str
        The run's id, and its page where it has one.
    """
    from prefect.client.schemas.objects import FlowRun
    from prefect.deployments import run_deployment
    from prefect.utilities.urls import url_for

    parameters = {"spec": spec, "store": store, "fold_deployment": fold_deployment}
    run = run_deployment(
        deployment,
        parameters=parameters,
        timeout=0,
        idempotency_key=f"encode-{key}",
        as_subflow=False,
        flow_run_name=spec["id"],
        tags=["encode", spec["id"]],
    )
    assert isinstance(run, FlowRun)  # no coroutine, as nothing is awaited here
    return str(run.id), url_for("flow-run", obj_id=run.id) or ""
