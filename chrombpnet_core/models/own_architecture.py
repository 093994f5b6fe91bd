"""Models of the user's own architecture, as Keras 3 saved them: built of Keras' layers alone, of the size the file has."""

from __future__ import annotations

import re
from typing import Any

import keras

from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.models.names import ACCESSIBILITY_PREFIX
from chrombpnet_core.models.stored_model import StoredModel

__all__ = ["load_own_architecture"]

_MODULES = re.compile(
    r"keras|builtins"
    r"|keras\.(layers|models|initializers|regularizers|constraints|activations|dtype_policies)"
    r"|keras\.src\.(layers|models|initializers|regularizers|constraints|activations|dtype_policies|ops)(\.\w+)*"
)
"""What a configuration may name: layers, operations and what belongs to them, which read no files and call no functions."""

_CODE = re.compile(
    r"_*(lambda|function|torchmodulewrapper|tfsmlayer|jaxlayer|flaxlayer|(string|integer|index)lookup|textvectorization|map|scan"
    r"|switch|cond|whileloop|foriloop|vectorizedmap|associativescan)_*"
)
"""Classes that hold code, or read a file that the configuration names."""


def load_own_architecture(stored: StoredModel) -> keras.Model:
    """Load a model of the user's own architecture; stored code is refused, not run.

    Parameters
    ----------
    stored
        Content of its file.

    Returns
    -------
    keras.Model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.

    Raises
    ------
    ModelFileError
        Where it is none of ours either, holds code, or declares other weights than are stored.
    """
    nothing = f"{stored.path}: no layer bpnet_1st_conv or {ACCESSIBILITY_PREFIX}bpnet_1st_conv"
    remedy = "give a bias.h5, chrombpnet.h5 or chrombpnet_nobias.h5"
    if not stored.layers:
        raise ModelFileError(nothing, found="no model_config: weights only, or no model", remedy=remedy)
    if _is_code(stored.config):
        raise ModelFileError(
            f"{nothing}, and an architecture of your own may not hold code, as a Lambda layer does", remedy=remedy
        )
    try:
        _check_sizes(stored)
        model = keras.saving.load_model(stored.path, compile=False, safe_mode=True)
        shapes = [tuple(tensor.shape) for tensor in model.outputs]
        length = tuple(model.input_shape)
    except Exception as error:  # Keras raises what it likes for a configuration that is not of its making
        raise ModelFileError(
            f"{nothing}, and Keras cannot load it as an architecture of your own",
            remedy=remedy,
            found=(str(error).splitlines() or [type(error).__name__])[0][:200],
        ) from error
    if [len(shape) for shape in shapes] != [2, 2] or shapes[1][1] != 1 or len(length) != 3:
        raise ModelFileError(
            f"{nothing}, nor has it the form of an architecture of your own",
            found=f"outputs {shapes}",
            expected="sequences (n, L, 4) in, profile logits (n, W) and log counts (n, 1) out",
            remedy=remedy,
        )
    return model


def _check_sizes(stored: StoredModel) -> None:
    """Load the model without memory for its weights, so that a size that the file does not hold is refused for nothing."""
    from keras.src.backend.common import global_state  # what is left unmade must not be made later

    name = "uninitialized_variables"
    before = list(global_state.get_global_attribute(name, []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            keras.saving.load_model(stored.path, compile=False, safe_mode=True)
    finally:
        global_state.set_global_attribute(name, before)


def _is_code(config: Any) -> bool:
    """Tell whether a configuration names something else than layers of Keras: code, a file, any importable thing."""
    if isinstance(config, list):
        return any(map(_is_code, config))
    if not isinstance(config, dict):
        return False
    name, module = str(config.get("class_name", "")), str(config.get("module") or "keras")
    return bool(
        _CODE.fullmatch(name.rpartition(">")[2].lower())
        or not _MODULES.fullmatch(module)
        or any(map(_is_code, config.values()))
    )
