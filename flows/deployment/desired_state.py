"""What a Prefect server should hold for this project: pools, deployments, automations.

``infra/prefect.yaml`` has the deployments and what triggers them, ``infra/automations.yaml`` recovery and notices. Both are
read strictly: an unknown key is refused, which Prefect would pass over. ``{{ $NAME }}`` stands for a setting.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chrombpnet_core.errors import InputError
from flows.deployment.allowed_addresses import allowed_prefix

__all__ = ["CPU_POOL", "GPU_POOL", "OURS", "Change", "Desired", "Settings", "desired"]

CPU_POOL, GPU_POOL = "chrombpnet-cpu", "chrombpnet-gpu"
OURS = "chrombpnet: "
"""Begins the names of our automations: one of that name that is no longer wanted is removed."""

_FOLDER = Path(__file__).resolve().parents[2] / "infra"
_KEYS = {
    "file": {"name", "definitions", "pull", "deployments"},
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
    allow
        Addresses below which all lies that a dropped data set file names; none: the bucket of ``drops``, and ``results``.
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
        What the flow ``encode`` is asked on its schedule (:class:`flows.encode.EncodeRequest`);
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
    allow: tuple[str, ...] = ()

    @property
    def allowed(self) -> list[str]:
        """What dropped data set files may name."""
        bucket = self.drops and re.match(r"[^/]+//[^/]+/?", self.drops)
        usual = [bucket[0].rstrip("/") + "/" if bucket else None, self.results]
        return [*(self.allow or dict.fromkeys(address for address in usual if address and "://" in address))]

    def values(self, block: str | None) -> dict[str, Any]:
        """Tell what placeholders stand for; ``block`` is the id of the notification block."""
        counts = [str(count) for count in range(1, self.attempts)]
        last = ["0", *(str(count) for count in range(self.attempts, self.attempts + 50))]
        drops = None if self.drops is None else self.drops.rstrip("/") + "/"
        return {
            "STORE": self.store,
            "DROPS": drops,
            "RESULTS": self.results,
            "ALLOWED": self.allowed,
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
    """Read what a server should hold from both files, and fill in the settings.

    Parameters
    ----------
    settings
        What differs from one production to another.
    block
        Id of the notification block.

    Returns
    -------
    Desired
        Pools, deployments and automations; and what is left out for want of a setting.

    Raises
    ------
    InputError
        For a file of ours that holds what it should not, and for settings that cannot be.
    """
    _check(settings)
    values = settings.values(block)
    left_out: list[Change] = []
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

    content = _read("prefect.yaml")
    deployments: list[dict[str, Any]] = []
    for item in content["deployments"]:
        triggers = list(filled("automation", item.pop("triggers", [])))
        derived = {"triggers": triggers, "flow": _flow(item["entrypoint"]), "pull_steps": content["pull"]}
        deployments += [deployment | derived for deployment in filled("deployment", [item])]
    return Desired(pools, deployments, list(filled("automation", _read("automations.yaml")["automations"])), left_out)


def _check(settings: Settings) -> None:
    if settings.heartbeat < 30:
        raise InputError(f"a heartbeat every {settings.heartbeat} s", expected="30 or more, Prefect's least")
    if not 10 <= settings.pause <= 240:  # Prefect's least; the most that a data set waits for a crashed fold is 300
        raise InputError(f"a pause of {settings.pause} s", expected="10 to 240")
    for address in settings.allow:
        allowed_prefix(address)
    if settings.attempts < 1:
        raise InputError(f"{settings.attempts} attempts", expected="1 or more")


def _template(settings: Settings, pool: str) -> dict[str, Any]:
    """Read a pool's base job template: ours, or that of Prefect's process worker, which has none of our variables."""
    if settings.pool_type == "process":
        if settings.variables:
            raise InputError("variables of jobs are given", expected="none for pools of type process")
        from prefect.workers.process import ProcessWorker

        template: dict[str, Any] = ProcessWorker.get_default_base_job_template()
        return template
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
    content: dict[str, Any] = yaml.safe_load((_FOLDER / name).read_text())
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
    """Import the flow of an entrypoint: all are imported before anything is changed on the server."""
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
    """Put every placeholder's value in its place; one that is all of a string keeps the value's type."""
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
