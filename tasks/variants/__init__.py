"""Steps that score variants: read the list, score each chromosome with each model, explain, put tables together.

The computation is in :mod:`chrombpnet_core.variants`; here it becomes steps whose results are kept in a store.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.variants.bundled_models import BUNDLE_MODELS, BundleInputs, BundleParameters, tar_of_models
    from tasks.variants.contributions import (
        CONTRIBUTIONS,
        REPORT,
        ContributionsInputs,
        ContributionsParameters,
        ReportInputs,
        ReportParameters,
    )
    from tasks.variants.listing import VARIANTS, VariantsInputs, VariantsParameters, variants_on
    from tasks.variants.scored_models import check_data_set, model_lengths
    from tasks.variants.scoring import (
        BACKGROUND,
        PEAK_COUNTS,
        SCORES,
        BackgroundInputs,
        BackgroundParameters,
        PeakCountsInputs,
        PeakCountsParameters,
        ScoresInputs,
        ScoresParameters,
    )
    from tasks.variants.tables import TABLES, TOP, TablesInputs, TablesParameters, variant_files

__all__ = [
    "BACKGROUND",
    "BUNDLE_MODELS",
    "CONTRIBUTIONS",
    "PEAK_COUNTS",
    "REPORT",
    "SCORES",
    "TABLES",
    "TOP",
    "VARIANTS",
    "BackgroundInputs",
    "BackgroundParameters",
    "BundleInputs",
    "BundleParameters",
    "ContributionsInputs",
    "ContributionsParameters",
    "PeakCountsInputs",
    "PeakCountsParameters",
    "ReportInputs",
    "ReportParameters",
    "ScoresInputs",
    "ScoresParameters",
    "TablesInputs",
    "TablesParameters",
    "VariantsInputs",
    "VariantsParameters",
    "check_data_set",
    "model_lengths",
    "tar_of_models",
    "variant_files",
    "variants_on",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
