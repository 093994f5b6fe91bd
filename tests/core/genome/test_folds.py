"""Folds: reading, round trip, refusals; making k of them that are even, whatever the genome."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import read_footprint_motifs
from chrombpnet_core.genome import (
    Fold,
    Naming,
    make_fold,
    make_folds,
    read_aliases,
    read_chrom_sizes,
    read_fold,
    read_fold_chromosomes,
    read_regions,
)

SIZES = {"chr1": 10, "chr2": 10, "chr3": 10, "chr4": 10}
GOOD = {"train": ["chr1", "chr2"], "valid": ["chr3"], "test": ["chr4"]}
GENOMES = st.lists(st.tuples(st.integers(1, 10**8), st.integers(0, 500)), min_size=3, max_size=25)


def share(fold, part, amounts):
    return sum(amounts.get(chrom, 0) for chrom in getattr(fold, part)) / sum(amounts.values())


# --- reading -----------------------------------------------------------------------------------------------------


def test_round_trip(tmp_path):
    fold = make_fold(GOOD, SIZES, "fold")
    fold.write(tmp_path / "fold.json")
    assert read_fold(tmp_path / "fold.json", SIZES) == fold == Fold(("chr1", "chr2"), ("chr3",), ("chr4",))
    assert json.loads(fold.to_json()) == GOOD
    assert [fold.split_of(chrom) for chrom in ("chr2", "chr3", "chr4", "chrM")] == ["train", "valid", "test", None]


def test_every_fold_of_the_yeast_data(yeast):
    sizes = {line.split()[0]: 1 for line in (yeast / "chrom.sizes").read_text().splitlines()}
    folds = [read_fold(yeast / f"fold_{number}.json", sizes) for number in range(5)]
    assert sorted(chrom for fold in folds for chrom in fold.test) == sorted(set(sizes) - {"chrM"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"valid": []}, "'valid' has no chromosomes"),
        ({"valid": None}, "'valid'"),
        ({"valid": "chr3"}, "a list"),
        ({"valid": [3]}, "a list"),
        ({"valid": ["chr9"]}, "chr9 of 'valid' is not in"),
        ({"valid": ["chr1"]}, "chr1 is in 'train' and in 'valid'"),
        ({"train": ["chr1", "chr1"]}, "chr1 is in 'train'"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(InputError, match=message):
        make_fold(GOOD | change, SIZES, "fold.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"valid": ["chr8", "chr9"], "test": ["chr1"]},
            r"fold\.json: 3 problems: chromosome chr8 of .* not in .*; chromosome chr9 of .*; chromosome chr1 is in ",
        ),
        ({"train": ["chr6", "chr7"], "test": ["chr8", "chr9"]}, r"fold\.json: 4 problems: .*chr6.*chr7.*chr8 [^9]*; …$"),
        ({"train": None, "valid": 3}, r"fold\.json: 2 problems: 'train'; expected a list .*; 'valid'; expected a list"),
        ({"valid": [], "test": []}, r"fold\.json: 2 problems: 'valid' has no chromosomes; .*; 'test' has no chromosomes"),
    ],
)
def test_several_faults_are_counted_and_three_are_shown(change, message):
    with pytest.raises(InputError, match=message) as refused:
        make_fold(GOOD | change, SIZES, "fold.json")
    assert str(refused.value).count("fold.json") == 1


@pytest.mark.parametrize(
    ("read", "lines", "message"),
    [
        (
            read_chrom_sizes,
            "chr1\nchr2\tx\nchr3\t5\nchr3\t5\n",
            "3 problems: line 1; .*; line 2; .*; line 4: chromosome chr3",
        ),
        (read_chrom_sizes, ">chr1\n" * 4, "4 problems: line 1; expected a chromosome name .*; …$"),
        (read_aliases, "a\na\tb\na\tc\n", "2 problems: line 1; expected two columns.*; line 3: a is given two meanings"),
        (
            read_footprint_motifs,
            "a\tXX\nb\nc\tAC\nd\tQ\n",
            "3 problems: line 1: sequence of motif a; .*; line 2; .*; line 4",
        ),
        (read_chrom_sizes, ">chr1\n" * 3000, "1,000 and more problems: line 1"),
    ],
)
def test_several_faulty_lines_of_a_table_are_counted(tmp_path, read, lines, message):
    (tmp_path / "table").write_text(lines)
    with pytest.raises(InputError, match=f"table: {message}"):
        read(tmp_path / "table")


def test_files_that_are_no_fold(tmp_path):
    path = tmp_path / "fold.json"
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_fold(path, SIZES)
    path.write_text(json.dumps([1]))
    with pytest.raises(InputError, match="found list"):
        read_fold(path, SIZES)
    with pytest.raises(InputError, match="no such file"):
        read_fold(tmp_path / "absent.json", SIZES)


# --- making ------------------------------------------------------------------------------------------------------


@settings(max_examples=120)
@given(GENOMES, st.integers(2, 6), st.integers(0, 3), st.booleans())
def test_folds_of_any_genome(chromosomes, k, seed, counted):
    """Each chromosome with peaks is tested once and validates once at most; every part of every fold has peaks."""
    sizes = {f"c{at}": size for at, (size, _) in enumerate(chromosomes)}
    peaks = {f"c{at}": count for at, (_, count) in enumerate(chromosomes)} if counted else None
    usable = {chrom for chrom in sizes if peaks is None or peaks[chrom]}
    if len(usable) < (4 if k == 2 else k):
        with pytest.raises(InputError, match=f"{k} folds; expected {4 if k == 2 else k} or more chromosomes"):
            make_folds(sizes, peaks, k, seed)
        return
    folds = make_folds(sizes, peaks, k, seed)
    assert folds == make_folds(sizes, peaks, k, seed)
    assert len(folds) == k
    assert sorted(chrom for fold in folds for chrom in fold.test) == sorted(usable)
    validating = [chrom for fold in folds for chrom in fold.valid]
    assert len(set(validating)) == len(validating)
    for fold in folds:
        assert fold == make_fold(json.loads(fold.to_json()), sizes, "fold")  # disjoint, known, not empty
        assert sorted(fold.train + fold.valid + fold.test) == sorted(sizes)
        assert all(usable & set(part) for part in (fold.train, fold.valid, fold.test))
        assert set(fold.valid) <= usable
        for part in (fold.train, fold.valid, fold.test):
            assert list(part) == [chrom for chrom in sizes if chrom in part]


@settings(max_examples=60)
@given(GENOMES, st.integers(3, 5), st.integers(0, 3))
def test_no_chromosome_would_be_better_in_another_fold(chromosomes, k, seed):
    sizes = {f"c{at}": size for at, (size, _) in enumerate(chromosomes)}
    peaks = {f"c{at}": count + 1 for at, (_, count) in enumerate(chromosomes)}
    tests = [set(fold.test) for fold in make_folds(sizes, peaks, k, seed)] if len(sizes) >= k else []

    def unevenness(groups):
        return sum(
            (sum(each[chrom] for chrom in group) / sum(each.values())) ** 2 for group in groups for each in (sizes, peaks)
        )

    found = unevenness(tests)
    for at, group in enumerate(tests):
        for chrom in group if len(group) > 1 else ():
            for other in range(k):
                moved = [each - {chrom} for each in tests]
                moved[other] |= {chrom}
                assert other == at or unevenness(moved) >= found - 1e-9


def test_yeast_divides_evenly(yeast):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    peaks = read_regions(yeast / "peaks.narrowPeak")["chrom"].value_counts().to_dict()
    for fold in make_folds(sizes, peaks):
        for amounts in (sizes, peaks):
            assert 0.18 < share(fold, "test", amounts) < 0.22
            assert 0.08 < share(fold, "valid", amounts) < 0.14
        assert ("chrM" in fold.train) == ("chrM" not in peaks)


def test_a_genome_of_chromosomes_and_thousands_of_scaffolds():
    rng = np.random.default_rng(0)
    sizes = {f"chr{at}": int(size) for at, size in enumerate(rng.integers(2 * 10**7, 2 * 10**8, 20))}
    sizes |= {f"scaffold{at}": int(size) for at, size in enumerate(rng.pareto(1, 4000) * 1000 + 500)}
    peaks = {chrom: int(rng.poisson(size / 30_000)) for chrom, size in sizes.items()}
    folds = make_folds(sizes, peaks)
    for fold in folds:
        for amounts in (sizes, peaks):
            assert 0.19 < share(fold, "test", amounts) < 0.21
            assert 0.08 < share(fold, "valid", amounts) < 0.12
        assert {chrom for chrom in sizes if not peaks[chrom]} <= set(fold.train)


def test_uneven_folds_are_said(caplog):
    with caplog.at_level(logging.WARNING):
        make_folds({"big": 1000, "b": 300, "c": 100, "small": 10}, None, 3)
        assert "test chromosomes hold 8% to 71% of the bases" in caplog.text
        caplog.clear()
        make_folds(SIZES, None, 4)
    assert not caplog.records


@pytest.mark.parametrize(
    ("sizes", "peaks", "k", "message"),
    [
        (SIZES, None, 1, r"^1 fold; expected 2 or more; .*name its test"),
        (SIZES, None, 5, r"expected 5 or more chromosomes, found 4 \(chr1, chr2, chr3, chr4\); ask for 4 folds or less"),
        (
            SIZES,
            {"chr1": 5, "chr3": 1, "chr4": 9},
            4,
            r"4 or more chromosomes with peaks, found 3 .*ask for 3 folds or less",
        ),
        (SIZES, {"chr1": 5, "chr3": 1, "chr4": 9}, 2, r"4 or more chromosomes with peaks, found 3 .*ask for 3 folds$"),
        (SIZES, {"chr1": 5, "chr2": 0}, 3, r"found 1 \(chr1\); no fold can be made"),
        (SIZES, {}, 3, "found 0; no fold can be made"),
        (SIZES, {"chr9": 1}, 3, "chr9 of the peaks is not in"),
    ],
)
def test_genomes_that_cannot_be_divided(sizes, peaks, k, message):
    with pytest.raises(InputError, match=message):
        make_folds(sizes, peaks, k)


def test_a_fold_of_other_names(tmp_path):
    path = tmp_path / "fold.json"
    path.write_text('{"train": ["1", "MT"], "valid": ["2"], "test": ["3"]}')
    sizes = {"chr1": 10, "chr2": 10, "chr3": 10}
    naming = Naming(auto=True, excluded=frozenset({"chrM"}))
    assert read_fold(path, sizes, naming) == Fold(("chr1",), ("chr2",), ("chr3",))
    assert read_fold_chromosomes(path) == ["1", "MT", "2", "3"]
    with pytest.raises(InputError, match="the genome calls it chr1"):
        read_fold(path, sizes)
    with pytest.raises(InputError, match=r"'valid' has no chromosomes but those left out \(2\)"):
        read_fold(path, sizes, Naming(auto=True, excluded=frozenset({"chr2", "chrM"})))
