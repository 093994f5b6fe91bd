"""The commands that train: ``pipeline``, ``train``, and the same below ``bias``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flows.cli.common import (
    FlagGroup,
    Subcommands,
    add_chromosome_flags,
    add_command,
    add_command_group,
    add_dataset_flags,
    add_dry_run_flag,
    add_file_prefix_flags,
    add_genome_flags,
    add_runtime_flags,
    flags_of,
    store_of,
)
from flows.cli.evaluate import (
    add_batch_size_flag,
    add_bias_qc,
    add_explanation_flags,
    add_genes_flag,
    add_qc,
    bias_qc,
    common_keys,
    qc,
)
from flows.cli.reads import add_reads_flags, files_of_reads
from flows.cli.runs import start_pipeline

if TYPE_CHECKING:
    from flows.spec import DatasetSpec

__all__ = ["add_commands"]


def add_commands(commands: Subcommands) -> None:
    """Add ``pipeline``, ``train``, ``qc`` and those below ``bias``."""
    add_pipeline(add_command(commands, "pipeline", pipeline, "train a ChromBPNet model, evaluate it, write a report"))
    add_pipeline(add_command(commands, "train", train, "train a ChromBPNet model"), judged=False)
    add_qc(add_command(commands, "qc", qc, "evaluate a trained ChromBPNet model and write a report"))
    bias = add_command_group(commands, "bias", "train or evaluate the bias model")
    add_bias_pipeline(add_command(bias, "pipeline", bias_pipeline, "train a bias model, evaluate it, write a report"))
    add_bias_pipeline(add_command(bias, "train", bias_train, "train a bias model"), judged=False)
    add_bias_qc(add_command(bias, "qc", bias_qc, "evaluate a trained bias model and write a report"))


def add_pipeline(parser: argparse.ArgumentParser, judged: bool = True) -> None:
    """Add the flags of ``pipeline``, or of ``train`` where the model is not judged."""
    inputs = _add_input_flags(parser)
    inputs.add_argument("-b", "--bias-model-path", required=True, metavar="H5", help="trained bias model, bias.h5")
    training = _add_training_flags(parser, judged, filters=512, layers=8)
    training.add_argument(
        "-j",
        "--max-jitter",
        type=int,
        default=500,
        metavar="BP",
        help="shift each peak by up to BP at random in each epoch (default 500 bp)",
    )
    training.add_argument(
        "-sr",
        "--negative-sampling-ratio",
        type=float,
        default=0.1,
        metavar="RATIO",
        help="nonpeaks drawn per peak in each epoch (default 0.1)",
    )
    training.add_argument(
        "-a",
        "--architecture-from-file",
        metavar="PY",
        help="Python file defining build(filters, n_dil_layers, inputlen, outputlen); it is executed (default: the built-in "
        "architecture)",
    )


def pipeline(arguments: argparse.Namespace, judged: bool = True) -> None:
    """Train the main model; evaluate it and write the report where it is to be judged."""
    model = _size(arguments) | {
        "jitter": arguments.max_jitter,
        "negative_sampling_ratio": arguments.negative_sampling_ratio,
        "architecture": arguments.architecture_from_file,
    }
    spec = _training_spec(arguments, {"bias": {"model": arguments.bias_model_path}, "model": model})
    from flows.dataset import Pipeline

    start_pipeline(spec, store_of(arguments), Pipeline("main", arguments.file_prefix, judged), arguments.dry_run)


def train(arguments: argparse.Namespace) -> None:
    """Train the main model, no more."""
    pipeline(arguments, judged=False)


def add_bias_pipeline(parser: argparse.ArgumentParser, judged: bool = True) -> None:
    """Add the flags of ``bias pipeline``, or of ``bias train`` where the model is not judged."""
    inputs = _add_input_flags(parser)
    inputs.add_argument(
        "-b",
        "--bias-threshold-factor",
        required=True,
        type=float,
        metavar="FACTOR",
        help="train on nonpeaks with fewer reads than FACTOR × the 1 %% quantile of reads in peaks; "
        "start with 0.5 for ATAC, 0.8 for DNASE",
    )
    training = _add_training_flags(parser, judged, filters=128, layers=4)
    training.add_argument(
        "-j", "--max-jitter", type=int, default=0, metavar="BP", help="no effect: nonpeaks are never jittered (default 0 bp)"
    )


def bias_pipeline(arguments: argparse.Namespace, judged: bool = True) -> None:
    """Train the bias model; evaluate it and write the report where it is to be judged."""
    spec = _training_spec(arguments, {"bias": _size(arguments) | {"threshold_factor": arguments.bias_threshold_factor}})
    from flows.dataset import Pipeline

    start_pipeline(spec, store_of(arguments), Pipeline("bias", arguments.file_prefix, judged), arguments.dry_run)


def bias_train(arguments: argparse.Namespace) -> None:
    """Train the bias model, no more."""
    bias_pipeline(arguments, judged=False)


def _add_input_flags(parser: argparse.ArgumentParser) -> FlagGroup:
    """Add the inputs that both pipelines need; their group."""
    group = parser.add_argument_group("inputs")
    add_genome_flags(group)
    add_reads_flags(group, required=True)
    add_dataset_flags(group)
    add_genes_flag(group)
    add_chromosome_flags(parser)
    _add_shift_flags(parser)
    _add_filter_flags(parser)
    group.add_argument(
        "-br",
        "--blacklist-regions",
        metavar="BED",
        help="blacklist; needed only with --exclude-blacklisted-peaks (default: none)",
    )
    group.add_argument(
        "--exclude-blacklisted-peaks",
        action="store_true",
        help="leave out peaks within half the input length of the blacklist",
    )
    return group


def _add_shift_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "shift of the reads' 5' ends", "Estimated from the reads unless you give both -ps and -ms."
    )
    group.add_argument(
        "-ps",
        "--plus-shift",
        type=int,
        metavar="BP",
        help="shift in bp already applied to + strand reads: 0 as aligned, 4 if shifted by +4/−5 (default: estimated)",
    )
    group.add_argument(
        "-ms",
        "--minus-shift",
        type=int,
        metavar="BP",
        help="the same for − strand reads, in bp: 0 as aligned, -5 if shifted by +4/−5 (default: estimated)",
    )
    group.add_argument("--ATAC-ref-path", metavar="TXT", help="Tn5 motif matrices for the estimate (default: built-in)")
    group.add_argument("--DNASE-ref-path", metavar="TXT", help="DNase I motif matrices for the estimate (default: built-in)")
    group.add_argument(
        "--num-samples",
        type=int,
        default=10000,
        metavar="N",
        help="reads sampled per strand to estimate the shift (default 10000)",
    )


def _add_filter_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("read filters", "By default every mapped alignment counts.")
    group.add_argument(
        "--min-mapq", type=int, default=0, metavar="Q", help="lowest mapping quality to keep (BAM; default 0)"
    )
    group.add_argument(
        "--exclude-flags",
        type=int,
        default=0,
        metavar="FLAGS",
        help="leave out reads with any of these SAM flags, such as 780 (default 0: of none)",
    )
    group.add_argument("--dedup", action="store_true", help="count duplicates once; for paired-end reads only")
    group.add_argument("--use-counts", action="store_true", help="count each fragment as often as column 5 of its line says")


def _add_training_flags(parser: argparse.ArgumentParser, judged: bool, filters: int, layers: int) -> FlagGroup:
    """Add the flags of training, explanation, place and files; the group of training."""
    group = parser.add_argument_group("training")

    def add(short: str, long: str, default: float, metavar: str, words: str) -> None:
        text = f"{words} (default {default:g}{' bp' if metavar == 'BP' else ''})"
        group.add_argument(short, long, type=type(default), default=default, metavar=metavar, help=text)

    add("-oth", "--outlier-threshold", 0.9999, "Q", "leave out regions with more reads than this quantile")
    add("-il", "--inputlen", 2114, "BP", "input length of the model")
    add("-ol", "--outputlen", 1000, "BP", "output length of the model: the predicted profile")
    add("-s", "--seed", 1234, "N", "random seed of initial weights, order of examples, jitter and shuffles")
    add("-e", "--epochs", 50, "N", "maximum number of epochs")
    add("-es", "--early-stop", 5, "N", "stop after N epochs without a lower validation loss")
    add("-l", "--learning-rate", 0.001, "RATE", "learning rate of the Adam optimizer")
    add("-fil", "--filters", filters, "N", "filters per convolution")
    add("-dil", "--n-dilation-layers", layers, "N", "number of dilated convolutions")
    add_batch_size_flag(group)
    group.add_argument(
        "--precision",
        choices=["float32", "tf32", "bfloat16"],
        default="tf32",
        help="precision of matrix products on a GPU (default tf32, as in TensorFlow); "
        "bfloat16 still keeps weights, heads and losses in float32",
    )
    group.add_argument("--xla", action="store_true", help="compile TensorFlow's training step with XLA (JAX always does)")
    group.add_argument(
        "--gpus", type=int, default=1, metavar="N", help="GPUs of this machine among which each batch is split (default 1)"
    )
    add_explanation_flags(parser, None if judged else "No effect: this command stops after training.")
    add_runtime_flags(parser)
    add_dry_run_flag(parser)
    add_file_prefix_flags(parser)
    # Flags of the reference that have no effect here.
    parser.add_argument("-track", "--trackables", nargs="*", metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("--bsort", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-st", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--tmpdir", help=argparse.SUPPRESS)
    return group


def _size(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"filters": arguments.filters, "layers": arguments.n_dilation_layers, "epochs": arguments.epochs}


def _training_spec(arguments: argparse.Namespace, models: dict[str, Any]) -> DatasetSpec:
    """Make the DatasetSpec of a pipeline's arguments."""
    from flows.spec import make_spec

    reads = {
        **files_of_reads(arguments),
        "accept_reads": arguments.accept_reads,
        "accept_bigwig": arguments.accept_bigwig,
        "min_mapq": arguments.min_mapq,
        "exclude_flags": arguments.exclude_flags,
        "dedup": arguments.dedup,
        "use_counts": arguments.use_counts,
        "plus_shift": arguments.plus_shift,
        "minus_shift": arguments.minus_shift,
        "num_samples": arguments.num_samples,
        "reference_matrices": arguments.ATAC_ref_path if arguments.data_type == "ATAC" else arguments.DNASE_ref_path,
    }
    training = {
        "patience": arguments.early_stop,
        "learning_rate": arguments.learning_rate,
        "batch_size": arguments.batch_size,
        "outlier_threshold": arguments.outlier_threshold,
        "seed": arguments.seed,
        "device": arguments.device or "auto",
        "precision": arguments.precision,
        "xla": arguments.xla,
        "gpus": arguments.gpus,
    }
    own = {
        "reads": reads,
        "blacklist": arguments.blacklist_regions,
        "exclude_blacklisted_peaks": arguments.exclude_blacklisted_peaks,
        "input_length": arguments.inputlen,
        "output_length": arguments.outputlen,
        "training": training,
    }
    return make_spec(common_keys(arguments) | own | models, "arguments", flags_of(arguments.parser))
