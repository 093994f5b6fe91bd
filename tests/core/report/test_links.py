"""Links of pages: each leads to a file that is there, wherever the files are placed; what is not there stays text."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

import pytest

from chrombpnet_core.report.links import link_files
from chrombpnet_core.report.page import page_of
from chrombpnet_core.report.run_report import render_html
from tests.core.report.contents import full_content

PAGE = "<nav><!-- files in navigation --></nav><!-- file a/motifs.html -->All 3 <b>motifs</b><!-- end -->. <!-- files -->"


def hrefs(html):
    return [unquote(href) for href in re.findall(r'<a href="([^"]*)"', html) if not href.startswith("#")]


@pytest.mark.parametrize("page", ["overall_report.html", "evaluation/mine_overall_report.html", "a/b/c d.html"])
def test_every_link_leads_to_a_file(page):
    files = ["a/motifs.html", "models/bias.h5", "hub.txt", "x y/#1:2?.bw", page]
    html = link_files(page, PAGE, {name: name for name in files})
    found = {posixpath.normpath(posixpath.join(posixpath.dirname(page), href)) for href in hrefs(html)}
    assert found == set(files) - {page}
    assert '<nav><a href="#files">Files</a></nav>' in html
    assert ">All 3 <b>motifs</b></a>." in html
    assert 'id="files"' in html


def test_a_file_may_have_another_name_where_it_is():
    html = link_files("p.html", PAGE, {"a/motifs.html": "a/mine_motifs.html"})
    assert hrefs(html)[0] == "a/mine_motifs.html"


def test_what_is_not_there_stays_text():
    html = link_files("p.html", "<!-- file a/motifs.html -->All 3<!-- end --> of them", {"other": "other"})
    assert html == "All 3 of them"


def test_pages_without_marks_stay_as_they_are():
    assert link_files("p.html", "<p>text</p>", {"a": "a"}) == "<p>text</p>"


def test_what_people_look_for_comes_first_with_words():
    names = [f"{part}/{name}" for part in ("main", "bias") for name in ("evaluation/overall_report.html", "logs/x.log")]
    names += ["main/models/chrombpnet_nobias.h5", "bias/models/bias.h5", "report.json", "overall_report.html"]
    html = link_files("overall_report.html", "<!-- files -->", {name: name for name in names})
    first = re.sub(r"<[^>]+>", "", html.split("</ul>")[0]).split("\n")
    lines = [line.strip() for line in first if line.strip().endswith(("model", "report", "bias", "(JSON)"))]
    assert lines == [
        "report.json numbers and verdicts for programs (JSON)",
        "chrombpnet_nobias.h5 main model: corrected model: accessibility without enzyme bias",
        "overall_report.html main model: report",
        "bias.h5 bias model: bias model",
        "overall_report.html bias model: report",
    ]
    assert html.count("x.log") == 4  # name and address of each


def test_a_report_links_to_the_pages_of_its_motifs():
    files = {f"{part}/evaluation/modisco_profile/motifs.html": "" for part in ("main", "bias")}
    html = link_files("overall_report.html", render_html(page_of(full_content())), {name: name for name in files})
    assert [href for href in hrefs(html.split('id="files"')[0])] == [
        "bias/evaluation/modisco_profile/motifs.html",
        "main/evaluation/modisco_profile/motifs.html",
    ]
    assert "<!-- file" not in html
