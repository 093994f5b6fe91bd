"""TODO."""

from __future__ import annotations

import argparse
from pathlib import Path

from flows.cli.common import FLAGS, add_chromosome_flags, add_genome_flags, add_runtime_flags, chromosome_options
from flows.cli.runs import store_of
from flows.spec import Training, make_part
from tasks.storage import split_prefix

__all__ = ["contribs_bw", "footprints", "modisco_motifs", "motif_hits", "pred_bw"]


def add_pred_bw(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("models, at least one")
    group.add_argument("-bm", "--bias-model", metavar="H5", help="bias.h5, scaled or not")
    group.add_argument("-cm", "--chrombpnet-model", metavar="H5", help="chrombpnet.h5")
    group.add_argument("-cmb", "--chrombpnet-model-nb", metavar="H5", help="chrombpnet_nobias.h5")
    group = parser.add_argument_group("inputs")
    group.add_argument("-r", "--regions", required=True, metavar="BED", help="narrowPeak, or BED (middle = summit)")
    add_genome_flags(group)
    group.add_argument("-bw", "--bigwig", metavar="BW", help="observed insertions: metrics and predictions are written too")
    group.add_argument("-d", "--debug-chr", nargs="+", metavar="CHROM", help="only these chromosomes")
    group = parser.add_argument_group("outputs")
    group.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_<model>.bw, …")
    group.add_argument("-os", "--output-prefix-stats", metavar="PREFIX", help="writes statistics of each track")
    parser.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the shuffled profiles in the metrics")
    parser.add_argument("-t", "--tqdm", help=argparse.SUPPRESS)
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def add_contribs_bw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m", "--model-h5", required=True, metavar="H5", help="a model of any kind; of chrombpnet.h5 only the profile"
    )
    parser.add_argument("-r", "--regions", required=True, metavar="BED", help="narrowPeak, or BED (middle = summit)")
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
        help="counts, profile (default: both)",
    )
    parser.add_argument("-os", "--output-prefix-stats", metavar="PREFIX", help="writes PREFIX.profile_scores.stats.txt, …")
    parser.add_argument("-d", "--debug-chr", nargs="+", metavar="CHROM", help="only regions on these chromosomes")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the shuffles (default 1234)")
    parser.add_argument("--float32", action="store_true", help="write scores as float32 (default float16)")
    parser.add_argument(
        "--precision", choices=["float32", "tf32"], default="tf32", help="of products on a GPU (default tf32)"
    )
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def add_footprints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--model-h5", required=True, metavar="H5", help="a model; usually chrombpnet_nobias.h5")
    parser.add_argument("-r", "--regions", required=True, metavar="BED", help="background that motifs are put into")
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
    parser.add_argument("-fl", "--chr-fold-path", required=True, metavar="JSON", help="its test chromosomes are used")
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX")
    parser.add_argument("-pwm_f", "--motifs-to-pwm", metavar="TSV", help="motif names and sequences")
    parser.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    parser.add_argument("--ylim", metavar="LOW,HIGH", help="limits of the pictures' y axis, such as 0,0.01")
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def add_modisco_motifs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--h5py", required=True, metavar="H5", help="contributions, *_scores.h5 of contribs_bw")
    parser.add_argument(
        "-n",
        "--max-seqlets",
        type=int,
        default=50_000,
        metavar="N",
        help="sites of each sign that are clustered at most (default 50000)",
    )
    parser.add_argument(
        "-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_modisco.h5 and PREFIX_reports/"
    )
    parser.add_argument("-l", "--n-leiden", type=int, default=2, metavar="N", help="clusterings tried (default 2)")
    parser.add_argument(
        "-w", "--window", type=int, default=500, metavar="BP", help="around each region's middle (default 500)"
    )
    parser.add_argument(
        "--motifs",
        default="jaspar:vertebrates",
        metavar="jaspar:TAXON|MEME",
        help="known motifs to compare with: JASPAR's of a taxon (default jaspar:vertebrates), or a file in MEME's format",
    )
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the order in which regions are taken")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what TF-MoDISco says")
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs")


