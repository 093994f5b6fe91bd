"""Tables on disk: rows that memory must not hold, such as predicted profiles of every region."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from chrombpnet_core._types import AnyArray, Floats

__all__ = ["RowsOnDisk"]


class RowsOnDisk:
    """A float32 table ``(n, width)`` in an unnamed file.

    It is written and read, not mapped: a full disk then raises :class:`OSError` instead of ending the process.

    Parameters
    ----------
    folder
        Where the file is.
    width
        Numbers in a row.
    """

    def __init__(self, folder: str | os.PathLike[str], width: int) -> None:
        self._file = tempfile.TemporaryFile(dir=os.fspath(folder), buffering=0)  # noqa: SIM115 (see __exit__)
        self._width, self._stride = width, 4 * width

    def write(self, rows: AnyArray, values: AnyArray) -> None:
        """Put ``values`` ``(m, width)`` into ``rows`` ``(m,)``."""
        for row, value in zip(rows, np.ascontiguousarray(values, dtype=np.float32), strict=True):
            self._file.seek(int(row) * self._stride)
            if self._file.write(value) != self._stride:
                raise OSError("a scratch file was not written whole; is the disk full?")

    def read(self, rows: AnyArray) -> Floats:
        """Read the values ``(m, width)`` of ``rows`` ``(m,)``, which have been written."""
        values = np.empty((len(rows), self._width), dtype=np.float32)
        for row, value in zip(rows, values, strict=True):
            self._file.seek(int(row) * self._stride)
            if self._file.readinto(value.data) != self._stride:
                raise OSError("a scratch file could not be read whole")
        return values

    def __enter__(self) -> RowsOnDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
