"""From reads and peaks to training examples: insertions, the quality of their library, nonpeaks, shards."""

from __future__ import annotations

from typing import Any

from chrombpnet_core.genome import Fold
from chrombpnet_core.reads import ReadFilters
from flows.dataset.run import Run
from tasks.runner import Awaited, ManifestOf, Result, Source
from tasks.steps import (
    COVERAGE,
    INSERTION_LOGO,
    LIBRARY,
    NONPEAKS,
    SHARDS,
    CoverageInputs,
    CoverageParameters,
    GenomeParameters,
    LibraryInputs,
    LogoInputs,
    LogoParameters,
    NonpeaksInputs,
    NonpeaksParameters,
    ReadsParameters,
    ShardsInputs,
    ShardsParameters,
)

__all__ = ["example_steps", "shared_steps"]


def shared_steps(run: Run) -> None:
    """Do what all folds share: insertions, their library, and training examples where the nonpeaks are given."""
    coverage = _coverage(run)
    steps = [coverage, _library(run, coverage)]
    if run.spec.nonpeaks is not None:
        steps.append(_shards(run, coverage, run.spec.nonpeaks, run.spec.model.jitter))
    for step in steps:
        step.result()


def example_steps(run: Run, fold: Fold, jitter: int) -> dict[str, Result]:
    """Count insertions, measure their library, draw nonpeaks where none are given, write training examples.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.
    jitter
        Largest shift in bp that a training may ask for.

    Returns
    -------
    dict
        Results by the steps' names.
    """
    spec, coverage = run.spec, _coverage(run)
    logo = run.step(
        INSERTION_LOGO, LogoInputs[Source](genome=spec.genome, coverage=coverage), LogoParameters(chrom=fold.valid[0])
    )
    nonpeaks = _nonpeaks(run, fold) if spec.nonpeaks is None else None
    shards = _shards(run, coverage, nonpeaks or str(spec.nonpeaks), jitter)
    library = _library(run, coverage)
    steps = {
        "coverage": coverage,
        "insertion_logo": logo,
        "nonpeaks": nonpeaks,
        "shards": shards,
        "library_quality": library,
    }
    return {name: step.result() for name, step in steps.items() if step is not None}


def _coverage(run: Run) -> Awaited:
    """Begin to count insertions, the same for all folds."""
    spec, reads = run.spec, run.spec.reads
    files: tuple[Source, ...] = tuple(reads.files)
    genome: dict[str, Any] = {"genome": spec.genome, "chrom_sizes": spec.chrom_sizes}
    if reads.kind == "bigwig":
        return run.step(
            COVERAGE,
            CoverageInputs[Source](**genome, bigwigs=files),
            CoverageParameters(kind=reads.kind, naming=run.naming, accept=reads.accept),
        )
    return run.step(
        COVERAGE,
        CoverageInputs[Source](**genome, reads=files, matrices=reads.reference_matrices),
        ReadsParameters(
            kind=reads.kind,
            naming=run.naming,
            accept=reads.accept,
            assay=spec.assay,
            plus_shift=reads.plus_shift,
            minus_shift=reads.minus_shift,
            num_samples=reads.num_samples,
            seed=spec.training.seed,
            filters=ReadFilters(reads.min_mapq, reads.exclude_flags, reads.dedup, reads.use_counts),
        ),
    )


def _library(run: Run, coverage: Awaited) -> Awaited:
    """Begin to measure the quality of the library, the same for all folds."""
    spec = run.spec
    return run.step(
        LIBRARY,
        LibraryInputs[Source](
            genome=spec.genome,
            chrom_sizes=spec.chrom_sizes,
            coverage=coverage,
            counted=ManifestOf(coverage),
            peaks=spec.peaks,
            genes=spec.genes,
        ),
        GenomeParameters(naming=run.naming),
    )


def _nonpeaks(run: Run, fold: Fold) -> Awaited:
    spec = run.spec
    return run.step(
        NONPEAKS,
        NonpeaksInputs[Source](genome=spec.genome, chrom_sizes=spec.chrom_sizes, peaks=spec.peaks, blacklist=spec.blacklist),
        NonpeaksParameters(
            fold=fold,
            input_length=spec.input_length,
            stride=spec.background.stride,
            ratio=spec.background.ratio,
            seed=spec.training.seed,
            exclude_peaks=spec.exclude_blacklisted_peaks,
            naming=run.naming,
        ),
    )


def _shards(run: Run, coverage: Awaited, nonpeaks: Source, jitter: int) -> Awaited:
    spec = run.spec
    return run.step(
        SHARDS,
        ShardsInputs[Source](
            coverage=coverage,
            genome=spec.genome,
            chrom_sizes=spec.chrom_sizes,
            peaks=spec.peaks,
            nonpeaks=nonpeaks,
            blacklist=spec.blacklist if spec.exclude_blacklisted_peaks else None,
        ),
        ShardsParameters(input_length=spec.input_length, output_length=spec.output_length, jitter=jitter, naming=run.naming),
    )
