"""The files of a simulated experiment: the genome as FASTA, fragments as TSV, BAM and tagAlign."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from chrombpnet_core._types import Codes
from chrombpnet_core.simulation.genome import letters_of

__all__ = ["READ_FORMATS", "write_bam", "write_fragments", "write_genome", "write_tagalign"]

READ_FORMATS = ("fragments", "bam", "tagalign")
"""The formats in which reads can be written."""

_READ_LENGTH = 50  # bp
_LINE = 60  # bp of a line of FASTA


def write_genome(genome: dict[str, Codes], path: Path, bgzip: bool) -> None:
    """Write FASTA, plain or compressed."""
    with pysam.BGZFile(str(path), "wb", None) if bgzip else open(path, "wb") as out:
        for chrom, codes in genome.items():
            letters = letters_of(codes)
            lines = b"\n".join(letters[i : i + _LINE] for i in range(0, len(letters), _LINE))
            out.write(b">" + chrom.encode() + b"\n" + lines + b"\n")


def write_fragments(fragments: pd.DataFrame, _sizes: dict[str, int], path: Path) -> None:
    """Write a fragments TSV of five columns, bgzip."""
    table = fragments.assign(count=1)
    with pysam.BGZFile(str(path), "wb", None) as out:
        out.write(table.to_csv(sep="\t", header=False, index=False).encode())


def _reads_of(fragments: pd.DataFrame) -> pd.DataFrame:
    """Two reads per fragment, in order of place: chrom, start, end, strand, name, mate, span."""
    span = fragments["end"] - fragments["start"]
    length = np.minimum(span, _READ_LENGTH)
    name = "f" + fragments.index.astype(str)
    plus = pd.DataFrame(
        {
            "chrom": fragments["chrom"],
            "start": fragments["start"],
            "end": fragments["start"] + length,
            "strand": "+",
            "name": name,
            "mate": fragments["end"] - length,
            "span": span,
        }
    )
    minus = pd.DataFrame(
        {
            "chrom": fragments["chrom"],
            "start": fragments["end"] - length,
            "end": fragments["end"],
            "strand": "-",
            "name": name,
            "mate": fragments["start"],
            "span": -span,
        }
    )
    order = fragments["chrom"].unique().tolist()
    both = pd.concat([plus, minus], ignore_index=True)
    both["rank"] = both["chrom"].map({chrom: rank for rank, chrom in enumerate(order)})
    return both.sort_values(["rank", "start", "strand", "name"], kind="stable", ignore_index=True)


def write_tagalign(fragments: pd.DataFrame, _sizes: dict[str, int], path: Path) -> None:
    """Write a tagAlign of six columns, gzip without a date."""
    reads = _reads_of(fragments).assign(letter="N", score=1000)
    text = reads[["chrom", "start", "end", "letter", "score", "strand"]].to_csv(sep="\t", header=False, index=False)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
        out.write(text.encode())


def write_bam(fragments: pd.DataFrame, sizes: dict[str, int], path: Path) -> None:
    """Write properly paired records without bases or qualities, sorted and indexed."""
    reads = _reads_of(fragments)
    plus = (reads["strand"] == "+").to_numpy()
    odd = reads["name"].str[-1].isin(list("13579")).to_numpy()  # every other fragment has its first mate on the right
    flag = np.where(odd, np.where(plus, 163, 83), np.where(plus, 99, 147))
    table = pd.DataFrame(
        {
            "name": reads["name"],
            "flag": flag,
            "chrom": reads["chrom"],
            "start": reads["start"] + 1,
            "mapq": 60,
            "cigar": (reads["end"] - reads["start"]).astype(str) + "M",
            "next": "=",
            "mate": reads["mate"] + 1,
            "span": reads["span"],
            "bases": "*",
            "quality": "*",
        }
    )
    header = "@HD\tVN:1.6\tSO:coordinate\n" + "".join(f"@SQ\tSN:{chrom}\tLN:{size}\n" for chrom, size in sizes.items())
    sam = path.with_suffix(".sam")
    try:
        sam.write_text(header + table.to_csv(sep="\t", header=False, index=False))
        pysam.view("-b", "--no-PG", "-o", str(path), str(sam), catch_stdout=False)
    finally:
        sam.unlink(missing_ok=True)
    pysam.index(str(path))
