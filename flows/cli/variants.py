"""The commands ``chrombpnet variants`` and ``snp_score``."""

from __future__ import annotations

import argparse
from pathlib import Path

from chrombpnet_core.errors import InputError
from tasks.storage import default_store

__all__ = ["add_snp_score", "add_variants", "snp_score", "variants"]

FLAGS = {
    "shuffles": "-t/--total-shuf",
    "shuffles_each": "-n/--num-shuf",
    "top": "--top",
    "max_peaks": "-mp/--max-peaks",
    "seed": "-s/--seed",
    "models": "-m/--model",
}


def variants(given: argparse.Namespace) -> None:
    """``chrombpnet variants``: one model needs no server; several run as a flow."""
    from flows.spec import make_part
    from flows.variants import VariantsRequest, score_variants
    from flows.variants import variants as flow

    asked = {
        "variants": given.list,
        "genome": given.genome,
        "models": given.model or [],
        "bundle": given.bundle,
        "output_prefix": given.output_prefix,
        "chrom_sizes": given.chrom_sizes,
        "table": given.schema,
        "swap_ref": given.swap_ref,
        "chroms": given.chrom or [],
        "peaks": given.peaks,
        "max_peaks": given.max_peaks,
        "genes": given.genes,
        "hits": given.hits,
        "shuffles": given.total_shuf,
        "shuffles_each": given.num_shuf,
        "top": given.top,
        "profiles": given.hdf5,
        "contributions": given.contributions or [],
        "precision": given.precision,
        "seed": given.seed,
        "chromosomes": {"alias": given.alias, "exclude": given.exclude_chroms},
    }
    request = make_part(VariantsRequest, asked, "arguments", FLAGS)
    store = given.store or default_store()
    several = request.bundle is not None or len(request.models) > 1 or given.part_deployment
    _say(flow(request, store, given.part_deployment) if several else score_variants(request, store))


def snp_score(given: argparse.Namespace) -> None:
    """``chrombpnet snp_score``: the reference's; columns are chromosome, 0-based position, reference, alternative."""
    from flows.spec import make_part
    from flows.variants import VariantsRequest, score_variants

    if given.batch_size < 1:
        raise InputError(f"-bs/--batch-size {given.batch_size}", expected="1 or more")
    request = make_part(
        VariantsRequest,
        {
            "variants": given.snp_data,
            "genome": given.genome,
            "models": [given.model_h5],
            "output_prefix": given.output_prefix,
            "table": "snp_score",
            "top": 0,
            "profiles": True,
        },
        "arguments",
        FLAGS,
    )
    _say(score_variants(request, given.store or default_store()))


def _say(placed: list[str]) -> None:
    for address in placed:
        print(address)
    report = placed[-1]
    if report.endswith("variants.html"):
        print(f"report: {Path(report).resolve().as_uri() if '://' not in report else report}")


def add_variants(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the flags of ``variants``, without those of chromosomes and place; variant-scorer's where it has them."""
    group = parser.add_argument_group("inputs")
    group.add_argument("-l", "--list", required=True, metavar="FILE", help="VCF or BCF (known by its content), or a table")
    group.add_argument(
        "-sc",
        "--schema",
        default="chrombpnet",
        metavar="SCHEMA",
        choices=["chrombpnet", "original", "plink", "plink2", "bed", "snp_score"],
        help="of a table: chrombpnet (default; chr pos allele1 allele2 id), original, plink, plink2, bed "
        "(0-based), snp_score (0-based)",
    )
    group.add_argument("-g", "--genome", required=True, metavar="FASTA", help="plain, gzip or bgzip")
    group.add_argument("-c", "--chrom-sizes", metavar="TSV", help="chromosomes to use (default: all of the genome)")
    group.add_argument("-m", "--model", nargs="+", metavar="H5", help="chrombpnet_nobias.h5 of a fold, or of several")
    group.add_argument("--bundle", metavar="URL", help="a published bundle, <address>/<name>, in place of models")
    group.add_argument(
        "--swap-ref",
        action="store_true",
        help="exchange alleles of which the second is the genome's; the scores are then of the exchanged order",
    )
    group.add_argument("--chrom", nargs="+", metavar="CHROM", help="only these chromosomes")
    group = parser.add_argument_group("scores")
    group.add_argument("-p", "--peaks", metavar="BED", help="narrowPeak: quantiles among their predictions, and overlaps")
    group.add_argument("-mp", "--max-peaks", type=int, metavar="N", help="peaks to predict at most")
    group.add_argument(
        "-t",
        "--total-shuf",
        type=int,
        default=0,
        metavar="N",
        help="p-values against N variants in shuffled sequence (default: none)",
    )
    group.add_argument("-n", "--num-shuf", type=int, default=0, metavar="N", help="the same, N for each variant")
    group.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of shuffles and draws (default 1234)")
    group.add_argument(
        "--precision",
        choices=["float32", "tf32"],
        default="float32",
        help="of products on a GPU (default float32: effects of variants are small differences)",
    )
    group = parser.add_argument_group("annotations")
    group.add_argument("--genes", metavar="BED", help="chromosome, start, end, name; the three nearest are told")
    group.add_argument("--hits", metavar="BED", help="motif hits: chromosome, start, end, name")
    group = parser.add_argument_group("outputs")
    group.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX.variant_scores.tsv, …")
    group.add_argument("--hdf5", action="store_true", help="write predictions of both alleles too")
    group.add_argument(
        "--contributions",
        nargs="+",
        metavar="HEAD",
        choices=["counts", "profile"],
        help="write contributions of both alleles of every variant: counts, profile or both",
    )
    group.add_argument("--top", type=int, default=20, metavar="N", help="variants in the report (default 20; 0: no report)")
    parser.add_argument(
        "--part-deployment",
        metavar="NAME",
        help="score each model as a run of this deployment, "
        "variants-part/variants-part; paths must mean the same where it runs",
    )
    return parser


def add_snp_score(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the flags of ``snp_score``, but for those of where it runs."""
    parser.add_argument(
        "-snps",
        "--snp-data",
        required=True,
        metavar="TSV",
        help="chromosome, 0-based position, reference allele, alternative allele, name; no header",
    )
    parser.add_argument("-m", "--model-h5", required=True, metavar="H5", help="a model; usually chrombpnet_nobias.h5")
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
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
        help="accepted; batches are as large as memory has room for",
    )
    return parser
