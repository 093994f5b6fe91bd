"""The commands ``check`` and ``doctor``: inputs and machine, before anything is computed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError, printable
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
from flows.cli.reads import add_reads_flags, files_of_reads
from flows.cli.runs import on_device

if TYPE_CHECKING:
    from tasks.steps import DatasetFiles, Inspection

__all__ = ["add_commands"]

_READ_WHOLE = 64 << 20
"""Files of reads up to this size in bytes are read to their end: seconds."""


def add_commands(commands: Subcommands) -> None:
    """Add ``check`` and ``doctor``."""
    add_check(add_command(commands, "check", check, "check all that a run checks first, and list every problem at once"))
    add_runtime_flags(
        add_command(commands, "doctor", doctor, "show versions and devices, and whether the store is writable")
    )


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``check``."""
    parser.add_argument(
        "dataset",
        nargs="?",
        metavar="DATASET.YAML",
        help="data set file: everything that 'run' would check, in place of single files",
    )
    parser.add_argument("-g", "--genome", metavar="FASTA", help="genome sequence: plain, gzip or bgzip (default: none)")
    parser.add_argument(
        "-c", "--chrom-sizes", metavar="TSV", help="names and lengths of the chromosomes to use (default: all of the genome)"
    )
    add_reads_flags(parser, required=False)
    parser.add_argument(
        "--whole",
        action="store_true",
        help="read the reads to their end, however large (default: files over 64 MiB are sampled, about two million reads)",
    )
    parser.add_argument("-p", "--peaks", metavar="BED", help="peaks: narrowPeak, or BED (default: none)")
    parser.add_argument("-n", "--nonpeaks", metavar="BED", help="GC-matched negatives, nonpeaks (default: none)")
    parser.add_argument("-br", "--blacklist-regions", metavar="BED", help="blacklisted regions (default: none)")
    parser.add_argument(
        "-fl",
        "--chr-fold-path",
        nargs="+",
        default=[],
        metavar="JSON",
        help="one or more folds, chromosome splits (default: none)",
    )
    parser.add_argument("-b", "--bias-model-path", metavar="H5", help="trained bias model, bias.h5 (default: none)")
    parser.add_argument(
        "-il",
        "--inputlen",
        type=int,
        default=2114,
        metavar="BP",
        help="input length of the models; windows of peaks must fit, and the bias model must have it (default 2114 bp)",
    )
    parser.add_argument(
        "--motifs",
        metavar="jaspar:TAXON|MEME",
        help="known motifs: a taxon of JASPAR, or a file in MEME format (default: none)",
    )
    parser.add_argument(
        "-o", "--output-dir", metavar="FOLDER", help="folder or address for the results: try to write there (default: none)"
    )
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def check(arguments: argparse.Namespace) -> int:
    """Print what was looked at, what was not, and everything that would stop a run: 2 where there is such."""
    inspection = _inspect(arguments)
    print(printable(with_flags("\n".join(inspection.lines()), flags_of(arguments.parser))))
    sys.stdout.flush()
    return 2 if inspection.problems else 1 if inspection.faults else 0


def _inspect(arguments: argparse.Namespace) -> Inspection:
    from tasks.steps import inspect_inputs

    read_whole = sys.maxsize if arguments.whole else _READ_WHOLE
    if bool(arguments.dataset) == bool(arguments.genome):
        raise InputError(
            "nothing to check" if not arguments.dataset else "both a data set and a genome are given",
            expected="a data set file, or -g/--genome and what else there is",
        )
    if arguments.inputlen < 1:
        raise InputError(f"-il/--inputlen is {arguments.inputlen}", expected="1 or more")
    if not arguments.dataset:
        inspection = inspect_inputs(_files_of(arguments, read_whole))
        if arguments.device == "gpu":
            inspection.look("device", _look_for_gpu)
        return inspection
    from flows.dataset import inspect_dataset
    from flows.spec import read_spec

    spec = on_device(read_spec(arguments.dataset), arguments.device)
    return inspect_dataset(spec, store_of(arguments), read_whole)


def _look_for_gpu() -> str:
    from chrombpnet_core.devices import find_device, require_fast_enough

    found = find_device()
    require_fast_enough(found, filters=0, flops_per_example=0, examples=0, asked="gpu")
    return str(found)


def _files_of(arguments: argparse.Namespace, read_whole: int) -> DatasetFiles:
    from tasks.steps import DatasetFiles

    given = files_of_reads(arguments).items()
    kind, reads = next(((kind, files) for kind, files in given if files), ("bam", []))
    output = {"results": arguments.output_dir} if arguments.output_dir else {}
    return DatasetFiles(
        reads=tuple(reads),
        kind=kind,
        accept=arguments.accept_bigwig if kind == "bigwig" else arguments.accept_reads,
        read_whole=read_whole,
        genome=arguments.genome,
        chrom_sizes=arguments.chrom_sizes,
        regions={"peaks": arguments.peaks, "nonpeaks": arguments.nonpeaks},
        blacklist=arguments.blacklist_regions,
        folds=tuple(arguments.chr_fold_path),
        models={"bias model": arguments.bias_model_path},
        input_length=arguments.inputlen,
        places=output | {"store": store_of(arguments)},
        chromosomes=chromosome_options(arguments),
        motifs=arguments.motifs,
    )


def doctor(arguments: argparse.Namespace) -> int:
    """Print a line for each thing that a run needs; 1 where one is missing."""
    from tasks.runs import examine

    findings = examine(store_of(arguments))
    for ok, name, text in findings:
        print(f"{'ok  ' if ok else 'FAIL'}  {name:<10} {text}")
    return 0 if all(ok for ok, _, _ in findings) else 1
