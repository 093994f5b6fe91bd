"""A run's tracks in genome browsers: sessions for IGV and igv.js, a track hub for the UCSC Genome Browser.

Desktop IGV reads sessions as XML and takes paths relative to the session; igv.js (IGV-Web) reads JSON and takes addresses
relative to its page, so that JSON for data in a bucket holds whole addresses. A UCSC hub is one file, ``useOneFile on``,
and knows no plain BED. Colours are those of the report. Reads and their prediction share a scale; what is left without
the enzyme's spikes would be flat on it and has its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree

from chrombpnet_core.plots import PALETTE

__all__ = ["BrowserGenome", "BrowserTrack", "browser_tracks", "igv_json", "igv_xml", "ucsc_hub"]

_KNOWN = (  # end of a file's name, what it shows, colour, group
    (r"data_unstranded\.bw", "observed reads", "observed", "cuts per base"),
    (r"chrombpnet\.bw", "full model", "full", "cuts per base"),
    (r"bias\.bw", "bias model: enzyme alone", "bias", "enzyme bias"),
    (r"chrombpnet_nobias\.bw", "corrected model: accessibility alone", "corrected", "accessibility"),
    (r"profile_scores\.bw", "contributions to the profile", "planted", "contributions to the profile"),
    (r"counts_scores\.bw", "contributions to the log counts", "ink", "contributions to the log counts"),
    (r"filtered\.peaks\.bed", "peaks that trained", "full", ""),
    (r"filtered\.bias_peaks\.bed", "peaks of the training chromosomes", "full", ""),
    (r"filtered\.bias_nonpeaks\.bed", "nonpeaks that trained the bias model", "chance", ""),
    (r"hits\.bed", "motif hits", "planted", ""),
)


@dataclass(frozen=True)
class BrowserTrack:
    """A file that a browser shows.

    Attributes
    ----------
    path
        Relative to the session or hub, with ``/``.
    name
        What people read.
    colour
        Name in :data:`~chrombpnet_core.plots.style.PALETTE`.
    group
        Tracks with the same one share their scale; empty for regions.
    """

    path: str
    name: str
    colour: str
    group: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour on a light page."""
        red, green, blue = bytes.fromhex(PALETTE[self.colour][0][1:])
        return red, green, blue

    @property
    def is_regions(self) -> bool:
        """Whether it is BED rather than bigWig."""
        return self.path.endswith(".bed")


@dataclass(frozen=True)
class BrowserGenome:
    """The genome: the ``assembly`` that browsers know, or the addresses of a ``fasta`` and of its ``index``."""

    assembly: str = ""
    fasta: str = ""
    index: str = ""


def browser_tracks(paths: Iterable[str]) -> list[BrowserTrack]:
    """The tracks among a run's files, in the order in which they are looked at: reads, models, contributions, regions.

    A bigWig of another name is shown under it; other files are left out.
    """
    found: list[tuple[int, BrowserTrack]] = []
    for path in paths:
        name = path.rsplit("/", 1)[-1]
        known = next((i for i, (pattern, *_) in enumerate(_KNOWN) if re.search(rf"(^|[_.]){pattern}$", name)), None)
        if known is not None:
            found.append((known, BrowserTrack(path, *_KNOWN[known][1:])))
        elif name.endswith(".bw"):
            found.append((len(_KNOWN), BrowserTrack(path, name.removesuffix(".bw"), "muted", name)))
    return [track for _, track in sorted(found, key=lambda item: item[0])]


def igv_json(tracks: Sequence[BrowserTrack], reference: BrowserGenome, locus: str = "", base: str = "") -> str:
    """A session for igv.js.

    Parameters
    ----------
    tracks, reference
        What to show, on what.
    locus
        Where to begin, such as ``chr1:100-200``.
    base
        Put before each path, ``/`` at its end; without it paths are relative to the page.
    """
    if reference.assembly:
        session: dict[str, object] = {"genome": reference.assembly}
    else:
        name = reference.fasta.rsplit("/", 1)[-1]
        index: dict[str, object] = {"indexURL": reference.index} if reference.index else {"indexed": False}
        if reference.index and reference.fasta.endswith(".gz"):
            index["compressedIndexURL"] = f"{reference.fasta}.gzi"
        session = {"reference": {"id": name, "name": name, "fastaURL": reference.fasta, **index}}
    if locus:
        session["locus"] = locus
    groups = list(dict.fromkeys(track.group for track in tracks if track.group))
    session["tracks"] = [
        {
            "name": track.name,
            "url": base + track.path if base.startswith("gs://") else base + quote(track.path),
            "color": "rgb({},{},{})".format(*track.rgb),
            "order": order,
        }
        | (
            {"type": "annotation", "format": "narrowPeak" if _is_narrow_peak(track) else "bed", "displayMode": "COLLAPSED"}
            if track.is_regions
            else {"type": "wig", "format": "bigwig", "autoscaleGroup": str(groups.index(track.group) + 1), "height": 60}
        )
        for order, track in enumerate(tracks, start=1)
    ]
    return json.dumps(session, indent=1) + "\n"


