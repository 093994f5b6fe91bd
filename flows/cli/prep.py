"""The commands ``prep nonpeaks``, ``prep splits`` and ``prep folds``: negatives and chromosome splits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError
from flows.cli.common import (
    FlagGroup,
    Subcommands,
    add_chromosome_flags,
    add_command,
    add_command_group,
    add_store_flag,
    chromosome_options,
    flags_of,
    store_of,
)

if TYPE_CHECKING:
    from chrombpnet_core.genome import Fold

__all__ = ["add_commands"]


def add_commands(commands: Subcommands) -> None:
    """Add ``prep nonpeaks``, ``prep splits`` and ``prep folds``."""
    prep = add_command_group(commands, "prep", "prepare nonpeaks and folds")
    add_nonpeaks(add_command(prep, "nonpeaks", prep_nonpeaks, "select GC-matched negative regions (nonpeaks)"))
    add_splits(
        add_command(prep, "splits", prep_splits, "write a fold: which chromosomes are for training, validation and testing")
    )
    add_folds(add_command(prep, "folds", prep_folds, "divide the chromosomes into balanced folds for cross-validation"))


def add_nonpeaks(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``prep nonpeaks``."""
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA", help="genome sequence: plain, gzip or bgzip")
    parser.add_argument(
        "-o",
        "--output-prefix",
        required=True,
        metavar="PREFIX",
        help="writes PREFIX_negatives.bed and PREFIX_auxiliary/",
    )
    parser.add_argument(
        "-p", "--peaks", required=True, metavar="BED", help="peaks to match in GC and to stay clear of: narrowPeak, or BED"
    )
    _add_sizes_flag(parser)
    parser.add_argument(
        "-fl",
        "--chr-fold-path",
        required=True,
        metavar="JSON",
        help="fold; GC is matched separately in its training, validation and test chromosomes",
    )
    parser.add_argument(
        "-il", "--inputlen", type=int, default=2114, metavar="BP", help="input length of the models (default 2114 bp)"
    )
    parser.add_argument(
        "-st", "--stride", type=int, default=1000, metavar="BP", help="distance between candidate windows (default 1000 bp)"
    )
    parser.add_argument(
        "-npr",
        "--neg-to-pos-ratio-train",
        type=int,
        default=2,
        metavar="N",
        help="nonpeaks per peak on training and validation chromosomes (default 2; test chromosomes: 1)",
    )
    parser.add_argument(
        "-br", "--blacklist-regions", metavar="BED", help="regions that nonpeaks must not overlap (default: none)"
    )
    parser.add_argument(
        "--exclude-blacklisted-peaks",
        action="store_true",
        help="select no nonpeaks for peaks within half the input length of the blacklist",
    )
    _add_seed_flag(parser)
    add_chromosome_flags(parser)
    add_store_flag(parser)


def prep_nonpeaks(arguments: argparse.Namespace) -> None:
    """Select nonpeaks; one step, without a Prefect server."""
    from flows.spec import Background, Training, make_part
    from tasks.runner import Source
    from tasks.steps import NONPEAKS, DatasetFiles, NonpeaksInputs, NonpeaksParameters, check_inputs
    from tasks.storage import place_files, split_prefix

    folder, name = split_prefix(arguments.output_prefix)
    flags = flags_of(arguments.parser)
    make_part(Background, {"stride": arguments.stride, "ratio": arguments.neg_to_pos_ratio_train}, "arguments", flags)
    make_part(Training, {"seed": arguments.seed}, "arguments", flags)
    if arguments.inputlen < 1:
        raise InputError(f"-il/--inputlen is {arguments.inputlen}", expected="1 or more")
    if arguments.exclude_blacklisted_peaks and not arguments.blacklist_regions:
        raise InputError("--exclude-blacklisted-peaks without a blacklist", remedy="give -br/--blacklist-regions")
    checked = check_inputs.fn(
        DatasetFiles(
            genome=arguments.genome,
            chrom_sizes=arguments.chrom_sizes,
            regions={"peaks": arguments.peaks},
            blacklist=arguments.blacklist_regions,
            folds=(arguments.chr_fold_path,),
            input_length=arguments.inputlen,
            places={"nonpeaks": folder, "store": store_of(arguments)},
            chromosomes=chromosome_options(arguments),
        )
    )
    inputs = NonpeaksInputs[Source](
        genome=arguments.genome,
        chrom_sizes=arguments.chrom_sizes,
        peaks=arguments.peaks,
        blacklist=arguments.blacklist_regions,
    )
    parameters = NonpeaksParameters(
        fold=checked.folds[0],
        input_length=arguments.inputlen,
        stride=arguments.stride,
        ratio=arguments.neg_to_pos_ratio_train,
        seed=arguments.seed,
        exclude_peaks=arguments.exclude_blacklisted_peaks,
        naming=checked.naming,
    )
    result = NONPEAKS(store_of(arguments), inputs, parameters)
    files = {f"{name}_negatives.bed": result.file("negatives.bed")}
    files |= {f"{name}_{file}": result.file(file) for file in result.manifest["files"] if file.startswith("auxiliary/")}
    place_files(files, {}, folder)
    print(f"{result.facts['made']:,} nonpeaks: {arguments.output_prefix}_negatives.bed")


