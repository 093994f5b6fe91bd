"""A run's tracks in genome browsers: sessions for IGV and igv.js, hubs for the UCSC and the WashU browser.

Desktop IGV reads sessions as XML, with paths relative to the session. igv.js (IGV-Web) reads JSON, with addresses relative
to its page; so the JSON for data in a bucket has whole addresses. A UCSC hub is one file (``useOneFile on``), a WashU hub a
JSON list; neither can show plain BED: it would have to be bigBed, which pyBigWig only reads, or indexed by tabix.

Colours are those of the report. Observed and predicted insertions share a scale; the corrected track, which would be flat on
it, has its own. Contributions are drawn as letters (*dynseq*, Nair et al. 2022, https://doi.org/10.1038/s41588-022-01194-w),
for which each browser has its own word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree

from chrombpnet_core.plots import PALETTE

__all__ = [
    "BrowserGenome",
    "BrowserTrack",
    "browser_tracks",
    "igv_json",
    "igv_xml",
    "known_assembly",
    "ucsc_hub",
    "washu_hub",
]

_KNOWN = (  # end of a file's name, what it shows, colour, group
    (r"data_unstranded\.bw", "observed reads", "observed", "insertions per base"),
    (r"chrombpnet\.bw", "full model", "full", "insertions per base"),
    (r"bias\.bw", "bias model: enzyme bias alone", "bias", "enzyme bias"),
    (r"chrombpnet_nobias\.bw", "corrected model: accessibility alone", "corrected", "accessibility"),
    (r"profile_scores\.bw", "contributions to the profile", "planted", "contributions to the profile"),
    (r"counts_scores\.bw", "contributions to the log counts", "ink", "contributions to the log counts"),
    (r"filtered\.peaks\.bed", "training peaks of the main model", "full", ""),
    (r"filtered\.bias_peaks\.bed", "peaks of the training chromosomes", "full", ""),
    (r"filtered\.bias_nonpeaks\.bed", "training nonpeaks of the bias model", "chance", ""),
    (r"hits\.bed", "motif hits", "planted", ""),
    (r"genes\.bed", "genes", "ink", ""),
)
_HEIGHT, _LETTERS_HEIGHT = 60, 100  # px
_LENGTHS = {  # UCSC's name of an assembly → a chromosome, and its length, which no other assembly has
    "hg38": ("chr1", 248_956_422),
    "hg19": ("chr1", 249_250_621),
    "hs1": ("chr1", 248_387_328),
    "mm39": ("chr1", 195_154_279),
    "mm10": ("chr1", 195_471_971),
    "danRer11": ("chr1", 59_578_282),
    "dm6": ("chr2L", 23_513_712),
    "ce11": ("chrI", 15_072_434),
    "sacCer3": ("chrI", 230_218),
}


@dataclass(frozen=True)
class BrowserTrack:
    """Describe a file that a genome browser shows.

    Attributes
    ----------
    path
        Path relative to the session or hub, with ``/``.
    name
        Name that people read.
    colour
        Name of its colour in :data:`~chrombpnet_core.plots.style.PALETTE`.
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

    @property
    def is_letters(self) -> bool:
        """Whether each base has a contribution, and so is drawn as a letter of that height."""
        return self.path.endswith("_scores.bw")

    @property
    def format(self) -> str:
        """IGV's name of its format."""
        if not self.is_regions:
            return "bigwig"
        return "bed" if self.path.endswith(("hits.bed", "genes.bed")) else "narrowPeak"

    @property
    def height(self) -> int:
        """Height of its panel in pixels."""
        return _LETTERS_HEIGHT if self.is_letters else _HEIGHT


@dataclass(frozen=True)
class BrowserGenome:
    """Name the genome: the ``assembly`` that browsers know, or the addresses of a ``fasta`` and of its ``index``."""

    assembly: str = ""
    fasta: str = ""
    index: str = ""


def known_assembly(sizes: Mapping[str, int]) -> str:
    """Tell which assembly a genome is, by the length of a chromosome.

    Parameters
    ----------
    sizes
        Chromosome → length in bp.

    Returns
    -------
    str
        UCSC's name, by which all browsers know it, such as ``hg38``; empty for another genome, or other names.
    """
    return next((name for name, (chrom, length) in _LENGTHS.items() if sizes.get(chrom) == length), "")


def browser_tracks(paths: Iterable[str]) -> list[BrowserTrack]:
    """Find the tracks among a run's files and put them in order: reads, models, contributions, regions.

    Parameters
    ----------
    paths
        Files of the run, relative to the session or hub.

    Returns
    -------
    list of BrowserTrack
        A bigWig that is none of the run's own has its file's name; files that are no tracks are left out.
    """
    ranked: list[tuple[int, BrowserTrack]] = []
    for path in paths:
        name = path.rsplit("/", 1)[-1]
        known = next((i for i, (pattern, *_) in enumerate(_KNOWN) if re.search(rf"(^|[_.]){pattern}$", name)), None)
        if known is not None:
            ranked.append((known, BrowserTrack(path, *_KNOWN[known][1:])))
        elif name.endswith(".bw"):
            ranked.append((len(_KNOWN), BrowserTrack(path, name.removesuffix(".bw"), "muted", name)))
    return [track for _, track in sorted(ranked, key=lambda item: item[0])]


