"""Variants against the genome: what is kept, why the rest is left out, and when a whole list is refused."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming, open_genome
from chrombpnet_core.variants import LEFT_OUT_COLUMNS, VariantChecker, variant_table

LETTERS = "ACGT" * 50


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    (folder / "g.fa").write_text(f">chr1\n{LETTERS}\n>chr2\n{LETTERS}\n")
    with open_genome(folder / "g.fa", folder) as opened:
        yield opened


def listed(*rows):
    return variant_table(pd.DataFrame(rows, columns=["chr", "pos", "allele1", "allele2"]))


GOOD = [("chr1", pos, "A", "G") for pos in range(81, 121, 4)]


def test_blocks_are_parted_and_reasons_counted(genome, caplog):
    checker = VariantChecker(genome, genome.sizes, (40, 20), chroms=["chr1"])
    scored, left_out = checker.check(listed(*GOOD, ("chr1", 3, "G", "A"), ("chr3", 81, "A", "G"), ("chr2", 81, "A", "G")))
    assert len(scored) == 10
    assert not scored["swapped"].any()
    assert [*left_out[LEFT_OUT_COLUMNS].columns] == LEFT_OUT_COLUMNS
    assert left_out["why"].tolist() == [
        "too near a chromosome end",
        "chromosome not in the genome",
        "chromosome not asked for",
    ]
    again, _ = checker.check(listed(GOOD[0], ("chr1", 85, "A", "T")))
    assert again["allele2"].tolist() == ["T"]
    assert checker.scored == 11
    assert checker.reasons["the same variant was there before"] == 1
    with caplog.at_level(logging.WARNING):
        checker.finish("list.tsv")
    assert "4 of 15 variants are not scored" in caplog.text


def test_swapped_alleles_are_refused_or_exchanged(genome):
    turned = [(chrom, pos, two, one) for chrom, pos, one, two in GOOD]
    checker = VariantChecker(genome, genome.sizes, (40, 20))
    scored, left_out = checker.check(listed(*turned))
    assert scored.empty
    assert set(left_out["why"]) == {"alleles are swapped; with swap_ref it would be scored"}
    with pytest.raises(InputError, match=r"list.tsv: allele 1 is not the genome's in 10 of 10 .*give `swap_ref=True`"):
        checker.finish("list.tsv")
    checker = VariantChecker(genome, genome.sizes, (40, 20), swap_ref=True)
    scored, _ = checker.check(listed(*turned))
    assert scored["swapped"].all()
    assert scored["allele1"].tolist() == ["A"] * 10
    assert checker.swapped == 10


def test_a_list_in_other_names_is_refused_with_the_genomes(genome):
    checker = VariantChecker(genome, genome.sizes, (40, 20))
    checker.check(listed(("1", 81, "A", "G")))
    with pytest.raises(InputError, match=r"of 1 variant none can be scored.*1 is chr1 in the genome: give `alias=\"auto\"`"):
        checker.finish("list.tsv")
    checker = VariantChecker(genome, genome.sizes, (40, 20), Naming(auto=True))
    assert checker.check(listed(("1", 81, "A", "G")))[0]["chr"].tolist() == ["chr1"]
