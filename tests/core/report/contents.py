"""Invented contents of reports, for the tests of what is made of them."""

from __future__ import annotations

import numpy as np

from chrombpnet_core.evaluation import (
    ChromosomeCounts,
    Duplicates,
    FragmentSizes,
    LibraryQuality,
    PeakShare,
    ReadNumbers,
    StartSites,
    score_regions,
    summarise_scores,
)
from chrombpnet_core.report import run_report as report
from chrombpnet_core.report import verdicts
from chrombpnet_core.report.content import (
    ExampleRegion,
    MotifEntry,
    NonpeakSummary,
    ReportContent,
    SelectionSummary,
    ShiftEvidence,
    StepRecord,
)
from chrombpnet_core.report.page import page_of
from chrombpnet_core.simulation import ModelCheck

W = 300


def made_scores(n=80, noise=0.5, seed=0):
    """Per-region arrays and metrics of an invented model."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.exp(rng.normal(-1.5, 0.8, (n, 1))), (n, W))
    counts[3] = 0
    totals = np.log1p(counts.sum(axis=1)) + rng.normal(0, noise, n)
    is_peak = np.arange(n) < n // 2
    scores = score_regions([(counts, rng.normal(size=(n, W)), totals)])
    return {**scores.arrays(), "is_peak": is_peak}, summarise_scores(scores, is_peak)


def made_footprints(height):
    profile = np.full(1000, 0.001)
    spike = profile.copy()
    spike[500] = height
    return {"control": profile, "tn5_1": spike, "tn5_2": spike * 0.9}


def motif(letters="TTACCCG", kind="tf", q=1e-6, pattern="pos_patterns.pattern_0", seqlets=1234, name="REB1 <i>MA0363.2"):
    cwm = np.full((len(letters), 4), -0.01)
    cwm[np.arange(len(letters)), ["ACGT".index(letter) for letter in letters]] = 0.2
    return MotifEntry(
        pattern, seqlets, cwm, cwm[::-1, ::-1], [(name, q), ("second", 0.2)] if kind != "unmatched" else [], kind
    )


def contributions(width=300):
    found = np.zeros((width, 4))
    found[np.arange(width), np.random.default_rng(3).integers(0, 4, width)] = np.random.default_rng(4).normal(size=width)
    return found


def html_of(content):
    return report.render_html(page_of(content))


def check(value, bound=0.5, at_least=True, name="r of <planted> & learnt"):
    return ModelCheck(name, value, bound, at_least, "a note")


def library(frip=0.35, enrichment=8.0, assembly="GRCh38", **pieces):
    """Quality of an invented library."""
    lengths = np.exp(-np.arange(1001) / 200) + np.exp(-(((np.arange(1001) - 190) / 40) ** 2))
    profile = 1 + (enrichment - 1) * np.exp(-(((np.arange(400) - 195) / 20) ** 2))
    known = {
        "chromosomes": {
            "chr1": ChromosomeCounts(248_956_422, 20_000_000, 20_000_100),
            "chr2": ChromosomeCounts(242_193_529, 9_000_000, 9_000_000),
            "chr3": ChromosomeCounts(198_295_559, 999_000, 999_000),
            "chrM": ChromosomeCounts(16_569, 900, 900),
        },
        "reads": ReadNumbers(30_000_000, 100, 7, 0, 1000, 0),
        "mitochondrial_share": 0.02,
        "fragments": FragmentSizes((*(1000 * lengths).astype(int).tolist(), 77)),
        "duplicates": Duplicates("flag", 30_000_000, 3_000_000),
        "peaks": PeakShare(5000, 3_000_000, 0.001, 1e7, frip),
        "start_sites": StartSites(19_000, enrichment, -45, tuple(profile.tolist())),
    }
    return LibraryQuality(assembly, **known | pieces)


def full_content(kind="dataset"):
    """Content with every piece."""
    arrays, summary = made_scores()
    models = ("bias", "chrombpnet", "chrombpnet_nobias")
    rng = np.random.default_rng(1)
    tracks = [rng.random(W) for _ in range(4)]
    strands = {strand: {name: shift for name in ("one", "two")} for strand, shift in (("+", 4), ("-", -4))}
    scores = {strand: {"one": (np.arange(21) - 7, rng.random(21))} for strand in "+-"}
    rows = [{"epoch": i, "loss": 9.0 - i, "val_loss": 9.0 - i + (i > 1), "best": i == 1} for i in range(3)]
    return ReportContent(
        kind=kind,
        title="Sample <b>7</b> & more",
        assay="ATAC",
        genome="hg38",
        fold="fold_0",
        test=("chr1", "chr3"),
        validation=("chr8",),
        date="2026-11-27",
        peaks=5000,
        metrics=dict.fromkeys(models, summary),
        per_region=dict.fromkeys(models, arrays),
        selection={
            "bias": SelectionSummary(
                2.5, nonpeaks=4000, nonpeaks_kept=3000, threshold=20.5, lower=1, upper=20, threshold_factor=0.5
            ),
            "main": SelectionSummary(11.5, False, 5000, 4990, 4000, 3900, 2, 900),
        },
        reads=30_000_000,
        genome_size=3_100_000_000,
        library=library(),
        region_counts={"peaks": np.arange(40, 141), "nonpeaks": np.arange(11)},
        training=("chr2",),
        shift=ShiftEvidence(4, -4, False, strands, scores, 10_000),
        nonpeaks=NonpeakSummary(1000, 990, np.linspace(0, 1, 11), np.arange(10), np.arange(10)[::-1]),
        insertion_pfm=rng.dirichlet(np.ones(4), 24),
        history=dict.fromkeys(models[:2], rows),
        footprints=dict(zip(models, map(made_footprints, (0.02, 0.01, 0.0024)), strict=True)),
        footprint_errors={model: dict.fromkeys(("control", "tn5_1"), np.full(1000, 1e-4)) for model in models},
        motifs={
            "bias profile": [motif("GCACAGTGAG", "enzyme", name="Tn5"), motif("CG", "unmatched", pattern="x")],
            "bias counts": [],
            "corrected profile": [motif(), motif("AC", "unmatched", pattern="neg_patterns.pattern_0")],
        },
        noise_floor={"counts": 0.97, "profile": 0.932},
        examples=[
            ExampleRegion(
                "best peak", "chr3", 999, rng.poisson(1.0, W), *tracks, norm_jsd=0.3, contributions=contributions()
            ),
            ExampleRegion("worst peak", "chr3", 5000, np.zeros(W)),
        ],
        truth=[check(0.9)],
        parameters={"seed": 1234, "models": {"filters": 64}, "motifs": ["a", "b"], "none": None},
        provenance={"keras": "3.15"},
        steps=[StepRecord("train", 5000.0, 2**31, False, "ab" * 32), StepRecord("reads", None, None, True)],
    )


def with_r(value, model="chrombpnet", group="peaks"):
    return {
        model: {"counts_metrics": {group: {"pearsonr": value}}, "group_sizes": {group: {"regions": 9, "without_reads": 0}}}
    }


def verdict_of(key, **pieces):
    """The verdict with this key on content that holds only these pieces."""
    found = [item for item in verdicts.judge(ReportContent("dataset", "t", "ATAC", **pieces)) if item.key == key]
    assert len(found) == 1, key
    return found[0]


SECTIONS = (
    "Verdicts",
    "Quality of the library",
    "The reads",
    "Training",
    "Counts and profiles on held-out chromosomes",
    "Footprints of enzyme motifs",
    "Motifs that the models have learnt",
    "Example regions",
    "Tables and provenance",
    "Library",
    "Metrics on the test chromosomes",
    "Training regions",
    "Footprint maxima",
    "Steps",
    "Parameters",
    "Provenance",
    "Glossary",
)
"""Headings of a report with every piece, in order."""
