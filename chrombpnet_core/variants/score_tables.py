"""Tables of variants and their scores, block by block: TSV and Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chrombpnet_core.variants.reading import schema_columns

__all__ = ["ScoreTable", "TopRows", "read_score_tables", "read_variant_table"]

_DIGITS = "%.9g"
_TEXT = {"chr": str, "allele1": str, "allele2": str, "variant_id": str}


def read_variant_table(path: str | os.PathLike[str], block: int) -> Iterator[pd.DataFrame]:
    """Read a TSV of variants with a header, as :class:`ScoreTable` writes it.

    Parameters
    ----------
    path
        The file.
    block
        Rows at a time.

    Yields
    ------
    pandas.DataFrame
        The next rows.
    """
    with pd.read_csv(path, sep="\t", dtype=_TEXT, keep_default_na=False, quoting=csv.QUOTE_NONE, chunksize=block) as tables:
        for table in tables:
            yield table.reset_index(drop=True)


def read_score_tables(paths: Iterable[str | os.PathLike[str]]) -> Iterator[pd.DataFrame]:
    """Read Parquet of :class:`ScoreTable`, one file after the other, a row group at a time.

    Parameters
    ----------
    paths
        The files.

    Yields
    ------
    pandas.DataFrame
        The rows that were appended together.
    """
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

    def __init__(self, paths: Iterable[str | os.PathLike[str]], schema: str | None = None) -> None:
        self._paths, self._schema = [Path(path) for path in paths], schema
        self._parquet: dict[Path, pq.ParquetWriter] = {}
        self._texts = {path: path.open("w", encoding="utf-8") for path in self._paths if path.suffix == ".tsv"}
        self._begun = False

    def append(self, table: pd.DataFrame) -> None:
        """Add rows; they must have the columns of those before."""
        if self._schema is not None:
            table = _in_schema(table, self._schema)
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
        for text in self._texts.values():
            text.close()
        for writer in self._parquet.values():
            writer.close()


def _in_schema(table: pd.DataFrame, schema: str) -> pd.DataFrame:
    """Order columns: those of the user's schema, ``swapped`` where alleles were exchanged, and the scores."""
    first = schema_columns(schema)
    if schema == "bed":
        table = table.assign(pos=table["pos"] - 1)
    hidden = {*first, "end", "record", "alt"}
    return table[[*first, *[name for name in table.columns if name not in hidden]]]


class TopRows:
    """Keep the rows with the largest values of a column out of all that were added.

    Parameters
    ----------
    number
        Rows to keep.
    column
        That decides; of equal rows the first ones stay.

    Attributes
    ----------
    table
        The rows, the largest first; None before any was added.
    """

    def __init__(self, number: int, column: str) -> None:
        self._number, self._column = number, column
        self.table: pd.DataFrame | None = None

    def add(self, table: pd.DataFrame) -> None:
        """Consider some rows."""
        best = table.nlargest(self._number, self._column)
        both = best if self.table is None else pd.concat([self.table, best])
        self.table = both.nlargest(self._number, self._column).reset_index(drop=True)
