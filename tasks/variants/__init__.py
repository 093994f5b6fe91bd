"""Steps that score variants: read the list, score each chromosome with each model, explain, put tables together.

The computation is in :mod:`chrombpnet_core.variants`; here it becomes steps whose results are kept in a store.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.variants.contributions import explain_chromosome, report_variants
    from tasks.variants.score import model_lengths, predict_peaks, read_list, score_background, score_chromosome, variants_of
    from tasks.variants.tables import bundle_models, tabulate, unpack_models, variant_files

__all__ = [
    "bundle_models",
    "explain_chromosome",
    "model_lengths",
    "predict_peaks",
    "read_list",
    "report_variants",
    "score_background",
    "score_chromosome",
    "tabulate",
    "unpack_models",
    "variant_files",
    "variants_of",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
