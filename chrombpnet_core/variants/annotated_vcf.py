"""Copies of a VCF with scores as INFO fields."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
import pysam

__all__ = ["annotate_vcf"]

_INFO = {
    "logfc": ("CBP_LOGFC", "log2 of predicted counts, this allele over REF"),
    "jsd": ("CBP_JSD", "Jensen-Shannon distance (base 2) of the predicted profiles"),
    "logfc_x_jsd": ("CBP_LOGFC_X_JSD", "CBP_LOGFC times CBP_JSD"),
    "active_allele_quantile": ("CBP_QUANTILE", "quantile among peaks of the more accessible allele's counts"),
    "logfc_x_jsd_x_active_allele_quantile": ("CBP_PRIORITY", "CBP_LOGFC times CBP_JSD times CBP_QUANTILE"),
    "abs_logfc_x_jsd.pval": ("CBP_PVAL", "p-value of |CBP_LOGFC| times CBP_JSD against shuffled sequences"),
}  # score → INFO field and what it is; with several models their mean
_SIGNED = ("CBP_LOGFC", "CBP_LOGFC_X_JSD", "CBP_PRIORITY")


def annotate_vcf(source: str | os.PathLike[str], target: str | os.PathLike[str], tables: Iterable[pd.DataFrame]) -> int:
    """Copy a VCF or BCF as bgzip VCF with scores in INFO, a value for each alternative allele.

    Values are of the record as it stands: where the genome has its alternative allele (``swapped``), signs are turned back.

    Parameters
    ----------
    source
        VCF or BCF.
    target
        Where the copy goes, ``.vcf.gz``.
    tables
        Tables of scores with ``record`` and ``alt``, ascending; ``.mean`` of several models is taken where it is there.

    Returns
    -------
    int
        How many records have scores.
    """
    rows = _rows(tables)
    following = next(rows, None)
    annotated = 0
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(os.fspath(source)) as original:
            header = original.header
            _declare_fields(header)
            with pysam.VariantFile(os.fspath(target), "wz", header=header) as copy:
                for number, record in enumerate(original, start=1):
                    scores = {}
                    while following is not None and following["record"] == number:
                        scores[following["alt"]] = following
                        following = next(rows, None)
                    if scores:
                        annotated += 1
                        _annotate(record, scores)
                    copy.write(record)
    finally:
        pysam.set_verbosity(verbosity)
    return annotated


def _declare_fields(header: pysam.VariantHeader) -> None:
    for name, words in _INFO.values():
        header.info.add(name, "A", "Float", words)
    if "END" not in header.info:  # pysam states the end of symbolic alleles when it writes
        header.info.add("END", 1, "Integer", "last position of the record")
    header.info.add("CBP_SWAPPED", 0, "Flag", "the genome has an alternative allele of this record")


def _rows(tables: Iterable[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    for table in tables:
        named = {f"{score}{mean}": score for score in _INFO for mean in ("", ".mean")} | {
            "abs_logfc_x_jsd.mean.pval": "abs_logfc_x_jsd.pval"
        }
        columns = [name for name in named if name in table.columns]
        records = table[["record", "alt", "swapped", *columns]].rename(columns=named).to_dict("records")
        yield from ({str(name): value for name, value in row.items()} for row in records)


def _annotate(record: pysam.VariantRecord, scores: dict[int, dict[str, Any]]) -> None:
    for score, (name, _) in _INFO.items():
        values: list[float | None] = [None] * len(record.alts or ())
        for alt, row in scores.items():
            if score in row:
                values[alt] = float(row[score]) * (-1 if row["swapped"] and name in _SIGNED else 1)
        if any(value is not None for value in values):
            record.info[name] = tuple(values)
    if any(row["swapped"] for row in scores.values()):
        record.info["CBP_SWAPPED"] = True
