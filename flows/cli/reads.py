"""Flags for reads, or bigWigs in place of them."""

from __future__ import annotations

import argparse

from flows.cli.common import FlagGroup

__all__ = ["add_accept_bigwig_flag", "add_reads_flags", "files_of_reads"]


def add_reads_flags(group: FlagGroup, required: bool) -> None:
    """Add the kinds of reads, of which one is given, and how to insist on it."""
    reads = group.add_mutually_exclusive_group(required=required)

    def add(short: str, long: str, metavar: str, text: str) -> None:
        text += "" if required else " (default: none)"
        reads.add_argument(short, long, nargs="+", default=[], metavar=metavar, help=text)

    add("-ibam", "--input-bam-file", "BAM", "BAM or CRAM, filtered; any order, no index needed")
    add("-ifrag", "--input-fragment-file", "TSV", "fragments (chrom, start, end, …): a line is two reads")
    add(
        "-ise",
        "--input-single-end-file",
        "TSV",
        "single-end fragments (chrom, start, end, barcode, count, strand): a line is one read, counted at its 5' end",
    )
    add("-itag", "--input-tagalign-file", "BED", "tagAlign (BED6): a line is one read")
    add(
        "-ibw",
        "--input-bigwig-file",
        "BW",
        "in place of reads: insertions per base, both strands together, shifted to +4/−4 (ATAC) or 0/+1 (DNASE)",
    )
    group.add_argument(
        "--accept-reads",
        action="store_true",
        help="read text as the flag says though its lines look like another kind (whole fragments, single reads, peaks)",
    )
    add_accept_bigwig_flag(group)


def add_accept_bigwig_flag(group: FlagGroup) -> None:
    """Add ``--accept-bigwig``."""
    group.add_argument(
        "--accept-bigwig",
        action="store_true",
        help="take a bigWig though its values do not look like insertions (bins, smoothed, CPM); the results say so",
    )


def files_of_reads(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Collect the files of :func:`add_reads_flags`, by key of the data set file's section ``reads``."""
    return {
        "bam": arguments.input_bam_file,
        "fragments": arguments.input_fragment_file,
        "single_end": arguments.input_single_end_file,
        "tagalign": arguments.input_tagalign_file,
        "bigwig": arguments.input_bigwig_file,
    }
