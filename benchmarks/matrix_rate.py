"""How fast this process's device multiplies matrices: what a model's speed is held against."""

from __future__ import annotations

import time

import numpy as np


def matrix_rate(dtype: str, size: int, products: int = 20) -> float:
    """Floating-point operations a second of products of two square matrices, one after the other."""
    from keras import ops

    drawn = np.random.default_rng(1).standard_normal((size, size), dtype=np.float32) / np.sqrt(size)
    a = ops.convert_to_tensor(drawn.astype(np.float32), dtype=dtype)

    def seconds(number: int) -> float:
        begun, b = time.perf_counter(), a
        for _ in range(number):
            b = ops.matmul(a, b)
        ops.convert_to_numpy(ops.cast(b[:1, :1], "float32"))  # waits for the device
        return time.perf_counter() - begun

    seconds(2)
    return 2.0 * size**3 * products / min(seconds(products) for _ in range(3))
