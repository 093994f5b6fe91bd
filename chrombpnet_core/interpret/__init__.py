"""Which bases a prediction rests on: DeepSHAP contributions, their HDF5 files, and their agreement across folds.

Contributions to the counts and to the profile are computed against dinucleotide-shuffled sequences, on any Keras backend.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.interpret.across_folds import MeanContributions, mean_contributions, pairs_of, row_correlations
    from chrombpnet_core.interpret.contributions import (
        ContributionsFile,
        ExplainedRegions,
        explain_codes,
        explain_regions,
        noise_floor,
    )
    from chrombpnet_core.interpret.deepshap import HEADS, Explainer, actual_contributions

__all__ = [
    "HEADS",
    "ContributionsFile",
    "ExplainedRegions",
    "Explainer",
    "MeanContributions",
    "actual_contributions",
    "explain_codes",
    "explain_regions",
    "mean_contributions",
    "noise_floor",
    "pairs_of",
    "row_correlations",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
