"""Names of the three models: keys of dictionaries, stems of files, and words for people."""

from __future__ import annotations

__all__ = ["BIAS", "CORRECTED", "FULL", "MODEL_LABELS"]

BIAS, FULL, CORRECTED = "bias", "chrombpnet", "chrombpnet_nobias"


MODEL_LABELS = {BIAS: "bias model", FULL: "full model", CORRECTED: "corrected model"}
"""Words for the three models."""
