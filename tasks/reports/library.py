"""What a report shows of the library, out of the outputs of steps."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.evaluation import LibraryQuality
from chrombpnet_core.training_data import NONPEAK, PEAK

__all__ = ["counts_of_regions", "read_library"]

_KINDS = {"peaks": PEAK, "nonpeaks": NONPEAK}


def read_library(path: Path | None) -> LibraryQuality | None:
    """Read what the step :data:`~tasks.steps.LIBRARY` wrote; None where there is none."""
    return LibraryQuality.from_json(json.loads(path.read_text())) if path is not None else None


def counts_of_regions(path: Path | None) -> dict[str, AnyArray]:
    """Read the insertions in each of the ``peaks`` and ``nonpeaks``, ``(n,)``, from the index of training examples."""
    if path is None:
        return {}
    index = pd.read_parquet(path, columns=["kind", "counts"])
    counts = {name: index["counts"].to_numpy()[index["kind"] == kind] for name, kind in _KINDS.items()}
    return {name: values for name, values in counts.items() if len(values)}