def igv_xml(tracks: Sequence[BrowserTrack], reference: BrowserGenome, locus: str = "") -> str:
    """A session for desktop IGV, to lie where the paths of ``tracks`` begin; arguments as in :func:`igv_json`."""
    groups = list(dict.fromkeys(track.group for track in tracks if track.group))
    session = ElementTree.Element(
        "Session",
        genome=_line(reference.assembly or reference.fasta),
        locus=locus or "All",
        nextAutoscaleGroup=str(len(groups) + 1),
        version="8",
    )
    resources = ElementTree.SubElement(session, "Resources")
    panel = ElementTree.SubElement(session, "Panel", name="DataPanel")
    for track in tracks:
        kind = "bigwig" if not track.is_regions else "narrowPeak" if _is_narrow_peak(track) else "bed"
        ElementTree.SubElement(resources, "Resource", path=track.path, name=track.name, type=kind)
        scale = (
            {"displayMode": "COLLAPSED"}
            if track.is_regions
            else {
                "autoScale": "false",
                "autoscaleGroup": str(groups.index(track.group) + 1),
                "height": "60",
                "renderer": "BAR_CHART",
            }
        )
        ElementTree.SubElement(panel, "Track", id=track.path, name=track.name, color=",".join(map(str, track.rgb)), **scale)
    ElementTree.indent(session)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(session, encoding="unicode") + "\n"


def ucsc_hub(tracks: Sequence[BrowserTrack], assembly: str, title: str, email: str = "nobody@example.org") -> str:
    """A track hub in one file, to lie where the paths of ``tracks`` begin on a web server.

    Parameters
    ----------
    tracks
        What to show; regions are left out.
    assembly
        UCSC's name of it, such as ``sacCer3``.
    title
        The data set.
    email
        Of whom to ask: UCSC refuses a hub without.
    """
    title = _line(title) or "ChromBPNet"
    stanzas = [
        [
            ("hub", re.sub(r"\W", "_", f"chrombpnet_{title}", flags=re.ASCII)),
            ("shortLabel", title[:17]),
            ("longLabel", f"{title}: ChromBPNet"[:76]),
            ("useOneFile", "on"),
            ("email", _line(email)),
        ],
        [("genome", _line(assembly))],
    ]
    for number, group in enumerate(dict.fromkeys(track.group for track in tracks if not track.is_regions), start=1):
        parent = f"group{number}"
        stanzas.append(
            [
                ("track", parent),
                ("compositeTrack", "on"),
                ("type", "bigWig"),
                ("shortLabel", _line(group)[:17]),
                ("longLabel", f"{title}: {_line(group)}"[:76]),
                ("visibility", "full"),
                ("autoScale", "group"),
                ("alwaysZero", "on"),
                ("maxHeightPixels", "128:48:16"),
                ("priority", str(number)),
            ]
        )
        for order, track in enumerate((track for track in tracks if track.group == group), start=1):
            name = _line(track.name)
            stanzas.append(
                [
                    ("track", f"{parent}_{order}"),
                    ("parent", f"{parent} on"),
                    ("type", "bigWig"),
                    ("bigDataUrl", quote(track.path)),
                    ("shortLabel", name.partition(":")[0][:17]),
                    ("longLabel", f"{title}: {name}"[:76]),
                    ("color", ",".join(map(str, track.rgb))),
                    ("visibility", "full"),
                    ("priority", str(order)),
                ]
            )
    return "\n".join("".join(f"{key} {value}\n" for key, value in stanza) for stanza in stanzas)


def _is_narrow_peak(track: BrowserTrack) -> bool:
    """Regions that a run writes have ten columns; motif hits have not."""
    return not track.path.endswith("hits.bed")


def _line(text: str) -> str:
    """Text that stays on its line."""
    return " ".join(text.split())
