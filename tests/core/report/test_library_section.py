"""The report's section on the library: what is judged and where it cannot be, pictures, the table."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.evaluation import ChromosomeCounts, Duplicates, FragmentSizes, ReadNumbers, StartSites
from chrombpnet_core.report import library_pictures, verdicts
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.library_section import library_sections, library_tables
from chrombpnet_core.report.run_report import report_numbers
from tests.core.report.contents import full_content, html_of, library, verdict_of


@pytest.mark.parametrize(
    ("frip", "status"), [(0.31, "pass"), (0.21, "pass"), (0.2001, "pass"), (0.2, "warn"), (0.05, "warn")]
)
def test_insertions_in_peaks_of_human_and_mouse_are_judged(frip, status):
    for assembly in ("GRCh38", "hg19", "CHM13", "mm10", "mm39"):
        found = verdict_of("frip", library=library(frip, assembly=assembly))
        assert (found.status, found.value, found.source) == (status, frip, "ENCODE")
        assert bool(found.remedy) == (status != "pass")


@pytest.mark.parametrize(
    ("assembly", "enrichment", "status", "word"),
    [
        ("GRCh38", 4.99, "warn", "concerning"),
        ("GRCh38", 5.0, "pass", "acceptable"),
        ("GRCh38", 7.1, "pass", "ideal"),
        ("hg19", 5.9, "warn", "concerning"),
        ("hg19", 6.0, "pass", "acceptable"),
        ("mm9", 5.0, "pass", "acceptable"),
        ("mm10", 9.9, "warn", "concerning"),
        ("mm10", 10.0, "pass", "acceptable"),
        ("mm10", 15.1, "pass", "ideal"),
    ],
)
def test_enrichment_is_judged_by_the_assembly(assembly, enrichment, status, word):
    found = verdict_of("tss_enrichment", library=library(enrichment=enrichment, assembly=assembly))
    assert (found.status, found.value) == (status, enrichment)
    assert f"For {assembly} ENCODE calls this {word}." in found.reason
    assert "45 bp upstream" in found.reason


def test_small_genomes_and_other_assays_are_not_judged_by_human_thresholds():
    poor = library(0.01, 1.1, assembly=None)
    for key in ("frip", "tss_enrichment"):
        found = verdict_of(key, library=poor)
        assert (found.status, found.remedy) == ("info", "")
        assert "cannot be judged: ENCODE's standard is for human and mouse" in found.reason
    content = ReportContent("dataset", "t", "DNASE", library=library(0.01, 1.1))
    judged = {verdict.key: verdict for verdict in verdicts.judge(content)}
    assert {judged[key].status for key in ("frip", "tss_enrichment")} == {"info"}
    assert "is for ATAC-seq" in judged["frip"].reason
    assert verdict_of("tss_enrichment", library=library(enrichment=1.1, assembly="mm39")).status == "info"


def test_without_genes_the_report_says_so():
    content = ReportContent("main", "t", "ATAC", library=library(start_sites=None))
    assert [verdict.key for verdict in verdicts.judge(content) if verdict.key == "tss_enrichment"] == []
    assert any("no genes were given" in words for words in verdicts.not_judged(content))
    (section,) = library_sections(content)
    assert "Without genes" in section.caption
    assert "Insertions at transcription starts" not in [picture.title for picture in section.pictures]
    assert all("TSS" not in name for table in library_tables(content) for name, _ in table.rows)


def test_starts_without_insertions_around_them_are_information():
    empty = verdict_of("tss_enrichment", library=library(start_sites=StartSites(9, None, None, ())))
    assert (empty.status, empty.value) == ("info", None)
    nowhere = ReportContent("main", "t", "ATAC", library=library(start_sites=StartSites(0, None, None, ())))
    assert "tss_enrichment" not in [verdict.key for verdict in verdicts.judge(nowhere)]
    assert html_of(nowhere)


def test_the_section_has_every_picture_and_says_what_it_shows():
    (section,) = library_sections(full_content())
    assert [picture.title for picture in section.pictures] == [
        "Fragment sizes",
        "Insertions at transcription starts",
        "Reads in peaks and nonpeaks",
        "Insertions by chromosome",
        "Chromosomes of this fold",
    ]
    captions = {picture.title: picture.caption for picture in section.pictures}
    assert "one nucleosome (147 bp)" in captions["Fragment sizes"]
    assert "median 90 in peaks, 5 in nonpeaks" in captions["Reads in peaks and nonpeaks"]
    assert "8.00, is the TSS enrichment" in captions["Insertions at transcription starts"]
    fragments = str(section.pictures[0].svg)
    assert all(f">{147 * number}</text>" in fragments for number in (1, 2, 3, 4))
    fold = str(section.pictures[-1].svg)
    assert all(f">{words}</text>" in fold for words in ("training", "validation", "test", "not in it", "chr3"))
    assert library_sections(ReportContent("main", "t", "ATAC")) == []


def test_colours_of_chromosomes_are_those_of_their_part():
    content = full_content()
    splits = {"training": ("chr1",), "validation": ("chr2",), "test": ("chr3",)}
    bars = library_pictures.chromosomes_of_fold(content.library.chromosomes, splits).axes[0].patches
    wanted = [library_pictures.SPLIT_COLOURS[part] for part in splits]
    shown = [library_pictures.LIGHT[name] for name in (*wanted, "rule")]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == shown
    assert [bar.get_width() for bar in bars] == pytest.approx([248.956422, 242.193529, 198.295559, 0.016569])


def to_hex(colour):
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])


def test_of_many_scaffolds_the_longest_are_shown_in_the_genomes_order():
    chromosomes = {f"s{number}": ChromosomeCounts(1000 + number % 50, number) for number in range(200)}
    content = ReportContent("main", "t", "ATAC", library=library(chromosomes=chromosomes, assembly=None), test=("s9",))
    axes = library_pictures.insertions_by_chromosome(chromosomes).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == library_pictures.MOST_CHROMOSOMES
    assert names == sorted(names, key=lambda name: int(name[1:]))
    assert all(int(name[1:]) % 50 >= 42 for name in names)
    assert "Of 200 chromosomes the 30 longest are shown." in html_of(content)


def test_the_table_tells_reads_left_out_and_duplicates():
    rows = dict(library_tables(full_content())[0].rows)
    assert rows["reads in use"] == "30,000,000"
    assert rows["reads left out on chromosomes that are not in use"] == "7"
    assert rows["reads left out by mapping quality or flags"] == "1,000"
    assert "reads left out as duplicates" not in rows
    assert rows["reads marked as duplicates"] == "10.0\N{NO-BREAK SPACE}% (3,000,000 of 30,000,000)"
    assert rows["insertions in peaks (FRiP)"] == "35.0\N{NO-BREAK SPACE}%"
    assert rows["TSS enrichment"] == "8.00"
    none = library(duplicates=Duplicates("flag", 9, 0), reads=ReadNumbers(9), fragments=None)
    rows = dict(library_tables(ReportContent("main", "t", "ATAC", library=none))[0].rows)
    assert rows["reads marked as duplicates"] == "none: removed, or not marked"
    assert "median fragment" not in rows
    by_counts = library(duplicates=Duplicates("count", 10, 4))
    rows = dict(library_tables(ReportContent("main", "t", "ATAC", library=by_counts))[0].rows)
    assert rows["reads beyond one for each fragment, by their counts"].startswith("40.0")


def test_odd_libraries_make_pictures():
    one = FragmentSizes((*[0] * 1001, 3))
    silent = {"chrI": ChromosomeCounts(100, 0)}
    content = ReportContent(
        "main",
        "t",
        "ATAC",
        library=library(fragments=one, chromosomes=silent, assembly=None),
        region_counts={"peaks": np.zeros(3)},
        test=("chrI",),
    )
    assert html_of(content).count("<figure") == 5


def test_numbers_for_programs_have_the_library():
    numbers = report_numbers(full_content())["library"]
    assert numbers["peaks"]["frip"] == 0.35
    assert numbers["fragments"]["median"] > 0
    assert report_numbers(ReportContent("main", "t", "ATAC"))["library"] is None
