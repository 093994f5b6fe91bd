"""TODO."""

from __future__ import annotations

import os
import tempfile

import numpy as np

__all__ = ["RowsOnDisk"]


class RowsOnDisk:
    """A float32 table ``(n, width)`` in an unnamed file of ``folder``: what memory must not hold.

    It is written and read, not mapped: a full disk then raises :class:`OSError` instead of ending the process.
    """

    def __init__(self, folder: str | os.PathLike[str], width: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (closed by close)
        self._width, self._stride = width, 4 * width

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Put ``values`` ``(m, width)`` into ``rows`` ``(m,)``."""
        for row, value in zip(rows, np.ascontiguousarray(values, dtype=np.float32), strict=True):
            self._file.seek(int(row) * self._stride)
            if self._file.write(value) != self._stride:
                raise OSError("a scratch file was not written whole; is the disk full?")

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Values ``(m, width)`` of ``rows`` ``(m,)``, which have been written."""
        values = np.empty((len(rows), self._width), dtype=np.float32)
        for row, value in zip(rows, values, strict=True):
            self._file.seek(int(row) * self._stride)
            if self._file.readinto(value) != self._stride:
                raise OSError("a scratch file could not be read whole")
        return values

    def __enter__(self) -> RowsOnDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
