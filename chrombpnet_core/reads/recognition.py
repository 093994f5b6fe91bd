"""What a file of reads seems to be, by its first bytes and lines, whatever it is called and given as.

Formats that have a signature, and tables whose columns can be of one kind alone, are facts. What the lines of a BED6 are,
single reads or whole fragments, is not written anywhere; it is judged by their lengths and ends:

- Reads have few lengths: untrimmed ones have one, and of trimmed ones a good part kept its full length. Whole fragments have
  hundreds: of 200 bp and more the five commonest lengths hold a tenth of the lines at most. So lines are reads where the
  five commonest lengths hold a fifth of the lines, or the longest ones (5 bp around the 99 % quantile, and longer) 8 %, or
  three in ten have a twin of the same place on the other strand, as pairs of reads that are as long as their fragment have.
- Of the others those are whole fragments of which one in twenty is 160 bp or longer. Shorter ones may also be reads that
  were trimmed for their quality. There the 3' ends decide: a fragment's are cut sites, which the enzyme prefers at some
  bases, so different lines end on one base 1.75 times as often as 3 to 12 bp apart, or more (in yeast 4 times); where
  reads were cut off is chance (once as often). The strand plays no part in it: it may be that of either read, or always +.
- Cut sites are lines of 1 or 2 bp, 95 in 100 of them.
- Peaks have "peak" in their names; or all one width of 100 bp or more; or there are 1,000 sorted lines of which none
  overlaps the one before, which fragments do even in shallow data.
- A bedGraph has lines that begin where the one before ended, half of them or more.

Nothing of this is judged of fewer than 100 lines: a strand in column 6 then stands for single reads. Who knows better can
insist (``accept_reads``).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chrombpnet_core._types import AnyArray, Ints
from chrombpnet_core.errors import DamagedError, InputError
from chrombpnet_core.formats import decompressed, is_comment

__all__ = ["Recognised", "check_read_kind", "recognise_file"]

log = logging.getLogger(__name__)

_HEAD = 2 << 20  # bytes of content that are looked at
_LINES = 20_000
_FEW = 100
_MANY = 1_000
_CUT_SITE, _NEARLY_ALL = 2, 0.95
_TOP_LENGTHS, _SPREAD = 5, 0.2
_NEAR_LONGEST, _PILE = 5, 0.08
_LONG, _LONG_SHARE = 160, 0.05
_APART, _RECURRENCE, _PAIRS = range(3, 13), 1.75, 150  # bp; lines that end on one base to those that end apart; the least
_TWINS = 0.3
_WIDE = 100
_BLOCKS = 0.5

_SIGNATURES = (
    (b"CRAM", "CRAM", "bam"),
    (b"BAM\x01", "BAM", "bam"),
    (b"BCF\x02", "BCF (variants)", ""),
    (b"BAI\x01", "the index of a BAM", ""),
    (b"CSI\x01", "an index", ""),
    (b"TBI\x01", "the index of a tabix file", ""),
    (b"\x26\xfc\x8f\x88", "bigWig", "bigwig"),
    (b"\x88\x8f\xfc\x26", "bigWig", "bigwig"),
    (b"\xeb\xf2\x89\x87", "bigBed", ""),
    (b"PK\x03\x04", "a zip archive", ""),
    (b"\xfd7zXZ\x00", "xz", ""),
    (b"BZh", "bzip2", ""),
    (b"\x89HDF", "HDF5 (a model, or AnnData)", ""),
    (b"%PDF", "PDF", ""),
    (b"\xff\xfe", "text in UTF-16", ""),
    (b"\xfe\xff", "text in UTF-16", ""),
    (b">", "FASTA", ""),
    (b"##fileformat=VCF", "VCF (variants)", ""),
    (b"##gff", "GFF (genes)", ""),
)
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml|head|body)", re.IGNORECASE)
_SAM_HEADER = re.compile(rb"@(HD|SQ|RG|PG|CO)\t")
_CIGAR = re.compile(r"\*|(\d+[MIDNSHP=X])+")
_NAMES = {
    "bam": "BAM",
    "fragments": "fragments (each line two reads)",
    "single_end": "single-end fragments (each line one read, its strand in column 6)",
    "tagalign": "tagAlign (each line one read, its strand in column 6)",
    "bigwig": "bigWig",
}
_REMEDIES = {
    "xz": "decompress it first (unxz)",
    "bzip2": "decompress it first (bunzip2)",
    "a zip archive": "unpack it first (unzip)",
    "SAM": "convert it: samtools view -b, and give it as `bam`",
    "text in UTF-16": "convert it to UTF-8 (iconv)",
    "FASTQ (reads that are not aligned)": "align it first and give the BAM as `bam`",
    "an HTML or XML page": "it is the page of a site, not the file: download it again",
    "BEDPE (pairs of reads)": "make fragments of it (outermost start and end of each pair) and give these as `fragments`",
    "cut sites of 1 bp without a strand": "count them per base into a bigWig, with the shift corrected; give it as `bigwig`",
}


class Recognised(NamedTuple):
    """What a file seems to be, the kinds of reads that it may be given as, and whether that is a fact."""

    what: str
    kinds: tuple[str, ...]
    fact: bool = True


def check_read_kind(path: Path, kind: str, accept_reads: bool = False) -> str:
    """Refuse a file that is, or seems to be, of another kind than it is given as.

    Parameters
    ----------
    path
        The file.
    kind
        Of :data:`~chrombpnet_core.reads.READ_KINDS`, or ``bigwig``, as it is given.
    accept_reads
        Whether to read it as that kind where only the look of its lines speaks against it.

    Returns
    -------
    str
        What was accepted although it looks like another kind; empty where nothing was.

    Raises
    ------
    InputError
        With what it seems to be, and what to give it as.
    """
    seen = _recognise(path, kind)
    if seen is None or kind in seen.kinds:
        return ""
    words = f"{path}: seems to be {seen.what}"
    textual = kind not in ("bam", "bigwig")
    if accept_reads and textual and not seen.fact:
        log.warning("%s, and is read as %s, as stated", words, _NAMES[kind])
        return f"{words}, and is read as {_NAMES[kind]}"
    give = " or ".join(f"`{other}`" for other in seen.kinds)
    remedy = _REMEDIES.get(seen.what) or (f"give it as {give}" if give else "give the file of the reads")
    insist = (
        "" if seen.fact or not textual else f"; or, if it is {_NAMES[kind]} nevertheless, insist with `accept_reads=True`"
    )
    raise InputError(words, expected=_NAMES[kind], remedy=remedy + insist)


def recognise_file(path: Path) -> Recognised | None:
    """Tell what a file seems to be, whatever it is called: reads, or one of the other files that lie beside them.

    Parameters
    ----------
    path
        A local file.

    Returns
    -------
    Recognised or None
        What it seems to be, and the kinds of reads that it may be given as; None where nothing speaks for anything.
    """
    return _recognise(path, "bam")


def _recognise(path: Path, kind: str) -> Recognised | None:
    """Tell what a file seems to be; None where nothing speaks against the kind that it is given as."""
    with open(path, "rb") as file:
        head = file.read(64)
    seen = _by_signature(head)
    if seen is not None:
        return seen
    content = _beginning(path)
    seen = _by_signature(content)
    if seen is not None or b"\0" in content[:4096]:
        return seen
    rows = [line.split("\t") for line in _lines(content)]
    return (_by_columns(rows) or _by_lines(rows, kind)) if rows else None


def _by_signature(head: bytes) -> Recognised | None:
    for signature, what, kind in _SIGNATURES:
        if head.startswith(signature):
            return Recognised(what, (kind,) if kind else ())
    if _MARKUP.match(head):
        return Recognised("an HTML or XML page", ())
    if _SAM_HEADER.match(head):
        return Recognised("SAM", ())
    if head.startswith(b"@") and b"\n+" in head:
        return Recognised("FASTQ (reads that are not aligned)", ())
    return None


def _beginning(path: Path) -> bytes:
    """Read the beginning of the content, decompressed; damage is left to the reader."""
    content: list[bytes] = []
    pieces = decompressed(path, 1)
    try:
        for piece, _ in pieces:
            content += piece
            if sum(map(len, content)) >= _HEAD:
                break
    except DamagedError:
        pass
    finally:
        pieces.close()
    return b"".join(content)[:_HEAD].removeprefix(b"\xef\xbb\xbf")


def _lines(content: bytes) -> Iterator[str]:
    """Give the whole lines that hold data, as text."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    whole = text if len(content) < _HEAD else text[: text.rfind("\n") + 1]
    lines = (line for line in whole.split("\n") if not is_comment(line))
    for _, line in zip(range(_LINES), lines, strict=False):
        yield line


