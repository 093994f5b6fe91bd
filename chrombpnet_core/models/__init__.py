"""BPNet and ChromBPNet: networks, losses, model files in Keras 2's form, prediction, and the average of folds.

Models map one-hot sequences ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``. Everything runs on any
Keras backend and needs numpy, h5py and Keras only.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.models.architecture import (
        ACCESSIBILITY_PREFIX,
        BIAS_PREFIX,
        Architecture,
        lengths_of,
        require_kind,
        require_lengths,
    )
    from chrombpnet_core.models.ensemble import average_models, ensemble_track_values, members_of, predict_folds
    from chrombpnet_core.models.files import architecture_of, load_model, save_model
    from chrombpnet_core.models.layers import ProfileConv
    from chrombpnet_core.models.losses import multinomial_nll
    from chrombpnet_core.models.names import BIAS, CORRECTED, FULL, MODEL_LABELS
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
    from chrombpnet_core.models.prediction import BothStrandsPredictor, Predictor

__all__ = [
    "ACCESSIBILITY_PREFIX",
    "BIAS",
    "BIAS_PREFIX",
    "CORRECTED",
    "FULL",
    "MODEL_LABELS",
    "Architecture",
    "BothStrandsPredictor",
    "Predictor",
    "ProfileConv",
    "accessibility_part",
    "architecture_of",
    "average_models",
    "bias_part",
    "body_dtype",
    "bpnet",
    "build_from_file",
    "chrombpnet",
    "draw_weights",
    "ensemble_track_values",
    "lengths_of",
    "load_model",
    "members_of",
    "multinomial_nll",
    "predict_folds",
    "require_kind",
    "require_lengths",
    "save_model",
    "shift_log_counts",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
