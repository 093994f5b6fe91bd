"""The main model and its losses in plain JAX, with other ways to compute its layers; the same numbers up to rounding.

Parameters are lists of ``kernel, bias`` of each layer in the order of the Keras model's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

FIRST, TAPS, PROFILE, PHASES = 21, 3, 75, 8


@dataclass(frozen=True)
class LayerForms:
    """How layers are computed.

    Attributes
    ----------
    dilated
        A key of :data:`DILATED`, or :data:`ALIGNED`.
    head
        A key of :data:`PROFILE_HEADS`.
    first
        A key of :data:`FIRST_LAYERS`.
    relu
        ``input``: whether what goes into a ReLU is positive is read again for its gradient; ``output``: what comes out.
    dtype
        Of the body's values; ``bias_dtype`` of the frozen model's.
    frozen_dilated
        Whether dilated kernels get no gradient, to see what theirs costs.
    barrier
        Whether each aligned layer's input is written once, for all that reads it.
    """

    dilated: str = "convolution"
    head: str = "phases"
    first: str = "convolution"
    relu: str = "input"
    dtype: str = "bfloat16"
    bias_dtype: str = "float32"
    frozen_dilated: bool = False
    barrier: bool = True


def convolution(x, kernel, dilation: int = 1):
    """Valid, ``(n, length, channels)``."""
    return lax.conv_general_dilated(
        x, kernel, (1,), "VALID", rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")
    )


def channels_first(x, kernel, dilation: int):
    """The same through ``(n, channels, length)``; the compiler may or may not take the transposes away."""
    y = lax.conv_general_dilated(
        x.swapaxes(1, 2),
        kernel.transpose(2, 1, 0),
        (1,),
        "VALID",
        rhs_dilation=(dilation,),
        dimension_numbers=("NCW", "OIW", "NCW"),
    )
    return y.swapaxes(1, 2)


def folded(x, kernel, dilation: int):
    """A convolution without dilation over rows of ``dilation`` positions."""
    length = x.shape[1]
    rows = -(-length // dilation)
    x = jnp.pad(x, ((0, 0), (0, rows * dilation - length), (0, 0))).reshape(x.shape[0], rows, dilation, x.shape[2])
    y = lax.conv_general_dilated(x, kernel[:, None], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y.reshape(x.shape[0], -1, kernel.shape[2])[:, : length - 2 * dilation]


def _taps(x, dilation: int) -> list:
    length = x.shape[1] - 2 * dilation
    return [x[:, tap * dilation : tap * dilation + length] for tap in range(TAPS)]


def side_by_side(x, kernel, dilation: int):
    """One product over three shifted copies."""
    return jnp.concatenate(_taps(x, dilation), -1) @ kernel.reshape(-1, kernel.shape[2])


def flat(x, kernel, dilation: int):
    """Three products of all examples' rows in a line, shifted as a whole; rows that straddle examples are cut off."""
    n, length, channels = x.shape
    rows = jnp.pad(x.reshape(n * length, channels), ((0, 2 * dilation), (0, 0)))
    parts = [
        jnp.matmul(rows[tap * dilation : tap * dilation + n * length], kernel[tap], preferred_element_type=_wide(x))
        for tap in range(TAPS)
    ]
    return sum(parts[1:], parts[0]).astype(x.dtype).reshape(n, length, -1)[:, : length - 2 * dilation]


def _wide(x) -> Any:
    return jnp.promote_types(x.dtype, jnp.float32)


def products_of_taps(x, upstream, dilation: int):
    """The kernel's gradient: a product for each tap, over all examples and positions."""
    return jnp.stack(
        [jnp.einsum("nti,nto->io", tap, upstream, preferred_element_type=_wide(x)) for tap in _taps(x, dilation)]
    )


def product_of_all_taps(x, upstream, dilation: int):
    """The same by one product with three shifted copies side by side."""
    products = jnp.einsum("nti,nto->io", jnp.concatenate(_taps(x, dilation), -1), upstream, preferred_element_type=_wide(x))
    return products.reshape(TAPS, x.shape[2], -1)


def flat_products_of_taps(x, upstream, dilation: int):
    """The same with rows in a line: what is above is filled up with zeros, what is below is shifted as a whole."""
    n, length, channels = x.shape
    rows, number = x.reshape(n * length, channels), n * length - 2 * dilation
    above = jnp.pad(upstream, ((0, 0), (0, 2 * dilation), (0, 0))).reshape(n * length, -1)[:number]
    return jnp.stack(
        [
            jnp.einsum("ri,ro->io", rows[tap * dilation : tap * dilation + number], above, preferred_element_type=_wide(x))
            for tap in range(TAPS)
        ]
    )


def folded_convolution_of_taps(x, upstream, dilation: int):
    """The same by the library's own gradient of a convolution without dilation."""
    kernel = jnp.zeros((TAPS, x.shape[2], upstream.shape[2]), x.dtype)
    return jax.vjp(lambda kernel: folded(x, kernel, dilation), kernel)[1](upstream)[0]


