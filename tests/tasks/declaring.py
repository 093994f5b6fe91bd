"""Steps for tests, declared where they are used."""

from __future__ import annotations

from tasks.runner import Step


def run_step(store, name, version, inputs, parameters, body):
    """Run a step with whatever inputs and parameters."""
    return Step(name, version, name, dict, dict, body)(str(store), dict(inputs), dict(parameters))
