"""The page of a run's report: what its HTML and PDF forms show, in the same order and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from chrombpnet_core.evaluation import STATUSES
from chrombpnet_core.models import BIAS, FULL, MODEL_LABELS
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.glossary import glossary
from chrombpnet_core.report.rules import Verdict
from chrombpnet_core.report.sections import Section, sections_of
from chrombpnet_core.report.tables import Table, tables
from chrombpnet_core.report.verdicts import judge, not_judged, worst

__all__ = ["ASSAYS", "STATUS_MARKS", "STATUS_WORDS", "Page", "motif_page", "page_of", "summary"]

ASSAYS = {"ATAC": "ATAC-seq", "DNASE": "DNase-seq"}
"""Assay → how people write it."""

STATUS_WORDS = {"fail": "failed", "warn": "warning", "pass": "passed", "info": "info"}
STATUS_MARKS = {"fail": "✕", "warn": "!", "pass": "✓", "info": "i"}
"""Status of a verdict → its sign."""

_KIND_WORDS = {"bias": "bias model", "main": "main model", "dataset": "bias and main model"}


@dataclass(frozen=True)
class Page:
    """Hold what both forms of the report show, in this order."""

    title: str
    subtitle: str
    overall: str
    summary: str
    verdicts: list[Verdict]
    counts: dict[str, int]
    not_judged: list[str]
    sections: list[Section]
    tables: list[Table]
    glossary: list[tuple[str, str]]


def page_of(content: ReportContent) -> Page:
    """Lay the report of a run out."""
    verdicts = judge(content)
    page = Page(
        content.title,
        f"{ASSAYS.get(content.assay, content.assay)} · {_KIND_WORDS[content.kind]}",
        worst(verdicts),
        summary(content, verdicts),
        verdicts,
        _count(verdicts),
        not_judged(content),
        sections_of(content),
        tables(content),
        [],
    )
    return _with_glossary(page)


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
    return _with_glossary(replace(page_of(alone), not_judged=[], glossary=[]))


def summary(content: ReportContent, verdicts: list[Verdict]) -> str:
    """Decide in a line whether to use the model, and tell the number that people ask for first."""
    number = _count(verdicts)
    judged = number["fail"] + number["warn"] + number["pass"]
    first = min(verdicts, key=lambda verdict: STATUSES.index(verdict.status), default=None)
    ready = "Ready: train the main model with bias.h5." if content.kind == "bias" else "Ready: use chrombpnet_nobias.h5."
    if first is None or not judged:
        line = "Nothing could be judged."
    elif first.status == "fail":
        line = f"Do not use this model yet: {number['fail']} of {judged} checks failed. {_finding(first)}"
    elif first.status == "warn":
        line = f"{ready[:-1]}, with care: no check failed, {number['warn']} of {judged} gave a warning. {_finding(first)}"
    else:
        line = f"{ready} " + ("The check passed." if judged == 1 else f"All {judged} checks passed.")
    model, group = (BIAS, "nonpeaks") if content.kind == "bias" else (FULL, "peaks")
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    is_told = first is not None and first.status in ("fail", "warn") and first.key.endswith(f"_r_{group}")
    if r is not None and not is_told:
        shown = f"r = {r:.3f}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")
        line += f" The {MODEL_LABELS[model]} predicts counts in held-out {group} with {shown}."
    return line


def _finding(verdict: Verdict) -> str:
    """Say what was asked and answered."""
    return f"{verdict.title} {verdict.answer or STATUS_WORDS[verdict.status].capitalize()}: {verdict.shown}."


def _count(verdicts: list[Verdict]) -> dict[str, int]:
    """Count the verdicts of each status."""
    return {status: sum(verdict.status == status for verdict in verdicts) for status in STATUSES}


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
