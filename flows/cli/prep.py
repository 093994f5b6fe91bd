"""TODO."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError
from flows.cli.common import FLAGS, add_chromosome_flags, chromosome_options
from flows.cli.runs import store_of
from flows.spec import Background, Training, make_part
from tasks.storage import split_prefix

if TYPE_CHECKING:
    from chrombpnet_core.genome import Fold

__all__ = ["check", "prep_folds", "prep_nonpeaks", "prep_splits"]


def add_nonpeaks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
    parser.add_argument("-o", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_negatives.bed")
    parser.add_argument("-p", "--peaks", required=True, metavar="BED")
    parser.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV")
    parser.add_argument("-fl", "--chr-fold-path", required=True, metavar="JSON")
    parser.add_argument("-il", "--inputlen", type=int, default=2114, metavar="BP")
    parser.add_argument("-st", "--stride", type=int, default=1000, metavar="BP")
    parser.add_argument("-npr", "--neg-to-pos-ratio-train", type=int, default=2, metavar="N")
    parser.add_argument("-br", "--blacklist-regions", metavar="BED")
    parser.add_argument(
        "--exclude-blacklisted-peaks",
        action="store_true",
        help="do not match the GC of peaks within half the input length of the blacklist",
    )
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N")
    add_chromosome_flags(parser)
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs")


def add_splits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-op", "--output_prefix", required=True, metavar="PREFIX", help="writes PREFIX.json")
    parser.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV")
    parser.add_argument("-tcr", "--test-chroms", required=True, nargs="+", metavar="CHROM")
    parser.add_argument("-vcr", "--valid-chroms", required=True, nargs="+", metavar="CHROM")


def add_folds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-op", "--output_prefix", required=True, metavar="PREFIX", help="writes PREFIX_0.json, …")
    parser.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV")
    parser.add_argument("-p", "--peaks", metavar="BED", help="their numbers are balanced as well as the lengths")
    parser.add_argument("-k", "--k", type=int, default=5, metavar="N", help="number of folds (default 5)")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N")


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
    parser.add_argument("-c", "--chrom-sizes", metavar="TSV")
    reads = parser.add_mutually_exclusive_group()
    reads.add_argument("-ibam", "--input-bam-file", nargs="+", default=[], metavar="BAM")
    reads.add_argument("-ifrag", "--input-fragment-file", nargs="+", default=[], metavar="TSV")
    reads.add_argument("-itag", "--input-tagalign-file", nargs="+", default=[], metavar="BED")
    reads.add_argument("-ibw", "--input-bigwig-file", nargs="+", default=[], metavar="BW")
    parser.add_argument("-p", "--peaks", metavar="BED")
    parser.add_argument("-n", "--nonpeaks", metavar="BED")
    parser.add_argument("-br", "--blacklist-regions", metavar="BED")
    parser.add_argument("-fl", "--chr-fold-path", nargs="+", default=[], metavar="JSON")
    add_chromosome_flags(parser)


def prep_nonpeaks(given: argparse.Namespace) -> None:
    """``chrombpnet prep nonpeaks``: one step, without any server."""
    from tasks.steps.check_inputs import check_inputs
    from tasks.steps.data import draw_nonpeaks
    from tasks.storage import place_files

    folder, name = split_prefix(given.output_prefix)
    make_part(Background, {"stride": given.stride, "ratio": given.neg_to_pos_ratio_train}, "arguments", FLAGS)
    make_part(Training, {"seed": given.seed}, "arguments", FLAGS)
    if given.exclude_blacklisted_peaks and not given.blacklist_regions:
        raise InputError("--exclude-blacklisted-peaks without a blacklist", remedy="give -br/--blacklist-regions")
    checked = check_inputs.fn(
        [],
        given.genome,
        given.chrom_sizes,
        given.peaks,
        None,
        given.blacklist_regions,
        [given.chr_fold_path],
        None,
        None,
        given.inputlen,
        {"nonpeaks": folder, "store": store_of(given)},
        chromosome_options(given),
    )
    result = draw_nonpeaks.fn(
        store_of(given),
        given.genome,
        given.chrom_sizes,
        given.peaks,
        given.blacklist_regions,
        checked.folds[0],
        given.inputlen,
        given.stride,
        given.neg_to_pos_ratio_train,
        given.seed,
        given.exclude_blacklisted_peaks,
        checked.naming,
    )
    files = {f"{name}_negatives.bed": result.file("negatives.bed")}
    files |= {f"{name}_{file}": result.file(file) for file in result.manifest["files"] if file.startswith("auxiliary/")}
    place_files(files, {}, folder)
    print(f"{result.facts['made']:,} nonpeaks: {given.output_prefix}_negatives.bed")


def prep_splits(given: argparse.Namespace) -> None:
    """``chrombpnet prep splits``: all chromosomes but those of test and valid train."""
    from chrombpnet_core.genome import make_fold, read_chrom_sizes
    from tasks.storage import stage

    sizes = read_chrom_sizes(stage(given.chrom_sizes, "chromosome sizes")[0])
    held = {*given.test_chroms, *given.valid_chroms}
    fold = make_fold(
        {"test": given.test_chroms, "valid": given.valid_chroms, "train": [chrom for chrom in sizes if chrom not in held]},
        sizes,
        "prep splits",
    )
    _place_folds({f"{split_prefix(given.output_prefix)[1]}.json": fold}, given.output_prefix)


def prep_folds(given: argparse.Namespace) -> None:
    """``chrombpnet prep folds``: ours; the reference leaves the choice of chromosomes to its users."""
    from chrombpnet_core.genome import make_folds, read_chrom_sizes, read_regions
    from tasks.storage import stage

    sizes = read_chrom_sizes(stage(given.chrom_sizes, "chromosome sizes")[0])
    peaks = (
        read_regions(stage(given.peaks, "peaks")[0], "peaks", sizes)["chrom"].value_counts().to_dict()
        if given.peaks
        else None
    )
    folds = make_folds(sizes, peaks, given.k, given.seed)
    name = split_prefix(given.output_prefix)[1]
    _place_folds({f"{name}_{i}.json": fold for i, fold in enumerate(folds)}, given.output_prefix)


def _place_folds(folds: dict[str, Fold], prefix: str) -> None:
    from tasks.storage import place_files

    texts = {name: fold.to_json() for name, fold in folds.items()}
    for fold, address in zip(folds.values(), place_files({}, texts, split_prefix(prefix)[0]), strict=True):
        print(f"{len(fold.train)} chromosomes train, {len(fold.valid)} validate, {len(fold.test)} test: {address}")


def check(given: argparse.Namespace) -> int:
    """``chrombpnet check``: a table of who lacks which chromosomes; 2 where that stops a run."""
    from tasks.steps.check_inputs import compare_names

    kinds = {
        "bam": given.input_bam_file,
        "fragments": given.input_fragment_file,
        "tagalign": given.input_tagalign_file,
        "bigwig": given.input_bigwig_file,
    }
    kind, reads = next(((kind, files) for kind, files in kinds.items() if files), ("bam", []))
    lines, fine = compare_names(
        given.genome,
        given.chrom_sizes,
        kind,
        reads,
        given.peaks,
        given.nonpeaks,
        given.blacklist_regions,
        given.chr_fold_path,
        chromosome_options(given),
    )
    print("\n".join(lines))
    return 0 if fine else 2
