"""Training examples on disk: TFRecord shards by chromosome, with an index that finds any region at random.

A record is one region at L + 2·jitter: bases, insertion counts, id, kind, chromosome and centre. Records are compressed one
by one (zlib) inside an uncompressed TFRecord container, so that ``tf.data`` can stream a shard and a trainer can read any
record alone: global shuffle, fresh negatives each epoch and exact re-entry at a step need that. Bases beyond a chromosome's
end are coded as other letters, so one set of shards serves every fold and both models.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import google_crc32c
import numpy as np
import pandas as pd

from chrombpnet_core.coverage import Coverage
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import OTHER, Genome
from chrombpnet_core.progress import bar
from chrombpnet_core.regions import centres

__all__ = ["NONPEAK", "PEAK", "Layout", "ShardSet", "decode", "encode", "write_shards"]

PEAK, NONPEAK = 0, 1
_HEADER = struct.Struct("<IBxxxII")  # id, kind, chromosome number, centre
_COMPRESSION = 1


@dataclass(frozen=True)
class Layout:
    """Widths in bp that every record of a shard set shares."""

    input_length: int
    output_length: int
    jitter: int

    @property
    def bases(self) -> int:
        """Bases in a record."""
        return self.input_length + 2 * self.jitter

    @property
    def positions(self) -> int:
        """Count positions in a record."""
        return self.output_length + 2 * self.jitter


def encode(number: int, kind: int, chrom: int, centre: int, codes: np.ndarray, counts: np.ndarray) -> bytes:
    """One record: header, base codes (uint8), counts (little-endian float32), compressed with zlib."""
    header = _HEADER.pack(number, kind, chrom, centre)
    return zlib.compress(header + codes.tobytes() + counts.astype("<f4").tobytes(), _COMPRESSION)


def decode(record: bytes, layout: Layout) -> tuple[tuple[int, int, int, int], np.ndarray, np.ndarray]:
    """Header ``(id, kind, chromosome, centre)``, base codes uint8 ``(bases,)`` and counts float32 ``(positions,)``."""
    raw = zlib.decompress(record)
    at = _HEADER.size
    codes = np.frombuffer(raw, np.uint8, layout.bases, at)
    return _HEADER.unpack_from(raw), codes, np.frombuffer(raw, "<f4", layout.positions, at + layout.bases)


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _frame(data: bytes) -> bytes:
    """A TFRecord: length, masked CRC32C of the length, data, masked CRC32C of the data."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked_crc(length)) + data + struct.pack("<I", _masked_crc(data))


_FRAME_HEAD = 12  # bytes of a TFRecord before its data


