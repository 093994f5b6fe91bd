"""The job template of each work pool: one file for each kind of machine room, and what differs between CPU and GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError

__all__ = ["POOL_TYPES", "pool_template"]

POOL_TYPES = {"kubernetes": "kubernetes-job.json", "vertex-ai": "vertex-job.json"}

_ON_CPU: dict[str, dict[str, Any]] = {
    "kubernetes": {"node_pool": "cpu", "gpus": 0, "cpu": "3", "memory": "12Gi", "ephemeral_storage": "70Gi"},
    "vertex-ai": {"machine_type": "n2-standard-4", "accelerator_type": None, "gpus": None},
}
"""Defaults of the pool without GPUs: counting, shards and reports take 1.3 GB of memory for a human data set, Prefect and
Keras as much again."""


def pool_template(pool_type: str, gpu: bool, given: dict[str, str] | None = None) -> dict[str, Any]:
    """Read the base job template of a work pool.

    Parameters
    ----------
    pool_type
        ``kubernetes`` or ``vertex-ai``.
    gpu
        Whether its jobs have GPUs.
    given
        Values of variables, as text: they become the defaults of all jobs of the pool, such as ``image``.

    Returns
    -------
    dict
        The template as Prefect's API takes it.

    Raises
    ------
    InputError
        For a variable that the template does not have, or a value that is not of its type.
    """
    template: dict[str, Any] = json.loads((Path(__file__).parent / POOL_TYPES[pool_type]).read_text())
    variables = template["variables"]["properties"]
    for name, value in ({} if gpu else _ON_CPU[pool_type]).items():
        variables[name]["default"] = value
    for name, text in (given or {}).items():
        if name not in variables:
            raise InputError(f"job variable {name}", expected=f"one of {', '.join(sorted(variables))}")
        variables[name]["default"] = _value(name, text, variables[name])
    template["variables"]["required"] = [
        name for name in template["variables"]["required"] if "default" not in variables[name]
    ]
    return template


def _value(name: str, text: str, schema: dict[str, Any]) -> Any:
    kinds = [each["type"] for each in schema.get("anyOf", [schema])]
    if "enum" in schema and text not in schema["enum"]:
        raise InputError(f"job variable {name}", expected=" or ".join(schema["enum"]), found=text)
    if text == "null" and "null" in kinds:
        return None
    if "string" in kinds:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    wanted = {"integer": int, "number": int | float, "boolean": bool, "object": dict}
    if not any(
        isinstance(value, wanted[kind]) and (kind == "boolean") == isinstance(value, bool)
        for kind in kinds
        if kind in wanted
    ):
        raise InputError(f"job variable {name}", expected=" or ".join(kinds), found=text)
    return value
