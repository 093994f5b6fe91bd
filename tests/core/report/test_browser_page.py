"""The page of tracks: it names files that are there, says where igv.js comes from, and takes odd names as text."""

from __future__ import annotations

import json
import re

import pytest

from chrombpnet_core.report import browser_page
from chrombpnet_core.report.browser_page import BrowserPage, BrowserPlace, packed_igv_js, render_browser_page
from chrombpnet_core.report.browser_sessions import BrowserGenome, browser_tracks

FILES = ["auxiliary/data_unstranded.bw", "tracks/chrombpnet.bw", "auxiliary/interpret_subsample/x.profile_scores.bw"]
PLACES = [BrowserPlace("Best peak", "chrI", 1000, 2000), BrowserPlace("Worst peak", "chrII", 10, 60)]


def page_of(**changes):
    asked = {
        "title": "Sample",
        "tracks": browser_tracks(FILES),
        "genome": BrowserGenome("sacCer3"),
        "sizes": {"chrI": 230_218},
        "places": PLACES,
        "links": {"Report": "../evaluation/overall_report.html"},
        "base": "../",
    }
    return render_browser_page(BrowserPage(**asked | changes))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_tracks_are_found_from_where_the_page_lies():
    data = data_of(page_of())
    assert [track["url"] for track in data["tracks"]] == [f"../{path}" for path in FILES]
    assert data["tracks"][-1]["graphType"] == "dynseq"
    assert (data["assembly"], data["sizes"]) == ("sacCer3", [["chrI", 230_218]])
    assert set(data["colours"]) == set("ACGTN")


def test_the_page_opens_where_letters_can_be_read():
    assert data_of(page_of())["locus"] == "chrI:1426-1575"
    assert data_of(page_of(tracks=browser_tracks(FILES[:2])))["locus"] == "chrI:1001-2000"
    assert data_of(page_of(places=[]))["locus"] == ""
    assert PLACES[1].middle == PLACES[1].locus == "chrII:11-60"
    assert BrowserPlace("", "chrI", 0, 9).middle == "chrI:1-8"
    buttons = re.findall(r'data-locus="([^"]+)"', page_of())
    assert buttons == [name for place in PLACES for name in (place.locus, place.middle)]


def test_igv_js_is_pinned():
    igv = json.loads((browser_page._HERE / "igv.json").read_text())
    assert tuple(map(int, igv["version"].split("."))) >= (3, 8)  # which draws letters
    assert re.fullmatch("sha384-[A-Za-z0-9+/]{64}", igv["integrity"])
    page = page_of()
    (address,) = re.findall(r'<script src="([^"]+)" integrity="([^"]+)" crossorigin="anonymous">', page)
    assert address == (f"https://cdn.jsdelivr.net/npm/igv@{igv['version']}/dist/igv.min.js", igv["integrity"])
    assert "comes from cdn.jsdelivr.net and is checked by its hash" in page


def test_igv_js_beside_the_page_is_taken(tmp_path, monkeypatch):
    page = page_of(script="igv.min.js")
    assert '<script src="igv.min.js"></script>' in page
    assert "jsdelivr" not in page
    monkeypatch.setattr(browser_page, "_HERE", tmp_path)
    (tmp_path / "igv.LICENSE").write_text("")
    assert packed_igv_js() == {}
    (tmp_path / "igv.min.js").write_text("")
    assert packed_igv_js() == {name: tmp_path / name for name in ("igv.min.js", "igv.LICENSE")}


@pytest.mark.parametrize(("fasta", "shown"), [("https://x/g.fa", "https://x/g.fa"), ("/data/g.fa", None), ("", None)])
def test_only_addresses_reach_the_page(fasta, shown):
    """A path of the machine that ran says nothing to the reader's; the FASTA beside the page is asked for first."""
    data = data_of(page_of(genome=BrowserGenome(fasta=fasta, index=f"{fasta}.fai")))
    assert data["fasta"] == (shown and {"fastaURL": shown, "indexURL": f"{shown}.fai"})


def test_odd_names_are_text():
    name = "</script><script>alert(1)</script>&'\""
    page = page_of(title=name, sizes={name: 5}, places=[BrowserPlace(name, name, 0, 10)], links={name: "x"})
    assert "<script>alert(1)" not in page
    data = data_of(page)
    assert data["sizes"] == [[name, 5]]
    assert data["locus"].startswith(name)
