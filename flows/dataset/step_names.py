"""The names of the steps that a data set is made of, in order; light, so that they are told at once."""

from __future__ import annotations

from flows.spec import DatasetSpec

__all__ = ["explained_heads", "step_names"]


def explained_heads(spec: DatasetSpec, kind: str) -> list[str]:
    """What is explained of a model of ``kind`` bias or main: its counts, its profile."""
    return ["counts", "profile"] if kind == "bias" or spec.explanation.counts else ["profile"]


def step_names(spec: DatasetSpec) -> dict[str, list[str]]:
    """What a data set is made of: the steps of each part of its record."""

    def explained(kind: str) -> list[str]:
        if not spec.explanation.peaks:
            return []
        own, heads = "bias_" if kind == "bias" else "", explained_heads(spec, kind)
        return [
            f"{own}contributions",
            *(f"{own}motifs_{head}" for head in heads),
            *(f"hits_{head}" for head in heads if kind == "main"),
        ]

    shared = ["coverage", "insertion_logo", *([] if spec.nonpeaks else ["nonpeaks"]), "shards"]
    bias = ["select_bias", "train_bias", "evaluate_bias", *explained("bias"), "bias_report"]
    main = ["select_main", "scale_bias", "train_main", "evaluate_main", *explained("main"), "main_report", "report"]
    folds = spec.folds if isinstance(spec.folds, int) else len(spec.folds)
    parts = {"shared": ["coverage", *(["shards"] if spec.nonpeaks else [])]} if folds > 1 else {}
    if not spec.bias.model and len(spec.bias.factors) > 1:
        parts["bias"] = shared + [f"{factor:g} {name}" for factor in spec.bias.factors for name in bias]
    parts |= {f"fold_{i}": shared + ([] if spec.bias.model else bias) + main for i in range(folds)}
    several = ["average_models", "average_tracks"] if folds > 1 else []
    if folds > 1 and spec.explanation.peaks:
        heads = explained_heads(spec, "main")
        several += ["average_contributions", *(f"{what}_{head}" for head in heads for what in ("motifs", "hits"))]
    return parts | {"together": [*several, "folds_report"]}
