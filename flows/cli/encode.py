"""The commands ``chrombpnet encode``: look through the portal, tell what the catalogue holds."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import require_file
from tasks.storage import default_store

__all__ = ["add_encode_list", "add_encode_run", "encode_list", "encode_run"]


def encode_run(given: argparse.Namespace) -> None:
    """``chrombpnet encode run``."""
    from flows.encode import EncodeRequest, encode, reprocess
    from flows.spec import make_part

    if [bool(given.here), bool(given.deployment), bool(given.dry_run)].count(True) != 1:
        raise InputError("where shall data sets run?", expected="one of --deployment NAME, --here, --dry-run FOLDER")
    asked = {
        "contact": given.contact,
        "template": read_template(given.template),
        "output": _absolute(given.output),
        "store": _absolute(given.store or default_store()),
        "assays": given.assay,
        "assembly": given.assembly,
        "released_from": given.released_from,
        "released_to": given.released_to,
        "biosamples": given.biosample,
        "limit": given.limit,
        "perturbed": given.perturbed,
        "refused_audits": given.refuse_audits,
        "allowed_audits": given.allow_audit,
        "start": given.start,
        "fold_deployment": given.fold_deployment,
        "deployment": given.deployment,
        "retry_failed": given.retry_failed,
        "price": given.price,
    }
    asked |= {"portal": given.portal, "buckets": given.bucket}
    flags = {"template": "the template", "released_from": "--from", "released_to": "--to"}
    request = make_part(EncodeRequest, {name: value for name, value in asked.items() if value is not None}, "", flags)
    if given.here:
        from chrombpnet_core.devices import configure

        configure(given.backend, (request.template.get("training") or {}).get("device", "auto"))
    if given.dry_run:
        summary = reprocess(request, lambda task, *arguments: task.fn(*arguments), given.dry_run)
    else:
        summary = encode(request)
    for reason, number in Counter(_without_names(reason) for reason in summary.refusals.values()).most_common():
        print(f"{number:>6}  refused: {reason}")
    for state, number in sorted(summary.states.items()):
        print(f"{number:>6}  {state}")
    print(f"{len(summary.started):>6}  {f'written to {given.dry_run}' if given.dry_run else 'started now'}")
    if summary.page:
        print(f"page: {summary.page}")


def encode_list(given: argparse.Namespace) -> None:
    """``chrombpnet encode list``: a line for each experiment of the catalogue, tab-separated."""
    from tasks.encode import Catalogue

    entries = Catalogue(given.output).read()
    if not entries:
        raise InputError(f"{given.output}: no catalogue there", expected="the output of 'chrombpnet encode run'")
    for entry in sorted(entries.values(), key=lambda each: each.accession):
        if not given.state or entry.state in given.state:
            print("\t".join([entry.accession, entry.state, entry.assay, entry.biosample, entry.reason or entry.report]))


def read_template(path: str) -> dict[str, Any]:
    """The content of a template file, relative paths in it made absolute.

    Raises
    ------
    InputError
        Where it is not YAML, or no mapping.
    """
    from flows.spec import resolve_paths

    try:
        content = yaml.safe_load(require_file(path, "template").read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML", found=str(error)) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a template", expected="keys of a data set such as genome, blacklist, folds, bias")
    return resolve_paths(content, Path(path).resolve().parent)


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).expanduser().absolute())


def _without_names(reason: str) -> str:
    """The same for all files: their accessions left out."""
    return " ".join("…" if word.startswith("ENCFF") else word for word in reason.split())


def add_encode_run(parser: argparse.ArgumentParser) -> None:
    """Flags of ``encode run``."""
    parser.add_argument(
        "--template",
        required=True,
        metavar="YAML",
        help="a data set without what the portal decides (id, "
        "assay, reads, peaks, output): genome, blacklist, folds, model, …",
    )
    parser.add_argument("-o", "--output", required=True, metavar="PLACE", help="place of the catalogue and results")
    parser.add_argument("--contact", required=True, metavar="EMAIL", help="the portal wants to know who asks")
    group = parser.add_argument_group("which experiments")
    group.add_argument("--assay", nargs="+", choices=["ATAC-seq", "DNase-seq"], metavar="ASSAY", help="default: both")
    group.add_argument("--assembly", default="GRCh38", metavar="NAME", help="default GRCh38")
    group.add_argument("--from", dest="released_from", metavar="DATE", help="released then or later, such as 2026-01-31")
    group.add_argument("--to", dest="released_to", metavar="DATE", help="released then or earlier")
    group.add_argument("--biosample", nargs="+", metavar="NAME", help="only these cell lines or tissues, such as K562")
    group.add_argument(
        "--perturbed",
        choices=["exclude", "include", "only"],
        default="exclude",
        help="treated or modified samples (default exclude)",
    )
    group.add_argument(
        "--refuse-audits",
        nargs="*",
        choices=["ERROR", "NOT_COMPLIANT", "WARNING"],
        metavar="LEVEL",
        help="levels of audits that are refused (default ERROR)",
    )
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
    parser.add_argument(
        "--state",
        nargs="+",
        choices=["new", "refused", "started", "done", "failed", "stale"],
        metavar="STATE",
        help="only these",
    )
