"""The report's section on the library and the fold: pictures, a table, and what to look for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from chrombpnet_core.evaluation import NUCLEOSOME, FragmentSizes, LibraryQuality
from chrombpnet_core.plots import write_svg
from chrombpnet_core.report import library_pictures as pictures
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.sections import Picture, Section
from chrombpnet_core.report.tables import Table, format_number

__all__ = ["library_sections", "library_tables"]

_EXPECTED = {
    "ATAC": "ATAC-seq should show the short ones and a hump for each nucleosome, lower each time. One hump alone points to "
    "too much or too little cutting, or to size selection.",
    "DNASE": "Of DNase-seq most are shorter than one nucleosome.",
}


def library_sections(content: ReportContent) -> list[Section]:
    """Draw the section on the library; none where nothing is known of it.

    Parameters
    ----------
    content
        Of the report.

    Returns
    -------
    list of Section
        One, or none.
    """
    drawn = [*_of_library(content), *_of_regions(content), *_of_chromosomes(content)]
    if not drawn:
        return []
    caption = "What the sequencing library is worth, whatever the model: how it was cut, and how much of it is signal."
    library = content.library
    if library is not None and library.start_sites is None:
        caption += " Without genes there is no enrichment at transcription starts."
    return [Section("Library", "Quality of the library", caption, drawn)]


def _of_library(content: ReportContent) -> Iterator[Picture]:
    library = content.library
    if library is None:
        return
    if library.fragments is not None:
        figure = pictures.fragment_sizes(library.fragments)
        caption = f"{_fragments_in_words(library.fragments)} {_EXPECTED.get(content.assay, '')}".strip()
        yield _picture(figure, "fragments", "Fragment sizes", caption)
    sites = library.start_sites
    if sites is not None and sites.profile:
        caption = (
            f"Mean over {sites.sites:,} transcription starts, in the direction of transcription, as multiples of what lies "
            f"1,900 to 2,000 bp away; the highest point, {format_number(sites.enrichment, 2)}, is the TSS enrichment. A "
            "library with signal has a sharp peak just upstream of the start; a flat line is background."
        )
        yield _picture(pictures.tss_profile(sites), "tss", "Insertions at transcription starts", caption)


def _fragments_in_words(fragments: FragmentSizes) -> str:
    shares = {name: _percent(share) for name, share in fragments.shares.items()}
    return (
        f"{fragments.total:,} fragments, median {fragments.median:,} bp. Dashed: one nucleosome ({NUCLEOSOME} bp) and its "
        f"multiples. {shares['nucleosome_free']} are shorter than one nucleosome and come from open chromatin; "
        f"{shares['mononucleosome']} are one to two long, {shares['dinucleosome']} two to three."
    )


def _of_regions(content: ReportContent) -> Iterator[Picture]:
    counts = content.region_counts
    if counts:
        medians = ", ".join(f"{np.median(values):,.0f} in {name}" for name, values in counts.items())
        caption = (
            f"Reads in the output window of each region; median {medians} (lines). Each distribution adds up to 100 %. The "
            "less they overlap, the more of the library is signal."
        )
        yield _picture(pictures.reads_in_regions(counts), "regions", "Reads in peaks and nonpeaks", caption)


def _of_chromosomes(content: ReportContent) -> Iterator[Picture]:
    library = content.library
    if library is None:
        return
    splits = {"training": content.training, "validation": content.validation, "test": content.test}
    more = _more(library)
    caption = (
        "The dashed line is the mean of all. A chromosome that stands out is a mitochondrion, has a repeat that attracts "
        f"reads (such as ribosomal DNA), or is there in more or fewer copies.{more}"
    )
    figure = pictures.insertions_by_chromosome(library.chromosomes)
    yield _picture(figure, "chromosomes", "Insertions by chromosome", caption)
    if any(splits.values()):
        caption = f"What the model learnt from, what decided when to stop, and what this report judges it by.{more}"
        figure = pictures.chromosomes_of_fold(library.chromosomes, splits)
        yield _picture(figure, "fold", "Chromosomes of this fold", caption)


def _more(library: LibraryQuality) -> str:
    number = len(library.chromosomes)
    if number <= pictures.MOST_CHROMOSOMES:
        return ""
    return f" Of {number:,} chromosomes the {pictures.MOST_CHROMOSOMES} longest are shown."


def library_tables(content: ReportContent) -> list[Table]:
    """Make the table of the library's numbers.

    Parameters
    ----------
    content
        Of the report.

    Returns
    -------
    list of Table
        One; none where nothing is known of the library.
    """
    library = content.library
    if library is None:
        return []
    note = (
        "FRiP and TSS enrichment leave the mitochondrion out and are defined as by ENCODE. The file library_quality.json "
        "has these numbers, insertions by chromosome, fragment sizes and the profile around transcription starts."
    )
    rows = [*_read_rows(library), *_quality_rows(library)]
    return [Table("Library", ("number", "value"), rows, numeric=False, note=note)]


def _read_rows(library: LibraryQuality) -> Iterator[tuple[str, str]]:
    reads = library.reads
    if reads is not None:
        left_out = {
            "on chromosomes that are not in use": reads.elsewhere + reads.left_out,
            "by mapping quality or flags": reads.filtered,
            "as duplicates": reads.duplicates_dropped,
        }
        yield "reads in use", format_number(reads.used)
        for why, number in left_out.items():
            if number:
                yield f"reads left out {why}", format_number(number)
    yield "insertions", f"{library.insertions:,.0f}"
    if library.mitochondrial_share is not None:
        yield "mitochondrial share of reads", _percent(library.mitochondrial_share)
    if library.duplicates is not None:
        of = library.duplicates
        what = "marked as duplicates" if of.told_by == "flag" else "beyond one for each fragment, by their counts"
        shown = f"{_percent(of.share)} ({of.duplicates:,} of {of.of:,})" if of.duplicates else "none: removed, or not marked"
        yield f"reads {what}", shown


def _quality_rows(library: LibraryQuality) -> Iterator[tuple[str, str]]:
    if library.fragments is not None:
        yield "median fragment", f"{library.fragments.median:,} bp"
        for name, share in library.fragments.shares.items():
            yield f"fragments, {_SIZES[name]}", _percent(share)
    if library.peaks is not None:
        yield "insertions in peaks (FRiP)", _percent(library.peaks.frip)
        yield "genome in peaks", _percent(library.peaks.genome_share)
    if library.start_sites is not None:
        yield "TSS enrichment", format_number(library.start_sites.enrichment, 2)


_SIZES = {
    "nucleosome_free": f"below {NUCLEOSOME} bp",
    "mononucleosome": f"{NUCLEOSOME} to {2 * NUCLEOSOME - 1} bp",
    "dinucleosome": f"{2 * NUCLEOSOME} to {3 * NUCLEOSOME - 1} bp",
    "longer": "longer",
}


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _picture(figure: Figure, name: str, title: str, caption: str) -> Picture:
    return Picture(Markup(write_svg(figure, f"library-{name}", f"{title}. {caption}")), title, caption)
