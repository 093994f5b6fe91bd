"""What a worker makes of a job template, and what a systemd unit says; shared by tests of infra/."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import jsonschema
from prefect.client.schemas.objects import FlowRun

INFRA = Path(__file__).resolve().parents[2] / "infra"


def read_template(name: str) -> dict[str, Any]:
    """``kubernetes`` or ``vertex``."""
    return json.loads((INFRA / f"{name}-job.json").read_text())


def configuration(kind: Any, template: dict[str, Any], values: dict[str, Any]) -> Any:
    """What a worker does with a template and a deployment's job variables; no server is asked for these.

    Raises
    ------
    jsonschema.ValidationError
        Where the server would refuse the variables.
    """
    jsonschema.validate(values, template["variables"])
    made = asyncio.run(kind.from_template_and_values(template, values, client=AsyncMock()))
    made.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="k562-fold-0"))
    return made


def read_unit(file: Path) -> dict[str, list[str]]:
    """Settings of a unit: a setting may come more than once."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        if line and line[0] not in "#[":
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def environment(file: Path) -> dict[str, str]:
    """What a unit's own lines put into the environment."""
    return dict(word.split("=", 1) for line in read_unit(file)["Environment"] for word in line.split())
