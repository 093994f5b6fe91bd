"""The steps of a data set, a file a group: each is declared with its inputs, parameters, outputs and body.

Computation is the core's; here it becomes steps whose results are kept in a store.
:func:`tasks.registry.declared_steps` lists all of them.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.steps.bias_sweep import SWEEP, compare_factors
    from tasks.steps.contributions import (
        CONTRIBUTIONS,
        EXAMPLES,
        HEADS,
        ContributionsInputs,
        ContributionsParameters,
        contribution_files,
    )
    from tasks.steps.dataset_files import CheckedInputs, DatasetFiles
    from tasks.steps.ensemble import (
        AGREEMENT,
        AVERAGE_CONTRIBUTIONS,
        AVERAGE_MODELS,
        AVERAGE_TRACKS,
        MeanContributionsInputs,
        MeanContributionsParameters,
        MeanTracksInputs,
        MeanTracksParameters,
        ModelsInputs,
        ModelsParameters,
    )
    from tasks.steps.evaluation import (
        EVALUATE_BIAS,
        EVALUATE_MAIN,
        QUALITY_METRIC,
        EvaluationInputs,
        EvaluationParameters,
        truth_tracks,
    )
    from tasks.steps.examples import NONPEAKS, SHARDS, NonpeaksInputs, NonpeaksParameters, ShardsInputs, ShardsParameters
    from tasks.steps.folds import balanced_folds, place_folds
    from tasks.steps.footprints import FOOTPRINTS, FootprintsInputs, FootprintsParameters, footprint_files
    from tasks.steps.genome import GenomeInputs, GenomeParameters, naming_of, reference
    from tasks.steps.input_checks import check_inputs, inspect_inputs
    from tasks.steps.insertions import (
        COVERAGE,
        INSERTION_LOGO,
        CoverageInputs,
        CoverageParameters,
        LogoInputs,
        LogoParameters,
        ReadsParameters,
    )
    from tasks.steps.inspection import Inspection
    from tasks.steps.library import LIBRARY, LIBRARY_FILE, LibraryInputs
    from tasks.steps.motifs import (
        HITS,
        MOTIFS,
        HitsInputs,
        HitsParameters,
        MotifsInputs,
        MotifsParameters,
        hit_files,
        known_motifs,
        motif_files,
    )
    from tasks.steps.peak_tracks import PEAK_TRACKS, PeakTracksInputs
    from tasks.steps.resource_estimate import RunEstimate, estimate_run
    from tasks.steps.selection import SELECT_BIAS, SELECT_MAIN, BiasSelection, MainSelection, SelectionInputs
    from tasks.steps.step_times import Workload
    from tasks.steps.tracks import TRACKS, TracksInputs, TracksParameters, track_files
    from tasks.steps.training import (
        SCALE_BIAS,
        TRAIN_BIAS,
        TRAIN_MAIN,
        BiasTraining,
        BiasTrainingInputs,
        MainModelParameters,
        MainTraining,
        MainTrainingInputs,
        ModelParameters,
        ModelSize,
        ScalingInputs,
        ScalingParameters,
        TrainingParameters,
    )

__all__ = [
    "AGREEMENT",
    "AVERAGE_CONTRIBUTIONS",
    "AVERAGE_MODELS",
    "AVERAGE_TRACKS",
    "CONTRIBUTIONS",
    "COVERAGE",
    "EVALUATE_BIAS",
    "EVALUATE_MAIN",
    "EXAMPLES",
    "FOOTPRINTS",
    "HEADS",
    "HITS",
    "INSERTION_LOGO",
    "LIBRARY",
    "LIBRARY_FILE",
    "MOTIFS",
    "NONPEAKS",
    "PEAK_TRACKS",
    "QUALITY_METRIC",
    "SCALE_BIAS",
    "SELECT_BIAS",
    "SELECT_MAIN",
    "SHARDS",
    "SWEEP",
    "TRACKS",
    "TRAIN_BIAS",
    "TRAIN_MAIN",
    "BiasSelection",
    "BiasTraining",
    "BiasTrainingInputs",
    "CheckedInputs",
    "ContributionsInputs",
    "ContributionsParameters",
    "CoverageInputs",
    "CoverageParameters",
    "DatasetFiles",
    "EvaluationInputs",
    "EvaluationParameters",
    "FootprintsInputs",
    "FootprintsParameters",
    "GenomeInputs",
    "GenomeParameters",
    "HitsInputs",
    "HitsParameters",
    "Inspection",
    "LibraryInputs",
    "LogoInputs",
    "LogoParameters",
    "MainModelParameters",
    "MainSelection",
    "MainTraining",
    "MainTrainingInputs",
    "MeanContributionsInputs",
    "MeanContributionsParameters",
    "MeanTracksInputs",
    "MeanTracksParameters",
    "ModelParameters",
    "ModelSize",
    "ModelsInputs",
    "ModelsParameters",
    "MotifsInputs",
    "MotifsParameters",
    "NonpeaksInputs",
    "NonpeaksParameters",
    "PeakTracksInputs",
    "ReadsParameters",
    "RunEstimate",
    "ScalingInputs",
    "ScalingParameters",
    "SelectionInputs",
    "ShardsInputs",
    "ShardsParameters",
    "TracksInputs",
    "TracksParameters",
    "TrainingParameters",
    "Workload",
    "balanced_folds",
    "check_inputs",
    "compare_factors",
    "contribution_files",
    "estimate_run",
    "footprint_files",
    "hit_files",
    "inspect_inputs",
    "known_motifs",
    "motif_files",
    "naming_of",
    "place_folds",
    "reference",
    "track_files",
    "truth_tracks",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
