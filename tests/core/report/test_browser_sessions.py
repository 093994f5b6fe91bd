"""What opens tracks in genome browsers: parsed again by each browser's rules, every path, colour and odd name as given."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.plots.style import PALETTE
from chrombpnet_core.report.browser_sessions import (
    BrowserGenome,
    BrowserTrack,
    browser_tracks,
    igv_json,
    igv_xml,
    known_assembly,
    ucsc_hub,
    washu_hub,
)

FILES = [
    "models/bias.h5",
    "auxiliary/filtered.peaks.bed",
    "auxiliary/x_chrombpnet_nobias.bw",
    "auxiliary/bias.bw",
    "auxiliary/x_chrombpnet.bw",
    "auxiliary/data_unstranded.bw",
    "tracks/my own.bw",
    "auxiliary/negatives.bed",
    "auxiliary/chrombpnet_nobias.profile_scores.bw",
    "auxiliary/counts_scores.bw",
    "x.hits.bed",
    "browser/genes.bed",
]
SHOWN = [
    "auxiliary/data_unstranded.bw",
    "auxiliary/x_chrombpnet.bw",
    "auxiliary/bias.bw",
    "auxiliary/x_chrombpnet_nobias.bw",
    "auxiliary/chrombpnet_nobias.profile_scores.bw",
    "auxiliary/counts_scores.bw",
    "auxiliary/filtered.peaks.bed",
    "x.hits.bed",
    "browser/genes.bed",
    "tracks/my own.bw",
]
LETTERS = ["auxiliary/chrombpnet_nobias.profile_scores.bw", "auxiliary/counts_scores.bw"]
NASTY = "<a b=\"1\">&amp;\n ]]> 'q' %20 #x"
ODD_TRACKS = [BrowserTrack(f"a/{NASTY}{i}.bw", NASTY, "full", NASTY) for i in range(2)]


def stanzas_of(hub):
    """A hub as UCSC reads it: stanzas parted by empty lines, a setting on each line."""
    return [dict(line.split(" ", 1) for line in stanza.splitlines()) for stanza in hub.split("\n\n")]


def test_tracks_are_told_by_their_names_and_come_in_order():
    tracks = browser_tracks(FILES)
    assert [track.path for track in tracks] == SHOWN
    assert tracks[0].group == tracks[1].group
    assert len({track.group for track in tracks[1:] if not track.is_regions}) == 6
    assert [track.colour for track in tracks[:4]] == ["observed", "full", "bias", "corrected"]
    assert tracks[-1].name == "my own"
    assert browser_tracks(["models/bias.h5"]) == []


def test_json_session():
    session = json.loads(igv_json(browser_tracks(FILES), BrowserGenome("sacCer3"), "chrI:1-100"))
    assert (session["genome"], session["locus"]) == ("sacCer3", "chrI:1-100")
    assert [unquote(track["url"]) for track in session["tracks"]] == SHOWN
    signals = [track for track in session["tracks"] if track["format"] == "bigwig"]
    assert [track["autoscaleGroup"] for track in signals] == ["1", "1", "2", "3", "4", "5", "6"]
    assert [track["format"] for track in session["tracks"] if track not in signals] == ["narrowPeak", "bed", "bed"]
    assert [unquote(track["url"]) for track in session["tracks"] if track.get("graphType") == "dynseq"] == LETTERS
    red, green, blue = (int(PALETTE["full"][0][i : i + 2], 16) for i in (1, 3, 5))
    assert session["tracks"][1]["color"] == f"rgb({red},{green},{blue})"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            BrowserGenome(fasta="https://x/g.fa", index="https://x/g.fa.fai"),
            {"id": "g.fa", "name": "g.fa", "fastaURL": "https://x/g.fa", "indexURL": "https://x/g.fa.fai"},
        ),
        (
            BrowserGenome(fasta="/g.fa.gz", index="/g.fa.gz.fai"),
            {
                "id": "g.fa.gz",
                "name": "g.fa.gz",
                "fastaURL": "/g.fa.gz",
                "indexURL": "/g.fa.gz.fai",
                "compressedIndexURL": "/g.fa.gz.gzi",
            },
        ),
        (BrowserGenome(fasta="/data/g.fa"), {"id": "g.fa", "name": "g.fa", "fastaURL": "/data/g.fa", "indexed": False}),
    ],
)
def test_a_genome_without_a_name_is_a_file(reference, expected):
    session = json.loads(igv_json([], reference))
    assert session == {"reference": expected, "tracks": []}
    assert ElementTree.fromstring(igv_xml([], reference).split("\n", 1)[1]).get("genome") == reference.fasta


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("", "tracks/my%20own.bw"),
        ("https://x/y/", "https://x/y/tracks/my%20own.bw"),
        ("gs://b/y/", "gs://b/y/tracks/my own.bw"),
    ],
)
def test_addresses_begin_with_the_base(base, url):
    assert json.loads(igv_json(browser_tracks(FILES), BrowserGenome("hg38"), base=base))["tracks"][-1]["url"] == url


def test_xml_session():
    session = ElementTree.fromstring(igv_xml(browser_tracks(FILES), BrowserGenome("hg38"), "chr1:5-9").encode())
    assert session.tag == "Session"
    assert (session.get("genome"), session.get("locus")) == ("hg38", "chr1:5-9")
    assert [item.get("path") for item in session.iter("Resource")] == SHOWN
    tracks = list(session.iter("Track"))
    assert [track.get("id") for track in tracks] == SHOWN
    groups = [track.get("autoscaleGroup") for track in tracks if track.get("autoScale") == "false"]
    assert groups == ["1", "1", "2", "3", "4", "5", "6"]
    assert session.get("nextAutoscaleGroup") == "7"
    drawn = {track.get("id"): track.get("renderer") for track in tracks if track.get("renderer")}
    assert [path for path, renderer in drawn.items() if renderer == "DYNSEQ"] == LETTERS
    assert set(drawn.values()) == {"DYNSEQ", "BAR_CHART"}  # names of org.broad.igv.renderer.RendererType


def test_hub():
    stanzas = stanzas_of(ucsc_hub(browser_tracks(FILES), "sacCer3", "Yeast sample"))
    assert stanzas[0] == {
        "hub": "chrombpnet_Yeast_sample",
        "shortLabel": "Yeast sample",
        "longLabel": "Yeast sample: ChromBPNet",
        "useOneFile": "on",
        "email": "nobody@example.org",
    }
    assert stanzas[1] == {"genome": "sacCer3"}
    parents = {stanza["track"] for stanza in stanzas[2:] if "compositeTrack" in stanza}
    children = [stanza for stanza in stanzas[2:] if "bigDataUrl" in stanza]
    assert len(parents) + len(children) == len(stanzas) - 2
    assert [unquote(child["bigDataUrl"]) for child in children] == [path for path in SHOWN if path.endswith(".bw")]
    assert {child["parent"].removesuffix(" on") for child in children} == parents
    assert len({stanza["track"] for stanza in stanzas[2:]}) == len(stanzas) - 2
    assert all(len(stanza["shortLabel"]) <= 17 for stanza in stanzas if "shortLabel" in stanza)


UCSC_SETTINGS = {  # of https://genome.ucsc.edu/goldenPath/help/trackDb/trackDbHub.html
    "track": r"[A-Za-z][A-Za-z0-9_]*",
    "type": r"bigWig",
    "bigDataUrl": r"\S+",
    "shortLabel": r"\S.{0,16}",
    "longLabel": r"\S.{0,75}",
    "visibility": r"hide|dense|full",
    "compositeTrack": r"on",
    "parent": r"\w+ (on|off)",
    "autoScale": r"on|off|group",
    "alwaysZero": r"on|off",
    "maxHeightPixels": r"\d+:\d+:\d+",
    "color": r"\d{1,3},\d{1,3},\d{1,3}",
    "priority": r"[\d.]+",
    "logo": r"on",
}
NEEDED = {"track", "type", "shortLabel", "longLabel"}


def faults_of(hub):
    """What UCSC would refuse: settings unknown or misspelt, of wrong form, missing; tracks named twice, or of no parent."""
    first, genome, *tracks = stanzas_of(hub)
    faults = [f"hub: no {key}" for key in ("hub", "shortLabel", "longLabel", "useOneFile", "email") if not first.get(key)]
    faults += [] if next(iter(first)) == "hub" and [*genome] == ["genome"] else ["stanzas out of order"]
    names = [stanza.get("track", "") for stanza in tracks]
    faults += [f"{name} is there twice" for name in names if names.count(name) > 1]
    for stanza in tracks:
        name = stanza.get("track", "?")
        faults += [] if next(iter(stanza)) == "track" else [f"{name}: track is not first"]
        faults += [f"{name}: no {key}" for key in NEEDED - set(stanza)]
        faults += [
            f"{name}: {key} {value}"
            for key, value in stanza.items()
            if key not in UCSC_SETTINGS or not re.fullmatch(UCSC_SETTINGS[key], value)
        ]
        most, shown, least = map(int, stanza.get("maxHeightPixels", "3:2:1").split(":"))
        faults += [] if most >= shown >= least else [f"{name}: heights"]
        faults += [] if "bigDataUrl" in stanza or "compositeTrack" in stanza else [f"{name}: neither data nor a group"]
        if "parent" in stanza:
            above = names[: names.index(name)]
            faults += [] if stanza["parent"].split()[0] in above else [f"{name}: its parent is not above it"]
    return faults


@pytest.mark.parametrize("tracks", [browser_tracks(FILES), ODD_TRACKS, []], ids=["run", "odd", "none"])
def test_a_hub_keeps_the_rules_of_ucsc(tracks):
    assert faults_of(ucsc_hub(tracks, "hg38", "Sample é")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("logo on", "logos on", "logos on"),
        ("visibility full", "visibility tall", "visibility tall"),
        ("email ", "e-mail ", "no email"),
        ("track group2\n", "track group1\n", "is there twice"),
        ("type bigWig\nbigDataUrl", "bigDataUrl", "no type"),
        ("parent group1 on", "parent group0 on", "parent is not above"),
    ],
)
def test_a_hub_that_breaks_a_rule_is_found(old, new, fault):
    hub = ucsc_hub(browser_tracks(FILES), "hg38", "Sample")
    assert old in hub
    assert any(fault in found for found in faults_of(hub.replace(old, new, 1)))


def test_contributions_are_letters_at_ucsc():
    stanzas = stanzas_of(ucsc_hub(browser_tracks(FILES), "hg38", "Sample"))
    assert [unquote(stanza["bigDataUrl"]) for stanza in stanzas if stanza.get("logo") == "on"] == LETTERS


def test_a_hub_for_washu():
    """A list of type, name, url, options and "shown when loaded" (https://eg.readthedocs.io/en/latest/datahub.html)."""
    hub = json.loads(washu_hub(browser_tracks(FILES), "https://x/y/"))
    assert [unquote(track["url"]).removeprefix("https://x/y/") for track in hub] == [
        path for path in SHOWN if path.endswith(".bw")
    ]
    assert {track["type"] for track in hub} == {"bigwig", "dynseq"}
    assert [unquote(track["url"]).removeprefix("https://x/y/") for track in hub if track["type"] == "dynseq"] == LETTERS
    for track in hub:
        assert set(track) == {"type", "name", "url", "showOnHubLoad", "options"}
        assert track["showOnHubLoad"] is True
        assert re.fullmatch("#[0-9a-f]{6}", track["options"]["color"])
        assert track["options"]["height"] >= 20
    assert json.loads(washu_hub(browser_tracks(FILES)))[-1]["url"] == "tracks/my%20own.bw"  # relative to the hub


@pytest.mark.parametrize(
    ("sizes", "assembly"),
    [
        ({"chr1": 248_956_422, "chrM": 16_569}, "hg38"),
        ({"chr1": 195_471_971}, "mm10"),
        ({"chrI": 230_218, "chrII": 813_184}, "sacCer3"),
        ({"1": 248_956_422}, ""),
        ({"chr1": 248_956_423}, ""),
        ({}, ""),
    ],
)
def test_common_assemblies_are_known_by_their_lengths(sizes, assembly):
    assert known_assembly(sizes) == assembly


def test_odd_names_change_no_structure():
    paths = [track.path for track in ODD_TRACKS]
    session = json.loads(igv_json(ODD_TRACKS, BrowserGenome("x")))
    assert [unquote(track["url"]) for track in session["tracks"]] == paths
    assert session["tracks"][0]["name"] == NASTY
    xml = ElementTree.fromstring(igv_xml(ODD_TRACKS, BrowserGenome(NASTY)).encode())
    assert [item.get("path") for item in xml.iter("Resource")] == paths
    assert len(list(xml.iter())) == 7
    stanzas = stanzas_of(ucsc_hub(ODD_TRACKS, "x\ny", NASTY))
    assert [unquote(stanza["bigDataUrl"]) for stanza in stanzas[3:]] == paths
    assert stanzas[1] == {"genome": "x y"}


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_title_and_name_make_a_hub_of_settings(title, name):
    hub = ucsc_hub([BrowserTrack("a.bw", name, "full", name or "g")], "hg38", title)
    stanzas = stanzas_of(hub)
    assert len(stanzas) == 4
    assert stanzas[0]["hub"].isidentifier()
    assert "\r" not in hub.replace("\n", "")
