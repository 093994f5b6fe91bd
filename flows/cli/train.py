"""TODO."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from flows.cli.common import (
    FLAGS,
    add_chromosome_flags,
    add_dry_run_flag,
    add_genome_flags,
    add_output_flags,
    add_region_flags,
    add_runtime_flags,
    chromosome_options,
)
from flows.cli.runs import looked_at, say_plan, say_result, store_of
from flows.spec import DatasetSpec, make_spec

__all__ = ["bias_pipeline", "bias_qc", "bias_train", "pipeline", "qc", "train"]


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    required = add_input_flags(parser)
    required.add_argument("-b", "--bias-model-path", required=True, metavar="H5", help="a bias model, bias.h5")
    add_training_flags(parser, filters=512, layers=8, jitter=500)
    parser.add_argument(
        "-sr",
        "--negative-sampling-ratio",
        type=float,
        default=0.1,
        metavar="RATIO",
        help="nonpeaks per peak in each epoch (default 0.1)",
    )
    parser.add_argument(
        "-a",
        "--architecture-from-file",
        metavar="PY",
        help="Python file that defines build(filters, n_dil_layers, inputlen, outputlen); it is run",
    )


def add_bias_pipeline(parser: argparse.ArgumentParser) -> None:
    required = add_input_flags(parser)
    required.add_argument(
        "-b",
        "--bias-threshold-factor",
        required=True,
        type=float,
        metavar="FACTOR",
        help="nonpeaks with fewer reads than quantile(peaks, 0.01) × this train the model; begin with "
        "0.5 for ATAC, 0.8 for DNASE",
    )
    add_training_flags(parser, filters=128, layers=4, jitter=0)


def add_qc(parser: argparse.ArgumentParser) -> None:
    group = add_judged_inputs(parser)
    group.add_argument("-cm", "--chrombpnet-model", required=True, metavar="H5", help="chrombpnet.h5")
    group.add_argument(
        "-cmb", "--chrombpnet-model-nb", metavar="H5", help="chrombpnet_nobias.h5 (default: the one inside chrombpnet.h5)"
    )


def add_bias_qc(parser: argparse.ArgumentParser) -> None:
    group = add_judged_inputs(parser)
    group.add_argument("-bm", "--bias-model", required=True, metavar="H5", help="bias.h5, scaled or not")


def add_judged_inputs(parser: argparse.ArgumentParser):
    """What both kinds of quality control need; the group of inputs."""
    group = parser.add_argument_group("inputs")
    group.add_argument("-bw", "--bigwig", required=True, metavar="BW", help="observed insertions, *_unstranded.bw")
    add_genome_flags(group)
    add_region_flags(group)
    add_chromosome_flags(parser)
    parser.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the shuffles")
    add_explanation_flags(parser)
    add_runtime_flags(parser)
    add_output_flags(parser)
    return group


def add_input_flags(parser: argparse.ArgumentParser):
    """Inputs that both pipelines need; the group of required flags."""
    group = parser.add_argument_group("inputs")
    add_genome_flags(group)
    reads = group.add_mutually_exclusive_group(required=True)
    reads.add_argument("-ibam", "--input-bam-file", nargs="+", metavar="BAM", help="filtered reads; no index needed")
    reads.add_argument("-ifrag", "--input-fragment-file", nargs="+", metavar="TSV", help="fragments: chrom, start, end")
    reads.add_argument("-itag", "--input-tagalign-file", nargs="+", metavar="BED", help="tagAlign (BED6)")
    reads.add_argument(
        "-ibw",
        "--input-bigwig-file",
        nargs="+",
        metavar="BW",
        help="insertions per base, unstranded and shift-corrected, in place of reads",
    )
    add_region_flags(group)
    add_chromosome_flags(parser)
    shift = parser.add_argument_group("shift of the reads")
    shift.add_argument("-ps", "--plus-shift", type=int, metavar="BP", help="shift of + reads in the input; else estimated")
    shift.add_argument("-ms", "--minus-shift", type=int, metavar="BP", help="shift of − reads in the input")
    shift.add_argument("--ATAC-ref-path", metavar="TXT", help="Tn5 matrices in place of the built-in ones")
    shift.add_argument("--DNASE-ref-path", metavar="TXT", help="DNase matrices in place of the built-in ones")
    shift.add_argument("--num-samples", type=int, default=10000, metavar="N", help="reads per strand for the estimate")
    filters = parser.add_argument_group("filters of the reads (none by default: every mapped alignment counts)")
    filters.add_argument("--min-mapq", type=int, default=0, metavar="Q", help="least mapping quality (BAM)")
    filters.add_argument(
        "--exclude-flags", type=int, default=0, metavar="FLAGS", help="SAM flags to leave out (BAM), such as 780"
    )
    filters.add_argument("--dedup", action="store_true", help="count duplicates once; for paired-end reads only")
    filters.add_argument("--use-counts", action="store_true", help="count a fragment as often as its column 5 says")
    group.add_argument("-br", "--blacklist-regions", metavar="BED", help="with --exclude-blacklisted-peaks")
    group.add_argument(
        "--exclude-blacklisted-peaks",
        action="store_true",
        help="leave out peaks within half the input length of the blacklist",
    )
    return group


def add_training_flags(parser: argparse.ArgumentParser, filters: int, layers: int, jitter: int) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("-oth", "--outlier-threshold", type=float, default=0.9999, metavar="Q")
    group.add_argument("-il", "--inputlen", type=int, default=2114, metavar="BP", help="input length (default 2114)")
    group.add_argument("-ol", "--outputlen", type=int, default=1000, metavar="BP", help="output length (default 1000)")
    group.add_argument("-s", "--seed", type=int, default=1234, metavar="N")
    group.add_argument("-e", "--epochs", type=int, default=50, metavar="N", help="at most (default 50)")
    group.add_argument("-es", "--early-stop", type=int, default=5, metavar="N", help="epochs without progress (default 5)")
    group.add_argument("-l", "--learning-rate", type=float, default=0.001, metavar="RATE")
    group.add_argument("-fil", "--filters", type=int, default=filters, metavar="N", help=f"default {filters}")
    group.add_argument("-dil", "--n-dilation-layers", type=int, default=layers, metavar="N", help=f"default {layers}")
    group.add_argument(
        "-j",
        "--max-jitter",
        type=int,
        default=jitter,
        metavar="BP",
        help=f"default {jitter}" if jitter else "accepted; nonpeaks, which train it, are never jittered",
    )
    group.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    group.add_argument(
        "--precision",
        choices=["float32", "tf32", "bfloat16"],
        default="tf32",
        help="of products on a GPU (default tf32, as TensorFlow's); bfloat16 keeps weights, heads and losses in float32",
    )
    group.add_argument("--xla", action="store_true", help="compile TensorFlow's steps with XLA (JAX always does)")
    group.add_argument("--gpus", type=int, default=1, metavar="N", help="GPUs of this host that share each batch")
    add_explanation_flags(parser)
    add_runtime_flags(parser)
    add_dry_run_flag(parser)
    group = add_output_flags(parser)
    group.add_argument("-track", "--trackables", nargs="*", metavar="NAME", help=argparse.SUPPRESS)
    group.add_argument("--bsort", action="store_true", help=argparse.SUPPRESS)
    group.add_argument("--no-st", action="store_true", help=argparse.SUPPRESS)
    group.add_argument("--tmpdir", help=argparse.SUPPRESS)


def add_explanation_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("explanation")
    group.add_argument(
        "--explain",
        type=int,
        default=30_000,
        metavar="N",
        help="peaks to explain at most (default 30000; 0: no contributions, no motifs)",
    )
    group.add_argument("--explain-counts", action="store_true", help="explain the main model's counts too")
    group.add_argument(
        "--motifs",
        default="jaspar:vertebrates",
        metavar="jaspar:TAXON|MEME",
        help="known motifs to compare "
        "with (default jaspar:vertebrates; fungi, insects, nematodes, plants), or a file in MEME's format",
    )
    group.add_argument("--assembly", metavar="NAME", help="the genome's name in browsers, such as hg38: adds a track hub")


def bias_pipeline(given: argparse.Namespace, judge: bool = True) -> None:
    """``chrombpnet bias pipeline``."""
    bias = _size(given) | {"threshold_factor": given.bias_threshold_factor}
    spec = _spec(given, {"bias": bias})
    if given.dry_run:
        return say_plan(spec, store_of(given), ["bias"], judge)
    from flows.dataset.flows import bias_pipeline as flow

    result = flow(looked_at(spec, store_of(given)), store_of(given), given.file_prefix, judge)
    return say_result(result, "report" if judge else "results")


def bias_train(given: argparse.Namespace) -> None:
    """``chrombpnet bias train``."""
    bias_pipeline(given, judge=False)


def pipeline(given: argparse.Namespace, judge: bool = True) -> None:
    """``chrombpnet pipeline``."""
    model = _size(given) | {
        "jitter": given.max_jitter,
        "negative_sampling_ratio": given.negative_sampling_ratio,
        "architecture": given.architecture_from_file,
    }
    spec = _spec(given, {"bias": {"model": given.bias_model_path}, "model": model})
    if given.dry_run:
        return say_plan(spec, store_of(given), ["main"], judge)
    from flows.dataset.flows import main_pipeline as flow

    result = flow(looked_at(spec, store_of(given)), store_of(given), given.file_prefix, judge)
    return say_result(result, "report" if judge else "results")


def train(given: argparse.Namespace) -> None:
    """``chrombpnet train``."""
    pipeline(given, judge=False)


def qc(given: argparse.Namespace) -> None:
    """``chrombpnet qc``."""
    _quality_control(given, "main", {"chrombpnet": given.chrombpnet_model, "chrombpnet_nobias": given.chrombpnet_model_nb})


def bias_qc(given: argparse.Namespace) -> None:
    """``chrombpnet bias qc``."""
    _quality_control(given, "bias", {"bias": given.bias_model})


def _quality_control(given: argparse.Namespace, kind: str, models: dict[str, str | None]) -> None:
    """Input and output length are those of the first model."""
    from chrombpnet_core.devices import find_device

    find_device()
    from chrombpnet_core.models.files import load_model
    from chrombpnet_core.models.sizes import lengths_of, require_kind, require_lengths
    from tasks.storage import stage

    lengths = None
    for name, file in models.items():
        if file:
            model = require_kind(load_model(stage(file, "model")[0]), name, file)
            lengths = lengths or lengths_of(model)
            require_lengths(model, lengths, file)
    spec = make_spec(
        _described(given)
        | {
            "reads": {"bigwig": [given.bigwig]},
            "input_length": lengths[0],
            "output_length": lengths[1],
            "training": {"batch_size": given.batch_size, "seed": given.seed, "device": given.device or "auto"},
        },
        "arguments",
        FLAGS,
    )
    from flows.dataset.flows import quality_control

    say_result(quality_control(looked_at(spec, store_of(given)), store_of(given), kind, models, given.file_prefix))


def _size(given: argparse.Namespace) -> dict[str, Any]:
    return {"filters": given.filters, "layers": given.n_dilation_layers, "epochs": given.epochs}


def _spec(given: argparse.Namespace, models: dict[str, Any]) -> DatasetSpec:
    """The DatasetSpec of a pipeline's arguments."""
    reads = {
        "bam": given.input_bam_file or [],
        "fragments": given.input_fragment_file or [],
        "tagalign": given.input_tagalign_file or [],
        "bigwig": given.input_bigwig_file or [],
        "min_mapq": given.min_mapq,
        "exclude_flags": given.exclude_flags,
        "dedup": given.dedup,
        "use_counts": given.use_counts,
        "plus_shift": given.plus_shift,
        "minus_shift": given.minus_shift,
        "num_samples": given.num_samples,
        "reference_matrices": given.ATAC_ref_path if given.data_type == "ATAC" else given.DNASE_ref_path,
    }
    training = {
        "patience": given.early_stop,
        "learning_rate": given.learning_rate,
        "batch_size": given.batch_size,
        "outlier_threshold": given.outlier_threshold,
        "seed": given.seed,
        "device": given.device or "auto",
        "precision": given.precision,
        "xla": given.xla,
        "gpus": given.gpus,
    }
    return make_spec(
        _described(given)
        | {
            "reads": reads,
            "blacklist": given.blacklist_regions,
            "exclude_blacklisted_peaks": given.exclude_blacklisted_peaks,
            "input_length": given.inputlen,
            "output_length": given.outputlen,
            "training": training,
            **models,
        },
        "arguments",
        FLAGS,
    )


def _described(given: argparse.Namespace) -> dict[str, Any]:
    """What training and quality control tell alike of a data set."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(given.output_dir).name)
    return {
        "id": name.lstrip("._-") or "dataset",
        "assay": given.data_type,
        "genome": given.genome,
        "chrom_sizes": given.chrom_sizes,
        "peaks": given.peaks,
        "nonpeaks": given.nonpeaks,
        "folds": [given.chr_fold_path],
        "output": given.output_dir,
        "chromosomes": chromosome_options(given),
        "explanation": {"peaks": given.explain, "counts": given.explain_counts, "motifs": given.motifs},
        "assembly": given.assembly,
    }
