"""The Python API that ``chrombpnet_core`` exports: models, genomes and regions as a notebook uses them.

Functions take convenient inputs (a region such as ``"chrI:50,000"``, a table, a DNA string) and return small results that
can be displayed, turned into a table and saved. The work is done in the other subpackages, by the same functions as on the
command line.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.api.coverage import ObservedCoverage, read_coverage
    from chrombpnet_core.api.footprints import MarginalFootprint, marginal_footprint
    from chrombpnet_core.api.genome import open_genome
    from chrombpnet_core.api.model import Model, open_model
    from chrombpnet_core.api.regions import locate, region_text
    from chrombpnet_core.api.results import Contributions, Prediction
    from chrombpnet_core.api.variants import VariantScores, score_variants

__all__ = [
    "Contributions",
    "MarginalFootprint",
    "Model",
    "ObservedCoverage",
    "Prediction",
    "VariantScores",
    "locate",
    "marginal_footprint",
    "open_genome",
    "open_model",
    "read_coverage",
    "region_text",
    "score_variants",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
