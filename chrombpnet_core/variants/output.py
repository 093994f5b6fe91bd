"""Scores of variants as files, block by block: a table as TSV and Parquet, a VCF with INFO fields, predictions as HDF5."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pysam

from chrombpnet_core.variants.files import output_columns
from chrombpnet_core.variants.scores import Alleles

__all__ = ["PredictionsFile", "ScoreTable", "Top", "VariantContributionsFile", "annotate_vcf", "read_parts", "read_table"]

_DIGITS = "%.9g"
_INFO = {
    "logfc": ("CBP_LOGFC", "log2 of predicted counts, this allele over REF"),
    "jsd": ("CBP_JSD", "Jensen-Shannon distance (base 2) of the predicted profiles"),
    "logfc_x_jsd": ("CBP_LOGFC_X_JSD", "CBP_LOGFC times CBP_JSD"),
    "active_allele_quantile": ("CBP_QUANTILE", "quantile among peaks of the more accessible allele's counts"),
    "logfc_x_jsd_x_active_allele_quantile": ("CBP_PRIORITY", "CBP_LOGFC times CBP_JSD times CBP_QUANTILE"),
    "abs_logfc_x_jsd.pval": ("CBP_PVAL", "p-value of |CBP_LOGFC| times CBP_JSD against shuffled sequences"),
}
"""Score → INFO field and what it is; with several models their mean."""

_SIGNED = ("CBP_LOGFC", "CBP_LOGFC_X_JSD", "CBP_PRIORITY")
_TEXT = {"chr": str, "allele1": str, "allele2": str, "variant_id": str}


def read_table(path: str | os.PathLike, block: int) -> Iterator[pd.DataFrame]:
    """Read a TSV of variants with a header, ``block`` rows at a time."""
    with pd.read_csv(path, sep="\t", dtype=_TEXT, keep_default_na=False, quoting=csv.QUOTE_NONE, chunksize=block) as parts:
        for part in parts:
            yield part.reset_index(drop=True)


def read_parts(paths: Iterable[str | os.PathLike]) -> Iterator[pd.DataFrame]:
    """Read tables of :class:`ScoreTable`, Parquet, one after the other, a row group at a time."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).to_pandas()


class ScoreTable:
    """A table that grows: Parquet, TSV or both, by the names' ends.

    Parameters
    ----------
    paths
        ``.parquet`` or ``.tsv``.
    schema
        Of the variants' file: decides on the first columns, and, with ``bed``, on 0-based positions. None: all columns are
        written as they are.
    """

    def __init__(self, paths: Iterable[str | os.PathLike], schema: str | None = None) -> None:
        self._paths, self._schema = [Path(path) for path in paths], schema
        self._parquet: dict[Path, pq.ParquetWriter] = {}
        self._texts = {path: path.open("w", encoding="utf-8") for path in self._paths if path.suffix == ".tsv"}
        self._begun = False

    def append(self, table: pd.DataFrame) -> None:
        """Add rows; they must have the columns of those before."""
        if self._schema is not None:
            table = _shown(table, self._schema)
        for file in self._texts.values():
            table.to_csv(
                file,
                sep="\t",
                index=False,
                header=not self._begun,
                float_format=_DIGITS,
                na_rep="NA",
                quoting=csv.QUOTE_NONE,
                quotechar="\a",
            )  # nothing is quoted: names hold what they hold
        self._begun = True
        content = pa.Table.from_pandas(table, preserve_index=False)
        for path in self._paths:
            if path.suffix == ".parquet":
                if path not in self._parquet:
                    self._parquet[path] = pq.ParquetWriter(path, content.schema, compression="zstd")
                self._parquet[path].write_table(content)

    def __enter__(self) -> ScoreTable:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (*self._texts.values(), *self._parquet.values()):
            file.close()


def _shown(table: pd.DataFrame, schema: str) -> pd.DataFrame:
    """The columns of the user's schema, ``swapped`` where alleles were exchanged, and the scores."""
    first = output_columns(schema)
    if schema == "bed":
        table = table.assign(pos=table["pos"] - 1)
    hidden = {*first, "end", "record", "alt"}
    return table[[*first, *[name for name in table.columns if name not in hidden]]]


class Top:
    """Keeps the rows with the largest values of a column out of all that were shown to it.

    Parameters
    ----------
    number
        Rows to keep.
    column
        That decides; of equal rows the first ones stay.
    """

    def __init__(self, number: int, column: str) -> None:
        self._number, self._column = number, column
        self.table: pd.DataFrame | None = None

    def add(self, table: pd.DataFrame) -> None:
        """Look at some rows."""
        best = table.nlargest(self._number, self._column)
        both = best if self.table is None else pd.concat([self.table, best])
        self.table = both.nlargest(self._number, self._column).reset_index(drop=True)


