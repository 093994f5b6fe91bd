"""The flags of ``chrombpnet encode run`` and ``encode list``; imports nothing but argparse."""

from __future__ import annotations

import argparse

__all__ = ["add_encode_list", "add_encode_run"]


def add_encode_run(parser: argparse.ArgumentParser) -> None:
    """Flags of ``encode run``."""
    parser.add_argument("--template", required=True, metavar="YAML", help="a data set without what the portal decides (id, "
                        "assay, reads, peaks, output): genome, blacklist, folds, model, …")
    parser.add_argument("-o", "--output", required=True, metavar="PLACE", help="place of the catalogue and results")
    parser.add_argument("--contact", required=True, metavar="EMAIL", help="the portal wants to know who asks")
    group = parser.add_argument_group("which experiments")
    group.add_argument("--assay", nargs="+", choices=["ATAC-seq", "DNase-seq"], metavar="ASSAY", help="default: both")
    group.add_argument("--assembly", default="GRCh38", metavar="NAME", help="default GRCh38")
    group.add_argument("--from", dest="released_from", metavar="DATE", help="released then or later, such as 2026-01-31")
    group.add_argument("--to", dest="released_to", metavar="DATE", help="released then or earlier")
    group.add_argument("--biosample", nargs="+", metavar="NAME", help="only these cell lines or tissues, such as K562")
    group.add_argument("--perturbed", choices=["exclude", "include", "only"], default="exclude", help="treated or modified "
                       "samples (default exclude)")
    group.add_argument("--refuse-audits", nargs="*", choices=["ERROR", "NOT_COMPLIANT", "WARNING"], metavar="LEVEL",
                       help="levels of audits that are refused (default ERROR)")
    group.add_argument("--allow-audit", nargs="+", metavar="CATEGORY", help="categories that are not, at any level")
    group.add_argument("--limit", type=int, metavar="N", help="look at N experiments of each assay at most (default: all)")
    group.add_argument("--portal", metavar="URL", help="default https://www.encodeproject.org")
    group.add_argument("--bucket", nargs="+", metavar="URL", help="hosts of its files (default: ENCODE's public buckets)")
    group = parser.add_argument_group("what is started")
    group.add_argument("--start", type=int, metavar="N", help="data sets at most (default 10)")
    group.add_argument("--deployment", metavar="NAME", help="each as a run of this Prefect deployment of the flow 'dataset'")
    group.add_argument("--fold-deployment", metavar="NAME", help="given on to it")
    group.add_argument("--here", action="store_true", help="one after the other, in this process")
    group.add_argument("--dry-run", metavar="FOLDER", help="nothing: their YAML is written to FOLDER, the catalogue is not")
    group.add_argument("--retry-failed", action="store_true", help="those that have failed, too")
    group.add_argument("--price", type=float, metavar="MONEY", help="of an hour of a GPU, for the catalogue")
    group.add_argument("--store", metavar="URL", help="where steps keep their outputs (default ~/.cache/chrombpnet/store)")
    group.add_argument("--threads", type=int, metavar="N", help="for reading and writing data (default: one per core)")
    group.add_argument("--backend", choices=["tensorflow", "jax"], help="of Keras (default tensorflow)")


def add_encode_list(parser: argparse.ArgumentParser) -> None:
    """Flags of ``encode list``."""
    parser.add_argument("output", metavar="PLACE", help="the output of 'encode run'")
    parser.add_argument("--state", nargs="+", choices=["new", "refused", "started", "done", "failed", "stale"],
                        metavar="STATE", help="only these")
