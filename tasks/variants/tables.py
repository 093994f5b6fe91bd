"""The step that puts the scores of all chromosomes and models together: tables, a mean over models, an annotated VCF."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import pandas as pd

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import read_bed3
from chrombpnet_core.variants import (
    VARIANT_COLUMNS,
    ScoreTable,
    TopRows,
    annotate_variants,
    annotate_vcf,
    is_vcf,
    read_named_intervals,
    read_score_tables,
    snp_score_columns,
    summarise_folds,
)
from tasks.runner import At, Result, Source, Step, Work
from tasks.steps import GenomeParameters
from tasks.storage import split_prefix
from tasks.variants.listing import LEFT_OUT
from tasks.variants.scoring import LOG_PROBS, SCORED

__all__ = ["TABLES", "TOP", "TablesInputs", "TablesParameters", "variant_files"]

log = logging.getLogger(__name__)

TOP = "top.parquet"
"""Of the tables: the variants that rank first."""

_MEAN, _TABLE = "mean", "variant_scores"
_SNPS = "snp_scores.tsv"  # the reference's table
_RANKED_BY = "abs_logfc_x_jsd"


@dataclass(frozen=True, kw_only=True)
class TablesInputs(Generic[At]):
    """The list and its step, and the scores of each model, of each all chromosomes in order.

    What there is of ``peaks``, ``genes`` and ``hits`` annotates the last table.
    """

    variants: At
    listed: At
    scores: tuple[At, ...]
    peaks: At | None = None
    genes: At | None = None
    hits: At | None = None


@dataclass(frozen=True, kw_only=True)
class TablesParameters(GenomeParameters):
    r"""Names of models and chromosomes; the ``top`` rows by \|logfc\| × jsd are kept apart, for the page."""

    models: tuple[str, ...]
    chroms: tuple[str, ...]
    schema: str
    top: int = 5000


_Tabulating = Work[TablesInputs[Path], TablesParameters]


def _tabulate(work: _Tabulating) -> None:
    parameters = work.parameters
    several = len(parameters.models) > 1
    final = f"{_MEAN}.{_TABLE}" if several else _TABLE
    annotations = _annotations(work)
    top, number = TopRows(parameters.top, f"{_RANKED_BY}.mean" if several else _RANKED_BY), 0
    vcf = is_vcf(work.inputs.variants)
    schema = "chrombpnet" if vcf else parameters.schema
    unannotated = work.out.parent / "records.parquet"
    with contextlib.ExitStack() as files:

        def table_of(name: str) -> ScoreTable:
            return files.enter_context(ScoreTable([work.out / f"{name}.tsv", work.out / f"{name}.parquet"], schema))

        of_models = [table_of(f"{name}.{_TABLE}") for name in parameters.models] if several else []
        whole, records = table_of(final), files.enter_context(ScoreTable([unannotated]))
        snps = files.enter_context(ScoreTable([work.out / _SNPS])) if schema == "snp_score" and not several else None
        for tables in _blocks(work):
            for file, table in zip(of_models, tables, strict=False):
                file.append(table)
            if snps is not None:
                snps.append(_as_reference(tables[0]))
            table = _mean(tables) if several else tables[0].drop(columns=LOG_PROBS, errors="ignore")
            top.add(table)
            if vcf:
                records.append(table)
            whole.append(annotate_variants(table, **annotations))
            number += len(table)
    if vcf:
        try:
            work.facts["annotated_records"] = annotate_vcf(
                work.inputs.variants, work.out / f"{final}.vcf.gz", read_score_tables([unannotated])
            )
        except InputError as error:
            log.warning("%s; the tables have all scores, a VCF with scores is not written", error)
    assert top.table is not None
    with ScoreTable([work.out / TOP]) as file:
        file.append(annotate_variants(top.table, **annotations))
    work.facts |= {"variants": number, "models": list(parameters.models), "left_out": _reasons(work)}


def _as_reference(table: pd.DataFrame) -> pd.DataFrame:
    """Make the columns of the reference's ``snp_score``; what a line has after its alleles is META_DATA."""
    given = table["chr"] + ":" + table["pos"].astype(str) + ":" + table["allele1"] + ":" + table["allele2"]
    first = pd.DataFrame(
        {
            "CHR": table["chr"],
            "POS0": table["pos"] - 1,
            "REF": table["allele1"],
            "ALT": table["allele2"],
            "META_DATA": table["variant_id"].where(table["variant_id"] != given, ""),
        }
    )
    columns = {str(name): table[name].to_numpy() for name in table.columns}
    return first.assign(**snp_score_columns(columns, table[LOG_PROBS].to_numpy()))


