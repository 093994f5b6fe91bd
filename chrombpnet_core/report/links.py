"""Links from a page to the files beside it, put in where the files are placed: each leads to a file that is there.

A page is made before it is known where it and the files go, and copies of it lie in places of their own. So templates only
mark what may become a link, with comments of HTML; text of users cannot hold such, as it is escaped.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from html import unescape
from typing import NamedTuple
from urllib.parse import quote

from chrombpnet_core.report.html import render_page

__all__ = ["link_files"]

_FILES, _NAVIGATION = "<!-- files -->", "<!-- files in navigation -->"
_MARKED = re.compile(r"<!-- file (?P<path>[^<>]+?) -->(?P<words>.*?)<!-- end -->", re.DOTALL)

_WORDS = {
    "models/chrombpnet_nobias.h5": "corrected model: accessibility without enzyme bias",
    "models/chrombpnet.h5": "full model: observed insertions, enzyme bias included",
    "models/bias_model_scaled.h5": "bias model, scaled to the counts of these data",
    "models/bias.h5": "bias model",
    "auxiliary/data_unstranded.bw": "observed insertions per base (bigWig)",
    "tracks/*.bw": "predicted insertions per base (bigWig)",
    "auxiliary/interpret_subsample/*.bw": "contribution of each base (bigWig)",
    "modisco_profile/motifs.html": "motifs in the contributions to the profile",
    "modisco_counts/motifs.html": "motifs in the contributions to the counts",
    "modisco_*/hits.bed": "sites of these motifs (BED)",
    "igv_session.json": "session for IGV-Web",
    "igv_session.xml": "session for IGV on the desktop",
    "hub.txt": "track hub for UCSC's browser",
    "browser/index.html": "all tracks as a page: open it with chrombpnet view",
    "washu_hub.json": "track hub for the WashU browser",
    "overall_report.html": "report",
    "overall_report.pdf": "report as PDF",
    "report.json": "numbers and verdicts for programs (JSON)",
    "library_quality.json": "quality of the library (JSON)",
    "chrombpnet_mqc.json": "numbers for MultiQC",
}
"""Path within a run's results, without ``evaluation/``, or a pattern → what it is. These are shown first, in this order."""

_PARTS = {"": "", "main/": "main model: ", "bias/": "bias model: "}
"""Folder of a run's results within those that the page belongs to → what begins the words."""


class _Link(NamedTuple):
    address: str
    name: str
    words: str


def link_files(page: str, html: str, files: Mapping[str, str]) -> str:
    """Put the links of a page in.

    Parameters
    ----------
    page
        Where it lies among the files.
    html
        Its text.
    files
        Path that the page knows a file by → where it is among the files; often the same.

    Returns
    -------
    str
        The page. Words that were marked with a file that there is not stay as plain text.
    """

    def linked(marked: re.Match[str]) -> str:
        place = files.get(unescape(marked["path"]))
        return marked["words"] if place is None else f'<a href="{_address(page, place)}">{marked["words"]}</a>'

    html = _MARKED.sub(linked, html)
    if _FILES not in html:
        return html
    others = {name: place for name, place in files.items() if place != page}
    section = render_page("files.html.j2", first=_first(page, others), groups=_groups(page, others.values()))
    return html.replace(_FILES, section).replace(_NAVIGATION, '<a href="#files">Files</a>')


def _address(page: str, place: str) -> str:
    """Make an address relative to the page; a colon is quoted, so none is a scheme's."""
    return quote(posixpath.relpath(place, posixpath.dirname(page) or "."))


def _first(page: str, files: Mapping[str, str]) -> list[_Link]:
    """List what people look for, in the order of the words."""
    return [
        _Link(_address(page, place), place.rsplit("/", 1)[-1], owner + words)
        for folder, owner in _PARTS.items()
        for pattern, words in _WORDS.items()
        for name, place in files.items()
        if name.startswith(folder) and fnmatch(name.removeprefix(folder).removeprefix("evaluation/"), pattern)
    ]


def _groups(page: str, places: Iterable[str]) -> list[tuple[str, list[_Link]]]:
    """Group all files by their folder."""
    folders: dict[str, list[_Link]] = {}
    for place in sorted(places):
        folder, name = posixpath.split(place)
        folders.setdefault(folder, []).append(_Link(_address(page, place), name, ""))
    return sorted(folders.items())
