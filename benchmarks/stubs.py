"""Stubs of the flows of a data set and of a fold: real runs of real deployments whose steps only take time."""

from __future__ import annotations

import os
import time
from typing import Any

from prefect import flow

from flows.dataset.failures import FoldsFailed, Job
from flows.dataset.fan_out import by_deployment
from flows.spec import make_spec

SECONDS = float(os.environ.get("STUB_SECONDS", "1"))
"""That a fold takes."""


@flow(name="fold", validate_parameters=False)
def fold(spec: dict[str, Any], store: str, index: int, bias_only: bool = False, checked: Any = None) -> str:
    """Takes its time."""
    time.sleep(SECONDS)
    return f"fold_{index}"


@flow(name="dataset", validate_parameters=False)
def dataset(spec: dict[str, Any], store: str, fold_deployment: str) -> int:
    """Fans out its folds as the real flow does, and waits for them; steps that folds share take half a second."""
    time.sleep(0.5)
    asked = {"spec": make_spec(spec, "stub").model_dump(mode="json"), "store": store}
    failures = by_deployment(fold_deployment, {Job(i): asked | {"index": i} for i in range(len(spec["folds"]))}, spec["id"])
    if failures:
        raise FoldsFailed(failures, len(spec["folds"]))
    return len(spec["folds"])
