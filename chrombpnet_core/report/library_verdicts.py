"""Verdicts on the library: insertions in peaks and at transcription starts, by ENCODE's standards where these apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chrombpnet_core.evaluation import TSS_LEVELS, LibraryQuality
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.rules import RULES, Verdict, apply_rule

__all__ = ["judge_library"]


def judge_library(content: ReportContent) -> Iterator[Verdict]:
    """Judge FRiP and TSS enrichment of human and mouse ATAC-seq; of other genomes and assays they are information."""
    library = content.library
    if library is None:
        return
    if library.peaks is not None:
        yield _judge_peaks(content, library)
    if library.start_sites is not None and library.start_sites.sites:
        yield _judge_starts(content, library)


def _judge_peaks(content: ReportContent, library: LibraryQuality) -> Verdict:
    peaks = library.peaks
    assert peaks is not None
    times = f"{peaks.frip / peaks.genome_share:,.1f} times what an even spread would give" if peaks.genome_share else "–"
    reason = (
        f"{peaks.insertions:,.0f} insertions lie in the {peaks.regions:,} peaks, which are {peaks.genome_share:.1%} of the "
        f"genome: {times}."
    )
    shown = f"FRiP = {peaks.frip:.3f}"
    if content.assay != "ATAC" or library.assembly is None:
        return _unjudged("frip", peaks.frip, shown, reason, _why(content, library))
    return apply_rule(
        "frip", peaks.frip, shown, f"{reason} Peaks of a relaxed threshold (MACS2 p 0.01), as this model asks for, raise it."
    )


def _judge_starts(content: ReportContent, library: LibraryQuality) -> Verdict:
    sites = library.start_sites
    assert sites is not None
    reason = f"Insertions around {sites.sites:,} transcription starts, compared with those 1,900 to 2,000 bp away"
    if sites.enrichment is None:
        return _unjudged("tss_enrichment", None, "no insertions", f"{reason}.", "There is no background to compare with.")
    shown, levels = f"TSS enrichment = {sites.enrichment:.2f}", TSS_LEVELS.get(library.assembly or "")
    reason += f"; the highest point lies {_place(sites.position or 0)}."
    if content.assay != "ATAC" or levels is None:
        return _unjudged("tss_enrichment", sites.enrichment, shown, reason, _why(content, library))
    word = "ideal" if sites.enrichment > levels[1] else "acceptable" if sites.enrichment >= levels[0] else "concerning"
    judged = apply_rule(
        "tss_enrichment", sites.enrichment / levels[0], shown, f"{reason} For {library.assembly} ENCODE calls this {word}."
    )
    return replace(judged, value=sites.enrichment)


def _place(position: int) -> str:
    return "at the start" if abs(position) <= 5 else f"{abs(position):,} bp {'upstream' if position < 0 else 'downstream'}"


def _why(content: ReportContent, library: LibraryQuality) -> str:
    if content.assay != "ATAC":
        return "It cannot be judged: ENCODE's standard is for ATAC-seq."
    if library.assembly is None:
        return (
            "It cannot be judged: ENCODE's standard is for human and mouse. In a small genome peaks cover much of it, and "
            "other genes lie within 2,000 bp of most transcription starts."
        )
    return f"It cannot be judged: ENCODE has no standard for {library.assembly}."


def _unjudged(key: str, value: float | None, shown: str, reason: str, why: str) -> Verdict:
    rule = RULES[key]
    return Verdict(key, rule.title, "info", value, shown, rule.wanted, f"{reason} {why}", "", rule.source)