def _by_columns(rows: list[list[str]]) -> Recognised | None:
    """Tell what tables are whose columns can be of one kind alone, by their first line."""
    row = rows[0]
    strands = ("+", "-", ".")
    numbers = [bool(re.fullmatch(r"-?\d+", field)) for field in row]
    if len(row) >= 11 and numbers[1] and numbers[3] and numbers[4] and _CIGAR.fullmatch(row[5]):
        return Recognised("SAM", ())
    if len(row) < 3 or not numbers[1] or not numbers[2]:
        if len(row) >= 9 and numbers[3] and numbers[4] and row[6] in strands:
            return Recognised("GTF or GFF (genes)", ())
        if len(row) >= 8 and numbers[1] and re.fullmatch(r"[ACGTNacgtn]+", row[3]):
            return Recognised("VCF (variants)", ())
        return None
    if len(row) >= 10 and numbers[4] and numbers[5] and row[8] in strands and row[9] in strands:
        return Recognised("BEDPE (pairs of reads)", ())
    if len(row) >= 12 and numbers[6] and numbers[7] and numbers[9] and row[5] in strands:
        return Recognised("peaks or transcripts (BED12, gappedPeak)", ())
    if len(row) in (9, 10) and row[5] in strands and all(map(_is_number, row[6:])):
        return Recognised("peaks (narrowPeak, broadPeak)", ())
    return None


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d*)?([eE][+-]?\d+)?|-?inf|nan", text, re.IGNORECASE))


