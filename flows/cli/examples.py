"""An example of every command, and the page of the documentation about it, for the end of its help."""

from __future__ import annotations

import argparse

from flows.cli.parser import commands_below, subcommands

__all__ = ["DOCUMENTATION", "EXAMPLES", "add_examples"]

_GENOME = "-g genome.fa -c chrom.sizes"
_DATA = f"-d ATAC {_GENOME} \\\n    -p peaks.narrowPeak -n my_negatives.bed -fl fold_0.json"
_BIAS_RUN = f"-ibam reads.bam {_DATA} -b 0.5 -o out/bias"
_MAIN_RUN = f"-ibam reads.bam {_DATA} \\\n    -b out/bias/models/bias.h5 -o out/main"
_INSERTIONS = "out/main/auxiliary/data_unstranded.bw"
_CORRECTED = "out/main/models/chrombpnet_nobias.h5"

EXAMPLES = {
    "init": "data -o dataset.yaml",
    "pipeline": _MAIN_RUN,
    "train": _MAIN_RUN,
    "qc": f"-bw {_INSERTIONS} -cm out/main/models/chrombpnet.h5 \\\n    {_DATA} -o out/qc",
    "bias pipeline": _BIAS_RUN,
    "bias train": _BIAS_RUN,
    "bias qc": f"-bw {_INSERTIONS} -bm out/bias/models/bias.h5 \\\n    {_DATA} -o out/bias_qc",
    "prep nonpeaks": f"{_GENOME} -p peaks.narrowPeak -fl fold_0.json -br blacklist.bed -o my",
    "prep splits": "-c chrom.sizes -tcr chr1 chr3 chr6 -vcr chr8 chr20 -op fold_0",
    "prep folds": "-c chrom.sizes -p peaks.narrowPeak -op fold",
    "pred_bw": f"-cmb {_CORRECTED} -r peaks.narrowPeak {_GENOME} -op my",
    "contribs_bw": f"-m {_CORRECTED} -r peaks.narrowPeak {_GENOME} -op my",
    "footprints": f"-m {_CORRECTED} -r my_negatives.bed -g genome.fa -fl fold_0.json -op my",
    "modisco_motifs": "-i my.profile_scores.h5 -op my",
    "motif_hits": "-i my.profile_scores.h5 -r my.interpreted_regions.bed -m my_modisco.h5 -op my",
    "variants": f"-l my.vcf.gz -g genome.fa -m {_CORRECTED} -p peaks.narrowPeak -op my",
    "snp_score": f"-snps snps.tsv -m {_CORRECTED} -g genome.fa -op my",
    "check": "dataset.yaml",
    "doctor": "",
    "run": "dataset.yaml --dry-run",
    "status": "results",
    "resume": "results",
    "clean": "results",
    "verify": "gs://my-bucket/store",
    "index": "gs://my-bucket/models",
    "view": "out/main",
    "encode run": "--template hg38.yaml -o gs://my-bucket/encode --contact me@example.org \\\n"
    "    --biosample K562 --dry-run specs",
    "encode list": "gs://my-bucket/encode --state failed",
    "deploy": "--store gs://my-bucket/store --results gs://my-bucket/results --dry-run",
    "bridge": "gs://my-bucket/datasets/ --service-account pusher@my-project.iam.gserviceaccount.com \\\n"
    "    --audience https://bridge.example.org",
    "demo": "-o demo_output",
    "completion": "bash > ~/.local/share/bash-completion/completions/chrombpnet",
}
"""Words of a command → what follows them; lines of the shell, which a backslash joins."""

DOCUMENTATION = {
    "pipeline": "training.md",
    "train": "training.md",
    "bias": "training.md",
    "qc": "verdicts.md",
    "bias qc": "verdicts.md",
    "contribs_bw": "explaining.md",
    "modisco_motifs": "explaining.md",
    "motif_hits": "explaining.md",
    "footprints": "explaining.md",
    "pred_bw": "outputs.md",
    "variants": "variants.md",
    "snp_score": "variants.md",
    "encode": "encode.md",
    "deploy": "deployments.md",
    "bridge": "deployments.md",
    "doctor": "operations.md",
    "verify": "operations.md",
    "init": "dataset.md",
    "check": "dataset.md",
    "run": "dataset.md",
    "status": "dataset.md",
    "resume": "dataset.md",
    "clean": "dataset.md",
    "index": "dataset.md",
    "view": "browsing.md",
}
"""Words of a command, or of its group → its page in ``docs/``; that of all others is the README."""


def add_examples(parser: argparse.ArgumentParser) -> None:
    """End the help of every command with an example and the address of its documentation."""
    for words, command in commands_below(parser):
        name = " ".join(words)
        page = DOCUMENTATION.get(name) or DOCUMENTATION.get(words[0] if words else "")
        lines = [f"Documentation: {f'docs/{page}' if page else 'README.md'}"]
        if name in EXAMPLES and not subcommands(command):
            lines = [f"Example:\n  chrombpnet {name} {EXAMPLES[name]}".rstrip(), "", *lines]
        command.epilog = "\n".join(lines)
