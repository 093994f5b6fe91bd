"""How good data and predictions are: libraries, count and profile metrics, marginal footprints, what is left of enzyme bias.

Metrics need NumPy and SciPy only; footprints take any function from base codes to logits and log counts.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.evaluation.bias_correction import (
        ENZYMES,
        MAX_BIAS_RESPONSE,
        BiasVerdict,
        bias_response,
        bias_verdict,
        enzyme_of,
        format_response,
        motifs_by_enzyme,
    )
    from chrombpnet_core.evaluation.footprint_motifs import (
        CONTROL,
        FOOTPRINT_TAXA,
        enzyme_footprint_motifs,
        motif_file_name,
        name_motifs,
        read_footprint_motifs,
        tf_footprint_motifs,
    )
    from chrombpnet_core.evaluation.footprints import (
        STANDARD_ERRORS_95,
        Footprint,
        PredictFunction,
        background_sequences,
        insert_motif,
        marginal_footprint,
        marginal_footprints,
        read_footprints,
        write_footprints,
    )
    from chrombpnet_core.evaluation.library_numbers import (
        NUCLEOSOME,
        ChromosomeCounts,
        Duplicates,
        FragmentSizes,
        LibraryQuality,
        PeakShare,
        ReadNumbers,
        StartSites,
    )
    from chrombpnet_core.evaluation.library_quality import TSS_BIN, TSS_EDGE, measure_library
    from chrombpnet_core.evaluation.metrics import (
        auprc,
        auroc,
        jensen_shannon,
        mean_squared_error,
        normalised_jsd,
        pearson,
        spearman,
        uniform_jsd,
    )
    from chrombpnet_core.evaluation.region_scores import (
        RegionScores,
        evaluate_predictions,
        quality_metric,
        score_regions,
        summarise_scores,
    )
    from chrombpnet_core.evaluation.thresholds import (
        FEWEST_READS,
        FOLD_APART,
        HUMAN_GENOME,
        STATUSES,
        THRESHOLDS,
        TSS_LEVELS,
        Threshold,
    )

__all__ = [
    "CONTROL",
    "ENZYMES",
    "FEWEST_READS",
    "FOLD_APART",
    "FOOTPRINT_TAXA",
    "HUMAN_GENOME",
    "MAX_BIAS_RESPONSE",
    "NUCLEOSOME",
    "STANDARD_ERRORS_95",
    "STATUSES",
    "THRESHOLDS",
    "TSS_BIN",
    "TSS_EDGE",
    "TSS_LEVELS",
    "BiasVerdict",
    "ChromosomeCounts",
    "Duplicates",
    "Footprint",
    "FragmentSizes",
    "LibraryQuality",
    "PeakShare",
    "PredictFunction",
    "ReadNumbers",
    "RegionScores",
    "StartSites",
    "Threshold",
    "auprc",
    "auroc",
    "background_sequences",
    "bias_response",
    "bias_verdict",
    "enzyme_footprint_motifs",
    "enzyme_of",
    "evaluate_predictions",
    "format_response",
    "insert_motif",
    "jensen_shannon",
    "marginal_footprint",
    "marginal_footprints",
    "mean_squared_error",
    "measure_library",
    "motif_file_name",
    "motifs_by_enzyme",
    "name_motifs",
    "normalised_jsd",
    "pearson",
    "quality_metric",
    "read_footprint_motifs",
    "read_footprints",
    "score_regions",
    "spearman",
    "summarise_scores",
    "tf_footprint_motifs",
    "uniform_jsd",
    "write_footprints",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
