"""Sites of motifs: exact places on both strands, none where nothing contributes, no overlap, thresholds; refusals."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import REGION_COLUMNS
from chrombpnet_core.motifs import (
    HIT_COLUMNS,
    HitTemplate,
    find_motif_hits,
    read_hit_templates,
    scan_regions,
    write_motif_hits,
)
from chrombpnet_core.motifs._hit_search import block_overlapping

LENGTH = 200
WORDS = {"pos_patterns.pattern_0": "CAGATAAGG", "pos_patterns.pattern_1": "TGACTCAT", "neg_patterns.pattern_0": "CCAAAT"}


def codes_of_word(word, strand="+"):
    codes = np.array(["ACGT".index(letter) for letter in word])
    return codes if strand == "+" else 3 - codes[::-1]


def cwm_of(pattern):
    word = WORDS[pattern]
    weights = np.zeros((len(word), 4))
    weights[np.arange(len(word)), codes_of_word(word)] = 0.6 + 0.4 * np.sin(np.arange(len(word))) ** 2
    return weights if pattern.startswith("pos") else -weights


@pytest.fixture(scope="module")
def patterns(tmp_path_factory):
    """TF-MoDISco's form: each pattern's sites are its weights times 0.5 to 1.5, and three blank positions on either side."""
    path = tmp_path_factory.mktemp("patterns") / "modisco.h5"
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for pattern in WORDS:
            cwm = np.pad(cwm_of(pattern), ((3, 3), (0, 0)))
            group = file.create_group(pattern.replace(".", "/"))
            group["contrib_scores"], group["sequence"] = cwm, np.abs(np.sign(cwm))
            group["seqlets/n_seqlets"] = np.array([60])
            group["seqlets/contrib_scores"] = cwm * rng.uniform(0.5, 1.5, (60, 1, 1)) + np.where(
                cwm, rng.normal(0, 0.05, (60, *cwm.shape)), 0
            )
    return path


def regions_at(places, chrom="chr1"):
    """Regions of which the windows begin at ``places``."""
    rows = [(chrom, place + LENGTH // 2 - 30, place + LENGTH // 2 + 50, *"......", 30) for place in places]
    return pd.DataFrame(rows, columns=REGION_COLUMNS)


def contributions(path, sites, regions, seed=0, noise=0.02):
    """An HDF5 file of noise and of ``sites``: (row, first base, pattern, strand, factor of the contributions)."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (regions, LENGTH))
    scores = rng.normal(0, noise, (regions, LENGTH, 4))
    for row, at, pattern, strand, factor in sites:
        weights = cwm_of(pattern) if strand == "+" else cwm_of(pattern)[::-1, ::-1]
        codes[row, at : at + len(weights)] = codes_of_word(WORDS[pattern], strand)
        scores[row, at : at + len(weights)] += factor * weights
    with h5py.File(path, "w") as file:
        file["raw/seq"] = np.moveaxis(np.eye(4, dtype=np.int8)[codes], 2, 1)
        file["shap/seq"] = np.moveaxis(scores, 2, 1).astype(np.float16)
    return path


def test_every_site_that_contributes_is_found_in_its_place(patterns, tmp_path):
    rng = np.random.default_rng(2)
    sites, regions = [], 60
    for row in range(regions):
        for at in (0, 55, 110, LENGTH - 9):
            pattern = str(rng.choice(list(WORDS)))
            factor = float(rng.choice([0.0, 1.0, 1.3]))
            sites.append((row, at, pattern, str(rng.choice(["+", "-"])), factor))
    path = contributions(tmp_path / "scores.h5", sites, regions)
    places = np.arange(regions) * 1000 + 50
    hits = find_motif_hits(path, regions_at(places), read_hit_templates(patterns))
    expected = {
        ("chr1", places[row] + at, places[row] + at + len(WORDS[pattern]), strand, pattern, row)
        for row, at, pattern, strand, factor in sites
        if factor
    }
    found = set(hits[["chrom", "start", "end", "strand", "pattern", "region"]].itertuples(index=False, name=None))
    assert len(found & expected) >= 0.98 * len(expected)
    assert len(found - expected) <= 0.02 * len(expected)
    assert (np.sign(hits["contribution"]) == np.where(hits["pattern"].str.startswith("neg"), -1, 1)).all()
    assert hits["similarity"].between(0.5, 1).all()
    assert (hits["score"] == np.rint(1000 * hits["similarity"])).all()


