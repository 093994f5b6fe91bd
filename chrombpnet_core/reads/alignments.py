"""BAM and CRAM → batches of 5' ends, in the file's order, whatever that is; an index is neither needed nor used.

BAM is walked record by record over decompressed blocks; CRAM, rare and intricate, goes through htslib.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from chrombpnet_core._types import Ints
from chrombpnet_core.errors import DamagedError, InputError
from chrombpnet_core.formats import check_complete, count_cram_records, decompressed
from chrombpnet_core.genome import Genome
from chrombpnet_core.reads._stops import MALFORMED, MORE
from chrombpnet_core.reads.cram_reference import cram_reference, require_cram_3
from chrombpnet_core.reads.library_tally import tally_alignment
from chrombpnet_core.reads.read_batches import ChromIndex, ReadBatch, ReadBuffers, ReadFilters

__all__ = ["alignment_batches", "reference_names"]

_CRAM_FIELDS = 0x1FE  # flag, reference, position, quality, CIGAR, mate and insert size: no sequence, so no genome
_REMEDY = "copy or make it again"


def alignment_batches(
    path: Path, index: ChromIndex, filters: ReadFilters, threads: int, tally: Ints, genome: Genome | None = None
) -> Iterator[tuple[ReadBatch, int]]:
    """Read mapped alignments.

    Parameters
    ----------
    path
        BAM or CRAM.
    index
        Chromosome names; new ones are entered.
    filters
        Which alignments are left out.
    threads
        That decompress.
    tally
        What :func:`~chrombpnet_core.reads.library_tally.new_tally` makes; all alignments are entered.
    genome
        From which a CRAM takes its reference where it needs one.

    Yields
    ------
    tuple
        A batch of 5' ends, and the compressed bytes read so far.

    Raises
    ------
    InputError
        For a file that is no BAM or CRAM, is truncated or damaged, or whose chromosomes have other lengths than ``index``.
    """
    with open(path, "rb") as handle:
        magic = handle.read(4)
    if magic == b"CRAM":
        yield from _cram_batches(path, index, filters, threads, tally, genome)
        return
    check_complete(path)
    walk = _Walk(filters, tally)
    pieces = decompressed(path, threads)
    try:
        walk.rest, walk.references = _header(path, pieces, index)
        nothing: tuple[list[bytes], int] = ([], 0)
        for piece, read in chain([nothing], pieces):
            for batch in walk.batches(piece):
                yield batch, read
        if walk.rest:
            raise DamagedError("it ends inside a record")
        yield walk.outputs.taken(), path.stat().st_size
    except DamagedError as error:
        raise _damaged(path, walk.reads, error) from error
    finally:
        pieces.close()


def reference_names(path: Path) -> list[str]:
    """Read the chromosome names in the header of a BAM or CRAM.

    Parameters
    ----------
    path
        BAM or CRAM.

    Returns
    -------
    list of str
        Names in the header's order.

    Raises
    ------
    InputError
        Where it cannot be read as either.
    """
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.AlignmentFile(str(path), check_sq=False, require_index=False) as file:
            return list(file.references)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as BAM or CRAM", found=str(error), remedy=_REMEDY) from error
    finally:
        pysam.set_verbosity(verbosity)


def _damaged(path: Path, reads: int, error: Exception) -> InputError:
    if not reads:
        return InputError(f"{path}: cannot be read as BAM, truncated or damaged", found=str(error), remedy=_REMEDY)
    return InputError(f"{path}, after read {reads:,}: the file is truncated or damaged", found=str(error), remedy=_REMEDY)


def _header(path: Path, pieces: Iterator[tuple[list[bytes], int]], index: ChromIndex) -> tuple[bytes, np.ndarray]:
    """Read past the header: the bytes behind it, and the chromosome index of each reference."""
    data = b""
    for piece, _ in pieces:
        data = b"".join([data, *piece])
        if data[:4] != b"BAM\x01"[: len(data)]:
            break
        try:
            at, names, lengths = _parse_header(data)
        except (struct.error, IndexError):
            continue
        return data[at:], _references(path, names, lengths, index)
    if data[:4] == b"BAM\x01":
        raise DamagedError("its header is not whole")
    with open(path, "rb") as handle:
        if handle.read(1) == b"@":
            raise InputError(f"{path}: not a BAM file but SAM", remedy="convert it: samtools view -b")
    raise InputError(f"{path}: cannot be read as BAM: not a BAM file", remedy="give a BAM, or name the kind of reads it has")


def _parse_header(data: bytes) -> tuple[int, list[str], list[int]]:
    at = 8 + struct.unpack_from("<i", data, 4)[0]
    count = struct.unpack_from("<i", data, at)[0]
    at += 4
    names, lengths = [], []
    for _ in range(count):
        size = struct.unpack_from("<i", data, at)[0]
        names.append(struct.unpack_from(f"{size}s", data, at + 4)[0][:-1].decode("utf-8", "replace"))
        lengths.append(struct.unpack_from("<i", data, at + 4 + size)[0])
        at += 8 + size
    return at, names, lengths


def _references(path: Path, names: list[str], lengths: list[int], index: ChromIndex) -> np.ndarray:
    """Chromosome index of each reference of the header, whose lengths must be those of the sizes."""
    meant = index.naming.translate(names, index.sizes)
    for name, length in zip(names, lengths, strict=True):
        wanted = index.sizes.get(meant.get(name, name), length)
        if wanted != length:
            raise InputError(
                f"{path}: length of chromosome {name} in the header of the reads",
                expected=f"{wanted:,} bp as in the chromosome sizes",
                found=f"{length:,} bp",
                remedy="the reads were aligned to another assembly: use its genome and sizes",
            )
    return index.of(names)


class _Walk:
    """Keeps the place in a stream of records."""

    def __init__(self, filters: ReadFilters, tally: Ints) -> None:
        self.rest, self.references = b"", np.empty(0, dtype=np.int32)
        self.filters, self.outputs, self.reads = filters, ReadBuffers(marked=filters.dedup), 0
        self.tally = tally

    def batches(self, piece: list[bytes]) -> Iterator[ReadBatch]:
        """Full batches from what was kept and the next pieces of the stream."""
        from chrombpnet_core.reads._parse_alignments import read_alignments  # numba, while blocks are decompressed

        content = b"".join([self.rest, *piece])
        data = np.frombuffer(content, dtype=np.uint8)
        out = self.outputs
        at: int | np.signedinteger[Any] = 0
        while True:
            at, out.filled, records, filtered, why = read_alignments(
                data,
                at,
                self.references,
                self.filters.min_mapq,
                self.filters.exclude_flags,
                out.chroms,
                out.positions,
                out.minus,
                out.marks,
                self.tally,
                out.filled,
            )
            self.reads += records
            out.filtered += filtered
            if why == MALFORMED:
                raise DamagedError("a record that no BAM has")
            if why == MORE:
                break
            yield out.taken()
        self.rest = content[at:]


def _cram_batches(
    path: Path, index: ChromIndex, filters: ReadFilters, threads: int, tally: Ints, genome: Genome | None
) -> Iterator[tuple[ReadBatch, int]]:
    """Read mapped alignments of CRAM, by htslib without sequences."""
    out, reads = ReadBuffers(marked=filters.dedup), 0
    require_cram_3(path)
    verbosity = pysam.set_verbosity(0)  # htslib would print to standard error what the exceptions say
    try:
        promised = count_cram_records(path)
        with (
            cram_reference(path, genome, index) as fasta,
            pysam.AlignmentFile(
                str(path),
                "rc",
                reference_filename=fasta,
                check_sq=False,
                require_index=False,
                threads=threads,
                format_options=[f"required_fields={_CRAM_FIELDS}".encode()],  # type: ignore[list-item]  # its stub wants str
            ) as cram,
        ):
            references = _references(path, list(cram.references), list(cram.lengths), index)
            for read in cram:
                reads += 1
                flag, reference = read.flag, read.reference_id
                if flag & 4 or reference < 0:
                    continue
                left_out = read.mapping_quality < filters.min_mapq or bool(flag & filters.exclude_flags)
                tally_alignment(tally, flag, read.template_length, not left_out)
                if left_out:
                    out.filtered += 1
                    continue
                start = read.reference_start
                position = (read.reference_end or start + 1) if flag & 16 else start
                out.add(references[reference], position, bool(flag & 16), _mate_mark(read) if filters.dedup else 0)
                if out.full:
                    yield out.taken(), 0
        if reads != promised:
            raise DamagedError(f"{promised:,} reads by its containers")
        yield out.taken(), path.stat().st_size
    except (DamagedError, OSError, ValueError) as error:
        raise InputError(
            f"{path}, after read {reads:,}: cannot be read as CRAM, truncated or damaged",
            found=str(error),
            remedy=_REMEDY if genome else f"{_REMEDY}, or give the genome that it needs",
        ) from error
    finally:
        pysam.set_verbosity(verbosity)


def _mate_mark(read: pysam.AlignedSegment) -> int:
    """Make the mark that :func:`chrombpnet_core.reads._parse_alignments.read_alignments` makes."""
    if not read.is_paired or read.mate_is_unmapped:
        return 0
    mate, insert = read.next_reference_id, read.template_length
    if mate == read.reference_id and insert:
        return 1 << 62 | (insert & 0xFFFFFFFF)
    return (mate + 2) << 32 | (read.next_reference_start & 0xFFFFFFFF)
