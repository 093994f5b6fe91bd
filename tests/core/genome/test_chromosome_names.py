"""Chromosome names: which mean the same, tables of aliases, what an input and the genome do not share."""

from __future__ import annotations

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming, name_mismatches, read_aliases, same_chromosome

HUMAN = {"chr1": 100, "chr2": 90, "chrX": 80, "chrM": 16}
PLAIN = {"1": 100, "2": 90, "X": 80, "MT": 16}


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("1", HUMAN, "chr1"),
        ("chr1", HUMAN, "chr1"),
        ("MT", HUMAN, "chrM"),
        ("chrM", PLAIN, "MT"),
        ("CHRX", HUMAN, "chrX"),
        ("Chr2", PLAIN, "2"),
        ("chromosome_2", PLAIN, "2"),
        ("3", HUMAN, None),
        ("chrUn", HUMAN, None),
        ("chr1", {"1": 5, "Chr1": 5}, None),
    ],
)
def test_twins(name, known, found):
    assert same_chromosome(name, known) == found


def test_names_are_translated_by_table_then_by_rule():
    naming = Naming({"I": "chr1"}, auto=True)
    assert naming.translate(["I", "2", "chrX", "9"], HUMAN) == {"I": "chr1", "2": "chr2"}
    assert Naming().translate(["1", "chr2"], HUMAN) == {}
    with pytest.raises(InputError, match=r"1 and chr1|chr1 and 1"):
        Naming(auto=True).translate(["chr1", "1"], HUMAN)


def test_chromosomes_are_left_out_by_name():
    assert Naming(excluded=frozenset({"chrM"})).sizes(HUMAN) == {"chr1": 100, "chr2": 90, "chrX": 80}
    with pytest.raises(InputError, match="genome calls it chrM"):
        Naming(excluded=frozenset({"MT"})).sizes(HUMAN)
    with pytest.raises(InputError, match="all chromosomes"):
        Naming(excluded=frozenset(HUMAN)).sizes(HUMAN)


def test_the_way_through_json():
    naming = Naming({"I": "chr1"}, auto=True, excluded=frozenset({"chrM"}))
    assert Naming.from_json(naming.to_json()) == naming
    assert Naming().to_json() is None
    assert Naming.from_json(None) == Naming()


def test_comparison_names_who_lacks_what():
    peaks, reads = name_mismatches(HUMAN, {"peaks": {"1": 7, "chr2": 3, "odd": 2}, "reads": dict.fromkeys(HUMAN, 1)})
    assert peaks.unknown == {"1": 7, "odd": 2}
    assert peaks.twins == {"1": "chr1"}
    assert peaks.missing == ["chr1", "chrX", "chrM"]
    assert (reads.unknown, reads.missing) == ({}, [])
    (helped,) = name_mismatches({"chr1": 100}, {"peaks": {"1": 7, "MT": 3}}, Naming(auto=True, excluded=frozenset({"chrM"})))
    assert (helped.unknown, helped.missing) == ({}, [])


def test_tables_of_aliases(tmp_path):
    path = tmp_path / "aliases.tsv"
    path.write_text("# names\nI\tchr1\nII chr2\n")
    assert read_aliases(path) == {"I": "chr1", "II": "chr2"}
    path.write_text("I\tchr1\nI\tchr2\n")
    with pytest.raises(InputError, match="line 2: I is given two meanings"):
        read_aliases(path)
    path.write_text("I\n")
    with pytest.raises(InputError, match="line 1"):
        read_aliases(path)