def test_what_only_looks_like_a_motif_is_no_site(patterns, tmp_path):
    sites = [(row, 80, pattern, "+", factor) for row in range(20) for pattern, factor in [("pos_patterns.pattern_0", 0.1)]]
    path = contributions(tmp_path / "scores.h5", sites, 20, noise=0.0)
    assert find_motif_hits(path, regions_at(range(0, 20_000, 1000)), read_hit_templates(patterns)).empty


def test_a_masked_base_takes_no_part(patterns, tmp_path):
    path = contributions(tmp_path / "scores.h5", [(0, 80, "pos_patterns.pattern_0", "+", 1.4)], 1, noise=0.0)
    with h5py.File(path, "r+") as file:
        file["raw/seq"][0, :, 84] = 0
    templates = [HitTemplate(one.pattern, one.weights, 0.1, 0.5) for one in read_hit_templates(patterns)][:1]
    (hit,) = find_motif_hits(path, regions_at([0]), templates).itertuples()
    assert (hit.start, hit.strand) == (80, "+")
    assert 0.5 < hit.similarity < 0.99


def test_overlapping_regions_give_a_site_once(patterns, tmp_path):
    places = [1000, 1040]
    sites = [
        (row, 1100 - place, "pos_patterns.pattern_1", "-", factor)
        for row, (place, factor) in enumerate(zip(places, (1.0, 1.2), strict=True))
    ]
    path = contributions(tmp_path / "scores.h5", sites, 2)
    (hit,) = find_motif_hits(path, regions_at(places), read_hit_templates(patterns)).itertuples()
    assert (hit.start, hit.end, hit.strand, hit.region) == (1100, 1108, "-", 1)


def test_the_same_place_on_two_chromosomes_is_two_sites(patterns, tmp_path):
    path = contributions(tmp_path / "scores.h5", [(row, 70, "pos_patterns.pattern_0", "+", 1.0) for row in range(2)], 2)
    table = pd.concat([regions_at([500], chrom) for chrom in ("chrB", "chrA")], ignore_index=True)
    hits = find_motif_hits(path, table, read_hit_templates(patterns), {"pos_patterns.pattern_0": "GATA1"})
    assert list(zip(hits["chrom"], hits["start"], hits["region"], hits["name"], strict=True)) == [
        ("chrA", 570, 1, "GATA1"),
        ("chrB", 570, 0, "GATA1"),
    ]


def test_the_bed_has_ten_columns_in_the_order_of_the_genome(patterns, tmp_path):
    path = contributions(tmp_path / "scores.h5", [(row, 90, "pos_patterns.pattern_1", "+", 1.0) for row in range(4)], 4)
    hits = find_motif_hits(path, regions_at([9000, 100, 30_000, 4000]), read_hit_templates(patterns))
    write_motif_hits(hits, tmp_path / "hits.bed")
    rows = [line.split("\t") for line in (tmp_path / "hits.bed").read_text().splitlines()]
    assert [int(row[1]) for row in rows] == [190, 4090, 9090, 30_090]
    assert {len(row) for row in rows} == {len(HIT_COLUMNS)} == {10}
    assert rows[0][:6] == ["chr1", "190", "198", "pos_patterns.pattern_1", rows[0][4], "+"]
    assert 900 < int(rows[0][4]) <= 1000


