"""The library's quality as a step: from fragments and from a bigWig, with genes and without; what makes it run again."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import chrombpnet_core.evaluation
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming
from tasks.runner import ManifestOf
from tasks.steps.genome import GenomeParameters
from tasks.steps.insertions import BIGWIG, COVERAGE, CoverageInputs, CoverageParameters, ReadsParameters
from tasks.steps.library import LIBRARY, LIBRARY_FILE, LibraryInputs

SCHEMA = json.loads((Path(chrombpnet_core.evaluation.__file__).parent / "library_quality.schema.json").read_text())
SIZES = {"chr1": 9000, "chr2": 6000, "chrM": 500}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    rng = np.random.default_rng(2)
    letters = {chrom: "".join(rng.choice([*"ACGT"], size)) for chrom, size in SIZES.items()}
    (folder / "g.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    starts = {chrom: rng.integers(0, size - 310, 900) for chrom, size in SIZES.items()}
    rows = [(chrom, int(at), int(at) + int(rng.integers(30, 300))) for chrom, ats in starts.items() for at in ats]
    (folder / "f.tsv").write_text("".join(f"{chrom}\t{at}\t{end}\tA\t2\n" for chrom, at, end in rows))
    (folder / "p.bed").write_text("chr1\t100\t1100\nchr1\t600\t1600\nchr2\t0\t500\n")
    gene = '{}\tx\tgene\t{}\t{}\t.\t{}\t.\tgene_id "{}";\n'
    (folder / "genes.gtf").write_text(gene.format("chr1", 4001, 5000, "+", "A") + gene.format("chr2", 500, 3000, "-", "B"))
    return folder


def counted(folder, naming=None):
    parameters = ReadsParameters(
        kind="fragments", assay="ATAC", plus_shift=4, minus_shift=-4, num_samples=9, seed=1, naming=naming or Naming()
    )
    return COVERAGE(
        str(folder / "store"), CoverageInputs(genome=str(folder / "g.fa"), reads=(str(folder / "f.tsv"),)), parameters
    )


def measured(folder, coverage, genes=None, naming=None):
    given = LibraryInputs(
        genome=str(folder / "g.fa"),
        coverage=coverage,
        counted=ManifestOf(coverage),
        peaks=str(folder / "p.bed"),
        genes=genes and str(folder / genes),
    )
    result = LIBRARY(str(folder / "store"), given, GenomeParameters(naming=naming or Naming()))
    content = json.loads(result.file(LIBRARY_FILE).read_text())
    jsonschema.validate(content, SCHEMA)
    return result, content


def test_fragments_tell_everything_but_what_genes_tell(inputs):
    result, content = measured(inputs, counted(inputs))
    assert not result.cached
    assert content["reads"]["used"] == 2 * 2700
    assert content["fragments"]["total"] == 2700
    assert content["duplicates"] == {"told_by": "count", "of": 5400, "duplicates": 2700, "share": 0.5}
    assert content["mitochondrial_share"] == pytest.approx(1 / 3)
    assert content["peaks"]["bases"] == 2000
    assert 0 < content["peaks"]["frip"] < 1
    assert content["start_sites"] is None
    assert result.facts["frip"] == content["peaks"]["frip"]
    assert result.facts["tss_enrichment"] is None


def test_it_runs_once_and_again_with_genes(inputs):
    coverage = counted(inputs)
    measured(inputs, coverage)
    assert measured(inputs, coverage)[0].cached
    result, content = measured(inputs, coverage, "genes.gtf")
    assert not result.cached
    assert content["start_sites"]["sites"] == 2
    assert result.facts["tss_enrichment"] == content["start_sites"]["enrichment"] > 0
    assert len(content["start_sites"]["profile"]) == 400


def test_a_mitochondrion_that_is_left_out_is_told_nevertheless(inputs):
    naming = Naming(excluded=frozenset({"chrM"}))
    _, content = measured(inputs, counted(inputs, naming), naming=naming)
    assert [*content["chromosomes"]] == ["chr1", "chr2"]
    assert content["reads"]["left_out"] == 2 * 900
    assert content["mitochondrial_share"] == pytest.approx(1 / 3)


def test_a_bigwig_of_insertions_tells_what_it_can(inputs):
    made = counted(inputs)
    coverage = COVERAGE(
        str(inputs / "store"),
        CoverageInputs(genome=str(inputs / "g.fa"), bigwigs=(str(made.file(BIGWIG)),)),
        CoverageParameters(kind="bigwig"),
    )
    _, content = measured(inputs, coverage, "genes.gtf")
    _, of_reads = measured(inputs, made, "genes.gtf")
    assert [content[key] for key in ("reads", "fragments", "duplicates")] == [None] * 3
    assert [content[key] for key in ("peaks", "start_sites", "insertions")] == [
        of_reads[key] for key in ("peaks", "start_sites", "insertions")
    ]


def test_genes_of_another_genome_are_refused(inputs):
    (inputs / "other.gtf").write_text('2L\tx\tgene\t1\t9\t.\t+\t.\tgene_id "A";\n')
    with pytest.raises(InputError, match=r"other.gtf: none of the 1 chromosomes of the genes is in the genome"):
        measured(inputs, counted(inputs), "other.gtf")
