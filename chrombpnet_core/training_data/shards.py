"""Training examples on disk: TFRecord shards by chromosome, with an index that finds any region at random.

A record is one region at L + 2·jitter (:mod:`chrombpnet_core.training_data.example_format`). Regions are sorted by
chromosome and centre; a large chromosome takes several shards, small ones share one. ``tf.data`` can stream a shard and a
trainer can read any record alone: global shuffle, fresh negatives each epoch and exact re-entry at a step need that. Bases
beyond a chromosome's end are coded as other letters, so one set of shards serves every fold and both models.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray, Codes, Floats
from chrombpnet_core.errors import InputError
from chrombpnet_core.training_data.example_format import VERSION, ShardLayout, decode_records

__all__ = ["NONPEAK", "PEAK", "ShardSet", "shard_name"]

PEAK, NONPEAK = 0, 1

_AGAIN = "delete the step's folder; it is made again"


def shard_name(shard: int) -> str:
    """Name the file of a shard."""
    return f"shard-{shard:05d}.tfrecord"


class ShardSet:
    """Read records of the shards in a folder, any of them at random; threads may share it.

    Records are read with ``pread`` rather than mapped: pages of a map count as this process's memory.

    Parameters
    ----------
    folder
        Where :func:`write_shards` put them.

    Attributes
    ----------
    layout
        Widths of its records.
    index
        One row a region, ``id`` equal to the row number.
    chroms
        Chromosome names; a record's header has the place in this list.

    Raises
    ------
    InputError
        Where another version of the program wrote them, or a shard is missing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        import pandas as pd

        self.folder = Path(folder)
        content = json.loads((self.folder / "layout.json").read_text())
        found = content.pop("format", 1)
        if found != VERSION:
            raise InputError(f"{self.folder}: shards", expected=f"format {VERSION}", found=str(found), remedy=_AGAIN)
        self.chroms: list[str] = content.pop("chroms")
        self.layout = ShardLayout(**content)
        self.index = pd.read_parquet(self.folder / "index.parquet")
        self._where = self.index[["shard", "offset", "length"]].to_numpy(dtype=np.int64)
        self._files: list[int] = []
        try:
            for shard in range(int(self.index["shard"].max()) + 1):
                self._files.append(os.open(self.folder / shard_name(shard), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            self.close()
            raise InputError(f"{error.filename}: no such shard", remedy=_AGAIN) from error

    def __len__(self) -> int:
        """Count the regions."""
        return len(self.index)

    def read(self, ids: AnyArray) -> tuple[Codes, Floats]:
        """Read records.

        Parameters
        ----------
        ids
            Region ids, ``(n,)``.

        Returns
        -------
        tuple of numpy.ndarray
            Base codes uint8 ``(n, bases)`` and counts float32 ``(n, positions)``, in the order of ``ids``.

        Raises
        ------
        InputError
            Where a record is damaged, with its shard and offset.
        """
        where = self._where[ids]
        try:
            header, codes, counts = decode_records([self._record(*row) for row in where.tolist()], self.layout)
        except ValueError as error:
            raise InputError(f"{self.folder}: {error}", remedy=_AGAIN) from error
        wrong = np.flatnonzero(header["id"] != ids)
        if len(wrong):
            shard, offset, _ = where[wrong[0]]
            raise InputError(
                f"{self._at(shard, offset)}: region {ids[wrong[0]]} expected, {header['id'][wrong[0]]} found", remedy=_AGAIN
            )
        return codes, counts

    def _record(self, shard: int, offset: int, length: int) -> bytes:
        """Read a record, whose checksum must be right."""
        from chrombpnet_core.formats import RECORD_TAIL, masked_crc32c

        data = os.pread(self._files[shard], length + RECORD_TAIL, offset)
        record, stored = data[:length], data[length:]
        if len(stored) != RECORD_TAIL or struct.unpack("<I", stored)[0] != masked_crc32c(record):
            raise InputError(f"{self._at(shard, offset)}: the record of {length:,} bytes there is damaged", remedy=_AGAIN)
        return record

    def _at(self, shard: int, offset: int) -> str:
        return f"{self.folder / shard_name(shard)}, byte {offset:,}"

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.pop())

    def __enter__(self) -> ShardSet:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self.close()