def test_no_pattern_gives_no_hits(tmp_path):
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file.create_group("pos_patterns")
    path = contributions(tmp_path / "scores.h5", [], 3)
    hits = find_motif_hits(path, regions_at([0, 1000, 2000]), read_hit_templates(tmp_path / "none.h5"))
    assert list(hits.columns) == HIT_COLUMNS
    assert hits.empty
    write_motif_hits(hits, tmp_path / "hits.bed")
    assert (tmp_path / "hits.bed").read_text() == ""


def test_other_regions_than_were_explained_are_refused(patterns, tmp_path):
    path = contributions(tmp_path / "scores.h5", [], 3)
    with pytest.raises(InputError, match=r"holds 3 regions; expected one line of the regions for each, found 2"):
        find_motif_hits(path, regions_at([0, 1000]), read_hit_templates(patterns))


def test_patterns_without_sites_are_refused(patterns, tmp_path):
    (tmp_path / "bad.h5").write_bytes(patterns.read_bytes())
    with h5py.File(tmp_path / "bad.h5", "r+") as file:
        del file["pos_patterns/pattern_0/seqlets/contrib_scores"]
    with pytest.raises(InputError, match=r"seqlets/contrib_scores; expected numbers of shape \(n, 15, 4\)"):
        read_hit_templates(tmp_path / "bad.h5")


def test_thresholds_leave_out_2_percent_of_the_patterns_own_sites(patterns):
    template = read_hit_templates(patterns)[0]
    with h5py.File(patterns, "r") as file:
        sites = file["pos_patterns/pattern_0/seqlets/contrib_scores"][:, 3:-3]
    strengths = (sites * template.weights).sum(axis=(1, 2))
    assert np.linalg.norm(template.weights) == pytest.approx(1)
    assert np.sum(strengths < template.strength) == 2
    assert 0.5 < template.similarity < 1


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), length=st.integers(3, 40), floor=st.floats(0.05, 2), least=st.floats(-1, 0.95))
def test_windows_are_those_of_the_formula(seed, length, floor, least):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, (3, length)).astype(np.uint8)
    scores = rng.normal(0, 1, (3, length)).astype(np.float32)
    templates = []
    for number, size in enumerate((3, 5)):
        weights = rng.normal(size=(size, 4))
        templates.append(HitTemplate(str(number), weights / np.linalg.norm(weights), floor, least))
    expected = {}
    for number, template in enumerate(templates):
        for strand, weights in enumerate((template.weights, template.weights[::-1, ::-1])):
            for row in range(3):
                for at in range(length - len(weights) + 1):
                    window = np.eye(5)[codes[row, at : at + len(weights)], :4] * scores[row, at : at + len(weights), None]
                    strength = (window * weights).sum()
                    alike = strength / np.linalg.norm(scores[row, at : at + len(weights)])
                    if strength >= floor and alike >= least and strength > expected.get((row, at), (0,))[0]:
                        expected[row, at] = (strength, number, strand, alike)
    found = scan_regions(codes, scores, templates)
    assert dict.fromkeys(zip(*found[:2], strict=True)).keys() == expected.keys()
    for row, at, template, strand, strength, alike in zip(*found, strict=True):
        assert (strength, alike) == pytest.approx((expected[row, at][0], expected[row, at][3]), rel=1e-4, abs=1e-5)
        assert (template, strand) == expected[row, at][1:3]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.integers(0, 1000)), min_size=1, max_size=40))
def test_of_overlapping_intervals_the_strongest_stay(intervals):
    table = sorted((start, start + length, strength) for start, length, strength in intervals)
    starts, ends, strengths = (np.array(column) for column in zip(*table, strict=True))
    order = np.argsort(-strengths, kind="stable")
    kept = block_overlapping(starts, ends, order, int((ends - starts).max()))
    chosen = []
    for i in order:
        if not any(starts[i] < ends[j] and starts[j] < ends[i] for j in chosen):
            chosen.append(i)
    assert sorted(np.flatnonzero(kept)) == sorted(chosen)
