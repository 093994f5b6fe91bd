"""The registry of steps: every step that a room of tasks declares."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import tasks
from tasks.runner import Step

__all__ = ["declared_steps"]

_ROOMS = ("steps", "reports", "variants")


def declared_steps() -> dict[str, Step[Any, Any, Any]]:
    """Collect the declarations of all steps.

    Returns
    -------
    dict
        Name of the step → declaration.

    Raises
    ------
    ValueError
        Where two declarations have one name.
    """
    steps: dict[str, Step[Any, Any, Any]] = {}
    for module in _modules():
        for value in vars(module).values():
            for step in value.values() if isinstance(value, dict) else [value]:
                if isinstance(step, Step) and steps.setdefault(step.name, step) is not step:
                    raise ValueError(f"two steps are named {step.name}")
    return steps


def _modules() -> Iterator[Any]:
    for room in _ROOMS:
        package = importlib.import_module(f"{tasks.__name__}.{room}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(module.name)
