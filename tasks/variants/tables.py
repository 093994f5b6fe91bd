"""Scores of all chromosomes and models put together: tables, a mean over models, annotations, an annotated VCF."""

from __future__ import annotations

import contextlib
import logging
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming, read_bed3
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
from tasks.reports import BUNDLE_MANIFEST
from tasks.runner import Result, Work, run_step, step_task
from tasks.storage import Store, redact, split_prefix
from tasks.variants.score import LEFT_OUT, LOG_PROBS, SCORED

__all__ = ["TOP", "bundle_models", "tabulate", "unpack_models", "variant_files"]

log = logging.getLogger(__name__)

MEAN, TABLE = "mean", "variant_scores"
TOP = "top.parquet"
"""Of the tables: the variants that rank first."""

_NOBIAS = re.compile(r"(?P<fold>[^/]+)/model\.chrombpnet_nobias\.[^/]*\.h5")
_SNPS = "snp_scores.tsv"  # the reference's table
_RANKED_BY = "abs_logfc_x_jsd"


@step_task("Put scores together")
def tabulate(
    store: str,
    variants: str,
    listed: Result,
    scored: dict[str, dict[str, Result]],
    schema: str,
    peaks: str | None = None,
    genes: str | None = None,
    hits: str | None = None,
    top: int = 20,
    naming: dict[str, Any] | None = None,
) -> Result:
    """Write tables of all scores, of a mean where there are several models, and a VCF where ``variants`` is one.

    ``scored`` has for each model, such as ``fold_0``, the results of its chromosomes, in order. The last table is annotated
    with what of ``peaks``, ``genes`` and ``hits`` is given; its ``top`` rows by \\|logfc\\| × jsd are kept apart.
    """
    names, chroms = [*scored], [*listed.facts.get("chroms", ())]
    return run_step(
        store,
        "variant_tables",
        1,
        {
            "variants": variants,
            "listed": listed,
            "peaks": peaks,
            "genes": genes,
            "hits": hits,
            "scores": [scored[name][chrom] for name in names for chrom in chroms],
        },
        {"models": names, "chroms": chroms, "schema": schema, "top": top, "naming": naming},
        _tabulate,
    )


@step_task("Unpack models")
def unpack_models(store: str, tar: str) -> Result:
    """The bias-free model of each fold in a bundle's tar, as ``<fold>.h5``."""
    return run_step(store, "bundle_models", 1, {"tar": tar}, {}, _unpack)


def bundle_models(url: str) -> str:
    """Address of the tar of models in a published bundle, with the MD5 that it must have.

    Raises
    ------
    InputError
        Where there is no whole bundle.
    """
    place = Store(url)
    manifest = place.read_json(BUNDLE_MANIFEST) or {}
    for file, told in manifest.get("files", {}).items():
        if told.get("output_type") == "models" and file.endswith(".tar"):
            address = place.uri(*file.split("/"))
            return address if place.local else f"{address}#md5={told['md5']}"
    raise InputError(
        f"{redact(url)}: no published bundle",
        expected=f"a {BUNDLE_MANIFEST} that names a tar of models",
        remedy="give <address>/<name> as the run published it, or models with -m",
    )


def _unpack(work: Work) -> None:
    try:
        with tarfile.open(work.inputs["tar"]) as tar:
            for member in tar:
                match = _NOBIAS.fullmatch(member.name)
                if match and member.isfile():
                    with tar.extractfile(member) as source:  # type: ignore[union-attr]
                        (work.out / f"{match['fold']}.h5").write_bytes(source.read())
    except tarfile.TarError as error:
        raise InputError(f"{work.inputs['tar']}: not a tar of models", found=str(error)) from error
    if not any(work.out.iterdir()):
        raise InputError(
            f"{work.inputs['tar']}: no bias-free model in it", expected="members fold_0/model.chrombpnet_nobias.….h5, …"
        )


