"""The page of variants: a table of those that rank first, and what the very first do to profile and contributions."""

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
from chrombpnet_core.report.variants_table import (
    describe_change,
    describe_effect,
    describe_noise,
    describe_place,
    format_score,
    short_allele,
    variants_table,
)

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
    kinds = {"allele1": "reference", "allele2": "alternative"}
    names = [f"{short_allele(variant[allele])}, {kind}" for allele, kind in kinds.items()]
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


def write_variants_page(
    path: str | os.PathLike[str],
    top: TopVariants,
    listed: pd.DataFrame,
    title: str,
    variants: int,
    models: Sequence[str],
    left_out: Mapping[str, int],
) -> None:
    """Write the page of variants.

    Parameters
    ----------
    path
        Where it goes.
    top
        The variants that have a picture, in order.
    listed
        Scores of the variants in the table, in order; those of ``top`` are the first.
    title
        Title of the page.
    variants
        Number of variants that were scored.
    models
        Names of the models.
    left_out
        Reason → number of variants that were not scored.
    """
    several = "logfc.sign_agreement" in listed
    page = render_page(
        "variants.html.j2",
        title=title,
        entries=[_entry(top, row) for row in range(len(top.table))],
        variants=f"{variants:,}",
        models=list(models),
        left_out=[(reason, f"{count:,}") for reason, count in left_out.items()],
        whole=len(listed) == variants,
        table_file="mean.variant_scores.tsv" if several else "variant_scores.tsv",
        noise=describe_noise(listed),
        **variants_table(listed),
    )
    Path(path).write_text(page, encoding="utf-8")


def _entry(top: TopVariants, row: int) -> dict[str, Any]:
    """Gather what the template shows of one variant."""
    variant = top.table.iloc[row].to_dict()
    place, change = f"{variant['chr']}:{variant['pos']:,}", describe_change(variant)
    numbers = [(words, format_score(variant, name)) for name, words in _SHOWN.items()]
    numbers.append(("p against shuffled sequences", format_score(variant, "abs_logfc_x_jsd", ".pval")))
    numbers.append(("counts", " → ".join(f"{value:.3g}" for value in top.counts[:, row])))
    if "logfc.sign_agreement" in variant:
        numbers.append(("models that agree on the sign", f"{variant['logfc.sign_agreement']:.0%}"))
    effect = describe_effect(variant)
    alt = f"Predicted profiles and contributions of {variant['variant_id']}, {change} at {place}; {effect}"
    picture = Markup(write_svg(variant_picture(top, row), f"variant-{row}", alt))
    return {
        "name": variant["variant_id"],
        "place": place,
        "change": change,
        "near": describe_place(variant),
        "picture": picture,
        "numbers": [(name, value) for name, value in numbers if value],
        "effect": effect,
    }
