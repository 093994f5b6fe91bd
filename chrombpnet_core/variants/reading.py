"""Variants as files have them: VCF and BCF, and the five tab-separated schemas of variant-scorer, in blocks of a table.

A variant table is a :class:`pandas.DataFrame` of :data:`VARIANT_COLUMNS`: ``chr``; ``pos``, the 1-based position of the
first letter of allele 1; ``allele1``, the reference's, and ``allele2``, upper case, ``-`` for none; ``variant_id``; ``end``
as a BED had it, else 0; ``record``, the line of a text file or the number of a VCF's record, from 1; ``alt``, which of the
record's alternative alleles, from 0. Files of millions are read in blocks: memory does not grow with them.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pysam

from chrombpnet_core._types import AnyArray, Bools
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.formats import check_complete, is_bgzip, is_gzip, numbered_lines, require_file, whole_number
from chrombpnet_core.variants.vcf_text import is_vcf, readable_vcf

__all__ = [
    "VARIANTS_PER_BLOCK",
    "VARIANT_COLUMNS",
    "VARIANT_SCHEMAS",
    "DuplicateVariants",
    "allele_problems",
    "read_variants",
    "schema_columns",
    "variant_table",
]

VARIANTS_PER_BLOCK = 50_000
"""Variants of a block at most (a little more where a VCF's record has several alleles)."""

VARIANT_COLUMNS = ["chr", "pos", "allele1", "allele2", "variant_id", "end", "record", "alt"]
"""Columns of a variant table."""

VARIANT_SCHEMAS: dict[str, list[str]] = {
    "chrombpnet": ["chr", "pos", "allele1", "allele2", "variant_id"],
    "original": ["chr", "pos", "variant_id", "allele1", "allele2"],
    "plink": ["chr", "variant_id", "ignore1", "pos", "allele1", "allele2"],
    "plink2": ["chr", "variant_id", "pos", "allele1", "allele2"],
    "bed": ["chr", "pos", "end", "allele1", "allele2", "variant_id"],
    "snp_score": ["chr", "pos", "allele1", "allele2", "variant_id"],
}
"""Schema → columns of its files, without a header. Positions are 1-based; those of ``bed`` and ``snp_score`` 0-based."""

_ZERO_BASED = ("bed", "snp_score")
_MORE_ALLOWED = ("snp_score",)  # any columns may follow, as in the reference
_ID_OPTIONAL = ("snp_score",)  # its META_DATA
_NO_LETTERS = "-"

_Row: TypeAlias = tuple[str, int, str, str, str, int, int, int]


def schema_columns(schema: str) -> list[str]:
    """List the columns that stand first in a table of scores, in the order of the schema.

    Parameters
    ----------
    schema
        One of :data:`VARIANT_SCHEMAS`; VCF has the columns of ``chrombpnet``.

    Returns
    -------
    list of str
        Names of columns.
    """
    return [name for name in VARIANT_SCHEMAS.get(schema, VARIANT_SCHEMAS["chrombpnet"]) if not name.startswith("ignore")]


def variant_table(variants: pd.DataFrame) -> pd.DataFrame:
    """Make a variant table of one that has the columns ``chr``, ``pos``, ``allele1`` and ``allele2``.

    Parameters
    ----------
    variants
        Positions are 1-based; ``variant_id`` may be there, other columns are dropped.

    Returns
    -------
    pandas.DataFrame
        A new table of :data:`VARIANT_COLUMNS`; ``record`` is the row, from 1.

    Raises
    ------
    InputError
        Where a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> given = pd.DataFrame({"chr": ["chr1"], "pos": [12], "allele1": ["a"], "allele2": ["T"]})
    >>> variant_table(given)["variant_id"].tolist()
    ['chr1:12:A:T']
    """
    missing = {"chr", "pos", "allele1", "allele2"} - {*variants.columns}
    if missing:
        raise InputError(f"table of variants: no column {', '.join(sorted(missing))}", expected="chr, pos, allele1, allele2")
    one, two = (
        variants[name].astype(str).str.strip().str.upper().replace("", _NO_LETTERS) for name in ("allele1", "allele2")
    )
    chrom, pos = variants["chr"].astype(str), _positions(variants["pos"])
    described = chrom + ":" + pos.astype(str) + ":" + one + ":" + two
    table = pd.DataFrame({"chr": chrom, "pos": pos, "allele1": one, "allele2": two}).reset_index(drop=True)
    names = variants["variant_id"].astype(str) if "variant_id" in variants.columns else described
    return table.assign(variant_id=names.to_numpy(), end=0, record=np.arange(1, len(table) + 1), alt=0)


def _positions(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(numbers.isna() | (numbers % 1 != 0))
    if bad.size:
        found = str(column.iloc[bad[0]])
        raise InputError(f"table of variants, row {bad[0]}: position", expected="an integer", found=found)
    return numbers.astype(np.int64)


def read_variants(path: str | os.PathLike[str], schema: str, block: int = VARIANTS_PER_BLOCK) -> Iterator[pd.DataFrame]:
    """Read variants in blocks, in file order; a VCF's record has a row for each alternative allele.

    Parameters
    ----------
    path
        VCF, bgzip or plain, or BCF, recognised by its content; else tab-separated text, plain or gzip.
    schema
        One of :data:`VARIANT_SCHEMAS`, or ``vcf``; of no effect on a VCF.
    block
        Rows at a time.

    Yields
    ------
    pandas.DataFrame
        Variant tables.

    Raises
    ------
    InputError
        Naming file and line, for what cannot be read at all: columns, positions, damage. Alleles are looked at by
        :func:`allele_problems`.
    """
    file = require_file(path, "variants")
    if is_vcf(file):
        yield from _blocks(_read_vcf(file), block, file, "VCF records")
        return
    if schema == "vcf":
        raise InputError(
            f"{path}: not VCF",
            expected="a first line that begins with ##fileformat=VCF, or the line of column names, #CHROM to INFO",
            remedy=f"name the columns of a table by `schema`: {', '.join(VARIANT_SCHEMAS)}",
        )
    if schema not in VARIANT_SCHEMAS:
        raise InputError(f"schema {schema}", expected=", ".join(VARIANT_SCHEMAS))
    yield from _blocks(_read_text(file, schema), block, file, f"lines of {', '.join(VARIANT_SCHEMAS[schema])}")


def _blocks(records: Iterable[list[_Row]], block: int, path: Path, expected: str) -> Iterator[pd.DataFrame]:
    """Gather the rows of records in tables of ``block`` rows, a little more where a record has several."""
    rows: list[_Row] = []
    empty = True
    for record in records:
        rows += record
        empty = False
        if len(rows) >= block:
            yield pd.DataFrame(rows, columns=VARIANT_COLUMNS)
            rows = []
    if rows:
        yield pd.DataFrame(rows, columns=VARIANT_COLUMNS)
    elif empty:
        raise InputError(f"{path}: no variants", expected=expected)


def _read_text(path: Path, schema: str) -> Iterator[list[_Row]]:
    names = VARIANT_SCHEMAS[schema]
    place = {name: number for number, name in enumerate(names)}
    base = 1 if schema in _ZERO_BASED else 0
    least = len(names) - (schema in _ID_OPTIONAL)
    first = True
    for number, line in numbered_lines(path, "variants"):
        fields = line.split("\t")
        if len(fields) < least or (len(fields) > len(names) and schema not in _MORE_ALLOWED):
            raise InputError(
                f"{path}, line {number:,}: {counted(len(fields), 'columns')}",
                expected=f"the {least} tab-separated columns of the schema {schema}: {', '.join(names[:least])}",
                remedy="give another `schema`",
            )
        start, end = (whole_number(fields[place[column]]) if column in place else 0 for column in ("pos", "end"))
        if start is None or end is None:
            raise InputError(
                f"{path}, line {number:,}: {'position' if start is None else 'end'}",
                expected="an integer",
                found=repr(fields[place["pos" if start is None else "end"]]),
                remedy="take a header line away" if first else "",
            )
        one, two = (fields[place[name]].strip().upper() or _NO_LETTERS for name in ("allele1", "allele2"))
        chrom, pos = fields[0], start + base
        name = fields[place["variant_id"]] if len(fields) > place["variant_id"] else ""
        yield [(chrom, pos, one, two, name or f"{chrom}:{pos}:{one}:{two}", end, number, 0)]
        first = False


def _read_vcf(path: Path) -> Iterator[list[_Row]]:
    """Refuses records that are not sorted: what reads VCF relies on it, and the annotated copy keeps their order."""
    if is_gzip(path) and not is_bgzip(path):
        raise InputError(
            f"{path}: VCF in plain gzip",
            expected="bgzip, which every reader of VCF can seek in",
            remedy=f"gunzip -c {path} | bgzip > FILE.vcf.gz",
        )
    check_complete(path)
    verbosity = pysam.set_verbosity(0)
    number = 0
    finished: set[str] = set()  # chromosomes of the records so far
    previous = ("", 0)
    try:
        with readable_vcf(path) as readable, pysam.VariantFile(str(readable)) as file:
            for number, record in enumerate(file, start=1):
                if record.pos < previous[1] if record.chrom == previous[0] else record.chrom in finished:
                    raise InputError(
                        f"{path}: not sorted: record {number:,}, {record.chrom}:{record.pos}, comes after "
                        f"{previous[0]}:{previous[1]}",
                        remedy="sort it: bcftools sort",
                    )
                previous = record.chrom, record.pos
                finished.add(record.chrom)
                yield _rows_of(record, number)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: after record {number:,} it cannot be read as VCF",
            found=str(error),
            remedy="copy or make the file again",
        ) from error
    finally:
        pysam.set_verbosity(verbosity)


def _rows_of(record: pysam.VariantRecord, number: int) -> list[_Row]:
    """Make a row for each alternative allele of a VCF's record."""
    alts, ref = record.alts or (".",), str(record.ref)
    rows: list[_Row] = []
    for alt, allele in enumerate(alts):
        name = record.id or f"{record.chrom}:{record.pos}:{ref}:{allele}"
        unique = f"{name}_{allele}" if record.id and len(alts) > 1 else name
        rows.append((record.chrom, record.pos, ref.upper(), allele.upper(), unique, 0, number, alt))
    return rows


def allele_problems(table: pd.DataFrame) -> AnyArray:
    """Say why variants' alleles cannot be scored.

    Parameters
    ----------
    table
        Variant table.

    Returns
    -------
    numpy.ndarray
        Text ``(n,)``, empty where they can.
    """
    problems = np.full(len(table), "", dtype=object)
    one, two = table["allele1"], table["allele2"]
    letters = one.str.fullmatch("[ACGT]+|-") & two.str.fullmatch("[ACGT]+|-")
    problems[~letters.to_numpy()] = "an allele has letters other than A, C, G and T"
    problems[(one.str.contains(r"[<>\[\]]") | two.str.contains(r"[<>\[\]]")).to_numpy()] = "symbolic allele"
    problems[((one == "*") | (two == "*")).to_numpy()] = "allele *"
    problems[(two == ".").to_numpy()] = "no alternative allele"
    problems[(letters & (one == two)).to_numpy()] = "both alleles are the same"
    return problems


class DuplicateVariants:
    """Tell, block after block, which variants were there before; keep 8 bytes of each."""

    def __init__(self) -> None:
        self._seen: dict[str, AnyArray] = {}

    def mark(self, table: pd.DataFrame) -> Bools:
        """Say whether each variant is one that came before, bool ``(n,)``."""
        keys = pd.util.hash_pandas_object(table[["pos", "allele1", "allele2"]], index=False).to_numpy()
        repeated = np.zeros(len(table), dtype=bool)
        for name, rows in table.groupby("chr", sort=False).indices.items():
            chrom = str(name)
            seen, own = self._seen.get(chrom, np.empty(0, np.uint64)), keys[rows]
            _, firsts = np.unique(own, return_index=True)
            again = np.ones(len(own), dtype=bool)
            again[firsts] = False
            if len(seen):
                again |= seen[np.minimum(np.searchsorted(seen, own), len(seen) - 1)] == own
            repeated[rows] = again
            self._seen[chrom] = np.sort(np.concatenate([seen, own[~again]]), kind="stable")
        return repeated
