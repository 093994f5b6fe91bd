"""TODO."""

from __future__ import annotations

from tasks.steps.data import BIGWIG
from tasks.steps.evaluation import QUALITY_METRIC

_COMMON = {
    "coverage": {BIGWIG: "auxiliary"},
    "nonpeaks": {"negatives.bed": "auxiliary"},
    "insertion_logo": {"bw_shift_qc.png": "evaluation"},
}


_EXPLAINED = {
    f"motifs_{head}": dict.fromkeys(("modisco.h5", "motifs.tsv", "motifs.json", "motifs.html"), f"evaluation/modisco_{head}")
    for head in ("profile", "counts")
}


_HITS = {f"hits_{head}": {"hits.bed": f"evaluation/modisco_{head}"} for head in ("profile", "counts")}


_LAYOUT: dict[str, dict[str, dict[str, str]]] = {
    "bias": _COMMON
    | _EXPLAINED
    | {
        "select_bias": {"filtered.bias_peaks.bed": "auxiliary", "filtered.bias_nonpeaks.bed": "auxiliary"},
        "train_bias": {
            "bias.h5": "models",
            "bias.log": "logs",
            "bias.log.batch": "logs",
            "events.out.tfevents.bias": "logs",
            "bias_model_params.tsv": "logs",
            "bias_data_params.tsv": "logs",
        },
        "evaluate_bias": {
            "bias_metrics.json": "evaluation",
            "bias_predictions.h5": "evaluation",
            "bias_footprints.h5": "evaluation",
            "bias_max_bias_response.txt": "evaluation",
            "truth_checks.json": "evaluation",
        },
    },
    "main": _COMMON
    | _EXPLAINED
    | {
        **_HITS,
        "select_main": {"filtered.peaks.bed": "auxiliary", "filtered.nonpeaks.bed": "auxiliary"},
        "scale_bias": {"bias_model_scaled.h5": "models"},
        "train_main": {
            "chrombpnet.h5": "models",
            "chrombpnet_nobias.h5": "models",
            "chrombpnet.log": "logs",
            "chrombpnet.log.batch": "logs",
            "events.out.tfevents.chrombpnet": "logs",
            "chrombpnet_model_params.tsv": "logs",
            "chrombpnet_data_params.tsv": "logs",
        },
        "evaluate_main": {
            "bias_metrics.json": "evaluation",
            "chrombpnet_metrics.json": "evaluation",
            "chrombpnet_nobias_metrics.json": "evaluation",
            "chrombpnet_predictions.h5": "evaluation",
            "chrombpnet_footprints.h5": "evaluation",
            "chrombpnet_nobias_footprints.h5": "evaluation",
            "chrombpnet_nobias_max_bias_response.txt": "evaluation",
            QUALITY_METRIC: "evaluation",
            "truth_checks.json": "evaluation",
        },
    },
    "dataset": {},
    "ensemble": {
        "coverage": {BIGWIG: "auxiliary"},
        "models": dict.fromkeys(("chrombpnet.h5", "chrombpnet_nobias.h5"), "models"),
        "tracks": dict.fromkeys(
            (f"{model}{end}" for model in ("chrombpnet", "chrombpnet_nobias", "bias") for end in (".bw", "_stats.txt")),
            "tracks",
        )
        | {"regions.bed": "tracks"},
        **_EXPLAINED,
        **_HITS,
    },
}
"""Kind of run → step → file → folder of the output directory (REFERENCE.md, 13)."""
