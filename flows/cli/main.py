"""The ``chrombpnet`` command line: commands, flags and defaults of the reference program, and ours.

Only argparse is imported here: ``--help`` and wrong arguments answer at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich_argparse import RawDescriptionRichHelpFormatter

from flows.cli.apply import add_contribs_bw, add_footprints, add_modisco_motifs, add_motif_hits, add_pred_bw
from flows.cli.common import add_chromosome_flags, add_runtime_flags
from flows.cli.deploy import add_bridge, add_deploy
from flows.cli.encode import add_encode_list, add_encode_run
from flows.cli.prep import add_check, add_folds, add_nonpeaks, add_splits
from flows.cli.runs import add_clean, add_demo, add_index, add_resume, add_run, add_status
from flows.cli.train import add_bias_pipeline, add_bias_qc, add_pipeline, add_qc
from flows.cli.variants import add_snp_score, add_variants

__all__ = ["build_parser", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when done, 2 for an error of the user's, 1 for a fault of disk or network or a failed fold."""
    given = build_parser().parse_args(arguments)
    from chrombpnet_core.errors import InputError
    from flows import environment
    from flows.dataset.failures import FoldsFailed

    try:
        environment.prepare(
            getattr(given, "backend", None), getattr(given, "device", None) or "auto", getattr(given, "threads", None)
        )
        environment.show_log()
        environment.end_orphans()
        from flows.cli import commands

        with environment.interruptible():
            return getattr(commands, given.command)(given) or 0
    except InputError as error:
        print(f"chrombpnet: error: {error}", file=sys.stderr)
        return 2
    except FoldsFailed as error:
        for line in str(error).splitlines():
            print(f"chrombpnet: {line}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(
            f"chrombpnet: {type(error).__name__}: {error}; the same command goes on where this one stopped", file=sys.stderr
        )
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets ``command``, the name of a function in :mod:`flows.cli.commands`."""
    parser = _parser(
        argparse.ArgumentParser(
            prog="chrombpnet",
            formatter_class=RawDescriptionRichHelpFormatter,
            description="Base-resolution, bias-corrected models of chromatin accessibility from ATAC-seq and DNase-seq.",
        )
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_pipeline(_command(commands, "pipeline", "pipeline", "train, evaluate and report a main model"))
    add_pipeline(_command(commands, "train", "train", "train a main model"))
    add_qc(_command(commands, "qc", "qc", "evaluate and report a main model on given insertions"))
    bias = _command(commands, "bias", None, "the bias model").add_subparsers(metavar="COMMAND", required=True)
    add_bias_pipeline(_command(bias, "pipeline", "bias_pipeline", "train, evaluate and report a bias model"))
    add_bias_pipeline(_command(bias, "train", "bias_train", "train a bias model"))
    add_bias_qc(_command(bias, "qc", "bias_qc", "evaluate and report a bias model on given insertions"))
    prep = _command(commands, "prep", None, "prepare inputs").add_subparsers(metavar="COMMAND", required=True)
    add_nonpeaks(_command(prep, "nonpeaks", "prep_nonpeaks", "draw GC-matched background regions"))
    add_splits(_command(prep, "splits", "prep_splits", "write a fold of train, valid and test chromosomes"))
    add_folds(_command(prep, "folds", "prep_folds", "divide the chromosomes into balanced folds"))
    add_pred_bw(_command(commands, "pred_bw", "pred_bw", "predict tracks of given regions as bigWig"))
    add_contribs_bw(_command(commands, "contribs_bw", "contribs_bw", "compute what each base adds to counts and profile"))
    add_footprints(_command(commands, "footprints", "footprints", "draw what a model predicts around motifs"))
    add_modisco_motifs(_command(commands, "modisco_motifs", "modisco_motifs", "find motifs in contributions"))
    add_motif_hits(_command(commands, "motif_hits", "motif_hits", "find where motifs contribute, in every region"))
    scored = add_variants(_command(commands, "variants", "variants", "score what variants do to accessibility"))
    add_chromosome_flags(scored)
    add_runtime_flags(scored)
    add_runtime_flags(
        add_snp_score(_command(commands, "snp_score", "snp_score", "score variants, by the reference's flags"))
    )
    add_check(_command(commands, "check", "check", "look at all inputs: do they exist, agree, name chromosomes alike?"))
    add_run(_command(commands, "run", "run", "do a whole data set described in a YAML file"))
    add_status(_command(commands, "status", "status", "tell what of a run is done, running or failed, and why"))
    add_resume(_command(commands, "resume", "resume", "go on with a run, as it was asked for"))
    add_clean(_command(commands, "clean", "clean", "tell what of a run could be deleted, or delete it"))
    add_index(_command(commands, "index", "index", "write a page over all data sets whose results lie below one address"))
    encode = _command(commands, "encode", None, "reprocess ENCODE's experiments").add_subparsers(
        metavar="COMMAND", required=True
    )
    add_encode_run(_command(encode, "run", "encode_run", "look through the portal and start the data sets that are due"))
    add_encode_list(_command(encode, "list", "encode_list", "tell what became of every experiment"))
    add_deploy(_command(commands, "deploy", "deploy", "put deployments and automations onto a Prefect server"))
    add_bridge(_command(commands, "bridge", "bridge", "make Prefect events of a bucket's notifications"))
    add_demo(_command(commands, "demo", "demo", "do the whole job on a simulated genome of known truth"))
    doctor = _command(commands, "doctor", "doctor", "tell what this machine has: versions, devices, store")
    add_runtime_flags(doctor)
    return parser


def _parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, *_: object) -> None:
        from importlib.metadata import version

        print(f"chrombpnet-flows {version('chrombpnet-flows')}")
        parser.exit()


def _command(commands, name: str, function: str | None, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=words, description=f"{words[0].upper()}{words[1:]}.", formatter_class=RawDescriptionRichHelpFormatter
    )
    if function:
        parser.set_defaults(command=function)
    return parser


if __name__ == "__main__":
    sys.exit(main())