def variant_files(
    result: Result,
    output_prefix: str,
    by_chromosome: dict[str, dict[str, list[Result]]],
    listed: Result,
    report: Result | None = None,
) -> tuple[str, dict[str, Path]]:
    """Folder, and name → local path of all files as the user gets them: ``PREFIX.variant_scores.tsv``, …

    ``by_chromosome`` has for each model and chromosome the results whose HDF5 files the user gets.
    """
    folder, name = split_prefix(output_prefix)
    found = {file: result.file(file) for file in result.manifest["files"] if file != TOP}
    found[LEFT_OUT] = listed.file(LEFT_OUT)
    for model, chroms in by_chromosome.items():
        for chrom, results in chroms.items():
            safe = re.sub(r"[^A-Za-z0-9._-]", "_", chrom)
            place = f"{model}.{safe}" if len(by_chromosome) > 1 else safe
            found |= {
                f"{place}.variant_{file}": each.file(file)
                for each in results
                for file in sorted(each.manifest["files"])
                if file.endswith(".h5")
            }
    if report is not None:
        found |= {file: report.file(file) for file in sorted(report.manifest["files"])}
    joint = {_SNPS: "_"}  # the reference's name
    return folder, {f"{name}{joint.get(file, '.')}{file}" if name else file: path for file, path in found.items()}


def _tabulate(work: Work) -> None:
    parameters = work.parameters
    names, several = parameters["models"], len(parameters["models"]) > 1
    final = f"{MEAN}.{TABLE}" if several else TABLE
    around = _around(work)
    column = f"{_RANKED_BY}.mean" if several else _RANKED_BY
    top, number, vcf = TopRows(parameters["top"], column), 0, is_vcf(work.inputs["variants"])
    schema = "chrombpnet" if vcf else parameters["schema"]
    kept = work.out.parent / "records.parquet"
    with contextlib.ExitStack() as files:

        def table_of(name: str) -> ScoreTable:
            return files.enter_context(ScoreTable([work.out / f"{name}.tsv", work.out / f"{name}.parquet"], schema))

        raw = [table_of(f"{name}.{TABLE}") for name in names] if several else []
        whole, records = table_of(final), files.enter_context(ScoreTable([kept]))
        snps = files.enter_context(ScoreTable([work.out / _SNPS])) if schema == "snp_score" and not several else None
        for tables in _blocks(work):
            for file, table in zip(raw, tables, strict=False):
                file.append(table)
            if snps is not None:
                snps.append(_as_reference(tables[0]))
            table = _together(tables) if several else tables[0].drop(columns=LOG_PROBS, errors="ignore")
            top.add(table)
            if vcf:
                records.append(table)
            whole.append(annotate_variants(table, **around))
            number += len(table)
    if vcf:
        work.facts["annotated_records"] = annotate_vcf(
            work.inputs["variants"], work.out / f"{final}.vcf.gz", read_score_tables([kept])
        )
    assert top.table is not None
    with ScoreTable([work.out / TOP]) as file:
        file.append(annotate_variants(top.table, **around))
    work.facts |= {"variants": number, "models": names, "left_out": _left_out(work)}


def _as_reference(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of the reference's ``snp_score``; what a line has after its alleles is META_DATA."""
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
    return first.assign(**snp_score_columns(table, table[LOG_PROBS].to_numpy()))


def _left_out(work: Work) -> dict[str, int]:
    """Reason → number."""
    counts: dict[str, int] = {}
    for part in pd.read_csv(
        work.inputs["listed"] / LEFT_OUT, sep="\t", usecols=["why"], dtype=str, quoting=3, chunksize=100_000
    ):
        for why, count in part["why"].value_counts().items():
            counts[str(why)] = counts.get(str(why), 0) + int(count)
    return counts


def _blocks(work: Work) -> Iterator[list[pd.DataFrame]]:
    """Tables of the same variants of all models, chromosome after chromosome."""
    names, chroms, folders = work.parameters["models"], work.parameters["chroms"], work.inputs["scores"]
    for at in range(len(chroms)):
        paths = [folders[number * len(chroms) + at] / SCORED for number in range(len(names))]
        for tables in zip(*(read_score_tables([path]) for path in paths), strict=True):
            yield list(tables)


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of what several models say."""
    first = [*VARIANT_COLUMNS, "swapped"]
    scores = [{name: table[name].to_numpy() for name in table.columns if name not in first} for table in tables]
    return tables[0][first].assign(**summarise_folds(scores))


def _around(work: Work) -> dict[str, pd.DataFrame | None]:
    """Peaks, genes and hits under the genome's names of chromosomes."""
    naming = Naming.from_json(work.parameters["naming"])
    chroms = dict.fromkeys(work.parameters["chroms"], 1)
    found: dict[str, pd.DataFrame | None] = {"peaks": None, "genes": None, "hits": None}
    for what in found:
        if what in work.inputs:
            path = work.inputs[what]
            table = read_bed3(path, what) if what == "peaks" else read_named_intervals(path, what)
            changed = naming.translate(table["chrom"].unique(), chroms)
            found[what] = table.assign(chrom=table["chrom"].replace(changed))
    return found
