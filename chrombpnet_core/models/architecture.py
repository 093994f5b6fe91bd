"""Sizes of BPNet, names of its layers, and the kind and lengths of a model."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.models.names import ACCESSIBILITY_PREFIX, BIAS, BIAS_PREFIX, CORRECTED, FULL

if TYPE_CHECKING:
    import keras

__all__ = [
    "ACCESSIBILITY_NAME",
    "ACCESSIBILITY_PREFIX",
    "BIAS_PREFIX",
    "DILATED_KERNEL",
    "ENSEMBLE",
    "FIRST_KERNEL",
    "PROFILE_KERNEL",
    "Architecture",
    "add_name",
    "is_ensemble",
    "kind_of",
    "lengths_of",
    "preflatten_name",
    "require_kind",
    "require_lengths",
]


ACCESSIBILITY_NAME = "model_wo_bias"
"""Name of the accessibility model, alone and within a main model, which others look up."""


ENSEMBLE = "ensemble"
"""Name that files give a model that averages others (:func:`chrombpnet_core.models.average_models`)."""


_DESCRIPTIONS = {BIAS: "a bias model", FULL: "a full model, bias included", CORRECTED: "a bias-corrected model"}


FIRST_KERNEL, DILATED_KERNEL, PROFILE_KERNEL = 21, 3, 75


@dataclass(frozen=True)
class Architecture:
    """The size of one BPNet: ``filters`` per layer, ``layers`` dilated layers, input and output length in bp."""

    filters: int
    layers: int
    input_length: int = 2114
    output_length: int = 1000

    @property
    def profile_length(self) -> int:
        """Positions the profile head has before it is cropped to the output length."""
        return int(
            self.input_length - (FIRST_KERNEL - 1) - sum(2 * 2**i for i in range(1, self.layers + 1)) - (PROFILE_KERNEL - 1)
        )

    @property
    def crop(self) -> int:
        """Positions cropped from either end of the profile head."""
        return (self.profile_length - self.output_length) // 2

    def check(self) -> None:
        """Raise :class:`InputError` where the output does not fit what the valid convolutions leave."""
        if min(self.filters, self.layers, self.output_length) < 1:
            raise InputError(
                "model size", expected="at least 1 filter, 1 dilated layer and 1 output position", found=str(self)
            )
        spare = self.profile_length - self.output_length
        if spare < 0 or spare % 2:
            need = self.input_length - spare
            raise InputError(
                f"{self.layers} dilated layers turn {self.input_length} bp of input into "
                f"{self.profile_length} profile positions",
                expected=f"{self.output_length} or more, by an even number",
                remedy=f"give `input_length` {need} (or more, by an even number), fewer `layers`, "
                "or a smaller `output_length`",
            )

    @property
    def layer_lengths(self) -> list[int]:
        """Positions that the first convolution and each dilated one leave."""
        lengths = [self.input_length - FIRST_KERNEL + 1]
        for i in range(1, self.layers + 1):
            lengths.append(lengths[-1] - 2 * 2**i)
        return lengths

    def flops(self) -> int:
        """Count the operations of one forward pass of one example, two for a multiply-add: for estimates of time."""
        first, *dilated = self.layer_lengths
        total = first * FIRST_KERNEL * 4 * self.filters + sum(dilated) * DILATED_KERNEL * self.filters**2
        return 2 * (total + self.profile_length * PROFILE_KERNEL * self.filters)


def add_name(i: int) -> str:
    """Name the i-th (from 1) residual addition, numbered from ``add`` within each model."""
    return "add" if i == 1 else f"add_{i - 1}"


def preflatten_name(prefix: str) -> str:
    """Name the layer that crops the profile head; the reference spells the accessibility model's so."""
    return f"{prefix}bpnet_logitt_before_flatten" if prefix else "logits_profile_predictions_preflatten"


def lengths_of(model: keras.Model) -> tuple[int, int]:
    """Tell the input and output length of a model.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.

    Returns
    -------
    tuple of int
        L and W in bp.
    """
    return int(model.input_shape[1]), int(model.output_shape[0][1])


def is_ensemble(model: keras.Model) -> bool:
    """Tell whether a model averages others, as :func:`chrombpnet_core.models.average_models` makes it."""
    import keras

    return isinstance(model.layers[-1], keras.layers.Average) and any(
        isinstance(layer, keras.Model) for layer in model.layers
    )


def kind_of(model: keras.Model) -> str:
    """Tell the kind of a model by its layers; an ensemble is of its members' kind.

    Parameters
    ----------
    model
        As :func:`chrombpnet_core.models.load_model` gives it.

    Returns
    -------
    str
        ``chrombpnet`` where a layer adds up the log counts of two models; ``chrombpnet_nobias`` where layers bear the
        accessibility model's names, or the model that of one whose architecture is the user's; else ``bias``.
    """
    import keras

    from chrombpnet_core.models.layers import LogSumExp

    member = next(layer for layer in model.layers if isinstance(layer, keras.Model)) if is_ensemble(model) else model
    if any(isinstance(layer, LogSumExp) for layer in member.layers):
        return FULL
    own_architecture = re.sub(r"^fold_\d+_", "", member.name) == ACCESSIBILITY_NAME
    named = any(layer.name.startswith(ACCESSIBILITY_PREFIX) for layer in member.layers)
    return CORRECTED if own_architecture or named else BIAS


def require_kind(model: keras.Model, kind: str, path: str | os.PathLike[str]) -> keras.Model:
    """Refuse a model of another kind.

    Parameters
    ----------
    model
        Any.
    kind
        As of :func:`kind_of`.
    path
        Its file, for the message.

    Returns
    -------
    keras.Model
        The same model.

    Raises
    ------
    ModelFileError
        Naming the file and what it holds instead.
    """
    if kind_of(model) != kind:
        raise ModelFileError(
            f"{path}: the wrong kind of model",
            expected=f"{_DESCRIPTIONS[kind]}, {kind}.h5",
            found=_DESCRIPTIONS[kind_of(model)],
            remedy="swap the files",
        )
    return model


def require_lengths(model: keras.Model, lengths: tuple[int, int], path: str | os.PathLike[str]) -> keras.Model:
    """Refuse a model of other input and output lengths.

    Parameters
    ----------
    model
        Any.
    lengths
        Of input and output, in bp.
    path
        Its file, for the message.

    Returns
    -------
    keras.Model
        The same model.

    Raises
    ------
    InputError
        Naming the file and both lengths.
    """
    if lengths_of(model) != lengths:
        raise InputError(
            f"{path}: input and output length of the model",
            expected="{} and {}".format(*lengths),
            found="{} and {}".format(*lengths_of(model)),
            remedy="give models of one size",
        )
    return model
