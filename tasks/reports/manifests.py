"""What a report takes from the manifests of a run's steps: what was run on, when, by which versions, and for how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from chrombpnet_core.report import StepRecord

__all__ = ["circumstances", "provenance", "step_record"]


def circumstances(steps: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Find the genome's name, the fold's chromosomes, the day of the newest result, and the number of peaks in use."""
    parameters = [manifest["parameters"] for manifest in steps.values()]
    fold: dict[str, list[str]] = next((each["fold"] for each in parameters if each.get("fold")), {})
    test: list[str] = fold.get("test") or next((each["test"] for each in parameters if each.get("test")), [])
    return {
        "genome": str(settings.get("assembly") or settings.get("genome") or "").rsplit("/", 1)[-1],
        "training": list(fold.get("train", [])),
        "test": list(test),
        "validation": list(fold.get("valid", [])),
        "date": max(manifest["started"] for manifest in steps.values())[:10],
        "peaks": steps["shards"]["facts"].get("peaks"),
    }


def step_record(name: str, manifest: dict[str, Any]) -> StepRecord:
    """List a step with its title; one of the bias model's, of a data set, says so."""
    title = manifest.get("title")  # absent of steps that ran before these were recorded
    title = name if title is None else title + (", bias model" if name.startswith("bias_") else "")
    return StepRecord(name, manifest["seconds"], manifest["peak_memory"], manifest["cached"], manifest["key"], title)


def provenance(steps: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Versions and host of the last step, and the digest of every file that the user gave."""
    manifests = [*steps.values()]
    table: dict[str, Any] = {"host": manifests[-1]["host"], "started": manifests[0]["started"]}
    devices = [manifest["facts"]["device"] for manifest in manifests if "device" in manifest["facts"]]
    table |= {"trained on": devices[-1]} if devices else {}
    table |= {f"version of {name}": version for name, version in manifests[-1]["versions"].items()}
    for manifest in manifests:
        for name, origin in manifest["inputs"].items():
            for item in origin if isinstance(origin, list) else [origin]:
                if "uri" in item and not item["uri"].startswith(manifest["store"]):
                    table[f"SHA-256 of {name}, {item['uri'].rsplit('/', 1)[-1]}"] = item["sha256"]
    packed = json.dumps({name: manifest["key"] for name, manifest in steps.items()}, sort_keys=True)
    return table | {"digest of the run": hashlib.sha256(packed.encode()).hexdigest()[:16]}
