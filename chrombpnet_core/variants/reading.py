"""Variants as files have them: VCF and BCF, and the five tab-separated schemas of variant-scorer, in blocks of a table.

A variant table is a :class:`pandas.DataFrame` of :data:`VARIANT_COLUMNS`: ``chr``; ``pos``, the 1-based position of the
first letter of allele 1; ``allele1``, the reference's, and ``allele2``, upper case, ``-`` for none; ``variant_id``; ``end``
as a BED had it, else 0; ``record``, the line of a text file or the number of a VCF's record, from 1; ``alt``, which of the
record's alternative alleles, from 0. Files of millions are read in blocks: memory does not grow with them.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import check_complete, is_bgzip, is_gzip, numbered_lines, require_file

__all__ = [
    "VARIANTS_PER_BLOCK",
    "VARIANT_COLUMNS",
    "VARIANT_SCHEMAS",
    "DuplicateVariants",
    "allele_problems",
    "is_vcf",
    "read_variants",
    "schema_columns",
]

VARIANTS_PER_BLOCK = 50_000
"""Variants of a block at most (a little more where a VCF's record has several alleles)."""

VARIANT_COLUMNS = ["chr", "pos", "allele1", "allele2", "variant_id", "end", "record", "alt"]

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
_NONE = "-"


def schema_columns(schema: str) -> list[str]:
    """The columns that stand first in a table of scores, in the order of the schema; VCF has that of ``chrombpnet``."""
    return [name for name in VARIANT_SCHEMAS.get(schema, VARIANT_SCHEMAS["chrombpnet"]) if not name.startswith("ignore")]


def is_vcf(path: str | os.PathLike) -> bool:
    """Whether a file is VCF, plain or compressed, or BCF: by its first bytes, whatever its name."""
    with open(path, "rb") as file:
        head = file.read(16)
    if is_gzip(path):
        try:
            with gzip.open(path, "rb") as file:
                head = file.read(16)
        except (EOFError, OSError, zlib.error):
            return str(path).endswith((".vcf.gz", ".bcf"))
    return head.startswith((b"##fileformat=VCF", b"BCF\2"))


def read_variants(path: str | os.PathLike, schema: str, block: int = VARIANTS_PER_BLOCK) -> Iterator[pd.DataFrame]:
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
    Variant tables.

    Raises
    ------
    InputError
        Naming file and line, for what cannot be read at all: columns, positions, damage. Alleles are looked at by
        :func:`allele_problems`.
    """
    found = require_file(path, "variants")
    if is_vcf(found):
        yield from _read_vcf(found, block)
        return
    if schema == "vcf":
        raise InputError(
            f"{path}: not VCF",
            expected="a first line that begins with ##fileformat=VCF",
            remedy=f"of a table tell its columns: --schema {', '.join(VARIANT_SCHEMAS)}",
        )
    if schema not in VARIANT_SCHEMAS:
        raise InputError(f"schema {schema}", expected=", ".join(VARIANT_SCHEMAS))
    yield from _read_text(found, schema, block)


def _read_text(path: Path, schema: str, block: int) -> Iterator[pd.DataFrame]:
    names, rows, some = VARIANT_SCHEMAS[schema], [], False
    place = {name: number for number, name in enumerate(names)}
    base = 1 if schema in _ZERO_BASED else 0
    for number, line in numbered_lines(path, "variants"):
        fields = line.split("\t")
        least = len(names) - (schema in _ID_OPTIONAL)
        if len(fields) < least or (len(fields) > len(names) and schema not in _MORE_ALLOWED):
            raise InputError(
                f"{path}, line {number:,}: {len(fields)} columns",
                expected=f"the {least} tab-separated columns of the schema {schema}: {', '.join(names[:least])}",
                remedy="give another --schema",
            )
        pos, end = fields[place["pos"]], fields[place["end"]] if "end" in place else "0"
        if not pos.isdecimal() or not end.isdecimal():
            raise InputError(
                f"{path}, line {number:,}: {'end' if pos.isdecimal() else 'position'}",
                expected="an integer",
                found=repr(end if pos.isdecimal() else pos),
                remedy="take a header line away" if not some and not rows else "",
            )
        one, two = (fields[place[name]].strip().upper() or _NONE for name in ("allele1", "allele2"))
        chrom, at = fields[0], int(pos) + base
        name = "".join(fields[place["variant_id"] : place["variant_id"] + 1]) if "variant_id" in place else ""
        name = name or f"{chrom}:{at}:{one}:{two}"
        rows.append((chrom, at, one, two, name, int(end), number, 0))
        if len(rows) >= block:
            yield pd.DataFrame(rows, columns=VARIANT_COLUMNS)
            rows, some = [], True
    if rows:
        yield pd.DataFrame(rows, columns=VARIANT_COLUMNS)
    elif not some:
        raise InputError(f"{path}: no variants", expected=f"lines of {', '.join(names)}")


def _read_vcf(path: Path, block: int) -> Iterator[pd.DataFrame]:
    """Refuses records that are not sorted: what reads VCF relies on it, and the annotated copy keeps their order."""
    if is_gzip(path) and not is_bgzip(path):
        raise InputError(
            f"{path}: VCF in plain gzip",
            expected="bgzip, which every reader of VCF can seek in",
            remedy=f"gunzip -c {path} | bgzip > FILE.vcf.gz",
        )
    check_complete(path)
    verbosity = pysam.set_verbosity(0)
    rows, number, some, done, before = [], 0, False, set(), ("", 0)
    try:
        with pysam.VariantFile(str(path)) as file:
            for number, record in enumerate(file, start=1):
                if record.pos < before[1] if record.chrom == before[0] else record.chrom in done:
                    raise InputError(
                        f"{path}: not sorted: record {number:,}, {record.chrom}:{record.pos}, comes after "
                        f"{before[0]}:{before[1]}",
                        remedy="sort it: bcftools sort",
                    )
                before = record.chrom, record.pos
                done.add(record.chrom)
                alts = record.alts or (".",)
                for alt, allele in enumerate(alts):
                    name = record.id or f"{record.chrom}:{record.pos}:{record.ref}:{allele}"
                    rows.append(
                        (
                            record.chrom,
                            record.pos,
                            record.ref.upper(),
                            allele.upper(),
                            f"{name}_{allele}" if record.id and len(alts) > 1 else name,
                            0,
                            number,
                            alt,
                        )
                    )
                if len(rows) >= block:
                    yield pd.DataFrame(rows, columns=VARIANT_COLUMNS)
                    rows, some = [], True
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path}: after record {number:,} it cannot be read as VCF",
            found=str(error),
            remedy="copy or make the file again",
        ) from error
    finally:
        pysam.set_verbosity(verbosity)
    if rows:
        yield pd.DataFrame(rows, columns=VARIANT_COLUMNS)
    elif not some:
        raise InputError(f"{path}: no variants", expected="VCF records")


def allele_problems(table: pd.DataFrame) -> np.ndarray:
    """Why a variant's alleles cannot be scored, text ``(n,)``, empty where they can."""
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
    """Tells, block after block, which variants were there before; keeps 8 bytes of each."""

    def __init__(self) -> None:
        self._seen: dict[str, np.ndarray] = {}

    def mark(self, table: pd.DataFrame) -> np.ndarray:
        """Whether each variant is one that came before, bool ``(n,)``."""
        keys = pd.util.hash_pandas_object(table[["pos", "allele1", "allele2"]], index=False).to_numpy()
        repeated = np.zeros(len(table), dtype=bool)
        for chrom, rows in table.groupby("chr", sort=False).indices.items():
            seen = self._seen.get(chrom, np.empty(0, np.uint64))
            own = keys[rows]
            _, firsts = np.unique(own, return_index=True)
            again = np.ones(len(own), dtype=bool)
            again[firsts] = False
            if len(seen):
                again |= seen[np.minimum(np.searchsorted(seen, own), len(seen) - 1)] == own
            repeated[rows] = again
            self._seen[chrom] = np.sort(np.concatenate([seen, own[~again]]), kind="stable")
        return repeated
