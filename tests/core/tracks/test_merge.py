"""BigWigs given in place of reads: exact sums, and refusals of what no insertion track can be."""

from __future__ import annotations

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.tracks import Coverage, check_coverage_sizes, merge_bigwigs

SIZES = {"chrA": 60, "chrB": 25}


def _write(path, tracks, sizes=None):
    sizes = sizes or {chrom: len(values) for chrom, values in tracks.items()}
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader(list(sizes.items()))
        for chrom, values in tracks.items():
            at = np.flatnonzero(~np.isnan(values))
            if at.size:
                bigwig.addEntries([chrom] * at.size, at.tolist(), ends=(at + 1).tolist(), values=values[at].tolist())
    return path


_VALUES = st.one_of(st.just(float("nan")), st.sampled_from([0.0, 1.0, 2.0, 7.0, 0.25]))


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.lists(_VALUES, min_size=60, max_size=60), st.lists(_VALUES, min_size=25, max_size=25)),
        min_size=1,
        max_size=3,
    )
)
def test_the_sum_is_exact(tmp_path_factory, inputs):
    folder = tmp_path_factory.mktemp("sum")
    tracks = [{"chrA": np.array(a), "chrB": np.array(b)} for a, b in inputs]
    paths = [_write(folder / f"{i}.bw", each, SIZES) for i, each in enumerate(tracks)]
    wanted = {chrom: sum(np.nan_to_num(each[chrom]) for each in tracks) for chrom in SIZES}
    if not any(values.any() for values in wanted.values()):
        with pytest.raises(InputError, match="no insertions"):
            merge_bigwigs(paths, SIZES, folder / "out.bw")
        assert not (folder / "out.bw").exists()
        return
    facts = merge_bigwigs(paths, SIZES, folder / "out.bw")
    assert facts["insertions"] == sum(values.sum() for values in wanted.values())
    assert facts["positions"] == sum(np.count_nonzero(values) for values in wanted.values())
    with Coverage(folder / "out.bw") as coverage:
        assert coverage.sizes == SIZES
        for chrom, values in wanted.items():
            np.testing.assert_array_equal(coverage.chromosome(chrom), values)


def test_a_chromosome_that_is_missing_counts_as_empty_and_is_named(tmp_path, caplog):
    path = _write(tmp_path / "a.bw", {"chrA": np.arange(60.0)})
    merge_bigwigs([path], SIZES, tmp_path / "out.bw")
    assert "chrB" in caplog.text
    with Coverage(tmp_path / "out.bw") as coverage:
        assert not coverage.chromosome("chrB").any()


@pytest.mark.parametrize(("value", "words"), [(-1.0, "chrA:8"), (float("inf"), "found inf")])
def test_values_that_no_count_can_have_are_refused(tmp_path, value, words):
    values = np.ones(60)
    values[7] = value
    path = _write(tmp_path / "a.bw", {"chrA": values})
    with pytest.raises(InputError, match=words):
        merge_bigwigs([path], SIZES, tmp_path / "out.bw")
    assert [each.name for each in tmp_path.iterdir()] == ["a.bw"]


def test_another_assembly_is_refused(tmp_path):
    with (
        Coverage(_write(tmp_path / "a.bw", {"chrA": np.ones(61)})) as coverage,
        pytest.raises(InputError, match="length of chromosome chrA"),
    ):
        check_coverage_sizes(coverage, SIZES)
    with (
        Coverage(_write(tmp_path / "b.bw", {"A": np.ones(60)})) as coverage,
        pytest.raises(InputError, match="none of the genome's chromosomes"),
    ):
        check_coverage_sizes(coverage, SIZES)
