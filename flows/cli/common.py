"""TODO."""

from __future__ import annotations

import argparse
from typing import Any


def add_genome_flags(group) -> None:
    group.add_argument("-g", "--genome", required=True, metavar="FASTA", help="plain, gzip or bgzip")
    group.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV", help="names and lengths of chromosomes")


def add_region_flags(group) -> None:
    group.add_argument("-o", "--output-dir", required=True, metavar="FOLDER", help="where the results go")
    group.add_argument("-d", "--data-type", required=True, choices=["ATAC", "DNASE"], help="the assay")
    group.add_argument("-p", "--peaks", required=True, metavar="BED", help="narrowPeak, or BED (middle = summit)")
    group.add_argument("-n", "--nonpeaks", required=True, metavar="BED", help="background, from 'prep nonpeaks'")
    group.add_argument("-fl", "--chr-fold-path", required=True, metavar="JSON", help="fold, from 'prep splits'")


def add_chromosome_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("chromosomes")
    group.add_argument(
        "--alias",
        metavar="auto|TSV",
        help="auto: chr1 and 1, chrM and MT are the same; or a table of names and the genome's names for them",
    )
    group.add_argument(
        "--exclude-chroms",
        nargs="+",
        default=[],
        metavar="CHROM",
        help="left out with their reads and regions, such as chrM",
    )


def add_dry_run_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print what would run, memory, disk and time, and exit")


def add_output_flags(parser: argparse.ArgumentParser):
    """The files' prefix; the group of flags that are accepted without effect."""
    group = parser.add_argument_group("files")
    group.add_argument("-fp", "--file-prefix", default="", metavar="PREFIX", help="begins every file's name")
    group = parser.add_argument_group("accepted for the reference's sake, without effect")
    group.add_argument("-hp", "--html-prefix", default="./", help=argparse.SUPPRESS)
    return group


def add_runtime_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs")
    group.add_argument("--store", metavar="URL", help="where steps keep their outputs (default ~/.cache/chrombpnet/store)")
    group.add_argument("--threads", type=int, metavar="N", help="for reading and writing data (default: one per core)")
    group.add_argument("--device", choices=["auto", "cpu", "gpu"], help="a full-size model on a CPU must be asked for")
    group.add_argument("--backend", choices=["tensorflow", "jax"], help="of Keras (default tensorflow)")


def chromosome_options(given: argparse.Namespace) -> dict[str, Any]:
    return {"alias": given.alias, "exclude": given.exclude_chroms}


FLAGS = {
    "epochs": "-e/--epochs",
    "filters": "-fil/--filters",
    "layers": "-dil/--n-dilation-layers",
    "jitter": "-j/--max-jitter",
    "negative_sampling_ratio": "-sr/--negative-sampling-ratio",
    "threshold_factor": "-b/--bias-threshold-factor",
    "patience": "-es/--early-stop",
    "learning_rate": "-l/--learning-rate",
    "batch_size": "-bs/--batch-size",
    "seed": "-s/--seed",
    "stride": "-st/--stride",
    "ratio": "-npr/--neg-to-pos-ratio-train",
    "outlier_threshold": "-oth/--outlier-threshold",
    "num_samples": "--num-samples",
    "input_length": "-il/--inputlen",
    "output_length": "-ol/--outputlen",
    "reads": "-ps/--plus-shift",
    "min_mapq": "--min-mapq",
    "gpus": "--gpus",
    "exclude_flags": "--exclude-flags",
    "explanation.peaks": "--explain",
}
"""Key of a DatasetSpec → the flag that sets it, for messages."""
