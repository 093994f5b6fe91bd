"""Quality of a library: FRiP and TSS enrichment against numbers got by hand and by brute force, on strands and at ends."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chrombpnet_core.evaluation
from chrombpnet_core.evaluation import TSS_BIN, TSS_EDGE, FragmentSizes, LibraryQuality, measure_library
from chrombpnet_core.evaluation.library_quality import enrichment_profile, known_assembly, start_site_sums
from chrombpnet_core.formats import Intervals, write_bigwig
from chrombpnet_core.genome import read_chrom_sizes, read_regions
from chrombpnet_core.reads import spill_reads
from chrombpnet_core.tracks import Coverage, write_insertions

SCHEMA = json.loads((Path(chrombpnet_core.evaluation.__file__).parent / "library_quality.schema.json").read_text())
SIZES = {"chr1": 9000, "chr2": 6000, "chrM": 800, "tiny": 300}


def table(*rows):
    return pd.DataFrame(rows, columns=["chrom", "start", "end"])


def sites(*rows):
    return pd.DataFrame(rows, columns=["chrom", "position", "strand"])


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    """Insertions per base by chromosome, and the bigWig of them."""
    rng = np.random.default_rng(3)
    values = {chrom: rng.poisson(0.4, size).astype(np.float32) for chrom, size in SIZES.items()}
    path = tmp_path_factory.mktemp("track") / "insertions.bw"
    intervals = [
        Intervals(chrom, np.arange(len(dense)), np.arange(len(dense)) + 1, dense) for chrom, dense in values.items()
    ]
    write_bigwig(path, SIZES, intervals, 1)
    return values, path


def measured(track, peaks, starts=None, **counted):
    values, path = track
    counted = {"insertions_by_chromosome": {chrom: float(dense.sum()) for chrom, dense in values.items()}} | counted
    with Coverage(path) as coverage:
        return measure_library(counted, coverage, SIZES, peaks, starts)


READS = {
    "reads": 10,
    "reads_lost": 5,
    "reads_excluded": 2,
    "reads_filtered": 7,
    "reads_duplicate": 0,
    "outside": 1,
    "reads_by_chromosome": {"chr1": 6, "chr2": 2, "chrM": 2, "tiny": 0},
    "reads_lost_by_chromosome": {"odd": 4, "MT": 1},
    "reads_excluded_by_chromosome": {"chrPt": 2},
}


# --- insertions in peaks -------------------------------------------------------------------------------------------


def test_insertions_in_peaks_are_counted_once_and_without_the_mitochondrion(track):
    overlapping = [("chr1", 100, 300), ("chr1", 250, 400), ("chr1", 400, 420), ("chr1", 120, 130)]
    peaks = table(*overlapping, ("chr2", 5900, 6000), ("chrM", 0, 800))
    found = measured(track, peaks).peaks
    values, _ = track
    inside = values["chr1"][100:420].sum() + values["chr2"][5900:].sum()
    nuclear = sum(dense.sum() for chrom, dense in values.items() if chrom != "chrM")
    assert (found.regions, found.bases) == (6, 420)
    assert found.insertions == inside
    assert found.frip == pytest.approx(inside / nuclear)
    assert found.genome_share == pytest.approx(420 / 15_300)


@given(st.lists(st.tuples(st.integers(0, 8990), st.integers(1, 900)), min_size=1, max_size=12))
def test_any_peaks_count_as_a_mask_of_their_bases_does(track, rows):
    peaks = table(*(("chr1", start, min(start + length, 9000)) for start, length in rows))
    mask = np.zeros(9000, dtype=bool)
    for _, start, end in peaks.itertuples(index=False):
        mask[start:end] = True
    found = measured(track, peaks).peaks
    assert found.bases == mask.sum()
    assert found.insertions == track[0]["chr1"][mask].sum()


# --- transcription starts ------------------------------------------------------------------------------------------


def by_loops(values, places):
    """Sum base by base over the windows that lie in the chromosome."""
    total, used = np.zeros(2 * TSS_EDGE), 0
    for position, minus in places:
        bases = [position - (i - TSS_EDGE) if minus else position + (i - TSS_EDGE) for i in range(2 * TSS_EDGE)]
        if min(bases) >= 0 and max(bases) < len(values):
            total += values[bases]
            used += 1
    return total, used


def test_windows_follow_the_strand_and_stay_in_the_chromosome():
    values = np.random.default_rng(1).poisson(1, 9000).astype(np.float32)
    inside, outside = [(2000, 0), (1999, 1), (7000, 0), (6999, 1), (4444, 1)], [(1999, 0), (1998, 1), (7001, 0)]
    places = [(position, bool(minus)) for position, minus in inside + outside]
    expected, used = by_loops(values, places)
    positions, minus = (np.array(column) for column in zip(*places, strict=True))
    found, windows = start_site_sums(values, positions, minus)
    assert windows == used == len(inside)
    np.testing.assert_array_equal(found, expected)
    assert start_site_sums(values[:300], positions, minus)[1] == 0


@given(
    st.lists(st.tuples(st.integers(0, 8999), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_the_other_strand_of_a_genome_has_the_same_profile(places, seed):
    values = np.random.default_rng(seed).poisson(1, 9000).astype(np.float32)
    positions, minus = (np.array(column) for column in zip(*places, strict=True))
    found, windows = start_site_sums(values, positions, minus)
    turned, turned_windows = start_site_sums(values[::-1].copy(), 8999 - positions, ~minus)
    assert windows == turned_windows
    np.testing.assert_array_equal(found, turned)


def test_enrichment_by_hand():
    """Ten insertions a base in the outermost 100 bp, 20 in between, and 50 bp of 120 at the start."""
    sums = np.full(2 * TSS_EDGE, 20.0)
    sums[:100] = sums[-100:] = 10
    sums[2000:2050] = 120
    profile = enrichment_profile(sums)
    assert len(profile) == 400
    assert profile.max() == pytest.approx(12)  # the read's 50 bp just fit
    assert profile.argmax() * TSS_BIN == 2020
    assert profile[0] == pytest.approx(1)
    assert profile[100] == pytest.approx(2)
    assert enrichment_profile(np.r_[np.zeros(100), np.ones(3800), np.zeros(100)]) is None


def test_enrichment_of_a_track_by_numpy(track):
    starts = sites(("chr1", 4000, "+"), ("chr1", 3000, "-"), ("chr2", 2500, "+"), ("chrM", 400, "+"), ("tiny", 100, "-"))
    values, _ = track
    found = measured(track, table(("chr1", 0, 10)), starts).start_sites
    windows = np.stack([values["chr1"][2000:6000], values["chr1"][1001:5001][::-1], values["chr2"][500:4500]])
    bins = windows.sum(axis=0).reshape(400, 10).mean(axis=1)
    background = np.r_[bins[:10], bins[-10:]].mean()
    smooth = np.convolve(np.pad(bins, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    assert found.sites == 3
    assert found.enrichment == pytest.approx((smooth / background).max())
    np.testing.assert_allclose(found.profile, smooth / background, atol=1e-4)
    assert found.position == smooth.argmax() * 10 - 1995


def test_without_a_start_site_there_is_no_enrichment(track):
    nowhere = measured(track, table(("chr1", 0, 10)), sites(("tiny", 100, "+"))).start_sites
    assert (nowhere.sites, nowhere.enrichment, nowhere.profile) == (0, None, ())
    assert measured(track, table(("chr1", 0, 10))).start_sites is None


# --- reads, fragments, the file ------------------------------------------------------------------------------------


def test_reads_and_the_mitochondrion_are_told_wherever_they_lie(track):
    library = measured(track, table(("chr1", 0, 10)), **READS)
    assert library.reads.used == 10
    assert (library.reads.elsewhere, library.reads.left_out, library.reads.filtered) == (5, 2, 7)
    assert library.mitochondrial_share == pytest.approx(3 / 17)
    assert library.chromosomes["chr2"].reads == 2
    assert library.insertions == sum(dense.sum() for dense in track[0].values())


def test_the_mitochondrion_is_unknown_where_its_reads_cannot_be_told(track):
    old = {key: value for key, value in READS.items() if key != "reads_excluded_by_chromosome"}
    assert measured(track, table(("chr1", 0, 10)), **old).mitochondrial_share is None
    none = READS | {"reads_by_chromosome": {"chr1": 6}, "reads_lost_by_chromosome": {}}
    assert measured(track, table(("chr1", 0, 10)), **none).mitochondrial_share is None
    values, _ = track
    share = values["chrM"].sum() / sum(dense.sum() for dense in values.values())
    assert measured(track, table(("chr1", 0, 10))).mitochondrial_share == pytest.approx(share)  # insertions alone


def test_fragments_are_parted_by_nucleosomes():
    counts = np.zeros(1002, dtype=int)
    counts[[0, 146, 147, 293, 294, 440, 441, 1001]] = [1, 2, 4, 8, 16, 32, 64, 128]
    fragments = FragmentSizes(tuple(counts.tolist()))
    assert fragments.total == 255
    shares = [share * 255 for share in fragments.shares.values()]
    assert shares == pytest.approx([3, 12, 48, 192])
    assert fragments.median == 1001
    lengths = [50, 60, 200, 210, 300]
    assert FragmentSizes(tuple(np.bincount(lengths, minlength=1002).tolist())).median == np.median(lengths)


def test_the_file_is_what_its_schema_says_and_reads_back(track):
    sizes = np.bincount([50, 60, 200], minlength=1002).tolist()
    told = {"library": {"fragment_sizes": sizes, "duplicates": {"told_by": "flag", "of": 9, "duplicates": 3}}}
    starts = sites(("chr1", 4000, "+"))
    peaks = table(("chr1", 0, 10))
    for library in (
        measured(track, peaks, starts, **READS, **told),
        measured(track, peaks),
        measured(track, peaks, sites(("tiny", 9, "+"))),
    ):
        content = json.loads(json.dumps(library.to_json(), allow_nan=False))
        jsonschema.validate(content, SCHEMA)
        assert LibraryQuality.from_json(content) == library
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(content)


@pytest.mark.parametrize(
    ("sizes", "assembly"),
    [
        ({"chr1": 248_956_422, "chr2": 5}, "GRCh38"),
        ({"2": 5, "1": 195_471_971}, "mm10"),
        ({"chr1": 249_250_621}, "hg19"),
        ({"chr1": 197_195_432}, "mm9"),
        ({"chr1": 230_218}, None),
        ({"chr2": 248_956_422}, None),
        ({"chrI": 230_218}, None),
    ],
)
def test_assemblies_are_known_by_chromosome_1(sizes, assembly):
    assert known_assembly(sizes) == assembly


def test_a_real_library_by_an_independent_route(yeast, tmp_path):
    """Cut sites read with numpy and held against a mask of the peaks; summits stand for transcription starts."""
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    peaks = read_regions(yeast / "peaks.narrowPeak", "peaks", sizes)
    places = (peaks["start"] + peaks["summit"]).to_numpy()
    starts = pd.DataFrame({"chrom": peaks["chrom"], "position": places, "strand": np.where(places % 2, "+", "-")})
    spilled = spill_reads([yeast / "fragments.tsv.gz"], "fragments", sizes, tmp_path, 10)
    counted = spilled.stats() | write_insertions(spilled, sizes, 4, -4, tmp_path / "i.bw")
    with Coverage(tmp_path / "i.bw") as coverage:
        library = measure_library(counted, coverage, sizes, peaks, starts)
    with gzip.open(yeast / "fragments.tsv.gz", "rt") as file:
        fragments = pd.read_csv(file, sep="\t", header=None, usecols=[0, 1, 2], names=["chrom", "start", "end"])
    inside = total = windows = 0
    sums = np.zeros(2 * TSS_EDGE)
    for chrom, size in sizes.items():
        rows = fragments[fragments["chrom"] == chrom]
        cuts = np.concatenate([rows["start"] + 4, rows["end"] - 1 - 4])
        dense = np.bincount(cuts[(cuts >= 0) & (cuts < size)], minlength=size)
        assert library.chromosomes[chrom].insertions == dense.sum()
        if chrom == "chrM":
            continue
        mask = np.zeros(size, dtype=bool)
        for start, end in peaks.loc[peaks["chrom"] == chrom, ["start", "end"]].itertuples(index=False):
            mask[start:end] = True
        inside, total = inside + dense[mask].sum(), total + dense.sum()
        here = starts[starts["chrom"] == chrom]
        for position, strand in zip(here["position"], here["strand"], strict=True):
            first = position - TSS_EDGE + (strand == "-")
            if 0 <= first <= size - 2 * TSS_EDGE:
                sums += dense[first : first + 2 * TSS_EDGE][:: -1 if strand == "-" else 1]
                windows += 1
    assert library.peaks.frip == pytest.approx(inside / total)
    assert library.start_sites.sites == windows
    assert library.start_sites.enrichment == pytest.approx(enrichment_profile(sums).max())
    assert library.mitochondrial_share == pytest.approx((fragments["chrom"] == "chrM").mean())
    assert library.assembly is None