def _reasons(work: _Tabulating) -> dict[str, int]:
    """Reason → number of variants that are left out."""
    counts: dict[str, int] = {}
    for rows in pd.read_csv(
        work.inputs.listed / LEFT_OUT, sep="\t", usecols=["why"], dtype=str, quoting=3, chunksize=100_000
    ):
        for why, count in rows["why"].value_counts().items():
            counts[str(why)] = counts.get(str(why), 0) + int(count)
    return counts


def _blocks(work: _Tabulating) -> Iterator[list[pd.DataFrame]]:
    """Tables of the same variants of all models, chromosome after chromosome."""
    models, chroms = len(work.parameters.models), len(work.parameters.chroms)
    for chrom in range(chroms):
        paths = [work.inputs.scores[model * chroms + chrom] / SCORED for model in range(models)]
        for tables in zip(*(read_score_tables([path]) for path in paths), strict=True):
            yield list(tables)


def _mean(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of what several models say."""
    first = [*VARIANT_COLUMNS, "swapped"]
    scores = [{name: table[name].to_numpy() for name in table.columns if name not in first} for table in tables]
    return tables[0][first].assign(**summarise_folds(scores))


def _annotations(work: _Tabulating) -> dict[str, pd.DataFrame | None]:
    """Peaks, genes and hits under the genome's names of chromosomes."""
    inputs, naming = work.inputs, work.parameters.naming
    chroms = dict.fromkeys(work.parameters.chroms, 1)
    tables: dict[str, pd.DataFrame | None] = {}
    for name, path in {"peaks": inputs.peaks, "genes": inputs.genes, "hits": inputs.hits}.items():
        tables[name] = None
        if path is not None:
            table = read_bed3(path, name) if name == "peaks" else read_named_intervals(path, name)
            changed = naming.translate(table["chrom"].unique(), chroms)
            tables[name] = table.assign(chrom=table["chrom"].replace(changed))
    return tables


TABLES = Step(
    name="variant_tables",
    version=1,
    title="Put scores together",
    inputs=TablesInputs[Source],
    parameters=TablesParameters,
    body=_tabulate,
)


def variant_files(
    tables: Result,
    output_prefix: str,
    by_chromosome: dict[str, dict[str, list[Result]]],
    listed: Result,
    report: Result | None = None,
) -> tuple[str, dict[str, Path]]:
    """Name all files as the user gets them, such as ``PREFIX.variant_scores.tsv``.

    Parameters
    ----------
    tables
        Result of :data:`TABLES`.
    output_prefix
        Folder and beginning of the names.
    by_chromosome
        Model → chromosome → results whose HDF5 files the user gets.
    listed
        Result of the step that reads the list.
    report
        Result of the step that writes the report.

    Returns
    -------
    tuple
        Folder, and name → local path.
    """
    folder, prefix = split_prefix(output_prefix)
    files = {file: tables.file(file) for file in tables.manifest["files"] if file != TOP}
    files[LEFT_OUT] = listed.file(LEFT_OUT)
    for model, chroms in by_chromosome.items():
        for chrom, results in chroms.items():
            safe = re.sub(r"[^A-Za-z0-9._-]", "_", chrom)
            beginning = f"{model}.{safe}" if len(by_chromosome) > 1 else safe
            files |= {
                f"{beginning}.variant_{file}": result.file(file)
                for result in results
                for file in sorted(result.manifest["files"])
                if file.endswith(".h5")
            }
    if report is not None:
        files |= {file: report.file(file) for file in sorted(report.manifest["files"])}
    joint = {_SNPS: "_"}  # the reference's name
    return folder, {f"{prefix}{joint.get(file, '.')}{file}" if prefix else file: path for file, path in files.items()}