class PredictionsFile:
    """Predictions as HDF5, as variant-scorer's, in the order of the table.

    ``observed/allele1_pred_counts``, ``observed/allele1_pred_profiles`` (logits, mean of both strands), the same of
    allele 2, and ``variant_ids``.

    Parameters
    ----------
    path
        Where it goes.
    width
        Output length in bp.
    """

    def __init__(self, path: str | os.PathLike, width: int) -> None:
        self._file = h5py.File(path, "w")
        self._sets = {
            "variant_ids": self._file.create_dataset(
                "variant_ids", (0,), h5py.string_dtype(), maxshape=(None,), chunks=(1024,)
            )
        }
        for allele in ("allele1", "allele2"):
            for name, shape in ((f"{allele}_pred_counts", ()), (f"{allele}_pred_profiles", (width,))):
                self._sets[name] = self._file.create_dataset(
                    f"observed/{name}",
                    (0, *shape),
                    np.float32,
                    maxshape=(None, *shape),
                    chunks=(64, *shape) if shape else (4096,),
                    compression="gzip",
                    compression_opts=1,
                    shuffle=True,
                )

    def append(self, names: Iterable[str], alleles: Alleles) -> None:
        """Add variants."""
        values = {
            "variant_ids": np.asarray(list(names), dtype=object),
            "allele1_pred_counts": alleles.counts1,
            "allele2_pred_counts": alleles.counts2,
            "allele1_pred_profiles": alleles.logits1,
            "allele2_pred_profiles": alleles.logits2,
        }
        for name, value in values.items():
            at = len(self._sets[name])
            self._sets[name].resize(at + len(value), axis=0)
            self._sets[name][at:] = value

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()


class VariantContributionsFile:
    """Contributions of both alleles as HDF5, as variant-scorer's: ``raw/seq``, ``shap/seq``, ``projected_shap/seq``.

    ``alleles`` (0: the first, 1: the second) and ``variant_ids`` tell what a row is.

    Parameters
    ----------
    path
        Where it goes.
    length
        Input length in bp.
    """

    def __init__(self, path: str | os.PathLike, length: int) -> None:
        from chrombpnet_core.interpret import ContributionsFile  # with it comes Keras

        self._path, self._file = path, ContributionsFile(path, length)
        self._names: list[str] = []
        self._alleles: list[int] = []

    def append(self, names: Iterable[str], codes: np.ndarray, scores: np.ndarray) -> None:
        """Add variants: base codes uint8 ``(2, n, L)``, hypothetical contributions ``(2, n, L, 4)``; first alleles first."""
        names = list(names)
        for allele in (0, 1):
            self._file.append(codes[allele], scores[allele])
            self._names += names
            self._alleles += [allele] * len(names)

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()
        with h5py.File(self._path, "a") as written:
            written.create_dataset("variant_ids", data=np.array(self._names, dtype=object), dtype=h5py.string_dtype())
            written.create_dataset("alleles", data=np.array(self._alleles, dtype=np.int8))


def annotate_vcf(source: str | os.PathLike, target: str | os.PathLike, tables: Iterable[pd.DataFrame]) -> int:
    """Copy a VCF or BCF as bgzip VCF with scores in INFO, a value for each alternative allele; how many records have some.

    Values are of the record as it stands: where the genome has its alternative allele (``swapped``), signs are turned back.

    Parameters
    ----------
    source, target
        VCF or BCF, and ``.vcf.gz``.
    tables
        Tables of scores with ``record`` and ``alt``, ascending; ``.mean`` of several models is taken where it is there.
    """
    rows = _rows(tables)
    following = next(rows, None)
    annotated = 0
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(source)) as before:
            header = before.header
            for name, words in _INFO.values():
                header.info.add(name, "A", "Float", words)
            if "END" not in header.info:  # pysam states the end of symbolic alleles when it writes
                header.info.add("END", 1, "Integer", "last position of the record")
            header.info.add("CBP_SWAPPED", 0, "Flag", "the genome has an alternative allele of this record")
            with pysam.VariantFile(str(target), "wz", header=header) as after:
                for number, record in enumerate(before, start=1):
                    found = {}
                    while following is not None and following["record"] == number:
                        found[following["alt"]] = following
                        following = next(rows, None)
                    if found:
                        annotated += 1
                        _annotate(record, found)
                    after.write(record)
    finally:
        pysam.set_verbosity(verbosity)
    return annotated


def _rows(tables: Iterable[pd.DataFrame]) -> Iterator[dict]:
    for table in tables:
        named = {f"{score}{mean}": score for score in _INFO for mean in ("", ".mean")} | {
            "abs_logfc_x_jsd.mean.pval": "abs_logfc_x_jsd.pval"
        }
        columns = [name for name in named if name in table.columns]
        yield from table[["record", "alt", "swapped", *columns]].rename(columns=named).to_dict("records")


def _annotate(record: pysam.VariantRecord, found: dict[int, dict]) -> None:
    for score, (name, _) in _INFO.items():
        values = [None] * len(record.alts)
        for alt, row in found.items():
            if score in row:
                values[alt] = float(row[score]) * (-1 if row["swapped"] and name in _SIGNED else 1)
        if any(value is not None for value in values):
            record.info[name] = tuple(values)
    if any(row["swapped"] for row in found.values()):
        record.info["CBP_SWAPPED"] = True
