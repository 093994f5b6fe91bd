"""A page that shows a run's tracks with igv.js: beside the results, in a folder or a bucket, for ``chrombpnet view``.

All addresses in it are relative, but that of igv.js where the package was built without it (``igv.json`` says which version
is meant, and the hash that its file must have). The page asks for a FASTA beside it, then takes the assembly that IGV hosts;
without either there are no letters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from chrombpnet_core.plots import BASE_COLOURS
from chrombpnet_core.report.browser_sessions import BrowserGenome, BrowserTrack, igv_json
from chrombpnet_core.report.html import render_page

__all__ = ["IGV_JS", "BrowserPage", "BrowserPlace", "packed_igv_js", "render_browser_page"]

IGV_JS = "igv.min.js"
"""Name of igv.js beside the page."""

_LICENCE = "igv.LICENSE"
_LETTERS = 150  # bp in which letters can be read
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class BrowserPlace:
    """A place worth a look: its name, chromosome, start and end (0-based, end not included)."""

    name: str
    chrom: str
    start: int
    end: int

    @property
    def locus(self) -> str:
        """The whole of it, as browsers write places."""
        return f"{self.chrom}:{self.start + 1}-{self.end}"

    @property
    def middle(self) -> str:
        """As much of its middle as letters can be read in."""
        around = min(_LETTERS, self.end - self.start) // 2
        centre = (self.start + self.end) // 2
        return f"{self.chrom}:{max(centre - around, 0) + 1}-{centre + around}"


@dataclass(frozen=True, kw_only=True)
class BrowserPage:
    """What the page shows.

    Attributes
    ----------
    title
        Name of the data set.
    tracks
        Their paths begin where ``base`` leads to.
    genome
        The assembly that browsers know, or the address of a FASTA and its index; paths on a machine are not used.
    sizes
        Chromosome → length in bp.
    places
        The first is opened.
    links
        Words → address relative to the page.
    base
        Way from the page to where the tracks' paths begin, such as ``../``.
    script
        Way from the page to igv.js; without it the page takes it from a public server.
    """

    title: str
    tracks: Sequence[BrowserTrack]
    genome: BrowserGenome
    sizes: Mapping[str, int]
    places: Sequence[BrowserPlace] = ()
    links: Mapping[str, str]
    base: str = ""
    script: str = ""


def packed_igv_js() -> dict[str, Path]:
    """Find igv.js in the installed package.

    Returns
    -------
    dict
        Name → file: igv.js and its licence; nothing in a checkout, or where the package was built without npm.
    """
    files = {name: _HERE / name for name in (IGV_JS, _LICENCE) if (_HERE / name).is_file()}
    return files if IGV_JS in files else {}


def render_browser_page(page: BrowserPage) -> str:
    """Render the page of a run's tracks.

    Parameters
    ----------
    page
        What it shows.

    Returns
    -------
    str
        The text of the page.
    """
    igv = json.loads((_HERE / "igv.json").read_text())
    letters = any(track.is_letters for track in page.tracks)
    data: dict[str, Any] = {
        "assembly": page.genome.assembly,
        "fasta": {"fastaURL": page.genome.fasta, "indexURL": page.genome.index} if "://" in page.genome.fasta else None,
        "name": page.genome.assembly or page.genome.fasta.rsplit("/", 1)[-1] or "genome",
        "sizes": [*page.sizes.items()],
        "tracks": json.loads(igv_json(page.tracks, page.genome, base=page.base))["tracks"],
        "colours": BASE_COLOURS | {"N": "#5f6c79"},
        "locus": (page.places[0].middle if letters else page.places[0].locus) if page.places else "",
    }
    return render_page(
        "browser.html.j2",
        page=page,
        letters=letters,
        data=_script_json(data),
        script=page.script,
        version=igv["version"],
        integrity=igv["integrity"],
    )


def _script_json(data: Any) -> Markup:
    """JSON that ends no script element, whatever names are in it."""
    text = json.dumps(data)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)
