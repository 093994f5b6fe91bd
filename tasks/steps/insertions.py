"""Reads become insertions per base, and the logo of the bases around them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chrombpnet_core.genome import read_enzyme_matrices
from chrombpnet_core.reads import ReadFilters, check_read_kind, estimate_shift, spill_reads
from chrombpnet_core.tracks import Coverage, check_insertions, insertion_pfm, merge_bigwigs, write_insertions
from tasks.runner import At, Source, Step, Work, published
from tasks.steps.genome import GenomeInputs, GenomeParameters, reference

__all__ = ["BIGWIG", "COVERAGE", "INSERTION_LOGO", "CoverageInputs", "CoverageParameters", "LogoInputs", "LogoParameters"]

BIGWIG = "data_unstranded.bw"
"""Insertions per base, both strands together, shift-corrected."""


@dataclass(frozen=True, kw_only=True)
class CoverageInputs(GenomeInputs[At]):
    """Reads, or bigWigs of insertions in place of them; ``matrices`` of the enzyme replace the built-in ones."""

    reads: tuple[At, ...] | None = None
    bigwigs: tuple[At, ...] | None = None
    matrices: At | None = None


@dataclass(frozen=True, kw_only=True)
class CoverageParameters(GenomeParameters):
    """How files of reads or insertions are read.

    ``kind``: ``bam``, ``fragments``, ``single_end``, ``tagalign`` or ``bigwig``. ``accept``: whether files are taken though
    they look like another kind; without it they are refused, so that it changes no result.
    """

    kind: str
    accept: bool = field(default=False, metadata={"json": None})


@dataclass(frozen=True, kw_only=True)
class ReadsParameters(CoverageParameters):
    """How reads are counted.

    Shifts in bp are those already in the input; where None they are estimated from ``num_samples`` reads of each strand.
    """

    assay: str
    plus_shift: int | None
    minus_shift: int | None
    num_samples: int
    seed: int
    filters: ReadFilters = field(default_factory=ReadFilters)


def _coverage(work: Work[CoverageInputs[Path], CoverageParameters]) -> None:
    if work.inputs.bigwigs is not None:
        _sum_bigwigs(work, work.inputs.bigwigs)
    else:
        assert isinstance(work.parameters, ReadsParameters)
        _count_reads(work, work.inputs.reads or (), work.parameters)


def _count_reads(
    work: Work[CoverageInputs[Path], CoverageParameters], reads: tuple[Path, ...], parameters: ReadsParameters
) -> None:
    """Read all reads once, find their shift, write insertions per base as bigWig."""
    given = parameters.plus_shift, parameters.minus_shift
    accepted = [check_read_kind(path, parameters.kind, parameters.accept) for path in reads]
    with (
        reference(work.inputs, parameters.naming) as (genome, sizes),
        tempfile.TemporaryDirectory(dir=work.out.parent) as scratch,
    ):
        spilled = spill_reads(
            list(reads),
            parameters.kind,
            sizes,
            scratch,
            parameters.num_samples,
            parameters.seed,
            naming=parameters.naming,
            filters=parameters.filters,
            genome=genome,
        )
        matrices = read_enzyme_matrices(work.inputs.matrices) if work.inputs.matrices else None
        shift = estimate_shift(spilled.sample, genome, parameters.assay, matrices, *given)
        written = write_insertions(spilled, sizes, *shift.deltas, work.out / BIGWIG)
    (work.out / "shift.json").write_text(json.dumps(shift.to_dict(), indent=1) + "\n")
    shifts = {"plus_shift": shift.plus_shift, "minus_shift": shift.minus_shift}
    work.facts |= spilled.stats() | written | shifts
    work.facts |= {"genome_size": sum(sizes.values()), "accepted": [*filter(None, accepted)]}


def _sum_bigwigs(work: Work[CoverageInputs[Path], CoverageParameters], bigwigs: tuple[Path, ...]) -> None:
    """Check bigWigs of insertions and add them up."""
    naming, accepted = work.parameters.naming, []
    with reference(work.inputs, naming) as (_, sizes):
        for bigwig in bigwigs:
            with Coverage(bigwig, naming, sizes) as coverage:
                accepted.append(check_insertions(coverage, work.parameters.accept))
        work.facts |= merge_bigwigs(list(bigwigs), sizes, work.out / BIGWIG, naming)
    work.facts |= {"genome_size": sum(sizes.values()), "accepted": [*filter(None, accepted)]}


COVERAGE = Step(
    name="coverage",
    version=2,
    title="Count insertions",
    inputs=CoverageInputs[Source],
    parameters=CoverageParameters,
    body=_coverage,
    outputs=published({BIGWIG: "auxiliary/"}, "bias", "main", "ensemble"),
)


@dataclass(frozen=True, kw_only=True)
class LogoInputs(GenomeInputs[At]):
    """The step :data:`COVERAGE`."""

    coverage: At


@dataclass(frozen=True)
class LogoParameters:
    """The chromosome whose insertions are looked at."""

    chrom: str


def _logo(work: Work[LogoInputs[Path], LogoParameters]) -> None:
    """Draw the bases around insertions on one chromosome: the enzyme's motif should stand in the middle."""
    from chrombpnet_core.plots import write_png
    from chrombpnet_core.report import insertion_logo

    with reference(work.inputs) as (genome, _), Coverage(work.inputs.coverage / BIGWIG) as coverage:
        pfm = insertion_pfm(coverage, genome, work.parameters.chrom)
    np.save(work.out / "pfm.npy", pfm)
    write_png(insertion_logo(pfm), work.out / "bw_shift_qc.png")


INSERTION_LOGO = Step(
    name="insertion_logo",
    version=2,
    title="Draw the insertion logo",
    inputs=LogoInputs[Source],
    parameters=LogoParameters,
    body=_logo,
    outputs=published({"bw_shift_qc.png": "evaluation/"}, "bias", "main"),
)
