"""The simulated genome: deterministic, consistent between formats, and as its truth says."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    codes_of,
    open_genome,
    overlapping,
    read_chrom_sizes,
    read_fold,
    read_regions,
    reverse_complement,
)
from chrombpnet_core.reads import estimate_shift, spill_reads
from chrombpnet_core.simulation import (
    TINY,
    GroundTruth,
    PlantedMotif,
    Simulation,
    SimulationSettings,
    cut_scores,
    log_preference,
    read_ground_truth,
    simulate,
)


@pytest.fixture(scope="module")
def atac(tmp_path_factory) -> Simulation:
    return simulate(tmp_path_factory.mktemp("atac"), TINY)


@pytest.fixture(scope="module")
def truth(atac) -> GroundTruth:
    return read_ground_truth(atac.truth)


@pytest.fixture(scope="module")
def genome(atac):
    with open_genome(atac.genome, atac.folder / "cache") as opened:
        yield opened


def fragment_table(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt") as lines:
        return [line.rstrip("\n").split("\t") for line in lines]


def insertions(simulation: Simulation, plus: int, minus: int) -> dict[str, np.ndarray]:
    """Counts per base of fragment starts moved by ``plus`` and of last bases moved by ``minus``."""
    counts = {chrom: np.zeros(size) for chrom, size in read_chrom_sizes(simulation.sizes).items()}
    for chrom, start, end, *_ in fragment_table(simulation.fragments):
        counts[chrom][int(start) + plus] += 1
        counts[chrom][int(end) - 1 + minus] += 1
    return counts


def test_same_settings_give_the_same_bytes(tmp_path):
    small = replace(TINY, size=120_000)
    first, second = (simulate(tmp_path / name, small).folder for name in "ab")
    names = sorted(path.name for path in first.iterdir())
    assert names == [
        "chrom.sizes",
        "fold_0.json",
        "fragments.tsv.gz",
        "genome.fa",
        "peaks.narrowPeak",
        "reads.bam",
        "reads.bam.bai",
        "reads.tagAlign.gz",
        "truth.json",
        "truth.npz",
    ]
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_another_seed_gives_another_genome(tmp_path):
    small = replace(TINY, size=120_000)
    first, second = (simulate(tmp_path / str(seed), replace(small, seed=seed), formats=()) for seed in (1, 2))
    assert first.genome.read_bytes() != second.genome.read_bytes()
    assert first.fragments is first.bam is first.tagalign is None


def test_formats_hold_the_same_five_prime_ends(atac, tmp_path):
    sizes = read_chrom_sizes(atac.sizes)
    spilled = {
        kind: spill_reads([getattr(atac, kind)], kind, sizes, tmp_path / kind) for kind in ("fragments", "bam", "tagalign")
    }
    assert sum(spilled["bam"].counts.values()) == 2 * len(fragment_table(atac.fragments))
    for chrom in sizes:
        for strand in "+-":
            ends = [np.sort(one.positions(chrom, strand)) for one in spilled.values()]
            np.testing.assert_array_equal(ends[0], ends[1])
            np.testing.assert_array_equal(ends[0], ends[2])


def test_bam_is_sorted_paired_and_whole(atac):
    with pysam.AlignmentFile(str(atac.bam)) as bam:
        assert bam.has_index()
        assert bam.header["HD"]["SO"] == "coordinate"
        reads = list(bam)
    places = [(read.reference_id, read.reference_start) for read in reads]
    assert places == sorted(places)
    assert all(read.is_proper_pair and read.is_reverse != read.mate_is_reverse for read in reads)
    mates: dict[str, list[pysam.AlignedSegment]] = {}
    for read in reads:
        mates.setdefault(read.query_name, []).append(read)
    ends = [
        (min(pair, key=lambda read: read.is_reverse), max(pair, key=lambda read: read.is_reverse)) for pair in mates.values()
    ]
    assert all(
        left.template_length == right.reference_end - left.reference_start == -right.template_length
        and left.next_reference_start == right.reference_start
        and left.is_read1 != right.is_read1
        for left, right in ends
    )
    table = fragment_table(atac.fragments)
    assert sorted(
        (left.reference_name, str(left.reference_start), str(right.reference_end)) for left, right in ends
    ) == sorted(tuple(row[:3]) for row in table)


def test_fragments_are_five_sorted_columns(atac):
    table = fragment_table(atac.fragments)
    sizes = read_chrom_sizes(atac.sizes)
    order = list(sizes)
    assert {len(row) for row in table} == {5}
    places = [(order.index(chrom), int(start), int(end)) for chrom, start, end, *_ in table]
    assert places == sorted(places)
    assert all(0 <= start < end <= sizes[order[chrom]] for chrom, start, end in places)


@pytest.mark.parametrize(("assay", "plus", "minus"), [("ATAC", 4, -4), ("DNASE", 0, 1)])
def test_insertions_fall_where_the_truth_says(tmp_path, assay, plus, minus):
    simulation = simulate(tmp_path, replace(TINY, assay=assay), formats=("fragments",))
    truth = read_ground_truth(tmp_path / "truth.json")
    rate = np.concatenate([truth.accessibility[chrom] * truth.bias[chrom] for chrom in truth.bias]).astype(float)
    counts = np.concatenate(list(insertions(simulation, plus, minus).values()))
    assert counts.sum() == pytest.approx(rate.sum(), rel=0.02)  # a few insertions per chromosome find no partner
    score = (counts - rate) ** 2 / np.maximum(rate, 1e-9)  # Poisson: 1 on average
    assert np.mean(score[rate > 0.01]) == pytest.approx(1, abs=0.1)
    # each strand by itself follows the rate best without any further shift
    starts, lasts = (np.zeros(counts.size) for _ in range(2))
    ends = np.cumsum([0, *[size for size in read_chrom_sizes(simulation.sizes).values()]])
    offset = dict(zip(truth.bias, ends, strict=False))
    for chrom, start, end, *_ in fragment_table(simulation.fragments):
        starts[offset[chrom] + int(start) + plus] += 1
        lasts[offset[chrom] + int(end) - 1 + minus] += 1
    for strand in (starts, lasts):
        fits = [np.corrcoef(np.roll(strand, by), rate)[0, 1] for by in range(-5, 6)]
        assert int(np.argmax(fits)) == 5


@pytest.mark.parametrize(("assay", "shift"), [("ATAC", (0, 0)), ("ATAC", (4, -5)), ("DNASE", (0, 0)), ("DNASE", (0, 1))])
def test_the_shift_is_found(tmp_path, assay, shift):
    simulation = simulate(tmp_path, replace(TINY, assay=assay), shift=shift, formats=("fragments",))
    spilled = spill_reads([simulation.fragments], "fragments", read_chrom_sizes(simulation.sizes), tmp_path / "spill")
    with open_genome(simulation.genome, tmp_path / "cache") as genome:
        estimate = estimate_shift(spilled.sample, genome, assay)
    assert (estimate.plus_shift, estimate.minus_shift) == shift


def test_shifted_reads_are_the_same_fragments_moved(tmp_path):
    small = replace(TINY, size=120_000)
    plain, moved = (simulate(tmp_path / str(shift[0]), small, shift, ("fragments",)) for shift in ((0, 0), (4, -5)))
    places = [[(row[0], int(row[1]), int(row[2])) for row in fragment_table(one.fragments)] for one in (plain, moved)]
    assert [(chrom, start + 4, end - 5) for chrom, start, end in places[0]] == places[1]


def test_sites_hold_their_motif(truth, genome):
    agree = []
    for site in truth.sites.itertuples():
        codes = genome.codes(site.chrom, site.start, site.end)
        codes = codes if site.strand == "+" else reverse_complement(codes)
        np.testing.assert_array_equal(codes, codes_of(site.sequence))
        agree.append(np.mean(codes == codes_of(truth.motifs[site.motif])))
    assert set(truth.sites["motif"]) == set(truth.motifs)
    assert np.mean(agree) > 0.9


def test_accessibility_is_hills_around_footprints_on_a_flat_ground(truth):
    background = truth.settings["background"]
    shapes = {motif["name"]: motif for motif in truth.settings["motifs"]}
    everywhere = np.concatenate(list(truth.accessibility.values()))
    assert everywhere.min() == pytest.approx(background)
    assert np.median(everywhere) == pytest.approx(background)
    alone = truth.sites[~truth.sites["locus"].duplicated(keep=False)]
    assert len(alone) > 3
    for site in alone.itertuples():
        track, shape = truth.accessibility[site.chrom], PlantedMotif(**shapes[site.motif])
        middle = (site.start + site.end - 1) / 2
        at = np.arange(site.start - 150, site.end + 150)
        np.testing.assert_allclose(track[at], background * (1 + shape.accessibility_added(at - middle)), rtol=1e-4)
        hill = int(track[at].argmax()) - 150
        assert track[int(middle)] < 0.6 * track[at].max()
        assert hill < 0 or hill >= site.end - site.start


def test_bias_is_the_preference_of_the_sequence_with_mean_one(truth, genome):
    for chrom, bias in truth.bias.items():
        expected = np.exp(log_preference(genome.codes(chrom), truth.scores))
        ratio = bias[30:-30] / expected[30:-30]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
        assert not bias[:30].any()
    assert np.mean(np.concatenate(list(truth.bias.values()))) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("assay", "length"), [("ATAC", 19), ("DNASE", 20)])
def test_the_preference_is_the_same_on_both_strands(assay, length):
    scores = cut_scores(assay)
    assert scores.shape == (length, 4)
    np.testing.assert_allclose(scores, scores[::-1, ::-1])
    np.testing.assert_allclose(scores.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(cut_scores(assay, 2.0), 2 * scores)
    codes = np.random.default_rng(0).integers(0, 4, 300).astype(np.uint8)
    forward, backward = log_preference(codes, scores), log_preference(reverse_complement(codes), scores)[::-1]
    if assay == "ATAC":
        np.testing.assert_allclose(forward, backward)
    else:  # the bond before a base is the bond behind it on the other strand
        np.testing.assert_allclose(forward[1:], backward[:-1])


def test_the_enzyme_motif_is_preferred_to_all_others(truth):
    half = len(truth.enzyme) // 2
    best = log_preference(codes_of(truth.enzyme), truth.scores)[half]
    assert best == pytest.approx(truth.scores.max(axis=1).sum())
    others = np.random.default_rng(1).integers(0, 4, (200, len(truth.enzyme))).astype(np.uint8)
    assert all(log_preference(codes, truth.scores)[half] < best for codes in others)


def test_controls_are_shuffles_without_a_planted_motif(truth):
    for name, motif in truth.motifs.items():
        control = codes_of(truth.controls[name])
        assert sorted(control) == sorted(codes_of(motif))
        padded = np.pad(control, 20, constant_values=4)
        for other in truth.motifs.values():
            for strand in (codes_of(other), reverse_complement(codes_of(other))):
                views = np.lib.stride_tricks.sliding_window_view(padded, strand.size)
                assert (views == strand).sum(axis=1).max() <= 0.6 * strand.size


def test_peaks_cover_the_sites_and_the_fold_is_valid(atac, truth):
    sizes = read_chrom_sizes(atac.sizes)
    peaks = read_regions(atac.peaks, sizes=sizes)
    assert overlapping(truth.sites, peaks).all()
    assert len(peaks) == truth.sites["locus"].nunique()
    assert peaks["summit"].between(0, peaks["end"] - peaks["start"] - 1).all()
    fold = read_fold(atac.fold, sizes)
    assert set(fold.train) | set(fold.valid) | set(fold.test) == set(sizes)
    assert all(peaks["chrom"].isin(part).any() for part in (fold.train, fold.valid, fold.test))


def test_a_bgzip_genome_has_the_same_bases(atac, genome, tmp_path):
    packed = simulate(tmp_path, TINY, formats=(), bgzip=True)
    assert packed.genome.name == "genome.fa.gz"
    with open_genome(packed.genome, tmp_path / "cache") as other:
        assert other.sizes == genome.sizes == read_chrom_sizes(atac.sizes)
        np.testing.assert_array_equal(other.codes("chr7"), genome.codes("chr7"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SimulationSettings(assay="MNASE"), "expected ATAC or DNASE, found 'MNASE'"),
        (SimulationSettings(spacing=500), "2000 bp or more"),
        (SimulationSettings(size=50_000), "smallest chromosome"),
        (SimulationSettings(background=0), "positive background"),
        (SimulationSettings(sharpness=-1), "sharpness"),
        (SimulationSettings(motifs=()), "at least one"),
        (SimulationSettings(motifs=(PlantedMotif("x", "AC", 1, 50, 0.5, 9),)), "6 to 40 letters"),
        (SimulationSettings(motifs=(PlantedMotif("x", "ACGTACGN", 1, 50, 0.5, 9),)), "6 to 40 letters"),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        simulate(tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_unknown_formats_and_far_shifts_are_refused(tmp_path):
    with pytest.raises(InputError, match="found cram"):
        simulate(tmp_path / "out", TINY, formats=("bam", "cram"))
    with pytest.raises(InputError, match="at most 8 bp"):
        simulate(tmp_path / "out", TINY, shift=(75, -75))
    assert not (tmp_path / "out").exists()
