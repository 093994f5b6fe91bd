"""Names of the three models: keys of dictionaries, stems of files, and words for people."""

from __future__ import annotations

__all__ = ["ACCESSIBILITY_PREFIX", "BIAS", "BIAS_PREFIX", "CORRECTED", "FULL", "MODEL_LABELS"]

BIAS, FULL, CORRECTED = "bias", "chrombpnet", "chrombpnet_nobias"


MODEL_LABELS = {BIAS: "bias model", FULL: "full model", CORRECTED: "corrected model"}
"""Words for the three models."""

BIAS_PREFIX, ACCESSIBILITY_PREFIX = "", "wo_bias_"
"""Begin the names of the layers of a bias and of an accessibility model."""
