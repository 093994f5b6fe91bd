"""Flags that several commands share, and the words of messages: arguments of the core as flags of the command."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from rich_argparse import RawDescriptionRichHelpFormatter

__all__ = [
    "FLAGS",
    "HelpFormatter",
    "add_chromosome_flags",
    "add_command",
    "add_command_group",
    "add_compute_flags",
    "add_dataset_flags",
    "add_dry_run_flag",
    "add_file_prefix_flags",
    "add_genome_flags",
    "add_runtime_flags",
    "add_store_flag",
    "chromosome_options",
    "flags_of",
    "read_mapping",
    "store_of",
    "with_flags",
]

Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
FlagGroup: TypeAlias = "argparse._ActionsContainer"
"""A parser, or a group of its flags."""

FLAGS: dict[str, tuple[str, ...]] = {
    "accept_bigwig": ("--accept-bigwig",),
    "accept_reads": ("--accept-reads",),
    "alias": ("--alias",),
    "architecture": ("--architecture-from-file",),
    "assay": ("--data-type",),
    "assembly": ("--assembly",),
    "backend": ("--backend",),
    "bam": ("--input-bam-file",),
    "batch_size": ("--batch-size",),
    "bias": ("--bias-model",),
    "bias.model": ("--bias-model-path",),
    "bias_model": ("--bias-model-path", "--bias-model"),
    "bigwig": ("--input-bigwig-file", "--bigwig"),
    "blacklist": ("--blacklist-regions",),
    "bundle": ("--bundle",),
    "chrom_sizes": ("--chrom-sizes",),
    "chromosomes": ("--debug-chr", "--chrom"),
    "chrombpnet": ("--chrombpnet-model",),
    "chrombpnet_nobias": ("--chrombpnet-model-nb",),
    "chroms": ("--chrom", "--debug-chr"),
    "columns": ("--schema",),
    "contributions": ("--contributions", "--h5py"),
    "counts": ("--explain-counts",),
    "database": ("--motifs",),
    "debug_chr": ("--debug-chr",),
    "dedup": ("--dedup",),
    "device": ("--device",),
    "dilation_layers": ("--n-dilation-layers",),
    "epochs": ("--epochs",),
    "exclude": ("--exclude-chroms",),
    "exclude_blacklisted_peaks": ("--exclude-blacklisted-peaks",),
    "exclude_flags": ("--exclude-flags",),
    "explanation.peaks": ("--explain",),
    "factor": ("--bias-threshold-factor",),
    "filters": ("--filters",),
    "fold": ("--chr-fold-path",),
    "folds": ("--chr-fold-path", "--k"),
    "fragments": ("--input-fragment-file",),
    "genes": ("--genes",),
    "genome": ("--genome",),
    "gpus": ("--gpus",),
    "heads": ("--profile-or-counts", "--contributions"),
    "hits": ("--hits",),
    "input_length": ("--inputlen",),
    "jitter": ("--max-jitter",),
    "k": ("--k",),
    "layers": ("--n-dilation-layers",),
    "learning_rate": ("--learning-rate",),
    "limits": ("--ylim",),
    "max_peaks": ("--max-peaks",),
    "max_seqlets": ("--max-seqlets",),
    "min_mapq": ("--min-mapq",),
    "minus_shift": ("--minus-shift",),
    "model": ("--model-h5", "--model"),
    "models": ("--model",),
    "motifs": ("--motifs", "--motifs-to-pwm"),
    "n_leiden": ("--n-leiden",),
    "name": ("--name",),
    "negative_sampling_ratio": ("--negative-sampling-ratio",),
    "nonpeaks": ("--nonpeaks",),
    "num_samples": ("--num-samples",),
    "one_data_set": ("--one-data-set",),
    "outlier_threshold": ("--outlier-threshold",),
    "output": ("--output-dir", "--output"),
    "output_length": ("--outputlen",),
    "output_prefix": ("--output-prefix",),
    "patience": ("--early-stop",),
    "peaks": ("--peaks",),
    "plus_shift": ("--plus-shift",),
    "precision": ("--precision",),
    "ratio": ("--neg-to-pos-ratio-train",),
    "reads": ("--plus-shift",),
    "reference_matrices": ("--ATAC-ref-path",),
    "regions": ("--regions",),
    "released_from": ("--from",),
    "released_to": ("--to",),
    "schema": ("--schema",),
    "seed": ("--seed",),
    "shuffles": ("--total-shuf",),
    "shuffles_each": ("--num-shuf",),
    "store": ("--store",),
    "single_end": ("--input-single-end-file",),
    "stride": ("--stride",),
    "swap_ref": ("--swap-ref",),
    "table": ("--schema",),
    "tagalign": ("--input-tagalign-file",),
    "taxon": ("--taxon",),
    "template": ("--template",),
    "threads": ("--threads",),
    "threshold_factor": ("--bias-threshold-factor",),
    "top": ("--top",),
    "use_counts": ("--use-counts",),
    "variants": ("--list", "--snp-data"),
    "window": ("--window",),
    "xla": ("--xla",),
    "ylim": ("--ylim",),
}
"""Argument of the core, or key of a data set file → the flags that set it; the first that the command has is meant."""


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


class HelpFormatter(RawDescriptionRichHelpFormatter):
    """Help in colour, titles of groups as they are written but for a capital first letter."""

    group_name_formatter = _title


_ARGUMENT = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*)(?:=([^`]*))?`")


def flags_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """List the arguments that this command sets by flags.

    Parameters
    ----------
    parser
        The command's own.

    Returns
    -------
    dict of str to str
        Flag as help shows it, such as ``-il/--inputlen``, by the argument's name in :data:`FLAGS`.
    """
    shown = {option: "/".join(action.option_strings) for action in parser._actions for option in action.option_strings}
    known = {name: [shown[flag] for flag in flags if flag in shown] for name, flags in FLAGS.items()}
    elsewhere: dict[str, str] = parser.get_default("elsewhere") or {}  # of another command, that has more flags
    return {name: flags[0] for name, flags in known.items() if flags} | elsewhere


def with_flags(message: str, flags: dict[str, str]) -> str:
    """Put flags in place of the arguments that a message names in backticks.

    Parameters
    ----------
    message
        Such as "give `` `input_length` ``" or "give `` `alias="auto"` ``".
    flags
        As of :func:`flags_of`. An argument that is not among them stays as it is.

    Returns
    -------
    str
        Such as "give -il/--inputlen" or "give --alias auto".
    """

    def flag(match: re.Match[str]) -> str:
        name, value = match.groups()
        shown = flags.get(name) or flags.get(name.rpartition(".")[2])
        if shown is None:
            return match[0]
        if value is None:
            return shown
        return " ".join(filter(None, (shown.rpartition("/")[2], "" if value == "True" else value.strip("\"'"))))

    return _ARGUMENT.sub(flag, message)


def add_command(
    commands: Subcommands, name: str, run: Callable[[argparse.Namespace], int | None], summary: str
) -> argparse.ArgumentParser:
    """Add a command; ``run`` is called with its arguments, and answers with the exit status, or None for 0."""
    parser = _add_parser(commands, name, summary)
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_command_group(commands: Subcommands, name: str, summary: str) -> Subcommands:
    """Add a word that begins several commands, such as ``prep``."""
    return _add_parser(commands, name, summary).add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add_parser(commands: Subcommands, name: str, summary: str) -> argparse.ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}."
    return commands.add_parser(name, help=summary, description=description, formatter_class=HelpFormatter)


def add_genome_flags(group: FlagGroup) -> None:
    """Add the genome and its chromosome sizes."""
    group.add_argument("-g", "--genome", required=True, metavar="FASTA", help="genome sequence: plain, gzip or bgzip")
    group.add_argument(
        "-c", "--chrom-sizes", required=True, metavar="TSV", help="names and lengths of the chromosomes to use"
    )


def add_dataset_flags(group: FlagGroup) -> None:
    """Add the output folder, the assay, peaks, nonpeaks and the fold."""
    group.add_argument("-o", "--output-dir", required=True, metavar="FOLDER", help="folder or address for the results")
    group.add_argument(
        "--name", metavar="NAME", help="name of the sample, the title of the report (default: the output folder's name)"
    )
    group.add_argument("-d", "--data-type", required=True, choices=["ATAC", "DNASE"], help="assay: ATAC-seq or DNase-seq")
    group.add_argument(
        "-p", "--peaks", required=True, metavar="BED", help="peaks: narrowPeak, or BED (middle of the interval as summit)"
    )
    group.add_argument(
        "-n", "--nonpeaks", required=True, metavar="BED", help="GC-matched negatives, written by 'prep nonpeaks'"
    )
    group.add_argument(
        "-fl",
        "--chr-fold-path",
        required=True,
        metavar="JSON",
        help="fold (chromosome split), written by 'prep splits' or 'prep folds'",
    )


def add_chromosome_flags(parser: argparse.ArgumentParser) -> None:
    """Add what other files than the genome call chromosomes, and which are left out."""
    group = parser.add_argument_group("chromosomes")
    group.add_argument(
        "--alias",
        metavar="auto|TSV",
        help="auto: treat chr1 and 1, chrM and MT as the same; or a table of two columns: a name in your files, and the "
        "genome's name for it (default: names must be the same)",
    )
    group.add_argument(
        "--exclude-chroms",
        nargs="+",
        default=[],
        metavar="CHROM",
        help="chromosomes to leave out, with their reads and regions, such as chrM (default: none)",
    )


def chromosome_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect the flags of :func:`add_chromosome_flags`, by key of the data set file's section ``chromosomes``."""
    return {"alias": arguments.alias, "exclude": arguments.exclude_chroms}


