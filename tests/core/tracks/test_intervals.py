"""Rules on intervals, for random genomes, reads and regions: shift, overlap, edge, jitter, reverse complement.

Those of one module alone are with its tests; here are those that several modules keep together.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    REGION_COLUMNS,
    centres,
    codes_of,
    one_hot,
    open_genome,
    regions_at,
    reverse_complement,
    windows_fit,
    without_blacklisted,
)
from chrombpnet_core.reads import estimate_shift, spill_reads
from chrombpnet_core.tracks import Coverage, write_insertions
from chrombpnet_core.training_data import ExamplePlan, ShardLayout, ShardSet, read_batch, training_plan, write_shards

SIZES = {"a": 90, "b": 60}
SEEDS = st.integers(0, 2**32 - 1)
PLACES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(-5, 95)), min_size=1, max_size=8)
INTERVALS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=10)


class RandomGenome:
    """Random bases and counts, as written to a FASTA and a bigWig; ``mirrored`` is the other strand of it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.letters = {chrom: "".join(rng.choice(list("ACGTNacgt"), size)) for chrom, size in SIZES.items()}
        self.counts = {chrom: rng.poisson(0.8, size).astype(float) for chrom, size in SIZES.items()}

    def mirrored(self):
        other = object.__new__(RandomGenome)
        codes = {chrom: reverse_complement(codes_of(text)) for chrom, text in self.letters.items()}
        other.letters = {chrom: "".join(np.array(list("ACGTN"))[row]) for chrom, row in codes.items()}
        other.counts = {chrom: values[::-1] for chrom, values in self.counts.items()}
        return other

    def fasta(self, folder):
        text = "".join(f">{chrom}\n{letters}\n" for chrom, letters in self.letters.items())
        (folder / "g.fa").write_text(text)
        return open_genome(folder / "g.fa", folder / "cache")

    def shards(self, folder, peaks, nonpeaks, layout):
        with pyBigWig.open(str(folder / "c.bw"), "w") as bigwig:
            bigwig.addHeader(list(SIZES.items()))
            for chrom, values in self.counts.items():
                bigwig.addEntries(chrom, 0, values=values, span=1, step=1)
        (folder / "shards").mkdir()
        with self.fasta(folder) as genome, Coverage(folder / "c.bw") as coverage:
            write_shards(folder / "shards", genome, coverage, peaks, nonpeaks, layout)
        return ShardSet(folder / "shards")

    def around(self, chrom, centre, length, width):
        """One-hot bases and counts of the two windows, base by base; nothing beyond the chromosome's ends."""

        def within(values, outside, start, size):
            return [values[at] if 0 <= at < len(values) else outside for at in range(start, start + size)]

        text = "".join(within(self.letters[chrom], "N", centre - length // 2, length))
        return one_hot(codes_of(text)), np.array(within(self.counts[chrom], 0.0, centre - width // 2, width), np.float32)


def table_at(places):
    return regions_at(np.array([chrom for chrom, _ in places], dtype=object), np.array([at for _, at in places]), 10)


# --- jitter and reverse complement --------------------------------------------------------------------------------


@settings(max_examples=25)
@given(SEEDS, PLACES, PLACES, st.integers(5, 30), st.integers(1, 15), st.integers(0, 9), st.data())
def test_sequence_and_profile_are_jittered_and_flipped_together(
    tmp_path_factory, seed, peaks, nonpeaks, length, half, record_jitter, data
):
    """Every example of an epoch is the letters and the counts around one and the same base."""
    layout = ShardLayout(length, min(2 * half, length), record_jitter)
    tables = [table[windows_fit(table, SIZES, length)] for table in (table_at(peaks), table_at(nonpeaks))]
    peaks, nonpeaks = (len(table) for table in tables)
    if not peaks + nonpeaks:
        return
    genome, folder = RandomGenome(seed), tmp_path_factory.mktemp("jitter")
    jitter, draw = data.draw(st.integers(0, record_jitter)), data.draw(st.integers(0, nonpeaks))
    plan = training_plan(np.arange(peaks), np.arange(peaks, peaks + nonpeaks), draw, jitter, record_jitter, seed, 0)
    with genome.shards(folder, *tables, layout) as shards:
        batch = read_batch(shards, plan)
    assert sorted(batch.ids[batch.ids < peaks]) == list(range(peaks))
    assert len(set(batch.ids)) == len(batch.ids) == peaks + draw
    assert plan.flipped.sum() == len(plan) // 2
    regions = pd.concat(tables, ignore_index=True)
    for row, (number, offset, flipped) in enumerate(zip(plan.ids, plan.offsets, plan.flipped, strict=True)):
        moved = offset - record_jitter
        assert abs(moved) <= (jitter if number < peaks else 0)
        sequence, profile = genome.around(
            regions["chrom"][number], centres(regions)[number] + moved, length, layout.output_length
        )
        step = -1 if flipped else 1
        np.testing.assert_array_equal(batch.sequences[row], sequence[::step, ::step])
        np.testing.assert_array_equal(batch.profiles[row], profile[::step])
        assert batch.log_counts[row, 0] == np.float32(np.log1p(profile.sum(dtype=float)))


@settings(max_examples=15)
@given(SEEDS, PLACES, st.integers(3, 15), st.integers(1, 15), st.integers(0, 6))
def test_a_flipped_example_is_that_of_the_other_strand(tmp_path_factory, seed, places, half_length, half_width, jitter):
    """Of widths that are even, so that a window has one middle seen from either end."""
    layout = ShardLayout(2 * half_length, 2 * min(half_width, half_length), jitter)
    table = table_at(places)
    table = table[windows_fit(table, SIZES, layout.input_length)]
    if table.empty:
        return
    there = regions_at(table["chrom"].to_numpy(), table["chrom"].map(SIZES).to_numpy() - centres(table) - 5, 10)
    genome, ids = RandomGenome(seed), np.arange(len(table))
    offsets = np.random.default_rng(seed).integers(0, 2 * jitter, len(ids), endpoint=True)
    found = []
    for one, regions, plan in (
        (genome, table, ExamplePlan(ids, offsets, np.ones(len(ids), bool))),
        (genome.mirrored(), there, ExamplePlan(ids, 2 * jitter - offsets, np.zeros(len(ids), bool))),
    ):
        with one.shards(tmp_path_factory.mktemp("strand"), regions, regions[:0], layout) as shards:
            found.append(read_batch(shards, plan))
    np.testing.assert_array_equal(found[0].sequences, found[1].sequences)
    np.testing.assert_array_equal(found[0].profiles, found[1].profiles)


# --- shift ---------------------------------------------------------------------------------------------------------


def _insertions(folder, fragments, genome, assay, shifts):
    """Insertions of fragments (chrom, start, end) that are stated to carry ``shifts``, and how many fell outside."""
    folder.mkdir()
    (folder / "f.tsv").write_text("".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in fragments))
    spilled = spill_reads([folder / "f.tsv"], "fragments", SIZES, folder / "scratch")
    shift = estimate_shift(spilled.sample, genome, assay, None, *shifts)
    stats = write_insertions(spilled, SIZES, *shift.deltas, folder / "out.bw")
    with Coverage(folder / "out.bw") as coverage:
        return {chrom: coverage.chromosome(chrom).tolist() for chrom in SIZES}, stats["outside"]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(8, 28), st.integers(1, 8)), min_size=1, max_size=20),
    st.integers(-8, 8),
    st.integers(-8, 8),
    st.sampled_from(["ATAC", "DNASE"]),
)
def test_a_stated_shift_is_undone(tmp_path_factory, fragments, plus, minus, assay):
    """Reads moved by any shift and stated so give the insertions of the reads as they were."""
    folder = tmp_path_factory.mktemp("shift")
    plain = [(chrom, start, start + width + 16) for chrom, start, width in fragments]
    moved = [(chrom, start + plus, end + minus) for chrom, start, end in plain]
    with RandomGenome(0).fasta(folder) as genome:
        expected = _insertions(folder / "plain", plain, genome, assay, (0, 0))
        assert _insertions(folder / "moved", moved, genome, assay, (plus, minus)) == expected
    sites, outside = expected
    assert sum(map(sum, sites.values())) == 2 * len(plain)
    assert outside == 0


# --- overlap -------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(PLACES, INTERVALS, st.integers(0, 41))
def test_peaks_near_the_blacklist_are_those_within_half_a_window(places, blacklist, width):
    peaks = table_at(places)
    table = pd.DataFrame([(chrom, start, start + size) for chrom, start, size in blacklist], columns=REGION_COLUMNS[:3])
    margin = width // 2
    far = [
        not any(
            chrom == other and at < start + size + margin and at + 10 > start - margin for other, start, size in blacklist
        )
        for chrom, at in places
    ]
    if not any(far):
        with pytest.raises(InputError, match=f"all {len(places)} peaks lie within {margin} bp of the blacklist"):
            without_blacklisted(peaks, table, width)
        return
    pd.testing.assert_frame_equal(without_blacklisted(peaks, table, width), peaks[far].reset_index(drop=True))
    assert without_blacklisted(peaks, None, width) is peaks
