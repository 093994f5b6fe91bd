"""Training of bias models and ChromBPNet: the step on TensorFlow or JAX, fitting, checkpoints, history, estimates.

A training that was stopped goes on at the step where it stood and ends with the weights it would have had. A step
itself needs numpy and Keras only.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.training.backends import make_training_step
    from chrombpnet_core.training.checkpoint import Checkpoint
    from chrombpnet_core.training.compute_options import PRECISIONS, ComputeOptions, set_precision
    from chrombpnet_core.training.estimates import (
        PlannedTraining,
        ResourceEstimate,
        estimate_resources,
        seconds_per_example,
    )
    from chrombpnet_core.training.example_predictions import ExamplePredictions, log_count_correction, predict_examples
    from chrombpnet_core.training.fitting import TrainingCallbacks, TrainingOptions, fit, make_reproducible, write_parameters
    from chrombpnet_core.training.history import History
    from chrombpnet_core.training.step import LOSSES, TrainingStep

__all__ = [
    "LOSSES",
    "PRECISIONS",
    "Checkpoint",
    "ComputeOptions",
    "ExamplePredictions",
    "History",
    "PlannedTraining",
    "ResourceEstimate",
    "TrainingCallbacks",
    "TrainingOptions",
    "TrainingStep",
    "estimate_resources",
    "fit",
    "log_count_correction",
    "make_reproducible",
    "make_training_step",
    "predict_examples",
    "seconds_per_example",
    "set_precision",
    "write_parameters",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
