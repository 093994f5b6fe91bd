"""The quality of the sequencing library: what its reads told while they were counted, and where the insertions lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chrombpnet_core.genome import find_start_sites, read_genes, read_regions
from chrombpnet_core.tracks import Coverage
from tasks.runner import At, Source, Step, Work, published
from tasks.steps.genome import GenomeInputs, GenomeParameters, reference
from tasks.steps.insertions import BIGWIG

__all__ = ["LIBRARY", "LIBRARY_FILE", "LibraryInputs"]

LIBRARY_FILE = "library_quality.json"


@dataclass(frozen=True, kw_only=True)
class LibraryInputs(GenomeInputs[At]):
    """The step ``coverage`` and what it counted (its manifest), peaks, and genes in GTF where there are any."""

    coverage: At
    counted: At
    peaks: At
    genes: At | None = None


def _library(work: Work[LibraryInputs[Path], GenomeParameters]) -> None:
    """Measure the library: fragments, duplicates, mitochondrion, insertions in peaks and at transcription starts."""
    from chrombpnet_core.evaluation import measure_library

    inputs, naming = work.inputs, work.parameters.naming
    with reference(inputs, naming) as (_, sizes), Coverage(inputs.coverage / BIGWIG) as coverage:
        peaks = read_regions(inputs.peaks, "peaks", sizes, naming)
        starts = find_start_sites(read_genes(inputs.genes, sizes, naming)) if inputs.genes else None
        counted = json.loads(inputs.counted.read_text())["facts"]
        library = measure_library(counted, coverage, sizes, peaks, starts)
    content = library.to_json()
    (work.out / LIBRARY_FILE).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    work.facts |= {
        "frip": library.peaks and library.peaks.frip,
        "tss_enrichment": library.start_sites and library.start_sites.enrichment,
        "mitochondrial_share": library.mitochondrial_share,
        "median_fragment": library.fragments and library.fragments.median,
        "duplicate_share": library.duplicates and library.duplicates.share,
    }


LIBRARY = Step(
    name="library_quality",
    version=1,
    title="Measure the library",
    inputs=LibraryInputs[Source],
    parameters=GenomeParameters,
    body=_library,
    outputs=published({LIBRARY_FILE: "evaluation/"}, "bias", "main"),
)
