"""HDF5 tables that grow: columns of one length to which rows are appended, however many there will be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats.hdf5 import open_hdf5_to_write

__all__ = ["GrowingTable", "TableColumn"]


@dataclass(frozen=True)
class TableColumn:
    """What a column of a :class:`GrowingTable` holds.

    Parameters
    ----------
    dtype
        Of the values in the file; values are converted where they are appended.
    shape
        Of the value of one row; ``()`` for a number or text.
    chunk
        Rows that are stored, and compressed, together.
    filters
        Options of h5py's ``create_dataset`` such as ``compression``, ``compression_opts`` and ``shuffle``.
    """

    dtype: npt.DTypeLike
    shape: tuple[int, ...] = ()
    chunk: int = 4096
    filters: Mapping[str, Any] = field(default_factory=dict)


class GrowingTable:
    """Columns of one length in a new HDF5 file.

    Parameters
    ----------
    path
        Where the file goes; one that is there is replaced.
    columns
        Name in the file, with its groups such as ``coords/coords_chrom``, → what it holds.

    Examples
    --------
    >>> import os, tempfile, h5py
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "table.h5")
    ...     with GrowingTable(path, {"names": TableColumn(h5py.string_dtype()), "scores": TableColumn("f4", (2,))}) as table:
    ...         table.append({"names": ["a"], "scores": [[1, 2]]})
    ...         table.append({"names": ["b"], "scores": [[3, 4]]})
    ...     with h5py.File(path) as file:
    ...         file["scores"][:].tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """

    def __init__(self, path: str | os.PathLike[str], columns: Mapping[str, TableColumn]) -> None:
        self._open = contextlib.ExitStack()
        self._file = self._open.enter_context(open_hdf5_to_write(path))
        self._columns = {
            name: self._file.create_dataset(
                name,
                (0, *column.shape),
                column.dtype,
                maxshape=(None, *column.shape),
                chunks=(column.chunk, *column.shape),
                **column.filters,
            )
            for name, column in columns.items()
        }

    def append(self, rows: Mapping[str, AnyArray | list[Any]]) -> None:
        """Add rows: for every column its values, ``(n, *shape)``."""
        if set(rows) != set(self._columns) or len({len(values) for values in rows.values()}) > 1:
            raise ValueError(f"rows of {[*rows]} are not rows of {[*self._columns]}")
        for name, values in rows.items():
            column = self._columns[name]
            first = len(column)
            column.resize(first + len(values), axis=0)
            column[first:] = values if column.dtype.kind == "O" else np.asarray(values, dtype=column.dtype)

    def close(self) -> None:
        """Write what is left and close the file."""
        self._open.close()

    def __enter__(self) -> GrowingTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
