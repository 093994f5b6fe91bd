"""The table of variants in their page: scores, and in words what each does, as far as that is beyond the noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pandas as pd

__all__ = [
    "describe_change",
    "describe_effect",
    "describe_noise",
    "describe_place",
    "format_score",
    "short_allele",
    "variants_table",
]

Row: TypeAlias = Mapping[Any, Any]
"""A row of a table of scores: column → value."""

MAX_P = 0.05
"""p-value against shuffled sequences from which on an effect counts as noise."""

MIN_AGREEMENT = 0.8
"""Least share of the models that must agree on the sign of an effect: four of five folds."""

MIN_LOGFC = 0.1
"""Least absolute log2 fold change of an effect where nothing else tells noise: one model, no shuffled sequences."""

_EFFECTS = ("opens chromatin", "closes chromatin", "within the noise")
_MISSING = ("", ".", "-", "NA")


def _value(variant: Row, name: str, end: str = "") -> Any:
    """Look a score up, of one model or the mean of several; None where it is absent or not a number."""
    value = next((variant[key] for key in (f"{name}{end}", f"{name}.mean{end}") if key in variant), None)
    return None if pd.isna(value) else value


def format_score(variant: Row, name: str, end: str = "") -> str:
    """Format a score as people read it; empty where it is absent.

    Parameters
    ----------
    variant
        A row of scores.
    name
        Of the score, without ``.mean``.
    end
        What ends the column's name, such as ``.pval``.

    Returns
    -------
    str
        Such as ``−0.400``.
    """
    value = _value(variant, name, end)
    if value is None:
        return ""
    return f"{value:+.3f}".replace("-", "−") if name == "logfc" and not end else f"{value:.3g}"


def short_allele(allele: str) -> str:
    """Shorten an allele that is longer than 12 bp, with its length."""
    return allele if len(allele) <= 12 else f"{allele[:9]}… ({len(allele)} bp)"


def describe_change(variant: Row) -> str:
    """Write reference and alternative allele."""
    return f"{short_allele(variant['allele1'])} → {short_allele(variant['allele2'])}"


def describe_effect(variant: Row) -> str:
    """Say whether a variant opens or closes chromatin; below the noise it does neither.

    Parameters
    ----------
    variant
        A row of scores. What it has of these decides: p against shuffled sequences, agreement and spread of the models;
        where it has none of them, the size of the effect.

    Returns
    -------
    str
        ``opens chromatin``, ``closes chromatin`` or ``within the noise``.
    """
    logfc, p = _value(variant, "logfc"), _value(variant, "abs_logfc_x_jsd", ".pval")
    agreement, spread = _value(variant, "logfc.sign_agreement"), _value(variant, "logfc.sd")
    tests = [
        p is None or p < MAX_P,
        agreement is None or agreement >= MIN_AGREEMENT,
        spread is None or abs(logfc) > spread,
        not (p is None and agreement is None) or abs(logfc) >= MIN_LOGFC,
    ]
    return _EFFECTS[2] if not all(tests) or logfc == 0 else _EFFECTS[int(logfc < 0)]


def describe_noise(table: pd.DataFrame) -> str:
    """Say by which of the scores that there are an effect counts as one."""
    parts = []
    if any(name.startswith("abs_logfc_x_jsd") and name.endswith(".pval") for name in table.columns):
        parts.append(f"p against shuffled sequences below {MAX_P:g}")
    if "logfc.sign_agreement" in table:
        parts.append(f"at least {MIN_AGREEMENT:.0%} of the models agree on its sign, and its mean is larger than its spread")
    return "; ".join(parts) or f"log fold change of at least {MIN_LOGFC:g} (one model, nothing to compare with)"


def describe_place(variant: Row) -> str:
    """Say what a variant lies in or near, as far as that was asked for."""
    near = []
    if variant.get("closest_gene_1", ".") not in _MISSING:
        near.append(f"nearest gene {variant['closest_gene_1']} ({variant['gene_distance_1']} bp)")
    if "peak_overlap" in variant:
        near.append("in a peak" if variant["peak_overlap"] else "outside peaks")
    if variant.get("hits_motifs", "-") not in _MISSING:
        near.append(f"motif {variant['hits_motifs']}")
    return "; ".join(near)


_COLUMNS: tuple[tuple[str, Callable[[Row], tuple[Any, str]], bool], ...] = (
    ("variant", lambda row: (row["variant_id"], row["variant_id"]), True),
    ("place", lambda row: (f"{row['chr']}:{row['pos']}", f"{row['chr']}:{row['pos']:,}"), True),
    ("alleles", lambda row: (describe_change(row), describe_change(row)), True),
    ("effect", lambda row: (describe_effect(row), describe_effect(row)), True),
    ("log2 fold change", lambda row: _number(row, "logfc"), False),
    ("spread", lambda row: _number(row, "logfc.sd"), False),
    ("JSD", lambda row: _number(row, "jsd"), False),
    ("|fold change| × JSD", lambda row: _number(row, "abs_logfc_x_jsd"), False),
    ("p", lambda row: _number(row, "abs_logfc_x_jsd", ".pval"), False),
    ("agreement", lambda row: _number(row, "logfc.sign_agreement"), False),
    ("quantile", lambda row: _number(row, "active_allele_quantile"), False),
    ("lies", lambda row: (describe_place(row), describe_place(row)), True),
)
"""Heading, what a row shows (what it is sorted by, and how people read it), and whether that is text."""


def _number(row: Row, name: str, end: str = "") -> tuple[Any, str]:
    value = _value(row, name, end)
    return ("", "") if value is None else (float(f"{value:.6g}"), format_score(row, name, end))


def variants_table(table: pd.DataFrame) -> dict[str, Any]:
    """Make the table of the page.

    Parameters
    ----------
    table
        Scores of the variants, in order.

    Returns
    -------
    dict
        ``headers``: heading and whether the column is text; ``rows``: of each cell what it is sorted by and what it shows.
        Columns in which no variant has anything are left out.
    """
    rows = [[show(row) for _, show, _ in _COLUMNS] for row in table.to_dict("records")]
    kept = [i for i in range(len(_COLUMNS)) if not rows or any(row[i][1] for row in rows)]
    return {
        "headers": [(_COLUMNS[i][0], _COLUMNS[i][2]) for i in kept],
        "rows": [[row[i] for i in kept] for row in rows],
    }
