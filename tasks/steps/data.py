"""From reads and peaks to training examples: insertions, background, shards."""

from __future__ import annotations

import json
import logging
import tempfile
from typing import Any

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    Fold,
    Genome,
    Naming,
    read_bed3,
    read_enzyme_matrices,
    read_regions,
    windows_fit,
    without_blacklisted,
    write_regions,
)
from chrombpnet_core.reads import ReadFilters, estimate_shift, spill_reads
from chrombpnet_core.tracks import Coverage, insertion_pfm, merge_bigwigs, write_insertions
from chrombpnet_core.training_data import ShardLayout, candidate_bins, gc_bins, peak_gc, sample_nonpeaks, write_shards
from tasks.runner import Result, Work, run_step, step_task
from tasks.steps.genome import genome_at, genome_cache, sizes_of
from tasks.storage import stage

__all__ = ["BIGWIG", "count_insertions", "draw_insertion_logo", "draw_nonpeaks", "make_shards"]

log = logging.getLogger(__name__)

BIGWIG = "data_unstranded.bw"


@step_task("Count insertions")
def count_insertions(
    store: str,
    kind: str,
    reads: list[str],
    genome: str,
    chrom_sizes: str | None,
    assay: str,
    plus_shift: int | None,
    minus_shift: int | None,
    reference_matrices: str | None,
    num_samples: int,
    seed: int,
    filters: dict[str, Any] | None = None,
    naming: dict[str, Any] | None = None,
) -> Result:
    """Read all reads once, find their shift, write insertions per base as bigWig; a bigWig is checked and summed.

    ``filters`` are the fields of :class:`~chrombpnet_core.reads.ReadFilters`, ``naming`` is
    :meth:`Naming.to_json <chrombpnet_core.genome.chromosome_names.Naming.to_json>`, here and below.
    """
    if kind == "bigwig":
        return run_step(
            store,
            "coverage",
            2,
            {"bigwigs": list(reads), "genome": genome, "chrom_sizes": chrom_sizes},
            {"kind": kind, "naming": naming},
            _merge,
        )
    return run_step(
        store,
        "coverage",
        2,
        {"reads": list(reads), "genome": genome, "chrom_sizes": chrom_sizes, "matrices": reference_matrices},
        {
            "kind": kind,
            "assay": assay,
            "plus_shift": plus_shift,
            "minus_shift": minus_shift,
            "num_samples": num_samples,
            "seed": seed,
            "filters": filters or {},
            "naming": naming,
        },
        _count,
    )


def _open(work: Work) -> tuple[Genome, dict[str, int], Naming]:
    path, artifact = stage(str(work.inputs["genome"]), "genome")
    genome, naming = genome_at(path, artifact.sha256), Naming.from_json(work.parameters.get("naming"))
    return genome, sizes_of(genome, work.inputs.get("chrom_sizes"), naming), naming


def _count(work: Work) -> None:
    parameters = work.parameters
    genome, sizes, naming = _open(work)
    with genome, tempfile.TemporaryDirectory(dir=work.out.parent) as scratch:
        spilled = spill_reads(
            work.inputs["reads"],
            parameters["kind"],
            sizes,
            scratch,
            parameters["num_samples"],
            parameters["seed"],
            naming=naming,
            filters=ReadFilters(**parameters["filters"]),
        )
        matrices = read_enzyme_matrices(work.inputs["matrices"]) if "matrices" in work.inputs else None
        shift = estimate_shift(
            spilled.sample, genome, parameters["assay"], matrices, parameters["plus_shift"], parameters["minus_shift"]
        )
        written = write_insertions(spilled, sizes, *shift.deltas, work.out / BIGWIG)
    (work.out / "shift.json").write_text(json.dumps(shift.to_dict(), indent=1) + "\n")
    work.facts |= (
        spilled.stats()
        | written
        | {"plus_shift": shift.plus_shift, "minus_shift": shift.minus_shift, "genome_size": sum(sizes.values())}
    )


def _merge(work: Work) -> None:
    genome, sizes, naming = _open(work)
    genome.close()
    work.facts |= merge_bigwigs(work.inputs["bigwigs"], sizes, work.out / BIGWIG, naming)
    work.facts["genome_size"] = sum(sizes.values())


@step_task("Draw the insertion logo")
def draw_insertion_logo(store: str, coverage: Result, genome: str, chrom: str) -> Result:
    """The bases around insertions on one chromosome: the enzyme's motif should stand in the middle."""
    return run_step(store, "insertion_logo", 2, {"coverage": coverage, "genome": genome}, {"chrom": chrom}, _logo)


def _logo(work: Work) -> None:
    from chrombpnet_core.plots import write_png
    from chrombpnet_core.report import insertion_logo

    genome, *_ = _open(work)
    with genome, Coverage(work.inputs["coverage"] / BIGWIG) as coverage:
        pfm = insertion_pfm(coverage, genome, work.parameters["chrom"])
    np.save(work.out / "pfm.npy", pfm)
    write_png(insertion_logo(pfm), work.out / "bw_shift_qc.png")