def igv_json(tracks: Sequence[BrowserTrack], reference: BrowserGenome, locus: str = "", base: str = "") -> str:
    """Make a session for igv.js.

    Parameters
    ----------
    tracks
        What to show.
    reference
        The genome to show it on.
    locus
        Region to open, such as ``chr1:100-200``.
    base
        Address before each path, with ``/`` at its end; without it paths are relative to the page.

    Returns
    -------
    str
        JSON.
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
            "format": track.format,
            "color": "rgb({},{},{})".format(*track.rgb),
            "order": order,
        }
        | (
            {"type": "annotation", "displayMode": "COLLAPSED"}
            if track.is_regions
            else {"type": "wig", "height": track.height, "autoscaleGroup": str(groups.index(track.group) + 1)}
        )
        | ({"graphType": "dynseq"} if track.is_letters else {})
        for order, track in enumerate(tracks, start=1)
    ]
    return json.dumps(session, indent=1) + "\n"


def igv_xml(tracks: Sequence[BrowserTrack], reference: BrowserGenome, locus: str = "") -> str:
    """Make a session for desktop IGV, for the folder that the paths of ``tracks`` begin in.

    Parameters
    ----------
    tracks
        What to show.
    reference
        The genome to show it on.
    locus
        Region to open, such as ``chr1:100-200``.

    Returns
    -------
    str
        XML.
    """
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
        ElementTree.SubElement(resources, "Resource", path=track.path, name=track.name, type=track.format)
        scale = (
            {"displayMode": "COLLAPSED"}
            if track.is_regions
            else {
                "autoScale": "false",
                "autoscaleGroup": str(groups.index(track.group) + 1),
                "height": str(track.height),
                "renderer": "DYNSEQ" if track.is_letters else "BAR_CHART",
            }
        )
        about = {"id": track.path, "name": track.name, "color": ",".join(map(str, track.rgb))}
        ElementTree.SubElement(panel, "Track", about | scale)
    ElementTree.indent(session)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(session, encoding="unicode") + "\n"


def ucsc_hub(tracks: Sequence[BrowserTrack], assembly: str, title: str, email: str = "nobody@example.org") -> str:
    """Make a track hub in one file, for the folder of a web server that the paths of ``tracks`` begin in.

    Parameters
    ----------
    tracks
        What to show; regions are left out.
    assembly
        UCSC's name of the assembly, such as ``sacCer3``.
    title
        Name of the data set.
    email
        Address for questions: UCSC refuses a hub without one.

    Returns
    -------
    str
        Text of the hub.
    """
    title = _line(title) or "ChromBPNet"
    stanzas = [
        {
            "hub": re.sub(r"\W", "_", f"chrombpnet_{title}", flags=re.ASCII),
            "shortLabel": title[:17],
            "longLabel": f"{title}: ChromBPNet"[:76],
            "useOneFile": "on",
            "email": _line(email),
        },
        {"genome": _line(assembly)},
    ]
    groups = dict.fromkeys(track.group for track in tracks if not track.is_regions)
    for number, group in enumerate(groups, start=1):
        stanzas += _group_stanzas([track for track in tracks if track.group == group], group, number, title)
    return "\n".join("".join(f"{key} {value}\n" for key, value in stanza.items()) for stanza in stanzas)


def _group_stanzas(tracks: Sequence[BrowserTrack], group: str, number: int, title: str) -> list[dict[str, str]]:
    """Make the settings of tracks that share a scale: those of the composite track, then of each."""
    parent = f"group{number}"
    composite = {
        "track": parent,
        "compositeTrack": "on",
        "type": "bigWig",
        "shortLabel": _line(group)[:17],
        "longLabel": f"{title}: {_line(group)}"[:76],
        "visibility": "full",
        "autoScale": "group",
        "alwaysZero": "on",
        "maxHeightPixels": f"128:{tracks[0].height}:16",
        "priority": str(number),
    }
    return [composite] + [
        {
            "track": f"{parent}_{order}",
            "parent": f"{parent} on",
            "type": "bigWig",
            "bigDataUrl": quote(track.path),
            "shortLabel": _line(track.name.partition(":")[0])[:17] or f"track {order}",
            "longLabel": f"{title}: {_line(track.name)}"[:76],
            "color": ",".join(map(str, track.rgb)),
            "visibility": "full",
            "priority": str(order),
        }
        | ({"logo": "on"} if track.is_letters else {})
        for order, track in enumerate(tracks, start=1)
    ]


def washu_hub(tracks: Sequence[BrowserTrack], base: str = "") -> str:
    """Make a data hub for the WashU Epigenome Browser.

    Parameters
    ----------
    tracks
        What to show; regions are left out.
    base
        Address before each path, with ``/`` at its end; without it paths are relative to the hub.

    Returns
    -------
    str
        JSON.
    """
    hub = [
        {
            "type": "dynseq" if track.is_letters else "bigwig",
            "name": track.name,
            "url": base + quote(track.path),
            "showOnHubLoad": True,
            "options": {"color": "#{:02x}{:02x}{:02x}".format(*track.rgb), "height": track.height},
        }
        for track in tracks
        if not track.is_regions
    ]
    return json.dumps(hub, indent=1) + "\n"


def _line(text: str) -> str:
    """Text that stays on its line."""
    return " ".join(text.split())
