"""BPNet and ChromBPNet: networks, losses, model files in Keras 2's form, prediction, and the average of folds.

Models map one-hot sequences ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``. Everything runs on any
Keras backend and needs numpy, h5py and Keras only.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.models.architecture import (
        Architecture,
        kind_of,
        lengths_of,
        require_kind,
        require_lengths,
    )
    from chrombpnet_core.models.counts import counts_from_log, predicted_track, reference_counts_from_log, reference_track
    from chrombpnet_core.models.ensemble import average_models, members_of, predict_folds
    from chrombpnet_core.models.files import load_model
    from chrombpnet_core.models.layers import ProfileConv
    from chrombpnet_core.models.losses import multinomial_nll
    from chrombpnet_core.models.model import Model, open_model
    from chrombpnet_core.models.names import ACCESSIBILITY_PREFIX, BIAS, BIAS_PREFIX, CORRECTED, FULL, MODEL_LABELS
    from chrombpnet_core.models.networks import (
        accessibility_part,
        bias_part,
        body_dtype,
        bpnet,
        build_from_file,
        chrombpnet,
        draw_weights,
        shift_log_counts,
    )
    from chrombpnet_core.models.prediction import BothStrandsPredictor, Prediction, Predictor, predict
    from chrombpnet_core.models.saving import architecture_of, save_model
    from chrombpnet_core.models.stored_model import StoredModel, read_stored_model
    from chrombpnet_core.models.stored_sizes import stored_architecture

__all__ = [
    "ACCESSIBILITY_PREFIX",
    "BIAS",
    "BIAS_PREFIX",
    "CORRECTED",
    "FULL",
    "MODEL_LABELS",
    "Architecture",
    "BothStrandsPredictor",
    "Model",
    "Prediction",
    "Predictor",
    "ProfileConv",
    "StoredModel",
    "accessibility_part",
    "architecture_of",
    "average_models",
    "bias_part",
    "body_dtype",
    "bpnet",
    "build_from_file",
    "chrombpnet",
    "counts_from_log",
    "draw_weights",
    "kind_of",
    "lengths_of",
    "load_model",
    "members_of",
    "multinomial_nll",
    "open_model",
    "predict",
    "predict_folds",
    "predicted_track",
    "read_stored_model",
    "reference_counts_from_log",
    "reference_track",
    "require_kind",
    "require_lengths",
    "save_model",
    "shift_log_counts",
    "stored_architecture",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
