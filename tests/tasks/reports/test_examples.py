"""Example regions out of the files of an evaluation, and the genes that lie in them."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.genome import Naming
from tasks.reports.examples import example_regions
from tasks.reports.run import ReportParameters, report_request
from tasks.runner import as_json

GTF = '{chrom}\tx\texon\t{first}\t{last}\t.\t+\t.\tgene_id "{name}"; transcript_id "{name}.1";\n'


@pytest.fixture
def examples(tmp_path):
    path = tmp_path / "examples.npz"
    tracks = np.ones((2, 100))
    np.savez(
        path,
        labels=["best", "worst"],
        chroms=["chrI", "chrII"],
        starts=[1000, 5000],
        observed=tracks,
        bias=tracks,
        chrombpnet=tracks,
        chrombpnet_nobias=tracks,
        norm_jsd=[0.5, 0.1],
    )
    return path


@pytest.mark.parametrize(
    ("chrom", "naming"),
    [("chrI", Naming()), ("I", Naming()), ("NC_001133.9", Naming({"NC_001133.9": "chrI"}))],
)
def test_genes_of_a_window_are_found_whatever_the_annotation_calls_the_chromosome(examples, tmp_path, chrom, naming):
    rows = [(chrom, 1050, 3000, "A"), (chrom, 200, 1000, "before"), ("other", 1050, 1060, "elsewhere")]
    path = tmp_path / "genes.gtf"
    path.write_text("".join(GTF.format(chrom=c, first=first, last=last, name=name) for c, first, last, name in rows))
    first, second = example_regions(examples, {}, {}, path, naming)
    assert [(gene.gene, gene.chrom, gene.exons) for gene in first.genes] == [("A", "chrI", ((1049, 3000),))]
    assert second.genes == []


def test_without_an_annotation_or_examples_nothing_is_known(examples, tmp_path):
    assert [region.genes for region in example_regions(examples, {}, {}, None, Naming())] == [None, None]
    assert example_regions(tmp_path / "none.npz", {}, {}, None, Naming()) == []


def test_a_report_is_written_again_in_other_colours_and_with_genes(monkeypatch):
    results = dict.fromkeys(("evaluate_bias", "insertion_logo"))
    monkeypatch.setattr("tasks.reports.run.ManifestOf", lambda result: result)
    monkeypatch.setattr("tasks.reports.run.FileOf", lambda *_, **__: None)

    def request(**settings):
        return report_request("bias", "t", "ATAC", results | {"coverage": None}, settings)

    inputs, parameters = request(genes="gs://bucket/genes.gtf")
    assert inputs.genes == "gs://bucket/genes.gtf"
    assert request()[0].genes is None
    monkeypatch.setenv("CHROMBPNET_LOGO_COLOURS", "okabe-ito")
    assert as_json(request()[1]) != as_json(parameters)
    assert as_json(request()[1])["logo_colours"] == "okabe-ito"
    assert as_json(ReportParameters(kind="bias", title="t", assay="ATAC", settings={}))["naming"] is None
