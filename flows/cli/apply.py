"""The commands that apply a trained model: predicted tracks, contributions, footprints, motifs and their hits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flows.cli.common import (
    FlagGroup,
    Subcommands,
    add_chromosome_flags,
    add_command,
    add_genome_flags,
    add_runtime_flags,
    add_store_flag,
    chromosome_options,
    flags_of,
    store_of,
)
from flows.cli.reads import add_accept_bigwig_flag

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["add_commands"]


def add_commands(commands: Subcommands) -> None:
    """Add ``pred_bw``, ``contribs_bw``, ``footprints``, ``modisco_motifs`` and ``motif_hits``."""
    add_pred_bw(add_command(commands, "pred_bw", pred_bw, "predict bigWig tracks over a list of regions"))
    add_contribs_bw(
        add_command(commands, "contribs_bw", contribs_bw, "compute each base's contribution to the predictions (DeepSHAP)")
    )
    add_footprints(add_command(commands, "footprints", footprints, "compute marginal footprints of motifs"))
    add_modisco_motifs(
        add_command(commands, "modisco_motifs", modisco_motifs, "discover motifs in contributions (TF-MoDISco)")
    )
    add_motif_hits(
        add_command(commands, "motif_hits", motif_hits, "find the hits of discovered motifs in the explained regions")
    )


def add_pred_bw(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``pred_bw``."""
    group = parser.add_argument_group("models, at least one")
    group.add_argument("-bm", "--bias-model", metavar="H5", help="bias.h5 or bias_model_scaled.h5")
    group.add_argument(
        "-cm", "--chrombpnet-model", metavar="H5", help="chrombpnet.h5, the full model: accessibility and bias"
    )
    group.add_argument(
        "-cmb", "--chrombpnet-model-nb", metavar="H5", help="chrombpnet_nobias.h5, the bias-corrected accessibility model"
    )
    group = parser.add_argument_group("inputs")
    _add_regions_flag(group, "regions to predict")
    add_genome_flags(group)
    group.add_argument(
        "-bw",
        "--bigwig",
        metavar="BW",
        help="observed insertions per base; with it, metrics and an HDF5 file of the predictions are also written "
        "(default: none)",
    )
    group.add_argument(
        "-d", "--debug-chr", nargs="+", metavar="CHROM", help="predict only regions on these chromosomes (default: all)"
    )
    add_accept_bigwig_flag(group)
    group = parser.add_argument_group("outputs")
    group.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_<model>.bw, …")
    group.add_argument(
        "-os",
        "--output-prefix-stats",
        metavar="PREFIX",
        help="also write statistics of each track, PREFIX_<model>_stats.txt (default: none)",
    )
    _add_batch_size_flag(parser)
    parser.add_argument(
        "-s",
        "--seed",
        type=int,
        default=1234,
        metavar="N",
        help="random seed of the shuffled profiles used in the metrics (default 1234)",
    )
    parser.add_argument("-t", "--tqdm", help=argparse.SUPPRESS)
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def pred_bw(arguments: argparse.Namespace) -> None:
    """Predict tracks; one step, without a Prefect server."""
    from flows.spec import Training, make_part
    from tasks.runner import Source
    from tasks.steps import TRACKS, TracksInputs, TracksParameters, naming_of, track_files

    models = {"bias": arguments.bias_model, "full": arguments.chrombpnet_model, "corrected": arguments.chrombpnet_model_nb}
    reads, accept = (arguments.bigwig,) if arguments.bigwig else (), arguments.accept_bigwig
    _check(arguments, "tracks", models=models, reads=reads, kind="bigwig", accept=accept)
    options = {"batch_size": arguments.batch_size, "seed": arguments.seed}
    training = make_part(Training, options, "arguments", flags_of(arguments.parser))
    inputs = TracksInputs[Source](
        regions=arguments.regions,
        genome=arguments.genome,
        chrom_sizes=arguments.chrom_sizes,
        bigwig=arguments.bigwig,
        bias=arguments.bias_model,
        chrombpnet=arguments.chrombpnet_model,
        chrombpnet_nobias=arguments.chrombpnet_model_nb,
    )
    parameters = TracksParameters(
        batch_size=training.batch_size,
        chroms=tuple(arguments.debug_chr or ()),
        seed=training.seed,
        naming=naming_of(chromosome_options(arguments)),
        accept_bigwig=accept,
    )
    result = TRACKS(store_of(arguments), inputs, parameters)
    _place(track_files(result, arguments.output_prefix, arguments.output_prefix_stats))


