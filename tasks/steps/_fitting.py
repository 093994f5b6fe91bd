"""What both trainings share: their parameters, the device, the loop with its checkpoint and progress, the logs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.training_data import ExamplePlan, ShardSet
from tasks._prefect import in_prefect_task
from tasks._watching import watcher
from tasks.runner import Work
from tasks.runs import interruption

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 10.0  # between two updates of Prefect's progress


@dataclass(frozen=True)
class ModelSize:
    """Size of a BPNet; see :class:`~chrombpnet_core.models.sizes.Architecture`."""

    filters: int
    layers: int
    input_length: int
    output_length: int


@dataclass(frozen=True, kw_only=True)
class ModelParameters:
    """Size of the model, and epochs at most."""

    architecture: ModelSize
    epochs: int


@dataclass(frozen=True, kw_only=True)
class MainModelParameters(ModelParameters):
    """The main model's: largest shift of a peak each epoch in bp, and nonpeaks per peak an epoch."""

    jitter: int
    negative_sampling_ratio: float


@dataclass(frozen=True, kw_only=True)
class TrainingParameters:
    """How both models are trained; see :class:`~chrombpnet_core.training.fit.TrainingOptions` and ``Compute`` beside it."""

    patience: int
    learning_rate: float
    batch_size: int
    seed: int
    precision: str
    xla: bool
    gpus: int


def prepare(training: TrainingParameters) -> dict[str, object]:
    """Set the device's precision, seed everything, and return what the manifest says of the device."""
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.training import make_reproducible, set_precision

    device = find_device()
    log.info("training on %s", device)
    set_precision(training.precision)
    make_reproducible(training.seed, device)
    return {"device": str(device), "gpus": device.gpus}


def selected(folder: Path) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Ids of the regions that a selection chose, by part and what they are for; its numbers."""
    with np.load(folder / "regions.npz", allow_pickle=False) as file:
        ids = {name: file[name].astype(np.int64) for name in file.files}
    return ids, json.loads((folder / "selection.json").read_text())


class _TrainingParameters(Protocol):
    """What the parameters of both trainings have."""

    @property
    def model(self) -> ModelParameters: ...
    @property
    def training(self) -> TrainingParameters: ...


_Training = Work[Any, _TrainingParameters]


def fit_model(
    work: _Training, model: Any, shards: ShardSet, plan_of: Callable[[int], ExamplePlan], valid: ExamplePlan, weight: float
) -> Any:
    from chrombpnet_core.training import Checkpoint, ComputeOptions, TrainingCallbacks, TrainingOptions, fit

    given = asdict(work.parameters.training)
    compute = ComputeOptions(**{name: given.pop(name) for name in ("precision", "xla", "gpus")})
    options = TrainingOptions(**given, epochs=work.parameters.model.epochs)
    checkpoint = Checkpoint(work.checkpoint / "state.npz", work.keep)
    with interruption.training() as stop:
        return fit(
            model, shards, plan_of, valid, weight, options, checkpoint, compute, TrainingCallbacks(stop, _LiveProgress())
        )


class _LiveProgress:
    """How far a training is, for who watches its step, and as a progress artifact of the Prefect task that it is."""

    def __init__(self) -> None:
        self._artifact: Any = None
        self._next = 0.0

    def __call__(self, share: float, words: str) -> None:
        """Tell it every ten seconds at most; what Prefect's server thinks of that must not stop a training."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PROGRESS_SECONDS
        watcher().progress(share, words)
        if not in_prefect_task():
            return
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        try:
            if self._artifact is None:
                self._artifact = create_progress_artifact(100 * share, description=words)
            else:
                update_progress_artifact(self._artifact, 100 * share, description=words)
        except Exception as error:
            log.debug("no progress artifact: %s", error)


def write_logs(work: _Training, history: Any, prefix: str, selection: dict[str, Any], more: dict[str, Any]) -> None:
    """Write the reference's logs and parameter tables."""
    from chrombpnet_core.training import write_parameters

    history.write(work.out, prefix)
    size = work.parameters.model.architecture
    write_parameters(
        work.out / f"{prefix}_model_params.tsv",
        {
            "counts_loss_weight": selection["counts_loss_weight"],
            "filters": size.filters,
            "n_dil_layers": size.layers,
            "inputlen": size.input_length,
            "outputlen": size.output_length,
            **more,
        },
    )
    write_parameters(
        work.out / f"{prefix}_data_params.tsv",
        {
            "counts_sum_min_thresh": selection["lower"],
            "counts_sum_max_thresh": selection["upper"],
            "trainings_pts_post_thresh": selection["train_peaks"] + selection["train_nonpeaks"],
        },
    )
    work.facts |= {"epochs": len(history.epochs), "best_epoch": history.best + 1, "best_val_loss": history.best_loss}
