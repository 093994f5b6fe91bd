"""The commands ``check`` and ``doctor``: inputs and machine, before anything is computed."""

from __future__ import annotations

import argparse

from flows.cli.common import (
    Subcommands,
    add_chromosome_flags,
    add_command,
    add_runtime_flags,
    chromosome_options,
    flags_of,
    store_of,
    with_flags,
)

__all__ = ["add_commands"]


def add_commands(commands: Subcommands) -> None:
    """Add ``check`` and ``doctor``."""
    add_check(add_command(commands, "check", check, "check that all inputs exist and use the same chromosome names"))
    add_runtime_flags(
        add_command(commands, "doctor", doctor, "show versions and devices, and whether the store is writable")
    )


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``check``."""
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA", help="genome sequence: plain, gzip or bgzip")
    parser.add_argument("-c", "--chrom-sizes", metavar="TSV", help="names and lengths of the chromosomes to use")
    reads = parser.add_mutually_exclusive_group()
    reads.add_argument("-ibam", "--input-bam-file", nargs="+", default=[], metavar="BAM", help="BAM or CRAM files")
    reads.add_argument("-ifrag", "--input-fragment-file", nargs="+", default=[], metavar="TSV", help="fragment files")
    reads.add_argument("-itag", "--input-tagalign-file", nargs="+", default=[], metavar="BED", help="tagAlign files")
    reads.add_argument(
        "-ibw", "--input-bigwig-file", nargs="+", default=[], metavar="BW", help="bigWig files of insertions per base"
    )
    parser.add_argument("-p", "--peaks", metavar="BED", help="peaks: narrowPeak, or BED")
    parser.add_argument("-n", "--nonpeaks", metavar="BED", help="GC-matched negatives (nonpeaks)")
    parser.add_argument("-br", "--blacklist-regions", metavar="BED", help="blacklisted regions")
    parser.add_argument(
        "-fl", "--chr-fold-path", nargs="+", default=[], metavar="JSON", help="one or more folds (chromosome splits)"
    )
    add_chromosome_flags(parser)


def check(arguments: argparse.Namespace) -> int:
    """Print which input lacks which chromosomes; 2 where that would stop a run."""
    from tasks.steps import compare_names

    files_by_kind = {
        "bam": arguments.input_bam_file,
        "fragments": arguments.input_fragment_file,
        "tagalign": arguments.input_tagalign_file,
        "bigwig": arguments.input_bigwig_file,
    }
    kind, reads = next(((kind, files) for kind, files in files_by_kind.items() if files), ("bam", []))
    lines, fine = compare_names(
        arguments.genome,
        arguments.chrom_sizes,
        kind,
        reads,
        arguments.peaks,
        arguments.nonpeaks,
        arguments.blacklist_regions,
        arguments.chr_fold_path,
        chromosome_options(arguments),
    )
    print(with_flags("\n".join(lines), flags_of(arguments.parser)))
    return 0 if fine else 2


def doctor(arguments: argparse.Namespace) -> int:
    """Print a line for each thing that a run needs; 1 where one is missing."""
    from tasks.runs import examine

    findings = examine(store_of(arguments))
    for ok, name, text in findings:
        print(f"{'ok  ' if ok else 'FAIL'}  {name:<10} {text}")
    return 0 if all(ok for ok, _, _ in findings) else 1