def add_contribs_bw(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``contribs_bw``."""
    parser.add_argument(
        "-m",
        "--model-h5",
        required=True,
        metavar="H5",
        help="chrombpnet_nobias.h5, bias.h5, or chrombpnet.h5 (with -pc profile only)",
    )
    _add_regions_flag(parser, "regions to explain")
    add_genome_flags(parser)
    parser.add_argument(
        "-op",
        "--output-prefix",
        required=True,
        metavar="PREFIX",
        help="writes PREFIX.profile_scores.h5, PREFIX.profile_scores.bw, PREFIX.interpreted_regions.bed, …",
    )
    parser.add_argument(
        "-pc",
        "--profile-or-counts",
        nargs="+",
        choices=["counts", "profile"],
        default=["counts", "profile"],
        metavar="HEAD",
        help="explain the predicted counts, the profile, or both (default: both)",
    )
    parser.add_argument(
        "-os",
        "--output-prefix-stats",
        metavar="PREFIX",
        help="also write statistics of each track, PREFIX.profile_scores.stats.txt, … (default: none)",
    )
    parser.add_argument(
        "-d", "--debug-chr", nargs="+", metavar="CHROM", help="explain only regions on these chromosomes (default: all)"
    )
    parser.add_argument(
        "-s", "--seed", type=int, default=1234, metavar="N", help="random seed of the shuffled sequences (default 1234)"
    )
    parser.add_argument("--float32", action="store_true", help="write contributions as float32 (default float16)")
    parser.add_argument(
        "--precision",
        choices=["float32", "tf32"],
        default="tf32",
        help="precision of matrix products on a GPU (default tf32)",
    )
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def contribs_bw(arguments: argparse.Namespace) -> None:
    """Compute contributions; one step, without a Prefect server."""
    from flows.spec import Training, make_part
    from tasks.runner import Source
    from tasks.steps import CONTRIBUTIONS, ContributionsInputs, ContributionsParameters, contribution_files, naming_of

    _check(arguments, "contributions", models={"model": arguments.model_h5})
    training = make_part(Training, {"seed": arguments.seed}, "arguments", flags_of(arguments.parser))
    inputs = ContributionsInputs[Source](
        model=arguments.model_h5,
        regions=arguments.regions,
        genome=arguments.genome,
        chrom_sizes=arguments.chrom_sizes,
    )
    parameters = ContributionsParameters(
        heads=tuple(arguments.profile_or_counts),
        chroms=tuple(arguments.debug_chr or ()),
        seed=training.seed,
        naming=naming_of(chromosome_options(arguments)),
        exact=arguments.float32,
        precision=arguments.precision,
    )
    result = CONTRIBUTIONS(store_of(arguments), inputs, parameters)
    _place(contribution_files(result, arguments.output_prefix, arguments.output_prefix_stats))


def add_footprints(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``footprints``."""
    parser.add_argument("-m", "--model-h5", required=True, metavar="H5", help="model, usually chrombpnet_nobias.h5")
    _add_regions_flag(parser, "background regions to insert motifs into, usually nonpeaks")
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA", help="genome sequence: plain, gzip or bgzip")
    parser.add_argument(
        "-fl", "--chr-fold-path", required=True, metavar="JSON", help="fold; only regions on its test chromosomes are used"
    )
    parser.add_argument(
        "-op",
        "--output-prefix",
        required=True,
        metavar="PREFIX",
        help="writes PREFIX_footprints.html, a page with all of them, PREFIX_footprints.h5, PREFIX.<motif>.footprint.png, …",
    )
    parser.add_argument(
        "-pwm_f",
        "--motifs-to-pwm",
        metavar="TSV",
        help="motifs, one per line: name and sequence (default: Tn5, DNase I and transcription factors of the taxon)",
    )
    parser.add_argument(
        "--taxon",
        choices=["vertebrates", "fungi", "insects", "nematodes", "plants"],
        help="whose transcription factors are taken without -pwm_f (default: told by the names and lengths of the "
        "chromosomes, such as fungi for chrI, chrII, …; else vertebrates)",
    )
    _add_batch_size_flag(parser)
    parser.add_argument(
        "--ylim",
        metavar="LOW,HIGH",
        help="limits of the y axis in the plots, such as 0,0.01 (default: from 0 to the highest curve)",
    )
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def footprints(arguments: argparse.Namespace) -> None:
    """Compute marginal footprints; one step, without a Prefect server."""
    from chrombpnet_core.plots import read_limits
    from flows.spec import Training, make_part
    from tasks.runner import Source
    from tasks.steps import FOOTPRINTS, FootprintsInputs, FootprintsParameters, footprint_files, naming_of

    fold = {"folds": (arguments.chr_fold_path,), "splits": ("test",)}
    others = {"motifs": arguments.motifs_to_pwm}
    folder, name = _check(arguments, "footprints", models={"model": arguments.model_h5}, others=others, **fold)
    training = make_part(Training, {"batch_size": arguments.batch_size}, "arguments", flags_of(arguments.parser))
    inputs = FootprintsInputs[Source](
        model=arguments.model_h5,
        regions=arguments.regions,
        genome=arguments.genome,
        fold=arguments.chr_fold_path,
        motifs=arguments.motifs_to_pwm,
    )
    parameters = FootprintsParameters(
        batch_size=training.batch_size,
        ylim=read_limits(arguments.ylim),
        taxon=None if arguments.motifs_to_pwm else arguments.taxon,
        naming=naming_of(chromosome_options(arguments)),
    )
    result = FOOTPRINTS(store_of(arguments), inputs, parameters)
    _place({folder: footprint_files(result, name)})


def add_modisco_motifs(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``modisco_motifs``."""
    _add_contributions_flag(parser)
    parser.add_argument(
        "-n",
        "--max-seqlets",
        type=int,
        default=50_000,
        metavar="N",
        help="maximum number of seqlets of each sign (default 50000)",
    )
    parser.add_argument(
        "-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_modisco.h5 and PREFIX_reports/"
    )
    parser.add_argument(
        "-l", "--n-leiden", type=int, default=2, metavar="N", help="number of Leiden clustering runs (default 2)"
    )
    parser.add_argument(
        "-w",
        "--window",
        type=int,
        default=500,
        metavar="BP",
        help="width in bp, around the centre of each region, that is searched (default 500 bp)",
    )
    parser.add_argument(
        "--motifs",
        default="jaspar:vertebrates",
        metavar="jaspar:TAXON|MEME",
        help="known motifs to compare with: those of a taxon in JASPAR (default jaspar:vertebrates), or a file in "
        "MEME format",
    )
    parser.add_argument(
        "-s", "--seed", type=int, default=1234, metavar="N", help="random seed of the order of regions (default 1234)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show TF-MoDISco's own output")
    add_store_flag(parser)


def modisco_motifs(arguments: argparse.Namespace) -> None:
    """Discover motifs; one step, without a Prefect server."""
    from pathlib import Path

    from flows.spec import Training, make_part
    from tasks.runner import Source
    from tasks.steps import MOTIFS, MotifsInputs, MotifsParameters, known_motifs, motif_files

    make_part(Training, {"seed": arguments.seed}, "arguments", flags_of(arguments.parser))
    folder, name = _check(arguments, "motifs", motifs=arguments.motifs, others={"contributions": arguments.h5py})
    head = "counts" if "counts" in Path(arguments.h5py).name else "profile"
    file, database = known_motifs(arguments.motifs)
    parameters = MotifsParameters(
        name=head,
        max_seqlets=arguments.max_seqlets,
        window=arguments.window,
        n_leiden=arguments.n_leiden,
        motifs=database,
        seed=arguments.seed,
        verbose=arguments.verbose,
    )
    inputs = MotifsInputs[Source](contributions=arguments.h5py, motifs=file)
    result = MOTIFS[head](store_of(arguments), inputs, parameters)
    _place({folder: motif_files(result, name)})


def add_motif_hits(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``motif_hits``."""
    _add_contributions_flag(parser)
    parser.add_argument(
        "-r",
        "--regions",
        required=True,
        metavar="BED",
        help="regions of these contributions, *.interpreted_regions.bed of contribs_bw",
    )
    parser.add_argument(
        "-m", "--modisco", required=True, metavar="H5", help="discovered motifs, *_modisco.h5 of modisco_motifs"
    )
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_hits.bed")
    add_store_flag(parser)


def motif_hits(arguments: argparse.Namespace) -> None:
    """Find hits of motifs; one step, without a Prefect server."""
    from tasks.runner import Source
    from tasks.steps import HITS, HitsInputs, HitsParameters, hit_files

    others = {"contributions": arguments.h5py, "regions": arguments.regions, "motifs": arguments.modisco}
    folder, name = _check(arguments, "hits", others=others)
    inputs = HitsInputs[Source](contributions=arguments.h5py, regions=arguments.regions, motifs=arguments.modisco)
    result = HITS["profile"](store_of(arguments), inputs, HitsParameters("profile"))
    _place({folder: hit_files(result, name)})


def _add_regions_flag(group: FlagGroup, what: str) -> None:
    group.add_argument(
        "-r",
        "--regions",
        required=True,
        metavar="BED",
        help=f"{what}: narrowPeak, or BED (middle of the interval as summit)",
    )


def _add_contributions_flag(group: FlagGroup) -> None:
    group.add_argument("-i", "--h5py", required=True, metavar="H5", help="contributions, *_scores.h5 of contribs_bw")


def _add_batch_size_flag(group: FlagGroup) -> None:
    group.add_argument(
        "-bs", "--batch-size", type=int, default=64, metavar="N", help="sequences predicted at a time (default 64)"
    )


def _check(arguments: argparse.Namespace, what: str, **files: Any) -> tuple[str, str]:
    """Check inputs and places as a run does at its beginning; folder and name of the outputs."""
    from tasks.steps import DatasetFiles, check_inputs
    from tasks.storage import split_prefix

    prefixes = {what: arguments.output_prefix, "statistics": getattr(arguments, "output_prefix_stats", None)}
    places = {name: split_prefix(prefix)[0] for name, prefix in prefixes.items() if prefix}
    genome = {key: getattr(arguments, key) for key in ("genome", "chrom_sizes") if hasattr(arguments, key)}
    if genome:
        files |= {"regions": {"regions": arguments.regions}, "chromosomes": chromosome_options(arguments)}
    check_inputs.fn(DatasetFiles(places=places | {"store": store_of(arguments)}, **genome, **files))
    return split_prefix(arguments.output_prefix)


def _place(files_by_folder: dict[str, dict[str, Path]]) -> None:
    """Copy files of the store to where they were asked for, and print their addresses."""
    from tasks.storage import place_files

    for folder, files in files_by_folder.items():
        for address in place_files(files, {}, folder):
            print(address)
