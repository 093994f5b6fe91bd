"""Shift: the reference program's figures on real reads, known shifts found again, errors that show the evidence."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pandas as pd
import pytest

from chrombpnet_core.errors import InputError, ShiftError
from chrombpnet_core.genome import enzyme_matrices, open_genome
from chrombpnet_core.reads import (
    SHIFT_WINDOW,
    STANDARD_SHIFTS,
    ReadSample,
    base_frequencies_around,
    estimate_shift,
    offset_scores,
)

CASES = ["+0/+0", "+4/-4", "+4/-5", "+3/-6", "+5/-4", "+2/-2"]
SIDES = {"+": "plus", "-": "minus"}


@pytest.fixture(scope="module")
def genome(yeast, tmp_path_factory):
    with open_genome(yeast / "genome.fa.gz", tmp_path_factory.mktemp("genome")) as genome:
        yield genome


@pytest.fixture(scope="module")
def golden(shared):
    return json.loads((shared / "golden" / "reads" / "shift_golden.json").read_text())


@pytest.fixture(scope="module")
def fragments(shared):
    path = shared / "golden" / "reads" / "shift_sample_fragments.tsv"
    return pd.read_csv(path, sep="\t", names=["chrom", "start", "end"])


def sample_of(fragments, plus=0, minus=0):
    chroms = fragments["chrom"].to_numpy(dtype=object)
    return {
        "+": ReadSample(chroms, (fragments["start"] + plus).to_numpy(np.int32)),
        "-": ReadSample(chroms, (fragments["end"] + minus).to_numpy(np.int32)),
    }


def planted(tmp_path, assay, plus, minus, reads=3000):
    """A genome of windows drawn from the enzyme's own matrices, and reads on them that carry a shift."""
    rng = np.random.default_rng(0)
    at_zero = {"ATAC": (14, 5), "DNASE": (10, 10)}[assay]
    text, samples = [], {}
    for strand, offset, shift in zip("+-", at_zero, (plus, minus), strict=True):
        matrix = np.mean(list(enzyme_matrices(assay)[strand].values()), axis=0)
        pfm = np.full((SHIFT_WINDOW, 4), 0.25)
        pfm[offset : offset + 20] = matrix
        strong = (pfm**4) / (pfm**4).sum(axis=1, keepdims=True)
        letters = np.array([rng.choice(list("ACGT"), size=reads, p=row) for row in strong]).T
        text.append("".join("".join(row) + "A" * SHIFT_WINDOW for row in letters))
        middles = np.arange(reads) * 2 * SHIFT_WINDOW + SHIFT_WINDOW // 2
        samples[strand] = ReadSample(np.full(reads, f"chr{strand}", dtype=object), (middles + shift).astype(np.int32))
    (tmp_path / "g.fa").write_text(f">chr+\n{text[0]}\n>chr-\n{text[1]}\n")
    return samples, open_genome(tmp_path / "g.fa", tmp_path)


# --- the reference program ---------------------------------------------------------------------------------------


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_figures_of_the_reference(case, golden, fragments, genome):
    plus, minus = map(int, case.split("/"))
    sample, expected = sample_of(fragments, plus, minus), golden[case]
    stated = estimate_shift(sample, genome, "ATAC", plus_shift=0, minus_shift=0)
    for strand, side in SIDES.items():
        np.testing.assert_allclose(stated.pfms[strand], expected[f"{side}_pwm"], rtol=0, atol=1e-15)
        assert len(stated.scores[strand]) == len(expected[f"{side}_scores"]) == 3
        for name, scores in expected[f"{side}_scores"].items():
            mine = stated.scores[strand][name.removesuffix(f"_{side}")]
            np.testing.assert_allclose(mine, scores, rtol=1e-13)
    if isinstance(expected["result"], str):
        with pytest.raises(ShiftError, match=r"non-standard for ATAC: \+2/-2"):
            estimate_shift(sample, genome, "ATAC")
    else:
        found = estimate_shift(sample, genome, "ATAC")
        assert [found.plus_shift, found.minus_shift] == expected["result"] == [plus, minus]
        assert found.deltas == (4 - plus, -4 - minus)


# --- known shifts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assay", "shift"), [(assay, shift) for assay, shifts in STANDARD_SHIFTS.items() for shift in sorted(shifts)]
)
def test_planted_shifts_are_found(tmp_path, assay, shift):
    sample, genome = planted(tmp_path, assay, *shift)
    with genome:
        found = estimate_shift(sample, genome, assay)
    assert (found.plus_shift, found.minus_shift) == shift
    plus, minus = found.deltas
    assert (shift[0] + plus, shift[1] + minus) == {"ATAC": (4, -4), "DNASE": (0, 1)}[assay]


