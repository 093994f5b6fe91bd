"""A VCF with scores: a value for each alternative allele, of the record as it stands."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pandas as pd
import pysam
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.variants import annotate_vcf, is_vcf, read_variants
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


COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1"
RECORDS = [
    "c1\t5\t.\tA\tC,G\t.\tq10;low\tFOO=1,2;BAR;END=9\tGT:DP\t0/1:3",
    "c2\t7\trs\tA\tC\t3\tPASS\tAF=0.5\tGT:XX\t1/1:a,b",
]
DECLARED = [
    "##contig=<ID=c1>",
    "##contig=<ID=c2>",
    '##FILTER=<ID=q10,Description="x">',
    '##FILTER=<ID=low,Description="x">',
    '##INFO=<ID=FOO,Number=A,Type=Integer,Description="x">',
    '##INFO=<ID=BAR,Number=0,Type=Flag,Description="x">',
    '##INFO=<ID=END,Number=1,Type=Integer,Description="x">',
    '##INFO=<ID=AF,Number=A,Type=Float,Description="x">',
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
    '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">',
    '##FORMAT=<ID=XX,Number=.,Type=String,Description="x">',
]
FIRST = "##fileformat=VCFv4.2"
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "vcf_no_contig_lines"


def annotated(source, folder):
    """Lines of a VCF with scores: header, and records; htslib reads it without a word."""
    table = pd.concat(read_variants(source, "chrombpnet"), ignore_index=True)
    scores = table.assign(swapped=False, logfc=0.5, jsd=0.25)
    assert annotate_vcf(source, folder / "out.vcf.gz", [scores]) == table["record"].nunique()
    lines = gzip.decompress((folder / "out.vcf.gz").read_bytes()).decode().splitlines()
    with pysam.VariantFile(str(folder / "out.vcf.gz")) as file:
        names = [*file.header.contigs, *file.header.info, *file.header.filters, *file.header.formats]
        assert [record.info["CBP_LOGFC"][0] for record in file] == [0.5] * table["record"].nunique()
        assert names == [*file.header.contigs, *file.header.info, *file.header.filters, *file.header.formats]
    header = [line for line in lines if line.startswith("#")]
    return header, [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("left_out", range(len(DECLARED)))
def test_what_one_header_lacks_is_declared(tmp_path, caplog, left_out):
    lines = [*DECLARED[:left_out], *DECLARED[left_out + 1 :]]
    (tmp_path / "a.vcf").write_text("\n".join([FIRST, *lines, COLUMNS, *RECORDS]) + "\n")
    with caplog.at_level(logging.WARNING):
        header, records = annotated(tmp_path / "a.vcf", tmp_path)
    kind, name = DECLARED[left_out].removeprefix("##").partition(",")[0].removesuffix(">").split("=<ID=")
    assert f"its header does not declare {kind} {name}; that of the annotated VCF does" in caplog.text
    assert sum(f"##{kind}=<ID={name}" in line for line in header) == 1
    assert len(header) == len(DECLARED) + 10
    for before, after in zip(RECORDS, records, strict=True):
        assert after.split("\t")[:7] == before.split("\t")[:7]
        assert after.split("\t")[7].startswith(before.split("\t")[7] + ";CBP_LOGFC=0.5")
        assert after.split("\t")[8:] == before.split("\t")[8:]


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        "\n".join([COLUMNS, *RECORDS, ""]),
        "\n".join(["##source=x", FIRST, *DECLARED, COLUMNS, *RECORDS, ""]),
        "\ufeff" + "\n".join([FIRST, *DECLARED, COLUMNS, *RECORDS, ""]),
        "\r\n".join([FIRST, *DECLARED, COLUMNS, *RECORDS, ""]),
        "\r".join([FIRST, *DECLARED, COLUMNS, *RECORDS, ""]),
        "\r".join(["\ufeff" + COLUMNS, *RECORDS, ""]),
    ],
    ids=["no first line", "first line second", "byte order mark", "CRLF", "CR", "all at once"],
)
def test_forms_that_htslib_does_not_read(tmp_path, content, pack):
    path = tmp_path / "a.txt"
    path.write_text(content, newline="")
    if pack:
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(content.encode())
    assert is_vcf(path)
    header, records = annotated(path, tmp_path)
    assert header[0] == FIRST
    assert len(records) == 2
    assert [line.split("\t")[:5] for line in records] == [line.split("\t")[:5] for line in RECORDS]


def test_a_complete_vcf_is_copied_without_a_word(tmp_path, caplog):
    (tmp_path / "a.vcf").write_text("\n".join([FIRST, *DECLARED, COLUMNS, *RECORDS]) + "\n")
    header, _ = annotated(tmp_path / "a.vcf", tmp_path)
    assert not caplog.records
    assert not [line for line in header if "not declared" in line]


def test_scores_of_an_earlier_annotation_are_replaced(tmp_path):
    (tmp_path / "a.vcf").write_text("\n".join([FIRST, *DECLARED, COLUMNS, *RECORDS]) + "\n")
    annotated(tmp_path / "a.vcf", tmp_path)
    (tmp_path / "again").mkdir()
    table = pd.concat(read_variants(tmp_path / "out.vcf.gz", "vcf"), ignore_index=True)
    scores = table.assign(swapped=False, logfc=2.0, jsd=0.25)[table["record"] == 2]
    annotate_vcf(tmp_path / "out.vcf.gz", tmp_path / "again.vcf.gz", [scores])
    with pysam.VariantFile(str(tmp_path / "again.vcf.gz")) as file:
        assert [record.info.get("CBP_LOGFC") for record in file] == [None, (2.0,)]
    other = '##INFO=<ID=CBP_JSD,Number=1,Type=String,Description="of somebody else">'
    (tmp_path / "b.vcf").write_text("\n".join([FIRST, *DECLARED, other, COLUMNS, *RECORDS]) + "\n")
    with pytest.raises(InputError, match=r"INFO CBP_JSD, which is of another type.*bcftools annotate -x INFO/CBP_JSD"):
        annotate_vcf(tmp_path / "b.vcf", tmp_path / "b.vcf.gz", [scores])
    assert not (tmp_path / "b.vcf.gz").exists()


@pytest.mark.parametrize("text", ["#chr\tpos\tid\nchr1\t5\tx\n", "#CHROM\tPOS\tID\tREF\tALT\n1\t2\t3\t4\t5\n", "##x\n"])
def test_tables_with_comments_are_no_vcf(tmp_path, text):
    (tmp_path / "a.tsv").write_text(text)
    assert not is_vcf(tmp_path / "a.tsv")


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
@pytest.mark.parametrize("name", ["variants.vcf", "undef_info.vcf"])
def test_the_cases(tmp_path, name):
    header, _ = annotated(CASES / name, tmp_path)
    assert any(line.startswith("##contig=<ID=chr1") for line in header)