def _by_lines(rows: list[list[str]], kind: str) -> Recognised | None:
    """Judge lines of chromosome, start and end by what is behind these, and by their lengths."""
    try:
        starts, ends = (np.array([int(row[column]) for row in rows], dtype=np.int64) for column in (1, 2))
    except (ValueError, IndexError, OverflowError):
        return None  # the reader names the line
    chroms = np.array([row[0] for row in rows])
    stranded = sum(len(row) > 5 and row[5] in ("+", "-") for row in rows) >= len(rows) * _NEARLY_ALL
    lengths, enough = ends - starts, len(rows) >= _FEW
    plus = np.array([len(row) > 5 and row[5] == "+" for row in rows])
    if not stranded and kind in ("tagalign", "single_end") and all(3 <= len(row) <= 5 for row in rows):
        unstranded = _by_shape(chroms, starts, ends) if enough else None
        return unstranded or Recognised("fragments (no strand in column 6)", ("fragments",))
    if enough and sum("peak" in row[3].lower() for row in rows if len(row) > 3) > len(rows) * _NEARLY_ALL:
        return Recognised("peaks", (), fact=False)
    if enough and (lengths <= _CUT_SITE).mean() >= _NEARLY_ALL:
        strand = ("tagalign", "single_end") if stranded else ()
        what = "cut sites of 1 bp, a strand in column 6" if stranded else "cut sites of 1 bp without a strand"
        return Recognised(what, strand, fact=False)
    if not stranded:
        whole = Recognised("fragments (no strand in column 6)", ("fragments",)) if kind in ("bam", "bigwig") else None
        return (_by_shape(chroms, starts, ends) if enough else None) or whole
    if enough and _are_fragments(lengths, rows) and (_are_long(lengths) or _ends_recur(chroms, starts, ends, plus)):
        return Recognised("whole fragments, of lengths that no reads have", ("fragments",), fact=False)
    return Recognised("single reads, their strand in column 6", ("tagalign", "single_end"), fact=False)


def _by_shape(chroms: AnyArray, starts: Ints, ends: Ints) -> Recognised | None:
    """Tell cut sites, peaks and signal from fragments."""
    lengths, same = ends - starts, chroms[1:] == chroms[:-1]
    if (lengths <= _CUT_SITE).mean() >= _NEARLY_ALL:
        return Recognised("cut sites of 1 bp without a strand", (), fact=False)
    if ((starts[1:] == ends[:-1]) & same).mean() >= _BLOCKS:
        return Recognised("a bedGraph or bins", (), fact=False)
    apart = bool((starts[1:] >= ends[:-1])[same].all()) and len(starts) >= _MANY
    if (lengths[0] >= _WIDE and (lengths == lengths[0]).all()) or (apart and np.median(lengths) >= _WIDE):
        return Recognised("peaks", (), fact=False)
    return None


def _are_fragments(lengths: Ints, rows: list[list[str]]) -> bool:
    """Tell whether lines may be whole fragments by their lengths, and by twins on the other strand; see above."""
    commonest = sum(count for _, count in Counter(lengths.tolist()).most_common(_TOP_LENGTHS))
    pile = (lengths >= np.quantile(lengths, 0.99) - _NEAR_LONGEST).mean()
    if commonest >= _SPREAD * len(rows) or pile >= _PILE:
        return False
    places = [("\t".join(row[:3]), row[5]) for row in rows if len(row) > 5]
    strands, other = set(places), {"+": "-", "-": "+"}
    twins = sum((place, other.get(strand, "")) in strands for place, strand in places)
    return twins < _TWINS * len(rows)


def _are_long(lengths: Ints) -> bool:
    return bool((lengths >= _LONG).mean() >= _LONG_SHARE)


def _ends_recur(chroms: AnyArray, starts: Ints, ends: Ints, plus: AnyArray) -> bool:
    """Tell whether the 3' ends of different lines fall on the same bases, as cut sites do; see above."""
    _, number = np.unique(chroms, return_inverse=True)
    lines = np.unique(np.stack([number, plus, starts, ends]), axis=1)  # copies of a line say nothing
    number, plus, starts, ends = lines
    places, counts = np.unique(np.stack([number, plus, np.where(plus, ends, starts)]), axis=1, return_counts=True)
    keys = (2 * places[0] + places[1]) * (1 << 40) + places[2]  # ascending, far apart for other chromosomes and strands
    apart = 0
    for distance in _APART:
        at = np.minimum(np.searchsorted(keys, keys + distance), len(keys) - 1)
        apart += int((counts * counts[at])[keys[at] == keys + distance].sum())
    same = int((counts * (counts - 1)).sum())
    return same >= max(_PAIRS, _RECURRENCE * apart / len(_APART))