FORWARD = {
    "convolution": convolution,
    "channels first": channels_first,
    "folded": folded,
    "side by side": side_by_side,
    "flat": flat,
}
KERNEL_GRADIENTS = {
    "products": products_of_taps,
    "product": product_of_all_taps,
    "flat": flat_products_of_taps,
    "folded": folded_convolution_of_taps,
}


def input_gradient(form: Callable, kernel, upstream, dilation: int):
    """The gradient of the input by the same form, of the reversed kernel."""
    padded = jnp.pad(upstream, ((0, 0), (2 * dilation,) * 2, (0, 0)))
    return form(padded, kernel[::-1].swapaxes(1, 2), dilation)


def with_gradients(form: Callable, kernel_gradient: Callable) -> Callable:
    """A form whose gradients are not left to JAX."""

    @partial(jax.custom_vjp, nondiff_argnums=(2,))
    def run(x, kernel, dilation):
        return form(x, kernel, dilation)

    def backward(dilation, saved, upstream):
        x, kernel = saved
        return (
            input_gradient(form, kernel, upstream, dilation),
            kernel_gradient(x, upstream, dilation).astype(kernel.dtype),
        )

    run.defvjp(lambda x, kernel, dilation: (form(x, kernel, dilation), (x, kernel)), backward)
    return run


DILATED = {"convolution": convolution} | {
    f"{name}, kernel by {gradient}": with_gradients(form, kernel_gradient)
    for name, form in FORWARD.items()
    for gradient, kernel_gradient in KERNEL_GRADIENTS.items()
}


ALIGNED = "aligned"


