"""The commands that evaluate a trained model: ``qc`` and ``bias qc``; and what they share with training."""

from __future__ import annotations

import argparse
from typing import Any, Literal

from flows.cli.common import (
    FlagGroup,
    add_chromosome_flags,
    add_dataset_flags,
    add_file_prefix_flags,
    add_genome_flags,
    add_runtime_flags,
    chromosome_options,
    flags_of,
    store_of,
)
from flows.cli.first_words import say
from flows.cli.reads import add_accept_bigwig_flag
from flows.cli.runs import start_pipeline

__all__ = [
    "add_batch_size_flag",
    "add_bias_qc",
    "add_explanation_flags",
    "add_genes_flag",
    "add_qc",
    "bias_qc",
    "common_keys",
    "qc",
]


def add_qc(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``qc``."""
    inputs = _add_evaluation_flags(parser)
    inputs.add_argument(
        "-cm",
        "--chrombpnet-model",
        required=True,
        metavar="H5",
        help="chrombpnet.h5, the full model: accessibility and bias",
    )
    inputs.add_argument(
        "-cmb",
        "--chrombpnet-model-nb",
        metavar="H5",
        help="chrombpnet_nobias.h5 (default: the accessibility model contained in chrombpnet.h5)",
    )


def qc(arguments: argparse.Namespace) -> None:
    """Evaluate a trained main model."""
    models = {"chrombpnet": arguments.chrombpnet_model, "chrombpnet_nobias": arguments.chrombpnet_model_nb}
    _evaluate(arguments, "main", models)


def add_bias_qc(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``bias qc``."""
    inputs = _add_evaluation_flags(parser)
    inputs.add_argument("-bm", "--bias-model", required=True, metavar="H5", help="bias.h5 or bias_model_scaled.h5")


def bias_qc(arguments: argparse.Namespace) -> None:
    """Evaluate a trained bias model."""
    _evaluate(arguments, "bias", {"bias": arguments.bias_model})


def _evaluate(arguments: argparse.Namespace, kind: Literal["bias", "main"], models: dict[str, str | None]) -> None:
    """Evaluate models; input and output length are those of the first."""
    say("reading the models")
    from chrombpnet_core.devices import find_device

    find_device()
    from chrombpnet_core.models import lengths_of, load_model, require_kind, require_lengths
    from flows.dataset import Pipeline
    from flows.spec import make_spec
    from tasks.storage import require_all, stage

    inputs = {"bigWig": arguments.bigwig, "genome": arguments.genome, "chromosome sizes": arguments.chrom_sizes}
    inputs |= {"peaks": arguments.peaks, "nonpeaks": arguments.nonpeaks, "fold": arguments.chr_fold_path}
    require_all(inputs | {f"model {name}": file for name, file in models.items()})
    lengths = None
    for name, file in models.items():
        if file:
            model = require_kind(load_model(stage(file, "model")[0]), name, file)
            lengths = lengths or lengths_of(model)
            require_lengths(model, lengths, file)
    assert lengths is not None  # the first model's flag is required
    training = {"batch_size": arguments.batch_size, "seed": arguments.seed, "device": arguments.device or "auto"}
    spec = make_spec(
        common_keys(arguments)
        | {
            "reads": {"bigwig": [arguments.bigwig], "accept_bigwig": arguments.accept_bigwig},
            "input_length": lengths[0],
            "output_length": lengths[1],
            "training": training,
        },
        "arguments",
        flags_of(arguments.parser),
    )
    start_pipeline(spec, store_of(arguments), Pipeline(kind, arguments.file_prefix, models=models))


def _add_evaluation_flags(parser: argparse.ArgumentParser) -> FlagGroup:
    """Add the flags that ``qc`` and ``bias qc`` share; the group of inputs."""
    group = parser.add_argument_group("inputs")
    group.add_argument(
        "-bw", "--bigwig", required=True, metavar="BW", help="observed insertions per base, *_unstranded.bw of a run"
    )
    add_accept_bigwig_flag(group)
    add_genome_flags(group)
    add_dataset_flags(group)
    add_genes_flag(group)
    add_chromosome_flags(parser)
    add_batch_size_flag(parser)
    parser.add_argument(
        "-s", "--seed", type=int, default=1234, metavar="N", help="random seed of shuffles and sampling (default 1234)"
    )
    add_explanation_flags(parser)
    add_runtime_flags(parser)
    add_file_prefix_flags(parser)
    return group


def add_batch_size_flag(group: FlagGroup) -> None:
    """Add ``-bs``."""
    group.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N", help="batch size (default 64)")


def add_genes_flag(group: FlagGroup) -> None:
    """Add ``--genes``."""
    group.add_argument(
        "--genes",
        metavar="GTF",
        help="genes: the report draws them, and has the enrichment of insertions at transcription starts (default: none)",
    )


def add_explanation_flags(parser: argparse.ArgumentParser, description: str | None = None) -> None:
    """Add the flags of contributions and motifs."""
    group = parser.add_argument_group("contributions and motifs", description)
    group.add_argument(
        "--explain",
        type=int,
        default=30_000,
        metavar="N",
        help="compute contributions in at most N peaks (default 30000; 0: no contributions, no motifs)",
    )
    group.add_argument(
        "--explain-counts",
        action="store_true",
        help="also compute contributions to the main model's predicted counts (the bias model's are always computed)",
    )
    group.add_argument(
        "--motifs",
        default="jaspar:vertebrates",
        metavar="jaspar:TAXON|MEME",
        help="known motifs to compare with: those of a taxon in JASPAR (default jaspar:vertebrates; also fungi, "
        "insects, nematodes, plants, urochordates), or a file in MEME format",
    )
    group.add_argument(
        "--assembly",
        metavar="NAME",
        help="UCSC name of the genome assembly, such as hg38, for genome browsers (default: common ones are recognised)",
    )


def common_keys(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect the keys of a DatasetSpec that training and evaluation both set."""
    import re
    from pathlib import Path

    name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(arguments.output_dir).name)
    return {
        "id": name.lstrip("._-") or "dataset",
        "name": arguments.name,
        "assay": arguments.data_type,
        "genome": arguments.genome,
        "chrom_sizes": arguments.chrom_sizes,
        "peaks": arguments.peaks,
        "nonpeaks": arguments.nonpeaks,
        "genes": arguments.genes,
        "folds": [arguments.chr_fold_path],
        "output": arguments.output_dir,
        "chromosomes": chromosome_options(arguments),
        "explanation": {"peaks": arguments.explain, "counts": arguments.explain_counts, "motifs": arguments.motifs},
        "assembly": arguments.assembly,
    }