def add_motif_hits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--h5py", required=True, metavar="H5", help="contributions, *_scores.h5 of contribs_bw")
    parser.add_argument("-r", "--regions", required=True, metavar="BED", help="their regions, *.interpreted_regions.bed")
    parser.add_argument("-m", "--modisco", required=True, metavar="H5", help="motifs, *_modisco.h5 of modisco_motifs")
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_hits.bed")
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs")


def pred_bw(given: argparse.Namespace) -> None:
    """``chrombpnet pred_bw``: one step, without any server."""
    from tasks.steps.genome import naming_of
    from tasks.steps.tracks import predict_tracks, track_files
    from tasks.storage import place_files, require_place

    for prefix in filter(None, (given.output_prefix, given.output_prefix_stats)):
        require_place(split_prefix(prefix)[0], "tracks")
    models = {"bias": given.bias_model, "chrombpnet": given.chrombpnet_model, "chrombpnet_nobias": given.chrombpnet_model_nb}
    training = make_part(Training, {"batch_size": given.batch_size, "seed": given.seed}, "arguments", FLAGS)
    result = predict_tracks.fn(
        store_of(given),
        models,
        given.regions,
        given.genome,
        given.chrom_sizes,
        given.bigwig,
        training.batch_size,
        given.debug_chr,
        training.seed,
        naming_of(chromosome_options(given)).to_json(),
    )
    for folder, files in track_files(result, given.output_prefix, given.output_prefix_stats).items():
        for address in place_files(files, {}, folder):
            print(address)


def contribs_bw(given: argparse.Namespace) -> None:
    """``chrombpnet contribs_bw``: one step, without any server."""
    from tasks.steps.contributions import contribution_files, explain_regions
    from tasks.steps.genome import naming_of
    from tasks.storage import place_files, require_place

    for prefix in filter(None, (given.output_prefix, given.output_prefix_stats)):
        require_place(split_prefix(prefix)[0], "contributions")
    training = make_part(Training, {"seed": given.seed}, "arguments", FLAGS)
    result = explain_regions.fn(
        store_of(given),
        given.model_h5,
        given.regions,
        given.genome,
        given.chrom_sizes,
        given.profile_or_counts,
        given.debug_chr,
        training.seed,
        naming_of(chromosome_options(given)).to_json(),
        given.float32,
        precision=given.precision,
    )
    for folder, files in contribution_files(result, given.output_prefix, given.output_prefix_stats).items():
        for address in place_files(files, {}, folder):
            print(address)


def footprints(given: argparse.Namespace) -> None:
    """``chrombpnet footprints``: one step, without any server."""
    from tasks.steps.footprints import draw_footprints, footprint_files
    from tasks.steps.genome import naming_of
    from tasks.storage import place_files, require_place

    folder, name = split_prefix(given.output_prefix)
    require_place(folder, "footprints")
    training = make_part(Training, {"batch_size": given.batch_size}, "arguments", FLAGS)
    result = draw_footprints.fn(
        store_of(given),
        given.model_h5,
        given.regions,
        given.genome,
        given.chr_fold_path,
        given.motifs_to_pwm,
        training.batch_size,
        given.ylim,
        naming_of(chromosome_options(given)).to_json(),
    )
    for address in place_files(footprint_files(result, name), {}, folder):
        print(address)


def modisco_motifs(given: argparse.Namespace) -> None:
    """``chrombpnet modisco_motifs``: one step, without any server."""
    from tasks.steps.motifs import find_motifs, motif_files
    from tasks.storage import place_files, require_place

    folder, name = split_prefix(given.output_prefix)
    require_place(folder, "motifs")
    kind = "counts" if "counts" in Path(given.h5py).name else "profile"
    result = find_motifs.fn(
        store_of(given),
        given.h5py,
        kind,
        given.max_seqlets,
        given.window,
        given.n_leiden,
        given.motifs,
        given.seed,
        given.verbose,
    )
    for address in place_files(motif_files(result, name), {}, folder):
        print(address)


def motif_hits(given: argparse.Namespace) -> None:
    """``chrombpnet motif_hits``: one step, without any server."""
    from tasks.steps.motifs import find_hits, hit_files
    from tasks.storage import place_files, require_place

    folder, name = split_prefix(given.output_prefix)
    require_place(folder, "hits")
    result = find_hits.fn(store_of(given), given.h5py, given.regions, given.modisco)
    for address in place_files(hit_files(result, name), {}, folder):
        print(address)