def aligned_layers(x, kernels: Sequence[Any], biases: Sequence[Any], relu: Callable, barrier: bool):
    """All dilated layers over rows of ``dilation`` positions, each layer's length filled up to whole rows.

    A convolution without dilation, and the addition of what is cropped, then need no copy. What is filled up, and what
    comes of it, lies behind the valid positions and is cut off at the end.
    """
    n, valid, channels = x.shape
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True), start=1):
        dilation = 2**layer
        rows = -(-valid // dilation)
        x = jnp.pad(x, ((0, 0), (0, max(rows * dilation - x.shape[1], 0)), (0, 0)))[:, : rows * dilation]
        x = lax.optimization_barrier(x) if barrier else x
        x = x.reshape(n, rows, dilation, channels)
        y = lax.conv_general_dilated(x, kernel[:, None], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = (relu(y + bias) + x[:, 1:-1]).reshape(n, -1, channels)
        valid -= 2 * dilation
    return x[:, :valid]


def head_in_phases(x, kernel):
    """As the program does: eight positions at once."""
    length = x.shape[1] - PROFILE + 1
    blocks, taps = -(-length // PHASES), -(-(PROFILE + PHASES - 1) // PHASES)
    x = jnp.pad(x, ((0, 0), (0, (blocks + taps - 1) * PHASES - x.shape[1]), (0, 0)))
    x = x.reshape(x.shape[0], blocks + taps - 1, PHASES * x.shape[2])
    shifted = [jnp.pad(kernel, ((p, taps * PHASES - PROFILE - p), (0, 0), (0, 0))) for p in range(PHASES)]
    wide = jnp.concatenate(shifted, -1).reshape(taps, -1, PHASES)
    return convolution(x, wide).reshape(x.shape[0], blocks * PHASES, 1)[:, :length]


def head_as_product(x, kernel):
    """One product by all 75 taps at once, then the sum along shifted diagonals."""
    length = x.shape[1] - PROFILE + 1
    products = x @ kernel[:, :, 0].T
    return sum(products[:, tap : tap + length, tap] for tap in range(PROFILE))[..., None]


def head_straightened(x, kernel):
    """The same product; reading rows of one more than their length straightens the diagonals, which are then summed."""
    n, length = x.shape[:2]
    products = (x @ kernel[::-1, :, 0].T).swapaxes(1, 2)
    rows = jnp.pad(products, ((0, 0), (0, 0), (0, 1))).reshape(n, -1)[:, : PROFILE * length]
    return rows.reshape(n, PROFILE, length).sum(1)[:, PROFILE - 1 :, None]


PROFILE_HEADS = {
    "phases": head_in_phases,
    "convolution": convolution,
    "product": head_as_product,
    "straightened product": head_straightened,
}


def first_as_convolution(codes, kernel):
    """One-hot on the device, then a convolution of four channels."""
    return convolution(one_hot(codes, kernel.dtype), kernel)


def first_as_product(codes, kernel):
    """One product by windows of 21 one-hot bases."""
    x = one_hot(codes, kernel.dtype)
    length = x.shape[1] - FIRST + 1
    windows = jnp.concatenate([x[:, tap : tap + length] for tap in range(FIRST)], -1)
    return windows @ kernel.reshape(-1, kernel.shape[2])


def first_by_gather(codes, kernel):
    """Rows of tables of three bases each, seven of them, summed: no one-hot at all."""
    tables = jnp.pad(kernel, ((0, 0), (0, 1), (0, 0))).reshape(FIRST // 3, 3, 5, -1)
    triples = (tables[:, 0, :, None, None] + tables[:, 1, None, :, None] + tables[:, 2, None, None]).reshape(
        FIRST // 3, 125, -1
    )
    codes = jnp.minimum(codes, 4).astype(jnp.int32)
    which = codes[:, :-2] * 25 + codes[:, 1:-1] * 5 + codes[:, 2:]
    length = codes.shape[1] - FIRST + 1
    return sum(triples[third][which[:, 3 * third : 3 * third + length]] for third in range(FIRST // 3))


FIRST_LAYERS = {"convolution": first_as_convolution, "product": first_as_product, "gather": first_by_gather}


def one_hot(codes, dtype):
    """``(n, length, 4)``, by comparison."""
    return (codes[..., None] == jnp.arange(4, dtype=jnp.uint8)).astype(dtype)


@jax.custom_vjp
def relu_by_output(x):
    """A ReLU that keeps what comes out, which the next layer keeps anyway."""
    return jnp.maximum(x, 0)


relu_by_output.defvjp(lambda x: (jnp.maximum(x, 0),) * 2, lambda y, upstream: (jnp.where(y > 0, upstream, 0),))

RELUS = {"input": jax.nn.relu, "output": relu_by_output}


def bpnet(forms: LayerForms, dtype: str, parameters: Sequence[Any], codes, layers: int):
    """Logits ``(n, 1000)`` and log counts ``(n, 1)``."""
    kernels, biases = parameters[0::2], parameters[1::2]
    relu = RELUS[forms.relu]
    heads = jnp.promote_types(dtype, jnp.float32)
    x = relu(FIRST_LAYERS[forms.first](codes, kernels[0].astype(dtype)) + biases[0].astype(dtype))
    if forms.dilated == ALIGNED:
        x = aligned_layers(
            x,
            [kernel.astype(dtype) for kernel in kernels[1 : layers + 1]],
            [bias.astype(dtype) for bias in biases[1 : layers + 1]],
            relu,
            forms.barrier,
        )
    for layer in range(1, 1 if forms.dilated == ALIGNED else layers + 1):
        kernel = lax.stop_gradient(kernels[layer]) if forms.frozen_dilated else kernels[layer]
        y = relu(DILATED[forms.dilated](x, kernel.astype(dtype), 2**layer) + biases[layer].astype(dtype))
        x = y + x[:, 2**layer : -(2**layer)]
    x = x.astype(heads)
    profile = (PROFILE_HEADS[forms.head](x, kernels[layers + 1].astype(heads)) + biases[layers + 1])[..., 0]
    crop = (profile.shape[1] - 1000) // 2
    counts = x.mean(1) @ kernels[layers + 2] + biases[layers + 2]
    return profile[:, crop : profile.shape[1] - crop], counts


def losses_of(forms: LayerForms, main: Sequence[Any], bias: Sequence[Any], codes, counts, weight: float):
    """The loss, and the three losses ``(3,)``."""
    logits, log_counts = bpnet(forms, forms.dtype, main, codes, len(main) // 2 - 3)
    wide = "float64" if forms.dtype == "float64" else forms.bias_dtype
    bias_logits, bias_counts = bpnet(forms, wide, bias, codes, len(bias) // 2 - 3)
    logits = logits + bias_logits
    log_counts = jnp.logaddexp(log_counts, bias_counts)
    gammaln = jax.scipy.special.gammaln
    likelihood = (counts * jax.nn.log_softmax(logits)).sum(-1)
    profile = (-likelihood - gammaln(1 + counts.sum(-1)) + gammaln(1 + counts).sum(-1)).mean()
    error = jnp.square(jnp.log1p(counts.sum(-1, keepdims=True)) - log_counts).mean()
    return profile + weight * error, jnp.stack([profile + weight * error, profile, error])


def parameters_of(model: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of the accessibility and the bias model in a Keras main model."""
    from chrombpnet_core.models import accessibility_part, bias_part

    return tuple(
        [np.asarray(array) for layer in _in_order(part) for array in layer.get_weights()]
        for part in (accessibility_part(model), bias_part(model))
    )


def _in_order(part: Any) -> list[Any]:
    """Layers with weights: body, profile head, count head, as in the model's own order of weights."""
    return [layer for layer in part.layers if layer.weights]


def adam_step(forms: LayerForms, weight: float, state, codes, counts):
    """One step of Adam at 1e-3; state: parameters, first and second moments, the frozen model's, number of steps."""
    main, first, second, bias, number = state
    (_, losses), gradients = jax.value_and_grad(partial(losses_of, forms), has_aux=True)(main, bias, codes, counts, weight)
    number = number + 1
    rate = 1e-3 * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
    first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
    second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
    main = [p - rate * m / (jnp.sqrt(v) + 1e-7) for p, m, v in zip(main, first, second, strict=True)]
    return (main, first, second, bias, number), losses


def fresh_state(parameters: tuple[Sequence[Any], Sequence[Any]]) -> tuple:
    """The state of :func:`adam_step` before the first step."""
    main, bias = ([jnp.array(array) for array in part] for part in parameters)
    return main, [jnp.zeros_like(p) for p in main], [jnp.zeros_like(p) for p in main], bias, jnp.zeros((), jnp.float32)
