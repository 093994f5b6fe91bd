"""The page of a run's report: what its HTML and PDF forms show, in the same order and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.glossary import glossary
from chrombpnet_core.report.library_section import library_sections, library_tables
from chrombpnet_core.report.next_step import count_by_status, next_step
from chrombpnet_core.report.rules import Verdict
from chrombpnet_core.report.sections import Section, sections_of
from chrombpnet_core.report.tables import Table, tables
from chrombpnet_core.report.tiles import Tile, tiles_of
from chrombpnet_core.report.verdicts import judge, not_judged, worst

__all__ = ["ASSAYS", "STATUS_MARKS", "Page", "motif_page", "page_of"]

ASSAYS = {"ATAC": "ATAC-seq", "DNASE": "DNase-seq"}
"""Assay → how people write it."""

STATUS_MARKS = {"fail": "✕", "warn": "!", "pass": "✓", "info": "i"}
"""Status of a verdict → its sign."""

_KIND_WORDS = {"bias": "bias model", "main": "main model", "dataset": "bias and main model"}


@dataclass(frozen=True)
class Page:
    """Hold what both forms of the report show, in this order; ``about`` has names and values of what was run on."""

    title: str
    subtitle: str
    about: list[tuple[str, str]]
    overall: str
    decision: str
    because: str
    command: str
    tiles: list[Tile]
    verdicts: list[Verdict]
    counts: dict[str, int]
    not_judged: list[str]
    sections: list[Section]
    tables: list[Table]
    glossary: list[tuple[str, str]]


def page_of(content: ReportContent) -> Page:
    """Lay the report of a run out."""
    verdicts = judge(content)
    step = next_step(content, verdicts)
    page = Page(
        content.title,
        f"{ASSAYS.get(content.assay, content.assay)} · {_KIND_WORDS[content.kind]}",
        _about(content),
        worst(verdicts),
        step.decision,
        step.because,
        step.command,
        tiles_of(content, verdicts),
        verdicts,
        count_by_status(verdicts),
        not_judged(content),
        [*library_sections(content), *sections_of(content)],
        [*library_tables(content), *tables(content)],
        [],
    )
    return _with_glossary(page)


def _about(content: ReportContent) -> list[tuple[str, str]]:
    """Name genome, fold, its chromosomes and the day, those that are known."""
    named = {
        "genome": content.genome,
        "fold": content.fold.removeprefix("fold_"),
        "test": ", ".join(content.test),
        "validation": ", ".join(content.validation),
        "date": content.date,
    }
    return [(name, value) for name, value in named.items() if value]


def motif_page(content: ReportContent, key: str) -> Page:
    """Lay a page out that has the motifs of one explanation, and the verdict on them alone.

    Parameters
    ----------
    content
        Of the report.
    key
        One of :attr:`ReportContent.motifs`, such as ``bias profile``.

    Returns
    -------
    Page
        Without what else a report has.
    """
    alone = ReportContent(content.kind, content.title, content.assay, motifs={key: content.motifs[key]})
    page = replace(page_of(alone), not_judged=[], tiles=[], command="", glossary=[])
    return _with_glossary(page)


def _with_glossary(page: Page) -> Page:
    """Add explanations of the terms that occur in a page."""
    return replace(page, glossary=glossary(" ".join(_texts(asdict(page)))))


def _texts(value: Any) -> Iterator[str]:
    """Find all text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)