def add_splits(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``prep splits``."""
    parser.add_argument("-op", "--output_prefix", required=True, metavar="PREFIX", help="writes PREFIX.json")
    _add_sizes_flag(parser)
    parser.add_argument(
        "-tcr", "--test-chroms", required=True, nargs="+", metavar="CHROM", help="chromosomes held out for testing"
    )
    parser.add_argument(
        "-vcr",
        "--valid-chroms",
        required=True,
        nargs="+",
        metavar="CHROM",
        help="chromosomes for validation; all others but organelles are for training",
    )
    _add_organelles_flag(parser)


def prep_splits(arguments: argparse.Namespace) -> None:
    """Write a fold of given test and validation chromosomes; all others but organelles are for training."""
    from chrombpnet_core.genome import make_fold, read_chrom_sizes
    from tasks.storage import split_prefix, stage

    sizes = read_chrom_sizes(stage(arguments.chrom_sizes, "chromosome sizes")[0])
    held_out = {*arguments.test_chroms, *arguments.valid_chroms}
    training = _without_organelles({chrom: size for chrom, size in sizes.items() if chrom not in held_out}, arguments)
    fold = make_fold(
        {"test": arguments.test_chroms, "valid": arguments.valid_chroms, "train": [*training]}, sizes, "prep splits"
    )
    _place_folds({f"{split_prefix(arguments.output_prefix)[1]}.json": fold}, arguments.output_prefix)


def add_folds(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``prep folds``."""
    parser.add_argument("-op", "--output_prefix", required=True, metavar="PREFIX", help="writes PREFIX_0.json, …")
    _add_sizes_flag(parser)
    parser.add_argument(
        "-p",
        "--peaks",
        metavar="BED",
        help="balance the number of these peaks as well as the lengths (default: lengths alone)",
    )
    parser.add_argument("-k", "--k", type=int, default=5, metavar="N", help="number of folds (default 5)")
    _add_seed_flag(parser)
    _add_organelles_flag(parser)


def prep_folds(arguments: argparse.Namespace) -> None:
    """Divide the chromosomes into folds; the reference program leaves that to its users."""
    from chrombpnet_core.genome import make_folds, read_chrom_sizes, read_regions
    from flows.spec import Training, make_part
    from tasks.storage import require_all, split_prefix, stage

    make_part(Training, {"seed": arguments.seed}, "arguments", flags_of(arguments.parser))
    require_all({"chromosome sizes": arguments.chrom_sizes, "peaks": arguments.peaks})
    sizes = read_chrom_sizes(stage(arguments.chrom_sizes, "chromosome sizes")[0])
    nuclear = _without_organelles(sizes, arguments)
    peaks = None
    if arguments.peaks:
        regions = read_regions(stage(arguments.peaks, "peaks")[0], "peaks", sizes)
        counts = {str(chrom): int(count) for chrom, count in regions["chrom"].value_counts().items()}
        peaks = {chrom: count for chrom, count in counts.items() if chrom in nuclear}
    folds = make_folds(nuclear, peaks, arguments.k, arguments.seed)
    name = split_prefix(arguments.output_prefix)[1]
    _place_folds({f"{name}_{i}.json": fold for i, fold in enumerate(folds)}, arguments.output_prefix)


def _place_folds(folds: dict[str, Fold], prefix: str) -> None:
    from tasks.storage import place_files, require_place, split_prefix

    require_place(split_prefix(prefix)[0], "folds")
    texts = {name: fold.to_json() for name, fold in folds.items()}
    for fold, address in zip(folds.values(), place_files({}, texts, split_prefix(prefix)[0]), strict=True):
        sizes = f"{len(fold.train)} training, {len(fold.valid)} validation, {len(fold.test)} test"
        print(f"{sizes} chromosomes: {address}")


def _add_organelles_flag(group: FlagGroup) -> None:
    group.add_argument(
        "--keep-organelles",
        action="store_true",
        help="use the chromosomes of mitochondria and plastids (chrM, MT, Pt, …) like all others, as the reference program "
        "does (default: they are in no part of a fold unless you name them: their reads are many, and not of chromatin)",
    )


def _without_organelles(sizes: dict[str, int], arguments: argparse.Namespace) -> dict[str, int]:
    """Leave out the chromosomes of organelles, and say so, unless they are to be kept."""
    from chrombpnet_core.genome import is_organelle

    organelles = [] if arguments.keep_organelles else [chrom for chrom in sizes if is_organelle(chrom)]
    if organelles:
        print(f"{', '.join(organelles)}: left out of training, validation and testing; --keep-organelles keeps them")
    return {chrom: size for chrom, size in sizes.items() if chrom not in organelles}


def _add_sizes_flag(group: FlagGroup) -> None:
    group.add_argument(
        "-c", "--chrom-sizes", required=True, metavar="TSV", help="names and lengths of the chromosomes to use"
    )


def _add_seed_flag(group: FlagGroup) -> None:
    group.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="random seed (default 1234)")