def add_dry_run_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--dry-run``."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the steps that would run and an estimate of their memory, disk and time; run nothing",
    )


def add_file_prefix_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``-fp``, and ``-hp``, which the reference has and which has no effect."""
    parser.add_argument(
        "-fp", "--file-prefix", default="", metavar="PREFIX", help="put PREFIX_ before every file name (default: none)"
    )
    parser.add_argument("-hp", "--html-prefix", default="./", help=argparse.SUPPRESS)


def add_store_flag(group: FlagGroup, default: str = "default $CHROMBPNET_STORE, else ~/.cache/chrombpnet/store") -> None:
    """Add ``--store``."""
    group.add_argument("--store", metavar="URL", help=f"where finished steps are kept and found again ({default})")


def store_of(arguments: argparse.Namespace) -> str:
    """Choose the store, ``--store`` or the usual one, and refuse an address with a secret in it."""
    from tasks.storage import default_store, require_no_secret

    store: str = arguments.store or default_store()
    require_no_secret(store, "`store`")
    return store


def add_runtime_flags(parser: argparse.ArgumentParser) -> None:
    """Add the store, threads, device and backend."""
    group = parser.add_argument_group("where and how it runs")
    add_store_flag(group)
    group.add_argument(
        "--device",
        choices=["auto", "cpu", "gpu"],
        help="default auto: a GPU if there is one; full-size models are trained on a CPU only with --device cpu",
    )
    add_compute_flags(group)


def add_compute_flags(group: FlagGroup) -> None:
    """Add threads and backend."""
    group.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads to use, in all processes (default: one per available core)"
    )
    group.add_argument("--backend", choices=["tensorflow", "jax"], help="backend of Keras (default tensorflow)")


def read_mapping(path: str, what: str, keys: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Parameters
    ----------
    path
        The file.
    what
        What it is called in errors, such as "template".
    keys
        Which keys it should have, for the error where it is no mapping.

    Returns
    -------
    dict
        Its content.
    """
    from chrombpnet_core.errors import InputError
    from chrombpnet_core.formats import read_yaml

    content = read_yaml(path, what)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a {what}", expected=keys)
    return content
