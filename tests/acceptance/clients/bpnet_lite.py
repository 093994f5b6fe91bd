"""Run by bpnet-lite: what it predicts of our model files.

bpnet_lite.py SEQUENCES.npy OUT.npz BIAS SCALED_BIAS NOBIAS
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from bpnetlite import BPNet, ChromBPNet


def main(sequences: str, out: str, bias: str, scaled: str, nobias: str) -> None:
    """Predict with every model; profiles come as long as bpnet-lite makes them."""
    bases = torch.tensor(np.load(sequences)).permute(0, 2, 1)
    models = {
        "bias": BPNet.from_chrombpnet(bias),
        "bias_model_scaled": BPNet.from_chrombpnet(scaled),
        "chrombpnet_nobias": BPNet.from_chrombpnet(nobias),
        "chrombpnet": ChromBPNet.from_chrombpnet(scaled, nobias),
    }
    found = {}
    for name, model in models.items():
        with torch.no_grad():
            logits, log_counts = model.eval()(bases)
        found[f"{name}_logits"], found[f"{name}_log_counts"] = logits[:, 0].numpy(), log_counts.numpy()
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
