"""The commands ``chrombpnet variants`` and ``snp_score``."""

from __future__ import annotations

import argparse
from pathlib import Path

from chrombpnet_core.errors import InputError
from tasks.store import default_store

__all__ = ["snp_score", "variants"]

_FLAGS = {"shuffles": "-t/--total-shuf", "shuffles_each": "-n/--num-shuf", "top": "--top", "max_peaks": "-mp/--max-peaks",
          "seed": "-s/--seed", "models": "-m/--model"}


def variants(given: argparse.Namespace) -> None:
    """``chrombpnet variants``: one model needs no server; several run as a flow."""
    from flows.spec import make_part
    from flows.variants import VariantsRequest, score_variants
    from flows.variants import variants as flow

    asked = {"variants": given.list, "genome": given.genome, "models": given.model or [], "bundle": given.bundle,
             "output_prefix": given.output_prefix, "chrom_sizes": given.chrom_sizes, "table": given.schema,
             "swap_ref": given.swap_ref, "chroms": given.chrom or [], "peaks": given.peaks, "max_peaks": given.max_peaks,
             "genes": given.genes, "hits": given.hits, "shuffles": given.total_shuf, "shuffles_each": given.num_shuf,
             "top": given.top, "profiles": given.hdf5, "contributions": given.contributions or [],
             "precision": given.precision, "seed": given.seed,
             "chromosomes": {"alias": given.alias, "exclude": given.exclude_chroms}}
    request = make_part(VariantsRequest, asked, "arguments", _FLAGS)
    store = given.store or default_store()
    several = request.bundle is not None or len(request.models) > 1 or given.part_deployment
    _say(flow(request, store, given.part_deployment) if several else score_variants(request, store))


def snp_score(given: argparse.Namespace) -> None:
    """``chrombpnet snp_score``: the reference's; columns are chromosome, 0-based position, reference, alternative."""
    from flows.spec import make_part
    from flows.variants import VariantsRequest, score_variants

    if given.batch_size < 1:
        raise InputError(f"-bs/--batch-size {given.batch_size}", expected="1 or more")
    request = make_part(VariantsRequest, {
        "variants": given.snp_data, "genome": given.genome, "models": [given.model_h5], "output_prefix": given.output_prefix,
        "table": "snp_score", "top": 0, "profiles": True}, "arguments", _FLAGS)
    _say(score_variants(request, given.store or default_store()))


def _say(placed: list[str]) -> None:
    for address in placed:
        print(address)
    report = placed[-1]
    if report.endswith("variants.html"):
        print(f"report: {Path(report).resolve().as_uri() if '://' not in report else report}")
