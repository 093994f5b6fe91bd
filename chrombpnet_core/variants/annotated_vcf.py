"""Copies of a VCF with scores as INFO fields."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pysam

from chrombpnet_core.errors import InputError
from chrombpnet_core.variants.vcf_text import declaration, readable_vcf, undeclared

__all__ = ["annotate_vcf"]

log = logging.getLogger(__name__)

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
    Contigs and fields that the original uses without declaring them are declared in the copy, with a warning.

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

    Raises
    ------
    InputError
        Where the original cannot be copied; nothing is left at ``target``.
    """
    verbosity = pysam.set_verbosity(0)
    try:
        with readable_vcf(source) as readable:
            missing = undeclared(readable)
            if readable != Path(source):
                log.warning("%s: it does not begin with ##fileformat and plain lines; it is read as VCF 4.2", source)
            if missing:
                log.warning(
                    "%s: its header does not declare %s; that of the annotated VCF does",
                    source,
                    "; ".join(f"{kind} {_few(names)}" for kind, names in missing.items()),
                )
            with pysam.VariantFile(os.fspath(readable)) as original:
                stale = _declare(original.header, missing)
                with pysam.VariantFile(os.fspath(target), "wz", header=original.header) as copy:
                    return _copy(original, copy, _rows(tables), stale)
    except (KeyError, OSError, TypeError, ValueError) as error:
        if getattr(error, "errno", None):  # of the disk
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        raise InputError(f"{source}: cannot be copied with scores", found=str(error)) from error
    finally:
        pysam.set_verbosity(verbosity)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _copy(original: pysam.VariantFile, copy: pysam.VariantFile, rows: Iterator[dict[str, Any]], stale: Sequence[str]) -> int:
    """Write every record with the scores that it has, without the ``stale`` ones; how many have."""
    following = next(rows, None)
    annotated = 0
    for number, record in enumerate(original, start=1):
        for name in stale:
            record.info.pop(name, None)
        scores = {}
        while following is not None and following["record"] == number:
            scores[following["alt"]] = following
            following = next(rows, None)
        if scores:
            annotated += 1
            _annotate(record, scores)
        copy.write(record)
    return annotated


def _declare(header: pysam.VariantHeader, missing: dict[str, list[str]]) -> list[str]:
    """Declare what the original lacks, and our own fields; which of ours it has, from an earlier annotation."""
    ours: dict[str, tuple[str | int, str, str]] = {name: ("A", "Float", words) for name, words in _INFO.values()}
    ours["CBP_SWAPPED"] = (0, "Flag", "the genome has an alternative allele of this record")
    stale = [name for name in ours if name in header.info]
    for name in stale:
        if (header.info[name].number, header.info[name].type) != ours[name][:2]:
            raise ValueError(f"INFO {name}, which is of another type there (take it out: bcftools annotate -x INFO/{name})")
    added = {"END", *ours}
    for kind, names in missing.items():
        for name in names:
            if kind != "INFO" or name not in added:
                header.add_line(declaration(kind, name))
    for name, _ in _INFO.values():
        if name not in stale:
            header.info.add(name, *ours[name])
    if "END" not in header.info:  # pysam states the end of symbolic alleles when it writes
        header.info.add("END", 1, "Integer", "last position of the record")
    if "CBP_SWAPPED" not in stale:
        header.info.add("CBP_SWAPPED", *ours["CBP_SWAPPED"])
    return stale


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
