"""A reader that knows h5py, NumPy and the names of layers alone: what model files predict in float64.

plain_h5py.py SEQUENCES.npy OUT.npz NAME=FILE...
"""

from __future__ import annotations

import json
import sys

import h5py
import numpy as np


def read(path: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """Every weight by its name, found through the attributes ``layer_names`` and ``weight_names``; the names of layers."""
    with h5py.File(path, "r") as file:
        assert file.attrs["keras_version"].startswith("2."), file.attrs["keras_version"]
        assert [layer["name"] for layer in json.loads(file.attrs["model_config"])["config"]["layers"]] == [
            *file["model_weights"].attrs["layer_names"].astype(str)
        ]
        weights = {}
        for name in file["model_weights"].attrs["layer_names"].astype(str):
            group = file["model_weights"][name]
            for weight in group.attrs["weight_names"].astype(str):
                weights[weight] = group[weight][()].astype(np.float64)
        return weights, list(file["model_weights"])


def convolve(x: np.ndarray, weights: dict[str, np.ndarray], name: str, dilation: int = 1) -> np.ndarray:
    """A valid convolution of ``(n, length, channels)``."""
    kernel = weights[f"{name}/kernel:0"]
    length = x.shape[1] - dilation * (len(kernel) - 1)
    return weights[f"{name}/bias:0"] + sum(x[:, k * dilation : k * dilation + length] @ tap for k, tap in enumerate(kernel))


def bpnet(x: np.ndarray, weights: dict[str, np.ndarray], prefix: str, width: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Profile logits and log counts of one part."""
    x = np.maximum(convolve(x, weights, f"{prefix}bpnet_1st_conv"), 0)
    i = 1
    while f"{prefix}bpnet_{i}conv/kernel:0" in weights:
        x = x[:, 2**i : -(2**i)] + np.maximum(convolve(x, weights, f"{prefix}bpnet_{i}conv", 2**i), 0)
        i += 1
    head = f"{prefix}bpnet_" if prefix else ""
    logits = convolve(x, weights, f"{head}prof_out_precrop")[:, :, 0]
    crop = (logits.shape[1] - width) // 2
    log_counts = (
        x.mean(axis=1) @ weights[f"{head}logcount_predictions/kernel:0"] + weights[f"{head}logcount_predictions/bias:0"]
    )
    return logits[:, crop : crop + width], log_counts


def main(sequences: str, out: str, *files: str) -> None:
    """Predict with every file."""
    bases, found = np.load(sequences).astype(np.float64), {}
    for name, path in (entry.split("=", 1) for entry in files):
        weights, layers = read(path)
        prefixes = [prefix for prefix in ("wo_bias_", "") if f"{prefix}bpnet_1st_conv/kernel:0" in weights]
        parts = [bpnet(bases, weights, prefix) for prefix in prefixes]
        assert len(parts) == (2 if {"model_wo_bias", "model"} <= set(layers) else 1), layers
        found[f"{name}_logits"] = sum(logits for logits, _ in parts)
        found[f"{name}_log_counts"] = np.logaddexp.reduce([log_counts for _, log_counts in parts])
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
