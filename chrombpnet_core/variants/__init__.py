"""Effects of variants: reading and checking them, windows of both alleles, scores, annotation and result files.

Conventions and names of scores are those of kundajelab/variant-scorer.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.variants.allele_predictions import (
        VARIANTS_AT_ONCE,
        choose_peaks,
        draw_background,
        predict_alleles,
        predict_peak_counts,
        score_shuffled,
    )
    from chrombpnet_core.variants.annotated_vcf import annotate_vcf
    from chrombpnet_core.variants.annotation import NEAREST_GENES, annotate_variants, read_named_intervals
    from chrombpnet_core.variants.checking import LEFT_OUT_COLUMNS, VariantChecker
    from chrombpnet_core.variants.prediction_files import AllelePredictionsFile, VariantContributionsFile
    from chrombpnet_core.variants.reading import (
        VARIANT_COLUMNS,
        VARIANT_SCHEMAS,
        VARIANTS_PER_BLOCK,
        DuplicateVariants,
        allele_problems,
        read_variants,
        schema_columns,
        variant_table,
    )
    from chrombpnet_core.variants.score_tables import ScoreTable, TopRows, read_score_tables, read_variant_table
    from chrombpnet_core.variants.scored_models import require_accessibility_model, require_one_data_set
    from chrombpnet_core.variants.scores import (
        SCORE_TAILS,
        VARIANT_SCORES,
        AllelePredictions,
        add_p_values,
        empirical_p_values,
        log_probability_change,
        peak_quantiles,
        score_alleles,
        snp_score_columns,
        summarise_folds,
    )
    from chrombpnet_core.variants.scoring import ScoredVariants, score_variants
    from chrombpnet_core.variants.vcf_text import is_vcf
    from chrombpnet_core.variants.windows import (
        ALLELE_AGREES,
        ALLELE_DIFFERS,
        ALLELES_SWAPPED,
        allele_lengths,
        allele_windows,
        chromosome_codes,
        compare_with_genome,
        explain_disagreement,
        swap_alleles,
        window_problems,
    )

__all__ = [
    "ALLELES_SWAPPED",
    "ALLELE_AGREES",
    "ALLELE_DIFFERS",
    "LEFT_OUT_COLUMNS",
    "NEAREST_GENES",
    "SCORE_TAILS",
    "VARIANTS_AT_ONCE",
    "VARIANTS_PER_BLOCK",
    "VARIANT_COLUMNS",
    "VARIANT_SCHEMAS",
    "VARIANT_SCORES",
    "AllelePredictions",
    "AllelePredictionsFile",
    "DuplicateVariants",
    "ScoreTable",
    "ScoredVariants",
    "TopRows",
    "VariantChecker",
    "VariantContributionsFile",
    "add_p_values",
    "allele_lengths",
    "allele_problems",
    "allele_windows",
    "annotate_variants",
    "annotate_vcf",
    "choose_peaks",
    "chromosome_codes",
    "compare_with_genome",
    "draw_background",
    "empirical_p_values",
    "explain_disagreement",
    "is_vcf",
    "log_probability_change",
    "peak_quantiles",
    "predict_alleles",
    "predict_peak_counts",
    "read_named_intervals",
    "read_score_tables",
    "read_variant_table",
    "read_variants",
    "require_accessibility_model",
    "require_one_data_set",
    "schema_columns",
    "score_alleles",
    "score_shuffled",
    "score_variants",
    "snp_score_columns",
    "summarise_folds",
    "swap_alleles",
    "variant_table",
    "window_problems",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