def write_shards(folder: str | os.PathLike, genome: Genome, coverage: Coverage, peaks: pd.DataFrame,
                 nonpeaks: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Write one shard a chromosome, ``index.parquet`` and ``layout.json``.

    Parameters
    ----------
    folder
        An empty folder.
    genome, coverage
        Where bases and counts come from; one chromosome of either is held at a time.
    peaks, nonpeaks
        Region tables whose windows of the input length lie in their chromosome.
    layout
        Widths.

    Returns
    -------
    The index: ``id, kind, chrom, centre``; ``margin`` (bp between the input window and the nearer chromosome end),
    ``counts`` (insertions in the output window); ``shard, offset, length``.
    """
    folder = Path(folder)
    table = pd.DataFrame({
        "kind": np.repeat(np.array([PEAK, NONPEAK], dtype=np.uint8), [len(peaks), len(nonpeaks)]),
        "chrom": [*peaks["chrom"], *nonpeaks["chrom"]],
        "centre": np.concatenate([centres(peaks), centres(nonpeaks)]).astype(np.int64),
    })
    table.insert(0, "id", np.arange(len(table), dtype=np.int64))
    starts = table["centre"] - layout.input_length // 2
    table["margin"] = np.minimum(starts, table["chrom"].map(genome.sizes) - starts - layout.input_length)
    present = set(table["chrom"])
    chroms = [chrom for chrom in genome.sizes if chrom in present]
    parts = []
    with bar("writing shards", len(table), "regions") as progress:
        for shard, chrom in enumerate(chroms):
            part = table[table["chrom"] == chrom].sort_values(["centre", "id"], kind="stable").assign(shard=shard)
            values = coverage.chromosome(chrom), genome.codes(chrom)
            parts.append(_write_shard(folder / _shard_name(shard), part, shard, *values, layout))
            progress.update(len(part))
    index = pd.concat(parts).sort_values("id").reset_index(drop=True)
    index.to_parquet(folder / "index.parquet")
    (folder / "layout.json").write_text(json.dumps(asdict(layout) | {"chroms": chroms}) + "\n")
    return index


def _shard_name(shard: int) -> str:
    return f"shard-{shard:05d}.tfrecord"


def _write_shard(path: Path, part: pd.DataFrame, shard: int, counts: np.ndarray, codes: np.ndarray,
                 layout: Layout) -> pd.DataFrame:
    offsets, lengths, sums = [], [], []
    position = 0
    with open(path, "wb") as file:
        for number, kind, centre in zip(part["id"], part["kind"], part["centre"], strict=True):
            window = _cut(counts, centre - layout.positions // 2, layout.positions, np.float32(0))
            bases = _cut(codes, centre - layout.bases // 2, layout.bases, np.uint8(OTHER))
            record = encode(number, kind, shard, centre, bases, window)
            file.write(_frame(record))
            offsets.append(position + _FRAME_HEAD)
            lengths.append(len(record))
            sums.append(window[layout.jitter:layout.jitter + layout.output_length].sum(dtype=np.float64))
            position += len(record) + _FRAME_HEAD + 4
    return part.assign(counts=sums, offset=offsets, length=lengths)


def _cut(values: np.ndarray, start: int, width: int, beyond: np.generic) -> np.ndarray:
    """``width`` values from ``start``; ``beyond`` fills what lies outside."""
    end = start + width
    if start >= 0 and end <= len(values):
        return values[start:end]
    cut = np.full(width, beyond)
    inner = values[max(start, 0):max(min(end, len(values)), 0)]
    cut[max(-start, 0):max(-start, 0) + len(inner)] = inner
    return cut


class ShardSet:
    """Random access to the records of a folder that :func:`write_shards` made.

    Attributes
    ----------
    layout
        Widths of its records.
    index
        One row a region, ``id`` equal to the row number.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        folder = Path(folder)
        content = json.loads((folder / "layout.json").read_text())
        self.chroms: list[str] = content.pop("chroms")
        self.layout = Layout(**content)
        self.index = pd.read_parquet(folder / "index.parquet")
        self._maps = [_map(folder / _shard_name(shard)) for shard in range(len(self.chroms))]
        self._where = self.index[["shard", "offset", "length"]].to_numpy()

    def __len__(self) -> int:
        return len(self.index)

    def read(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Base codes uint8 ``(n, bases)`` and counts float32 ``(n, positions)`` of the regions ``ids``, in their order.

        Raises
        ------
        InputError
            Where a record is damaged.
        """
        codes = np.empty((len(ids), self.layout.bases), dtype=np.uint8)
        counts = np.empty((len(ids), self.layout.positions), dtype=np.float32)
        for row, number in enumerate(ids):
            shard, offset, length = self._where[number]
            try:
                header, codes[row], counts[row] = decode(self._maps[shard][offset:offset + length], self.layout)
            except (zlib.error, ValueError) as error:
                raise InputError(f"shard {_shard_name(shard)}, region {number}: damaged", found=str(error),
                                 remedy="delete the step's folder; it is made again") from error
            if header[0] != number:
                raise InputError(f"shard {_shard_name(shard)}: region {number} expected, {header[0]} found",
                                 remedy="delete the step's folder; it is made again")
        return codes, counts

    def close(self) -> None:
        """Release the mapped files."""
        for mapped in self._maps:
            mapped.close()

    def __enter__(self) -> ShardSet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _map(path: Path) -> mmap.mmap:
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
