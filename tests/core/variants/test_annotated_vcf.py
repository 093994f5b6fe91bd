"""A VCF with scores: a value for each alternative allele, of the record as it stands."""

from __future__ import annotations

import pysam

from chrombpnet_core.variants import annotate_vcf
from tests.core.variants.tables import scores_table


def test_vcf_has_a_value_for_each_allele(tmp_path):
    source = tmp_path / "a.vcf"
    source.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=c>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "c\t5\tx\tA\tC,<DEL>,G\t.\t.\t.\nc\t6\ty\tA\tC\t.\t.\t.\nc\t7\tz\tA\tC\t.\t.\t.\n"
    )
    table = scores_table(
        [("c", 5, "A", "C", "x", 1, 0, False), ("c", 5, "A", "G", "x", 1, 2, False), ("c", 7, "C", "A", "z", 3, 0, True)],
        **{"logfc.mean": [0.5, -1.5, 2.0], "jsd.mean": [0.25] * 3},
    )
    assert annotate_vcf(source, tmp_path / "b.vcf.gz", [table.iloc[:1], table.iloc[1:]]) == 2
    with pysam.VariantFile(str(tmp_path / "b.vcf.gz")) as file:
        first, second, third = file
        assert first.info["CBP_LOGFC"] == (0.5, None, -1.5)
        assert "CBP_JSD" not in second.info
        assert third.info["CBP_LOGFC"] == (-2.0,)  # of the record as it stands
        assert third.info["CBP_JSD"] == (0.25,)
        assert third.info["CBP_SWAPPED"]
