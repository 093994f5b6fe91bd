"""Quality of a sequencing library, as the ENCODE ATAC-seq pipeline and nf-core/atacseq report it.

Insertions by chromosome, in peaks and around transcription starts come from the track of insertions, fragment lengths and
duplicates from what was counted while the reads were read: nothing is read twice.

TSS enrichment is that of ENCODE's pipeline (ENCODE-DCC/atac-seq-pipeline, ``encode_task_tss_enrich.py``; the term is defined
at https://www.encodeproject.org/data-standards/terms/): the mean profile 2,000 bp to both sides of transcription starts, in
bins of 10 bp, divided by its mean in the outermost 100 bp of each side; the score is the highest value. ENCODE counts whole
reads that are centred on the cut. Here each insertion counts in the 50 bp around it, the length of a short read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from chrombpnet_core._types import Bools, Floats, Ints
from chrombpnet_core.evaluation.library_numbers import (
    ChromosomeCounts,
    Duplicates,
    FragmentSizes,
    LibraryQuality,
    PeakShare,
    ReadNumbers,
    StartSites,
)
from chrombpnet_core.genome import is_mitochondrial
from chrombpnet_core.progress import track

if TYPE_CHECKING:
    import pandas as pd

    from chrombpnet_core.tracks import Coverage

__all__ = ["TSS_BIN", "TSS_EDGE", "enrichment_profile", "known_assembly", "measure_library", "start_site_sums"]

TSS_EDGE, TSS_BIN = 2000, 10
"""How far a profile of transcription starts reaches to each side, and the width of its bins, in bp."""

_FLANK, _READ = 100, 50  # bp: that are the background, on each side; in which an insertion counts
_WINDOWS = 512  # summed at a time: 8 MB
_LONGEST_CHROMOSOMES = {
    249_250_621: "hg19",
    248_956_422: "GRCh38",
    248_387_328: "CHM13",
    197_195_432: "mm9",
    195_471_971: "mm10",
    195_154_279: "mm39",
}


def measure_library(
    counted: Mapping[str, Any],
    coverage: Coverage,
    sizes: Mapping[str, int],
    peaks: pd.DataFrame,
    starts: pd.DataFrame | None = None,
) -> LibraryQuality:
    """Measure the quality of a library; one chromosome of the track is in memory at a time.

    Parameters
    ----------
    counted
        What :meth:`chrombpnet_core.reads.SpilledReads.stats` and :func:`chrombpnet_core.tracks.write_insertions` counted; of
        a track that was made elsewhere only ``insertions_by_chromosome``.
    coverage
        Insertions per base.
    sizes
        Chromosomes in use → length in bp.
    peaks
        Region table; places in several peaks count once.
    starts
        ``chrom``, ``position``, ``strand`` of transcription starts, where they are known.

    Returns
    -------
    LibraryQuality
        Shares leave the mitochondrion out, as ENCODE's do.
    """
    insertions: Mapping[str, float] = counted["insertions_by_chromosome"]
    reads: Mapping[str, int] = counted.get("reads_by_chromosome", {})
    library = counted.get("library", {})
    nuclear = {chrom: size for chrom, size in sizes.items() if not is_mitochondrial(chrom)}
    in_peaks, bases, sums, sites = _signal(coverage, nuclear, peaks, starts)
    everywhere = float(sum(insertions.get(chrom, 0) for chrom in nuclear))
    shares = (bases / sum(nuclear.values()), in_peaks, in_peaks / everywhere) if everywhere else None
    return LibraryQuality(
        assembly=known_assembly(sizes),
        chromosomes={
            chrom: ChromosomeCounts(size, insertions.get(chrom, 0), reads.get(chrom)) for chrom, size in sizes.items()
        },
        reads=_reads(counted) if reads else None,
        mitochondrial_share=_mitochondrial_share(counted),
        fragments=FragmentSizes(tuple(library["fragment_sizes"])) if library.get("fragment_sizes") else None,
        duplicates=Duplicates(**library["duplicates"]) if library.get("duplicates") else None,
        peaks=PeakShare(len(peaks), bases, *shares) if shares else None,
        start_sites=None if starts is None else _start_sites(sums, sites),
    )


def _signal(
    coverage: Coverage, chroms: Iterable[str], peaks: pd.DataFrame, starts: pd.DataFrame | None
) -> tuple[float, int, Floats, int]:
    """Read each chromosome once: insertions in peaks, bases of these, sums around transcription starts and their number."""
    in_peaks, bases = 0.0, 0
    sums, sites = np.zeros(2 * TSS_EDGE), 0
    merged = _merged(peaks)
    places: dict[str, pd.DataFrame] = {} if starts is None else {str(chrom): rows for chrom, rows in starts.groupby("chrom")}
    wanted = [chrom for chrom in chroms if chrom in merged or chrom in places]
    for chrom in track(wanted, "measuring the library", unit="chromosomes"):
        values = coverage.chromosome(chrom)
        for first, last in merged.get(chrom, ()):
            in_peaks += float(values[first:last].sum(dtype=np.float64))
            bases += last - first
        if chrom in places:
            rows = places[chrom]
            summed, windows = start_site_sums(values, rows["position"].to_numpy(), (rows["strand"] == "-").to_numpy())
            sums, sites = sums + summed, sites + windows
    return in_peaks, bases, sums, sites


def start_site_sums(values: Floats, positions: Ints, minus: Bools) -> tuple[Floats, int]:
    """Sum the values of a chromosome around transcription starts, seen in the direction of transcription.

    Parameters
    ----------
    values
        Insertions per base, ``(size,)``.
    positions
        The first transcribed base of each, ``(n,)``, 0-based.
    minus
        Whether it is on the minus strand, ``(n,)``.

    Returns
    -------
    ndarray
        Sum over all windows that lie in the chromosome, float64 ``(4000,)``; item 2,000 is that of the starts themselves.
    int
        Number of these windows.
    """
    total, used = np.zeros(2 * TSS_EDGE), 0
    for on_minus in (False, True):
        first = positions[minus == on_minus] - TSS_EDGE + on_minus
        first = first[(first >= 0) & (first + 2 * TSS_EDGE <= len(values))]
        for block in range(0, len(first), _WINDOWS):
            windows = np.lib.stride_tricks.sliding_window_view(values, 2 * TSS_EDGE)[first[block : block + _WINDOWS]]
            total += windows.sum(axis=0, dtype=np.float64)[:: -1 if on_minus else 1]
        used += len(first)
    return total, used


def enrichment_profile(sums: Floats) -> Floats | None:
    """Compute the profile around transcription starts as multiples of that in its outermost 100 bp.

    Parameters
    ----------
    sums
        As :func:`start_site_sums` makes them, ``(4000,)``.

    Returns
    -------
    ndarray or None
        float64 ``(400,)``, bins of 10 bp from 2,000 bp before the starts on; None where there is nothing in the outermost.
    """
    bins = sums.reshape(-1, TSS_BIN).mean(axis=1)
    edge = _FLANK // TSS_BIN
    background = float(np.concatenate([bins[:edge], bins[-edge:]]).mean())
    if not background:
        return None
    smooth: Floats = uniform_filter1d(bins, _READ // TSS_BIN, mode="nearest") / background
    return smooth


def known_assembly(sizes: Mapping[str, int]) -> str | None:
    """Recognise an assembly of the human or mouse genome by the length of chromosome 1.

    Parameters
    ----------
    sizes
        Chromosome → length in bp.

    Returns
    -------
    str or None
        Its name, such as ``GRCh38``; None for other genomes.
    """
    return next((_LONGEST_CHROMOSOMES.get(sizes[name]) for name in ("chr1", "1") if name in sizes), None)


def _start_sites(sums: Floats, sites: int) -> StartSites:
    profile = enrichment_profile(sums) if sites else None
    if profile is None:
        return StartSites(sites, None, None, ())
    highest = int(profile.argmax())
    middle = highest * TSS_BIN - TSS_EDGE + TSS_BIN // 2
    return StartSites(sites, float(profile[highest]), middle, tuple(np.round(profile, 4).tolist()))


def _merged(peaks: pd.DataFrame) -> dict[str, list[tuple[int, int]]]:
    """Chromosome → intervals of its peaks; those that overlap are joined."""
    import bioframe

    table = bioframe.merge(peaks[["chrom", "start", "end"]])
    return {
        str(chrom): list(zip(rows["start"].tolist(), rows["end"].tolist(), strict=True))
        for chrom, rows in table.groupby("chrom", observed=True)
    }


def _reads(counted: Mapping[str, Any]) -> ReadNumbers:
    return ReadNumbers(
        used=counted["reads"],
        outside=counted.get("outside", 0),
        elsewhere=counted["reads_lost"],
        left_out=counted["reads_excluded"],
        filtered=counted["reads_filtered"],
        duplicates_dropped=counted["reads_duplicate"],
    )


def _mitochondrial_share(counted: Mapping[str, Any]) -> float | None:
    """Share of the mitochondrion in all reads, those on chromosomes that are not in use too; None where it is not known."""
    if counted.get("reads_excluded") and "reads_excluded_by_chromosome" not in counted:
        return None  # counted by a version that did not say which they are
    named = dict(_named_counts(counted))
    total = sum(named.values())
    mitochondria = [name for name in named if is_mitochondrial(name)]
    return sum(named[name] for name in mitochondria) / total if mitochondria and total else None


def _named_counts(counted: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if "reads_by_chromosome" not in counted:
        yield from counted["insertions_by_chromosome"].items()
        return
    for group in ("reads_by_chromosome", "reads_lost_by_chromosome", "reads_excluded_by_chromosome"):
        yield from counted.get(group, {}).items()