def test_scores_peak_where_the_matrix_lies():
    matrix = enzyme_matrices("ATAC")["+"]["scATAC_fibroblast"]
    for at in (0, 7, 20):
        pfm = np.full((SHIFT_WINDOW, 4), 0.25)
        pfm[at : at + 20] = matrix / matrix.sum(axis=1, keepdims=True)
        scores = offset_scores(pfm, matrix)
        assert scores.shape == (21,)
        assert scores.argmax() == at


def test_pfm_leaves_out_windows_beyond_the_ends_and_other_letters(tmp_path):
    (tmp_path / "g.fa").write_text(f">c\n{'A' * 30}{'n' * 5}{'C' * 65}\n")
    with open_genome(tmp_path / "g.fa", tmp_path) as genome:
        chroms = np.array(["c"] * 5 + ["unknown"], dtype=object)
        pfm, used = base_frequencies_around(ReadSample(chroms, np.array([19, 20, 80, 81, 0, 50], np.int32)), genome)
    assert used == 2  # 20 and 80
    np.testing.assert_array_equal(pfm[:30], np.tile([0.5, 0.5, 0, 0], (30, 1)))
    np.testing.assert_array_equal(pfm[30:35], np.tile([0, 1.0, 0, 0], (5, 1)))


# --- what the user sees ------------------------------------------------------------------------------------------


def test_non_standard_shift_shows_votes_and_the_way_out(tmp_path):
    sample, genome = planted(tmp_path, "ATAC", 1, -1)
    with genome, pytest.raises(ShiftError) as caught:
        estimate_shift(sample, genome, "ATAC")
    message = str(caught.value)
    for name in enzyme_matrices("ATAC")["+"]:
        assert f"{name} +1" in message
        assert f"{name} -1" in message
    for part in ("non-standard for ATAC: +1/-1", "trimmed at their 5' end", "`plus_shift`", "`minus_shift`"):
        assert part in message


def test_disagreeing_matrices_are_an_error(tmp_path):
    sample, genome = planted(tmp_path, "ATAC", 0, 0)
    matrices = enzyme_matrices("ATAC")
    matrices["-"]["rolled"] = np.roll(next(iter(matrices["-"].values())), 3, axis=0)
    with genome, pytest.raises(ShiftError, match=r"inconsistent: .*rolled [+-]\d"):
        estimate_shift(sample, genome, "ATAC", matrices)


def test_stated_shifts_win_and_the_votes_are_still_there(tmp_path):
    sample, genome = planted(tmp_path, "ATAC", 1, -1)
    with genome:
        found = estimate_shift(sample, genome, "ATAC", plus_shift=1, minus_shift=-1)
    assert found.stated
    assert found.deltas == (3, -3)
    assert set(found.votes["+"].values()) == {1}
    content = json.loads(json.dumps(found.to_dict()))
    assert content["plus_shift"] == 1
    assert content["minus_delta"] == -3
    assert np.shape(content["pfms"]["-"]) == (40, 4)
    assert {len(scores) for scores in content["scores"]["+"].values()} == {21}


def test_stated_shifts_need_no_usable_reads(tmp_path):
    sample, genome = planted(tmp_path, "ATAC", 0, 0, reads=10)
    sample["-"] = ReadSample(np.empty(0, dtype=object), np.empty(0, np.int32))
    with genome:
        found = estimate_shift(sample, genome, "ATAC", plus_shift=4, minus_shift=-5)
        assert found.votes["-"] == {}
        assert found.reads == {"+": 10, "-": 0}
        with pytest.raises(InputError, match=r"no read of the - strand"):
            estimate_shift(sample, genome, "ATAC")


def test_few_reads_are_warned_about(tmp_path, caplog):
    sample, genome = planted(tmp_path, "ATAC", 0, 0, reads=500)
    with genome, caplog.at_level(logging.WARNING):
        estimate_shift(sample, genome, "ATAC")
    assert re.search("from 500 reads of a strand only", caplog.text)


def test_refusals(tmp_path):
    sample, genome = planted(tmp_path, "ATAC", 0, 0, reads=10)
    with genome:
        with pytest.raises(InputError, match="only one of the two shifts"):
            estimate_shift(sample, genome, "ATAC", plus_shift=4)
        with pytest.raises(InputError, match="expected ATAC or DNASE"):
            estimate_shift(sample, genome, "MNASE")
