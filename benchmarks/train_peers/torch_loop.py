"""PyTorch: a plain loop over tensors in memory; prints examples/s as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from in_memory import BATCH, Clock, Regions, weights
from torch import Tensor, nn


class BPNet(nn.Module):
    """A BPNet of the given kernels and biases: ``(n, 4, L)`` to logits ``(n, W)`` and log counts ``(n, 1)``."""

    def __init__(self, arrays: list[np.ndarray], width: int) -> None:
        super().__init__()
        self._width = width
        dilations = [1, *(2**i for i in range(1, len(arrays) // 2 - 2)), 1]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(kernel.shape[1], kernel.shape[2], kernel.shape[0], dilation=dilation)
            for kernel, dilation in zip(arrays[:-2:2], dilations, strict=True)
        )
        self.counts = nn.Linear(*arrays[-2].shape)
        with torch.no_grad():
            for layer, kernel, bias in zip([*self.convolutions, self.counts], arrays[::2], arrays[1::2], strict=True):
                layer.weight.copy_(torch.from_numpy(kernel.transpose()))
                layer.bias.copy_(torch.from_numpy(bias))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Apply it."""
        first, *dilated, profile = self.convolutions
        x = torch.relu(first(x))
        for convolution in dilated:
            y = torch.relu(convolution(x))
            crop = (x.shape[2] - y.shape[2]) // 2
            x = y + x[:, :, crop:-crop]
        logits = profile(x)[:, 0]
        crop = (logits.shape[1] - self._width) // 2
        return logits[:, crop : crop + self._width], self.counts(x.mean(dim=2))


def loss_of(body: BPNet, bias: BPNet, sequences: Tensor, counts: Tensor, weight: float) -> Tensor:
    """Mean multinomial NLL + weight × mean squared error of log counts; the bias model has no gradient."""
    with torch.no_grad():
        bias_logits, bias_counts = bias(sequences)
    logits, log_counts = body(sequences)
    log_counts = torch.logsumexp(torch.cat([log_counts, bias_counts], dim=1), dim=1)
    totals = counts.sum(dim=1)
    likelihood = (counts * torch.log_softmax(logits + bias_logits, dim=1)).sum(dim=1)
    coefficient = torch.lgamma(1 + totals) - torch.lgamma(1 + counts).sum(dim=1)
    return -(likelihood + coefficient).mean() + weight * torch.square(torch.log1p(totals) - log_counts).mean()


def tensors(one_hot: np.ndarray, counts: np.ndarray) -> tuple[Tensor, Tensor]:
    """Bytes ``(n, 4, L)`` and counts ``(n, W)``."""
    return torch.from_numpy(np.ascontiguousarray(one_hot.transpose(0, 2, 1))), torch.from_numpy(counts)


def main(regions_path: Path, model_path: Path, seconds: float) -> None:
    """Check the loss against ours, then train."""
    regions = Regions(regions_path)
    arrays, expected = weights(model_path)
    sequences, counts = tensors(*regions.centred())
    body, bias = (BPNet(arrays[name], counts.shape[1]) for name in ("main", "bias"))
    bias.requires_grad_(False)
    with torch.no_grad():
        loss = float(loss_of(body, bias, sequences.float(), counts, regions.weight))

    optimizer, clock, done = torch.optim.Adam(body.parameters(), 1e-3), Clock(seconds), False
    while not done:
        sequences, counts = tensors(*regions.epoch())
        for at in range(0, len(regions) - BATCH + 1, BATCH):
            optimizer.zero_grad()
            loss_of(body, bias, sequences[at : at + BATCH].float(), counts[at : at + BATCH], regions.weight).backward()
            optimizer.step()
            if done := clock.step():
                break
    print(
        json.dumps(
            {"rate": clock.rate, "steps": clock.steps, "loss": loss / expected, "version": f"PyTorch {torch.__version__}"}
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
