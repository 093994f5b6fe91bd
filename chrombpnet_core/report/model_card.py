"""The README of published models: what they are, how to use them, how good they are, what they were made from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chrombpnet_core.report.page import ASSAYS
from chrombpnet_core.report.tables import format_number

__all__ = ["ModelCard", "render_model_card"]

_HOW = """## Use

Which model: `chrombpnet_nobias` predicts accessibility without enzyme bias (for motifs, variants, design of sequences);
`chrombpnet` predicts observed insertions, enzyme bias included (to compare with data); `bias_scaled` predicts the enzyme
bias alone. To judge a model on a region, use the fold that has the region's chromosome among its test chromosomes: every
other fold, and so the ensemble, may have been trained on it. For anything else use the ensemble, which averages the folds'
logits and log counts.

Input: one-hot sequence, bases in the order A, C, G, T, shape (n, {input_length}, 4). Output: profile logits
(n, {output_length}) and log counts (n, 1), ln(1 + insertions). Insertions per base are
softmax(logits) × (exp(log counts) − 1). Files are in Keras 2's legacy HDF5 format, contain no code, and are read by
layer name:

```python
import tf_keras  # Keras 2; or tensorflow.keras before TensorFlow 2.16

model = tf_keras.models.load_model("{example}", compile=False)
logits, log_counts = model.predict(one_hot)
```

With chrombpnet-flows, to predict tracks of your own regions:

```sh
chrombpnet pred_bw -cmb {example} -r regions.bed -g genome.fa -c chrom.sizes -op out/predicted
```

Where regions overlap, a track has at each base the value of the region whose centre is nearest. Contributions are means over
the folds: hypothetical ones of all four bases (HDF5, `shap/seq`), and those of the bases of the sequence
(`projected_shap/seq` and bigWig).
"""
_CITE = """## Cite

- ChromBPNet: Pampari et al. 2024, bioRxiv, doi:10.1101/2024.12.25.630221
- BPNet: Avsec et al. 2021, Nature Genetics 53, doi:10.1038/s41588-021-00782-6
- contributions, DeepLIFT: Shrikumar et al. 2017, arXiv:1704.02685; DeepSHAP: Lundberg and Lee 2017, arXiv:1705.07874
- motifs, TF-MoDISco: Shrikumar et al. 2018, arXiv:1811.00416
"""


@dataclass(frozen=True)
class ModelCard:
    """Hold what the README says.

    Attributes
    ----------
    name, assay, genome
        Name of the data set; ``ATAC`` or ``DNASE``; the assembly or the FASTA's name.
    input_length, output_length
        In bp.
    files
        Path → what it is, and its size in bytes.
    example
        Path of the model that examples take: the ensemble's where there is one, else a fold's in the unpacked tar.
    folds
        For each its ``name``, ``test`` chromosomes, ``pearson_peaks`` and ``norm_jsd_peaks``.
    inputs
        Files that the models were made from: name, SHA-256.
    versions
        Program → version.
    """

    name: str
    assay: str
    genome: str
    input_length: int
    output_length: int
    files: Mapping[str, tuple[str, int]]
    example: str
    folds: Sequence[Mapping[str, Any]]
    inputs: Sequence[tuple[str, str]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def render_model_card(card: ModelCard) -> str:
    """Render the README as Markdown."""
    folds = [
        (fold["name"], " ".join(fold["test"]), format_number(fold["pearson_peaks"]), format_number(fold["norm_jsd_peaks"]))
        for fold in card.folds
    ]
    files = [(f"`{path}`", what, _size(size)) for path, (what, size) in card.files.items()]
    number = "The model of 1 fold was" if len(folds) == 1 else f"The models of {len(folds)} folds were each"
    about = (
        f"ChromBPNet models of {ASSAYS.get(card.assay, card.assay)} data: from {card.input_length:,} bp of sequence "
        f"they predict the insertions at each of the {card.output_length:,} bp in the middle. "
        f"Genome: {_plain(card.genome or 'not named')}. {number} trained without the fold's test chromosomes."
    )
    parts = [
        f"# {_plain(card.name)}\n\n{about}\n",
        "## Files\n\n" + _table(("file", "what", "size"), files),
        "The models of each fold are in the tar of models. Check the files with `sha256sum -c checksums.sha256`; "
        "`manifest.json` lists them for programs.\n",
        "## Performance\n\n" + _table(("fold", "test chromosomes", "counts in peaks, r", "normalised JSD"), folds),
        "Measured on the test chromosomes only. More is in `metrics/` and, where present, in `folds_report.html`.\n",
        _HOW.format(input_length=card.input_length, output_length=card.output_length, example=card.example),
        _CITE,
    ]
    if card.inputs:
        digests = [(name, f"`{digest}`") for name, digest in card.inputs]
        parts.append("## Made from\n\n" + _table(("input", "SHA-256"), digests))
    if card.versions:
        parts.append("## Versions\n\n" + _table(("program", "version"), card.versions.items()))
    return "\n".join(parts)


def _table(headers: Sequence[str], rows: Any) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join("| " + " | ".join(_plain(cell) for cell in line) + " |\n" for line in lines)


def _plain(text: object) -> str:
    """Text that no Markdown reader takes for a line break, a cell's end or HTML."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").replace("<", "&lt;")


def _size(size: float) -> str:
    for unit, digits in (("B", 0), ("kB", 0), ("MB", 1)):
        if size < 1000:
            return f"{size:.{digits}f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
