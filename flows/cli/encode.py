"""The commands ``encode run`` and ``encode list``: ENCODE's experiments, and the catalogue of what became of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from chrombpnet_core.errors import InputError
from flows.cli.common import (
    FlagGroup,
    Subcommands,
    add_command,
    add_command_group,
    add_compute_flags,
    add_store_flag,
    flags_of,
    read_mapping,
    store_of,
)
from flows.cli.deploy import server_of

if TYPE_CHECKING:
    from flows.encode import Summary

__all__ = ["add_commands", "encode_list", "encode_run"]


def add_commands(commands: Subcommands) -> None:
    """Add ``encode run`` and ``encode list``."""
    encode = add_command_group(commands, "encode", "train models for ENCODE's experiments")
    add_encode_run(
        add_command(
            encode, "run", encode_run, "search the ENCODE portal and start data sets that are new, outdated or interrupted"
        )
    )
    add_encode_list(add_command(encode, "list", encode_list, "print the state of every experiment in the catalogue"))


def add_encode_run(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``encode run``."""
    parser.add_argument(
        "--template",
        required=True,
        metavar="YAML",
        help="data set file without the keys that are filled in for each experiment (id, assay, reads, peaks, output): "
        "genome, blacklist, folds, model, …",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="PLACE", help="folder or address for the catalogue and the results"
    )
    parser.add_argument(
        "--contact", required=True, metavar="EMAIL", help="your e-mail address, sent to the portal with each request"
    )
    _add_experiment_flags(parser.add_argument_group("which experiments"))
    group = parser.add_argument_group("what is started, and where", "Give one of --deployment, --here, --dry-run.")
    group.add_argument("--start", type=int, metavar="N", help="start at most N data sets (default 10)")
    group.add_argument(
        "--deployment",
        metavar="NAME",
        help="run each data set as a run of this Prefect deployment of the flow 'dataset' (default: none)",
    )
    group.add_argument(
        "--fold-deployment",
        metavar="NAME",
        help="run each fold as a run of this Prefect deployment of the flow 'fold', such as fold/fold "
        "(default: with the data set)",
    )
    group.add_argument("--here", action="store_true", help="run the data sets in this process, one after the other")
    group.add_argument(
        "--dry-run",
        metavar="FOLDER",
        help="write the data set files to FOLDER; start nothing and leave the catalogue unchanged (default: none)",
    )
    group.add_argument("--retry-failed", action="store_true", help="also start data sets that failed before")
    group.add_argument(
        "--price",
        type=float,
        metavar="MONEY",
        help="price of a GPU hour in your currency, for the catalogue (default: none)",
    )
    add_store_flag(group)
    add_compute_flags(group)


def _add_experiment_flags(group: FlagGroup) -> None:
    group.add_argument(
        "--assay", nargs="+", choices=["ATAC-seq", "DNase-seq"], metavar="ASSAY", help="ATAC-seq, DNase-seq (default: both)"
    )
    group.add_argument("--assembly", default="GRCh38", metavar="NAME", help="genome assembly of the files (default GRCh38)")
    group.add_argument(
        "--from",
        dest="released_from",
        metavar="DATE",
        help="released on this day or later, such as 2026-01-31 (default: any day)",
    )
    group.add_argument("--to", dest="released_to", metavar="DATE", help="released on this day or earlier (default: any day)")
    group.add_argument(
        "--biosample", nargs="+", metavar="NAME", help="only these cell lines or tissues, such as K562 (default: all)"
    )
    group.add_argument(
        "--perturbed",
        choices=["exclude", "include", "only"],
        default="exclude",
        help="whether to use treated or genetically modified samples (default exclude)",
    )
    group.add_argument(
        "--refuse-audits",
        nargs="*",
        choices=["ERROR", "NOT_COMPLIANT", "WARNING"],
        metavar="LEVEL",
        help="refuse experiments with audits of these levels (default ERROR)",
    )
    group.add_argument(
        "--allow-audit",
        nargs="+",
        metavar="CATEGORY",
        help="never refuse an experiment for audits of these categories (default: none)",
    )
    group.add_argument(
        "--limit", type=int, metavar="N", help="look at no more than N experiments of each assay (default: all)"
    )
    group.add_argument("--portal", metavar="URL", help="address of the portal (default https://www.encodeproject.org)")
    group.add_argument(
        "--bucket",
        nargs="+",
        metavar="URL",
        help="hosts that files may be downloaded from (default: ENCODE's public buckets)",
    )


