"""tangermeme's DeepLIFT/SHAP of a BPNet's counts on PyTorch; prints sequences/s and what it found as JSON.

Arguments: an ``.npz`` with the kernels and biases, base codes and references, and the seconds to run for. The model is
written here, with a module for each ReLU, as tangermeme asks for.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import torch
from tangermeme.deep_lift_shap import deep_lift_shap
from torch import nn

BATCHES = (21, 42, 84)  # pairs of a sequence and a shuffle; the fastest counts


class Counts(nn.Module):
    """Log counts of a BPNet, ``(n, 4, L)`` to ``(n, 1)``."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        super().__init__()
        body = arrays[:-4]
        dilations = [1, *(2**i for i in range(1, len(body) // 2))]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(kernel.shape[1], kernel.shape[2], kernel.shape[0], dilation=dilation)
            for kernel, dilation in zip(body[::2], dilations, strict=True)
        )
        self.relus = nn.ModuleList(nn.ReLU() for _ in self.convolutions)
        self.counts = nn.Linear(*arrays[-2].shape)
        with torch.no_grad():
            for layer, kernel, bias in zip(
                [*self.convolutions, self.counts], [*body[::2], arrays[-2]], [*body[1::2], arrays[-1]], strict=True
            ):
                layer.weight.copy_(torch.from_numpy(kernel.transpose()))
                layer.bias.copy_(torch.from_numpy(bias))

    def forward(self, x):
        """Apply it."""
        x = self.relus[0](self.convolutions[0](x))
        for convolution, relu in zip(self.convolutions[1:], self.relus[1:], strict=True):
            y = relu(convolution(x))
            crop = (x.shape[2] - y.shape[2]) // 2
            x = y + x[:, :, crop:-crop]
        return self.counts(x.mean(dim=2))


def one_hot(codes: np.ndarray) -> torch.Tensor:
    """``(…, L)`` to ``(…, 4, L)``."""
    return torch.from_numpy(np.eye(4, dtype=np.float32)[codes].swapaxes(-1, -2).copy())


def main(path: str, seconds: float) -> None:
    """Check the scores, then time each batch size with shuffles of its own."""
    with np.load(path) as file:
        arrays = [file[f"weights_{i}"] for i in range(sum(name.startswith("weights_") for name in file.files))]
        codes, references, wanted = file["codes"], file["references"], file["counts"]
    model = Counts(arrays).eval()
    found = (
        deep_lift_shap(
            model, one_hot(codes[:2]), references=one_hot(references[:2]), hypothetical=True, device="cpu", batch_size=21
        )
        .detach()
        .numpy()
        .swapaxes(1, 2)
    )
    apart = float(np.linalg.norm(found - wanted[:2]) / np.linalg.norm(wanted[:2]))
    rates = {}
    for batch in BATCHES:
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds / len(BATCHES):
            rows = np.arange(done, done + 4) % len(codes)
            deep_lift_shap(
                model,
                one_hot(codes[rows]),
                n_shuffles=references.shape[1],
                hypothetical=True,
                device="cpu",
                batch_size=batch,
                random_state=done,
            )
            done += 4
        rates[batch] = done / (time.perf_counter() - begun)
    print(
        json.dumps(
            {
                "rate": max(rates.values()),
                "rates": rates,
                "apart": apart,
                "version": f"tangermeme {version('tangermeme')}, PyTorch {torch.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