@step_task("Draw nonpeaks")
def draw_nonpeaks(
    store: str,
    genome: str,
    chrom_sizes: str | None,
    peaks: str,
    blacklist: str | None,
    fold: dict[str, list[str]],
    input_length: int,
    stride: int,
    ratio: int,
    seed: int,
    exclude_peaks: bool = False,
    naming: dict[str, Any] | None = None,
) -> Result:
    """Draw background regions with the GC content of the peaks, away from peaks and blacklist.

    Where ``exclude_peaks``, peaks near the blacklist are not matched either.
    """
    return run_step(
        store,
        "nonpeaks",
        3,
        {"genome": genome, "chrom_sizes": chrom_sizes, "peaks": peaks, "blacklist": blacklist},
        {
            "fold": fold,
            "input_length": input_length,
            "stride": stride,
            "ratio": ratio,
            "seed": seed,
            "exclude_peaks": exclude_peaks,
            "naming": naming,
        },
        _nonpeaks,
    )


def _nonpeaks(work: Work) -> None:
    from chrombpnet_core.plots import write_png
    from chrombpnet_core.report import gc_match_of_regions

    parameters = work.parameters
    width = parameters["input_length"]
    genome, sizes, naming = _open(work)
    peaks = read_regions(work.inputs["peaks"], "peaks", sizes, naming)
    blacklist = read_bed3(work.inputs["blacklist"], "blacklist", sizes, naming) if "blacklist" in work.inputs else None
    matched = without_blacklisted(peaks, blacklist, width) if parameters["exclude_peaks"] else peaks
    fold = Fold(**{part: tuple(names) for part, names in parameters["fold"].items()})
    with genome:
        foreground = peak_gc(matched, genome, sizes, width)
        free = candidate_bins(gc_bins(genome, sizes, width, parameters["stride"]), peaks, blacklist, width)
    nonpeaks, numbers = sample_nonpeaks(foreground, free, fold, parameters["ratio"], 1, parameters["seed"])
    write_regions(nonpeaks, work.out / "negatives.bed")
    auxiliary = work.out / "auxiliary"
    auxiliary.mkdir()
    for name, table in (("foreground.gc.bed", foreground), ("candidates.bed", free)):
        table.to_csv(auxiliary / name, sep="\t", header=False, index=False)
    write_png(gc_match_of_regions(foreground, free, nonpeaks, numbers), auxiliary / "gc_match.png")
    work.facts |= {
        "parts": numbers,
        "candidates": len(free),
        "wanted": int(sum(n["wanted"] for n in numbers.values())),
        "made": len(nonpeaks),
    }


@step_task("Write shards")
def make_shards(
    store: str,
    coverage: Result,
    genome: str,
    chrom_sizes: str | None,
    peaks: str,
    nonpeaks: str | Result,
    input_length: int,
    output_length: int,
    jitter: int,
    blacklist: str | None = None,
    naming: dict[str, Any] | None = None,
) -> Result:
    """Write bases and counts of every region once, for all folds and both models; peaks near ``blacklist`` not."""
    return run_step(
        store,
        "shards",
        2,
        {
            "coverage": coverage,
            "genome": genome,
            "chrom_sizes": chrom_sizes,
            "peaks": peaks,
            "nonpeaks": nonpeaks,
            "blacklist": blacklist,
        },
        {"input_length": input_length, "output_length": output_length, "jitter": jitter, "naming": naming},
        _shards,
    )


def _shards(work: Work) -> None:
    layout = ShardLayout(*(work.parameters[name] for name in ("input_length", "output_length", "jitter")))
    nonpeaks_path = work.inputs["nonpeaks"]
    nonpeaks_path = nonpeaks_path / "negatives.bed" if nonpeaks_path.is_dir() else nonpeaks_path
    genome, sizes, naming = _open(work)
    tables: dict[str, Any] = {}
    for name, path in (("peaks", work.inputs["peaks"]), ("nonpeaks", nonpeaks_path)):
        table = read_regions(path, name, sizes, naming)
        if name == "peaks" and "blacklist" in work.inputs:
            blacklist = read_bed3(work.inputs["blacklist"], "blacklist", sizes, naming)
            table = without_blacklisted(table, blacklist, layout.input_length)
        kept = windows_fit(table, sizes, layout.input_length)
        if not kept.any():
            raise InputError(
                f"{path}: all {len(table):,} {name} are too near a chromosome end for a window of "
                f"{layout.input_length:,} bp",
                remedy="give regions farther from the ends, or a smaller -il",
            )
        if not kept.all():
            log.info(
                "%s of %s %s are too near a chromosome end for a window of %s bp and are left out",
                f"{(~kept).sum():,}",
                f"{len(kept):,}",
                name,
                f"{layout.input_length:,}",
            )
        tables[name] = table[kept]
        write_regions(tables[name], work.out / f"{name}.bed")
        work.facts |= {name: int(kept.sum()), f"{name}_at_edges": int((~kept).sum())}
    with genome, Coverage(work.inputs["coverage"] / BIGWIG) as coverage:
        write_shards(
            work.out,
            genome,
            coverage,
            tables["peaks"],
            tables["nonpeaks"],
            layout,
            saved=work.keep,
            cache=genome_cache(stage(str(work.inputs["genome"]), "genome")[1].sha256),
            resume=work.checkpoint,
        )
        for name, table in tables.items():
            gc = peak_gc(table, genome, sizes, layout.input_length)["gc"].to_numpy()
            work.facts[f"{name}_gc"] = np.bincount(np.rint(gc * 100).astype(int), minlength=101).tolist()
