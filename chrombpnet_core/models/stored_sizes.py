"""The size of a BPNet in a model file, told without Keras."""

from __future__ import annotations

import re
from dataclasses import replace

from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.models.architecture import Architecture, preflatten_name
from chrombpnet_core.models.stored_model import StoredModel

__all__ = ["missing_layer", "stored_architecture"]

_LONGEST = 1_000_000
"""Input length in bp beyond which a file is not believed."""

_MOST_LAYERS = 30
"""Dilated layers, of which each doubles what a prediction looks at."""


def stored_architecture(stored: StoredModel, prefix: str) -> Architecture:
    """Tell the size of one part by its kernels, its highest dilated layer, the input and the crop of the profile.

    Parameters
    ----------
    stored
        The model's file.
    prefix
        Begins the names of the part's layers: ``wo_bias_`` of an accessibility model, nothing of a bias model.

    Returns
    -------
    Architecture
        The size.

    Raises
    ------
    ModelFileError
        Where the file holds no such part, or one that no BPNet has.
    """
    if not stored.layers:
        raise ModelFileError(
            f"{stored.path}: the file holds weights only",
            expected="the model's configuration too, which tells input and output length",
            remedy="save the whole model: model.save(FILE)",
        )
    kernel = stored.weights.get(f"{prefix}bpnet_1st_conv", {}).get("kernel")
    if kernel is None:
        raise missing_layer(stored, f"{prefix}bpnet_1st_conv")
    dilated = [int(match[1]) for name in stored.names if (match := re.fullmatch(rf"{prefix}bpnet_([0-9]{{1,9}})conv", name))]
    shapes = [
        layer.get("batch_input_shape") or layer.get("batch_shape") or [None, None]
        for layer in stored.layers
        if layer["class_name"] == "InputLayer"
    ]
    crops = [layer.get("cropping") for layer in stored.layers if layer["name"] == preflatten_name(prefix)]
    if not crops:
        raise missing_layer(stored, preflatten_name(prefix))
    shape = shapes[0] if shapes else None
    if not isinstance(shape, list) or len(shape) < 2 or type(shape[1]) is not int or not 0 < shape[1] <= _LONGEST:
        raise ModelFileError(
            f"{stored.path}: layer sequence, the input",
            expected=f"a fixed length in bp, at most {_LONGEST:,}",
            found=str(shape)[:80],
        )
    layers, crop = max(dilated, default=0), [crops[0]] * 2 if isinstance(crops[0], int) else crops[0]
    if layers > _MOST_LAYERS or not (isinstance(crop, list) and len(crop) == 2 and all(type(end) is int for end in crop)):
        raise ModelFileError(
            f"{stored.path}: {layers:,} dilated layers, and the profile cropped by {str(crop)[:80]}",
            expected=f"at most {_MOST_LAYERS} layers, and two numbers of positions",
        )
    whole = Architecture(kernel.shape[-1], layers, shape[1])
    architecture = replace(whole, output_length=whole.profile_length - sum(crop))
    if min(architecture.output_length, *crop) < 0 or architecture.output_length == 0:
        raise ModelFileError(
            f"{stored.path}: {layers} dilated layers turn {shape[1]:,} bp into {whole.profile_length:,} positions",
            expected=f"more than the profile is cropped by, {sum(crop):,}",
        )
    return architecture


def missing_layer(stored: StoredModel, layer: str) -> ModelFileError:
    """Return the error that a layer which ChromBPNet needs is missing."""
    return ModelFileError(
        f"{stored.path}: layer {layer} is missing", remedy="give a complete bias.h5, chrombpnet.h5 or chrombpnet_nobias.h5"
    )
