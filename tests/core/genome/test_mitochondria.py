"""Names of mitochondria in the genomes that people use."""

from __future__ import annotations

import pytest

from chrombpnet_core.genome import is_mitochondrial


@pytest.mark.parametrize("name", ["chrM", "MT", "Mt", "chrMT", "Mito", "chrMito", "MtDNA", "mitochondrion_genome", "M"])
def test_mitochondria_are_known_by_name(name):
    assert is_mitochondrial(name)


@pytest.mark.parametrize("name", ["chr1", "chrMut", "chrXIII", "Pt", "NC_012920.1", "chrUn_M1"])
def test_other_chromosomes_are_no_mitochondria(name):
    assert not is_mitochondrial(name)
