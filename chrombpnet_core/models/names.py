"""TODO."""

from __future__ import annotations

__all__ = ["BIAS", "CORRECTED", "FULL", "MODEL_LABELS"]

BIAS, FULL, CORRECTED = "bias", "chrombpnet", "chrombpnet_nobias"


MODEL_LABELS = {BIAS: "bias model", FULL: "full model", CORRECTED: "corrected model"}
"""How people call the three models; keys of every dictionary by model."""
