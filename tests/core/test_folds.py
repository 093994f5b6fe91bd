"""Folds: reading, round trip, refusals."""

from __future__ import annotations

import json

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.folds import Fold, make_fold, read_fold

SIZES = {"chr1": 10, "chr2": 10, "chr3": 10, "chr4": 10}
GOOD = {"train": ["chr1", "chr2"], "valid": ["chr3"], "test": ["chr4"]}


def test_round_trip(tmp_path):
    fold = make_fold(GOOD, SIZES, "fold")
    fold.write(tmp_path / "fold.json")
    assert read_fold(tmp_path / "fold.json", SIZES) == fold == Fold(("chr1", "chr2"), ("chr3",), ("chr4",))
    assert [fold.part_of(chrom) for chrom in ("chr2", "chr3", "chr4", "chrM")] == ["train", "valid", "test", None]


def test_every_fold_of_the_yeast_data(yeast):
    sizes = {line.split()[0]: 1 for line in (yeast / "chrom.sizes").read_text().splitlines()}
    folds = [read_fold(yeast / f"fold_{number}.json", sizes) for number in range(5)]
    assert sorted(chrom for fold in folds for chrom in fold.test) == sorted(set(sizes) - {"chrM"})


@pytest.mark.parametrize(("change", "message"), [
    ({"valid": []}, "'valid' has no chromosomes"), ({"valid": None}, "'valid'"), ({"valid": "chr3"}, "a list"),
    ({"valid": [3]}, "a list"), ({"valid": ["chr9"]}, "chr9 of 'valid' is not in"),
    ({"valid": ["chr1"]}, "chr1 is in 'train' and in 'valid'"), ({"train": ["chr1", "chr1"]}, "chr1 is in 'train'"),
])
def test_refusals(change, message):
    with pytest.raises(InputError, match=message):
        make_fold(GOOD | change, SIZES, "fold.json")


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
