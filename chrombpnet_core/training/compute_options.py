"""How training steps are computed: precision, XLA, number of GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from chrombpnet_core.errors import InputError

__all__ = ["PRECISIONS", "ComputeOptions", "set_precision"]


PRECISIONS = ("float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class ComputeOptions:
    """How training steps are computed.

    Attributes
    ----------
    precision
        ``float32``; ``tf32``, the same where no GPU is, else products of 10 bits of mantissa; ``bfloat16`` for the
        accessibility model's body, with heads and losses in float32 (:func:`chrombpnet_core.models.networks.bpnet`).
    xla
        Whether TensorFlow compiles the step with XLA; JAX always does.
    gpus
        Devices of this host that share each batch.
    """

    precision: str = "tf32"
    xla: bool = False
    gpus: int = 1


def set_precision(precision: str) -> None:
    """Choose what products of float32 are computed with on a GPU.

    Parameters
    ----------
    precision
        As of :class:`ComputeOptions`.

    Raises
    ------
    InputError
        Where there is no such precision.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision}", expected=", ".join(PRECISIONS))
    exact = precision == "float32"
    if keras.backend.backend() == "jax":
        import jax

        options: Any = jax.config
        options.update("jax_default_matmul_precision", "highest" if exact else "tensorfloat32")
    else:
        import tensorflow

        tensorflow.config.experimental.enable_tensor_float_32_execution(not exact)
