"""The page of the top variants: what each does to counts and profile, and to the contributions around it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from scipy.special import softmax

from chrombpnet_core._types import AnyArray
from chrombpnet_core.genome import one_hot
from chrombpnet_core.plots import LIGHT, draw_logo, legend_above, styled, write_svg
from chrombpnet_core.report.html import render_page

__all__ = ["TopVariants", "variant_picture", "write_variants_page"]

_AROUND = 250  # bp on either side of a variant whose profile is shown
_LETTERS = 35  # bp on either side whose contributions are shown
_COLOURS = ("observed", "corrected")
_SHOWN = {"logfc": "log fold change", "jsd": "JSD", "active_allele_quantile": "quantile of the more active allele"}


@dataclass(frozen=True)
class TopVariants:
    """Hold variants and what models predict for both alleles, means over the models.

    Attributes
    ----------
    table
        Scores of the variants, ``n`` rows.
    codes
        Base codes, uint8 ``(2, n, L)``.
    counts, logits
        Predictions, ``(2, n)`` and ``(2, n, W)``.
    scores
        Hypothetical contributions to the counts, ``(2, n, L, 4)``.
    """

    table: pd.DataFrame
    codes: AnyArray
    counts: AnyArray
    logits: AnyArray
    scores: AnyArray


@styled
def variant_picture(top: TopVariants, row: int) -> Figure:
    """Draw the predicted insertions per base of both alleles in one panel, and below the contributions of each."""
    variant = top.table.iloc[row]
    names = [f"{_short(variant[name])}, {kind}" for name, kind in (("allele1", "reference"), ("allele2", "alternative"))]
    tracks = softmax(top.logits[:, row].astype(np.float64), axis=-1) * top.counts[:, row, None]
    actual = one_hot(top.codes[:, row]) * top.scores[:, row]
    middle, length = tracks.shape[1] // 2, actual.shape[1]
    around = min(_AROUND, middle)
    figure = Figure(figsize=(10.8, 4.1), layout="constrained")
    upper, *lower = figure.subplots(3, 1, height_ratios=[1.25, 1, 1])
    positions = np.arange(-around, around)
    for values, name, colour in zip(tracks[:, middle - around : middle + around], names, _COLOURS, strict=True):
        upper.plot(positions, values, color=LIGHT[colour], lw=1.2, label=name)
    upper.set(xlim=(-around, around), ylabel="insertions", ylim=(0, None))
    upper.axvspan(-0.5, max(len(variant["allele1"].strip("-")), 1) - 0.5, color=LIGHT["rule"], lw=0, zorder=0)
    legend_above(upper, 2)
    begin, end = max(length // 2 - _LETTERS, 0), min(length // 2 + _LETTERS, length)
    shown = actual[:, begin:end]
    low, high = np.clip(shown, None, 0).sum(-1).min(), np.clip(shown, 0, None).sum(-1).max()
    for axes, letters, name, allele in zip(lower, shown, names, ("allele1", "allele2"), strict=True):
        draw_logo(axes, letters, start=begin - length // 2)
        axes.set(ylabel="contribution", ylim=(1.08 * low, 1.08 * high) if low < high else (0, 1))
        axes.axvspan(-0.5, max(len(variant[allele].strip("-")), 1) - 0.5, color=LIGHT["rule"], lw=0, zorder=0)
        axes.text(0.004, 0.96, name, transform=axes.transAxes, va="top", color=LIGHT["muted"])
    lower[-1].set_xlabel("distance to the first base of the variant (bp)")
    return figure


def _short(allele: str) -> str:
    return allele if len(allele) <= 12 else f"{allele[:9]}… ({len(allele)} bp)"


def write_variants_page(
    path: str | os.PathLike[str],
    top: TopVariants,
    title: str,
    variants: int,
    models: Sequence[str],
    left_out: Mapping[str, int],
) -> None:
    """Write the page of the top variants.

    Parameters
    ----------
    path
        Where it goes.
    top
        The variants shown, in order.
    title
        Title of the page.
    variants
        Number of variants that were scored.
    models
        Names of the models.
    left_out
        Reason → number of variants that were not scored.
    """
    shown = [_entry(top, row) for row in range(len(top.table))]
    page = render_page(
        "variants.html.j2",
        title=title,
        entries=shown,
        variants=f"{variants:,}",
        models=list(models),
        left_out=[(reason, f"{count:,}") for reason, count in left_out.items()],
    )
    Path(path).write_text(page, encoding="utf-8")


def _entry(top: TopVariants, row: int) -> dict[str, Any]:
    """Gather what the template shows of one variant."""
    variant = top.table.iloc[row]
    place = f"{variant['chr']}:{variant['pos']:,}"
    change = f"{_short(variant['allele1'])} → {_short(variant['allele2'])}"
    numbers = [(words, _number(variant, name)) for name, words in _SHOWN.items()]
    p = _number(variant, "abs_logfc_x_jsd.pval" if "abs_logfc_x_jsd.pval" in variant else "abs_logfc_x_jsd.mean.pval")
    numbers += [("p against shuffled sequences", p), ("counts", " → ".join(f"{value:.3g}" for value in top.counts[:, row]))]
    if "logfc.sign_agreement" in variant:
        numbers.append(("models that agree on the sign", f"{variant['logfc.sign_agreement']:.0%}"))
    near = (
        [f"nearest gene {variant['closest_gene_1']} ({variant['gene_distance_1']} bp)"]
        if "closest_gene_1" in variant and variant["closest_gene_1"] != "."
        else []
    )
    if "peak_overlap" in variant:
        near.append("in a peak" if variant["peak_overlap"] else "outside peaks")
    if "hits_motifs" in variant and variant["hits_motifs"] != "-":
        near.append(f"motif {variant['hits_motifs']}")
    direction = "opens" if top.counts[1, row] > top.counts[0, row] else "closes"
    alt = f"Predicted profiles and contributions of {variant['variant_id']}, {change} at {place}; it {direction} chromatin"
    picture = Markup(write_svg(variant_picture(top, row), f"variant-{row}", alt))
    return {
        "name": variant["variant_id"],
        "place": place,
        "change": change,
        "near": "; ".join(near),
        "picture": picture,
        "numbers": [(name, value) for name, value in numbers if value],
        "direction": direction,
    }


def _number(variant: pd.Series, name: str) -> str:
    for column in (name, f"{name}.mean"):
        if column in variant:
            return f"{variant[column]:+.3f}".replace("-", "−") if name == "logfc" else f"{variant[column]:.3g}"
    return ""
