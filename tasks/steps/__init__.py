"""The steps of a data set, a file a group: each is declared with its inputs, parameters, outputs and body.

Computation is the core's; here it becomes steps whose results are kept in a store.
:func:`tasks.registry.declared_steps` lists all of them.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.steps.bias_sweep import SWEEP, compare_factors
    from tasks.steps.contributions import CONTRIBUTIONS, HEADS, ContributionsInputs, ContributionsParameters
    from tasks.steps.ensemble import AGREEMENT
    from tasks.steps.evaluation import QUALITY_METRIC
    from tasks.steps.footprints import FOOTPRINTS, FootprintsInputs, FootprintsParameters
    from tasks.steps.genome import GenomeInputs, GenomeParameters, naming_of, reference
    from tasks.steps.input_checks import CheckedInputs, DatasetFiles, check_inputs, compare_names
    from tasks.steps.motifs import HITS, MOTIFS, HitsInputs, HitsParameters, MotifsInputs, MotifsParameters, known_motifs
    from tasks.steps.tracks import TRACKS, TracksInputs, TracksParameters

__all__ = [
    "AGREEMENT",
    "CONTRIBUTIONS",
    "FOOTPRINTS",
    "HEADS",
    "HITS",
    "MOTIFS",
    "QUALITY_METRIC",
    "SWEEP",
    "TRACKS",
    "CheckedInputs",
    "ContributionsInputs",
    "ContributionsParameters",
    "DatasetFiles",
    "FootprintsInputs",
    "FootprintsParameters",
    "GenomeInputs",
    "GenomeParameters",
    "HitsInputs",
    "HitsParameters",
    "MotifsInputs",
    "MotifsParameters",
    "TracksInputs",
    "TracksParameters",
    "check_inputs",
    "compare_factors",
    "compare_names",
    "known_motifs",
    "naming_of",
    "reference",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