def encode_run(arguments: argparse.Namespace) -> None:
    """Search the portal, bring the catalogue up to date, start data sets."""
    from flows.encode import EncodeRequest, encode, reprocess
    from flows.spec import make_part

    if [bool(arguments.here), bool(arguments.deployment), bool(arguments.dry_run)].count(True) != 1:
        raise InputError("no place for the data sets to run", expected="one of --deployment NAME, --here, --dry-run FOLDER")
    keys = {
        "contact": arguments.contact,
        "template": _read_template(arguments.template),
        "output": _absolute(arguments.output),
        "store": _absolute(store_of(arguments)),
        "assays": arguments.assay,
        "assembly": arguments.assembly,
        "released_from": arguments.released_from,
        "released_to": arguments.released_to,
        "biosamples": arguments.biosample,
        "limit": arguments.limit,
        "perturbed": arguments.perturbed,
        "refused_audits": arguments.refuse_audits,
        "allowed_audits": arguments.allow_audit,
        "start": arguments.start,
        "fold_deployment": arguments.fold_deployment,
        "deployment": arguments.deployment,
        "retry_failed": arguments.retry_failed,
        "price": arguments.price,
    }
    keys |= {"portal": arguments.portal, "buckets": arguments.bucket}
    stated = {name: value for name, value in keys.items() if value is not None}
    request = make_part(EncodeRequest, stated, "arguments", flags_of(arguments.parser))
    if arguments.here:
        from chrombpnet_core.devices import configure

        configure(arguments.backend, (request.template.get("training") or {}).get("device", "auto"))
    if arguments.dry_run:
        summary = reprocess(request, lambda step, *inputs: step.fn(*inputs), arguments.dry_run)
    else:
        with server_of(arguments.deployment or arguments.fold_deployment):
            summary = encode(request)
    _print_summary(summary, arguments.dry_run)


def _print_summary(summary: Summary, folder: str | None) -> None:
    """Print how many experiments were refused and why, the states of the others, and what was started."""
    from collections import Counter

    for reason, number in Counter(_without_names(reason) for reason in summary.refusals.values()).most_common():
        print(f"{number:>6}  refused: {reason}")
    for state, number in sorted(summary.states.items()):
        print(f"{number:>6}  {state}")
    print(f"{len(summary.started):>6}  {f'written to {folder}' if folder else 'started now'}")
    if summary.page:
        print(f"page: {summary.page}")


def add_encode_list(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``encode list``."""
    parser.add_argument("output", metavar="PLACE", help="output of 'encode run'")
    parser.add_argument(
        "--state",
        nargs="+",
        choices=["new", "refused", "started", "done", "failed", "stale"],
        metavar="STATE",
        help="print only experiments in these states (default: all)",
    )


def encode_list(arguments: argparse.Namespace) -> None:
    """Print a line for each experiment of the catalogue, tab-separated."""
    from tasks.encode import Catalogue

    entries = Catalogue(arguments.output).read()
    if not entries:
        raise InputError(f"{arguments.output}: no catalogue there", expected="the output of 'chrombpnet encode run'")
    for entry in sorted(entries.values(), key=lambda entry: entry.accession):
        if not arguments.state or entry.state in arguments.state:
            print("\t".join([entry.accession, entry.state, entry.assay, entry.biosample, entry.reason or entry.report]))


def _read_template(path: str) -> dict[str, Any]:
    """Read a template file; relative paths in it become absolute."""
    from pathlib import Path

    from flows.spec import resolve_paths

    content = read_mapping(path, "template", "keys of a data set such as genome, blacklist, folds, bias")
    return resolve_paths(content, Path(path).resolve().parent)


def _absolute(place: str) -> str:
    from pathlib import Path

    return place if "://" in place else str(Path(place).expanduser().absolute())


def _without_names(reason: str) -> str:
    """Leave accessions of files out of a reason, so that equal reasons are counted together."""
    return " ".join("…" if word.startswith("ENCFF") else word for word in reason.split())
