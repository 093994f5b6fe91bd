"""The commands ``variants`` and ``snp_score``."""

from __future__ import annotations

import argparse

from chrombpnet_core.errors import InputError
from flows.cli.common import Subcommands, add_chromosome_flags, add_command, add_runtime_flags, flags_of, store_of
from flows.cli.deploy import server_of

__all__ = ["add_commands", "add_snp_score", "add_variants", "snp_score", "variants"]


def add_commands(commands: Subcommands) -> None:
    """Add ``variants`` and ``snp_score``."""
    add_variants(add_command(commands, "variants", variants, "score the effect of variants on accessibility"))
    add_snp_score(add_command(commands, "snp_score", snp_score, "score variants, with the reference program's flags"))


def add_variants(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``variants``; variant-scorer's where it has them."""
    _add_variant_inputs(parser)
    _add_score_flags(parser)
    group = parser.add_argument_group("annotations")
    group.add_argument(
        "--genes", metavar="BED", help="genes: chromosome, start, end, name; the three nearest are listed (default: none)"
    )
    group.add_argument("--hits", metavar="BED", help="motif hits: chromosome, start, end, name (default: none)")
    group = parser.add_argument_group("outputs")
    group.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX.variant_scores.tsv, …")
    group.add_argument("--hdf5", action="store_true", help="also write the predictions of both alleles")
    group.add_argument(
        "--contributions",
        nargs="+",
        metavar="HEAD",
        choices=["counts", "profile"],
        help="also write the contributions of both alleles of every variant: counts, profile or both (default: none)",
    )
    group.add_argument(
        "--top", type=int, default=20, metavar="N", help="number of variants in the report (default 20; 0: no report)"
    )
    parser.add_argument(
        "--part-deployment",
        metavar="NAME",
        help="score each model as a run of this Prefect deployment, such as variants-part/variants-part; "
        "the paths must be valid on its machines, too (default: in this process)",
    )
    add_chromosome_flags(parser)
    add_runtime_flags(parser)


def _add_variant_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("inputs")
    group.add_argument(
        "-l", "--list", required=True, metavar="FILE", help="variants: VCF or BCF (recognised by content), or a table"
    )
    group.add_argument(
        "-sc",
        "--schema",
        default="chrombpnet",
        metavar="SCHEMA",
        choices=["chrombpnet", "original", "plink", "plink2", "bed", "snp_score"],
        help="columns of a table: chrombpnet (chr, pos, allele1, allele2, id), original, plink, plink2, bed (0-based), "
        "snp_score (0-based); default chrombpnet",
    )
    group.add_argument("-g", "--genome", required=True, metavar="FASTA", help="genome sequence: plain, gzip or bgzip")
    group.add_argument("-c", "--chrom-sizes", metavar="TSV", help="chromosomes to use (default: all of the genome)")
    group.add_argument(
        "-m",
        "--model",
        nargs="+",
        metavar="H5",
        help="chrombpnet_nobias.h5 of one fold or of several (default: those of --bundle)",
    )
    group.add_argument(
        "--one-data-set",
        action="store_true",
        help="average the scores of all models even if their names or folders differ by more than the fold's number",
    )
    group.add_argument(
        "--bundle", metavar="URL", help="in place of -m: a published bundle, such as gs://bucket/models/k562 (default: none)"
    )
    group.add_argument(
        "--swap-ref",
        action="store_true",
        help="if allele 2 is the genome's, swap the alleles before scoring (default: leave such variants out)",
    )
    group.add_argument("--chrom", nargs="+", metavar="CHROM", help="score only variants on these chromosomes (default: all)")


def _add_score_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scores")
    group.add_argument(
        "-p",
        "--peaks",
        metavar="BED",
        help="narrowPeak; adds overlaps with peaks, and quantiles of the counts among those predicted for peaks "
        "(default: none)",
    )
    group.add_argument("-mp", "--max-peaks", type=int, metavar="N", help="maximum number of peaks to predict (default: all)")
    group.add_argument(
        "-t",
        "--total-shuf",
        type=int,
        default=0,
        metavar="N",
        help="compute p-values against N shuffled sequences, for variants sampled from the list (default 0: none)",
    )
    group.add_argument(
        "-n",
        "--num-shuf",
        type=int,
        default=0,
        metavar="N",
        help="the same, with N shuffled sequences for each variant in the list; no effect with -t (default 0: none)",
    )
    group.add_argument(
        "-s", "--seed", type=int, default=1234, metavar="N", help="random seed of shuffles and sampling (default 1234)"
    )
    group.add_argument(
        "--precision",
        choices=["float32", "tf32"],
        default="float32",
        help="precision of matrix products on a GPU (default float32: variant effects are small differences)",
    )


def variants(arguments: argparse.Namespace) -> None:
    """Score variants; one model needs no Prefect server, several run as a flow."""
    from flows.spec import make_part
    from flows.variants import VariantsRequest, score_variants
    from flows.variants import variants as flow

    keys = {
        "variants": arguments.list,
        "genome": arguments.genome,
        "models": arguments.model or [],
        "one_data_set": arguments.one_data_set,
        "bundle": arguments.bundle,
        "output_prefix": arguments.output_prefix,
        "chrom_sizes": arguments.chrom_sizes,
        "table": arguments.schema,
        "swap_ref": arguments.swap_ref,
        "chroms": arguments.chrom or [],
        "peaks": arguments.peaks,
        "max_peaks": arguments.max_peaks,
        "genes": arguments.genes,
        "hits": arguments.hits,
        "shuffles": arguments.total_shuf,
        "shuffles_each": arguments.num_shuf,
        "top": arguments.top,
        "profiles": arguments.hdf5,
        "contributions": arguments.contributions or [],
        "precision": arguments.precision,
        "seed": arguments.seed,
        "chromosomes": {"alias": arguments.alias, "exclude": arguments.exclude_chroms},
    }
    request = make_part(VariantsRequest, keys, "arguments", flags_of(arguments.parser))
    store = store_of(arguments)
    several = request.bundle is not None or len(request.models) > 1 or arguments.part_deployment
    with server_of(arguments.part_deployment):
        _say_outputs(flow(request, store, arguments.part_deployment) if several else score_variants(request, store))


def add_snp_score(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``snp_score``."""
    parser.add_argument(
        "-snps",
        "--snp-data",
        required=True,
        metavar="TSV",
        help="chromosome, 0-based position, reference allele, alternative allele, name; no header",
    )
    parser.add_argument("-m", "--model-h5", required=True, metavar="H5", help="model, usually chrombpnet_nobias.h5")
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA", help="genome sequence: plain, gzip or bgzip")
    parser.add_argument(
        "-op",
        "--output-prefix",
        required=True,
        metavar="PREFIX",
        help="writes PREFIX_snp_scores.tsv, PREFIX.variant_scores.tsv, …",
    )
    parser.add_argument(
        "-bs",
        "--batch-size",
        type=int,
        default=64,
        metavar="N",
        help="no effect: batches are as large as memory allows (default 64)",
    )
    add_runtime_flags(parser)
    ours = {"schema": "--schema", "swap_ref": "--swap-ref", "alias": "--alias"}
    parser.set_defaults(elsewhere={name: f"chrombpnet variants {flag}" for name, flag in ours.items()})


def snp_score(arguments: argparse.Namespace) -> None:
    """Score a table of chromosome, 0-based position, reference and alternative allele, as the reference does."""
    from flows.spec import make_part
    from flows.variants import VariantsRequest, score_variants

    if arguments.batch_size < 1:
        raise InputError(f"-bs/--batch-size {arguments.batch_size}", expected="1 or more")
    keys = {
        "variants": arguments.snp_data,
        "genome": arguments.genome,
        "models": [arguments.model_h5],
        "output_prefix": arguments.output_prefix,
        "table": "snp_score",
        "top": 0,
        "profiles": True,
    }
    _say_outputs(
        score_variants(make_part(VariantsRequest, keys, "arguments", flags_of(arguments.parser)), store_of(arguments))
    )


def _say_outputs(addresses: list[str]) -> None:
    """Print the files that were written, and last the report as a link."""
    from pathlib import Path

    for address in addresses:
        print(address)
    report = addresses[-1]
    if report.endswith("variants.html"):
        print(f"report: {Path(report).resolve().as_uri() if '://' not in report else report}")
