"""Genes out of GTF: transcripts, exons, names, chromosomes, and what is refused."""

from __future__ import annotations

import gzip

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming, Transcript, genes_at, read_genes


def row(chrom, feature, first, last, strand, attributes):
    return f"{chrom}\tx\t{feature}\t{first}\t{last}\t.\t{strand}\t.\t{attributes}\n"


def written(tmp_path, text):
    path = tmp_path / "genes.gtf"
    path.write_text(text)
    return path


ENSEMBL = (
    "#!genome-build R64-1-1\n"
    + row("chrI", "gene", 101, 400, "-", 'gene_id "YAL1"; gene_name "ABC1"; gene_biotype "protein_coding";')
    + row("chrI", "transcript", 101, 400, "-", 'gene_id "YAL1"; transcript_id "YAL1_m"; gene_name "ABC1";')
    + row("chrI", "exon", 301, 400, "-", 'gene_id "YAL1"; transcript_id "YAL1_m"; exon_number "1"; gene_name "ABC1";')
    + row("chrI", "exon", 101, 200, "-", 'gene_id "YAL1"; transcript_id "YAL1_m"; exon_number "2"; gene_name "ABC1";')
    + row("chrI", "CDS", 101, 150, "-", 'gene_id "YAL1"; transcript_id "YAL1_m";')
    + row("chrII", "gene", 11, 20, "+", 'gene_id "tQ"; transcript_id ""; ')
    + row("chrII", "exon", 31, 40, "+", 'ref_gene_id "no"; gene_id "S.1"; transcript_id "S.1.1";')
)


@pytest.mark.parametrize("packed", [False, True])
def test_transcripts_have_exons_strand_name_and_start(tmp_path, packed):
    path = written(tmp_path, ENSEMBL)
    if packed:
        path = tmp_path / "genes.gtf.gz"
        path.write_bytes(gzip.compress(ENSEMBL.encode()))
    first, second, alone = read_genes(path)
    assert first == Transcript("chrI", "-", "ABC1", ((100, 200), (300, 400)), "protein_coding")
    assert (first.start, first.end, first.tss) == (100, 400, 399)
    assert second == Transcript("chrII", "+", "S.1", ((30, 40),))
    assert second.tss == 30
    assert alone == Transcript("chrII", "+", "tQ", ((10, 20),))


def test_an_identifier_on_two_chromosomes_is_two_transcripts(tmp_path):
    text = "".join(row(chrom, "exon", 1, 9, "+", 'gene_id "P"; transcript_id "P.1";') for chrom in ("chrX", "chrY"))
    assert [transcript.chrom for transcript in read_genes(written(tmp_path, text))] == ["chrX", "chrY"]


def test_chromosomes_take_the_genomes_names(tmp_path):
    path = written(tmp_path, ENSEMBL)
    assert {transcript.chrom for transcript in read_genes(path, {"chrI": 1000})} == {"chrI"}
    assert {transcript.chrom for transcript in read_genes(path, {"I": 1000}, Naming(auto=True))} == {"I"}
    assert {transcript.chrom for transcript in read_genes(path, {"one": 1000}, Naming({"chrI": "one"}))} == {"one"}
    with pytest.raises(InputError, match=r'none of the 2 chromosomes .* the genome calls it I: give `alias="auto"`'):
        read_genes(path, {"I": 1000})
    with pytest.raises(InputError, match="give genes of this assembly"):
        read_genes(path, {"scaffold_1": 1000})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chrI\t5\t9\tname\n", "line 1; expected nine tab-separated columns of GTF"),
        (row("c", "exon", 1, 9, "+", "ID=exon:1;Parent=YAL1"), "convert GFF3 to GTF: gffread"),
        (row("c", "exon", 1, 9, "+", 'name "x"'), "line 1: the gene has no identifier"),
        (row("c", "exon", 0, 9, "+", 'gene_id "x"'), "counted from 1, found '0' and '9'"),
        (row("c", "exon", 9, 1, "+", 'gene_id "x"'), "columns 4 and 5"),
        (row("c", "exon", "1e3", 2000, "+", 'gene_id "x"'), "columns 4 and 5"),
        (row("c", "CDS", 1, 9, "+", 'gene_id "x"'), "no genes"),
    ],
)
def test_what_is_no_gtf_is_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        read_genes(written(tmp_path, text))


def test_genes_of_a_window_are_told_by_their_fullest_transcript():
    short = Transcript("c", "+", "A", ((0, 10), (90, 100)))
    full = Transcript("c", "+", "A", ((0, 30), (90, 100)))
    others = [Transcript("c", "-", "B", ((40, 60),)), Transcript("d", "+", "C", ((0, 99),))]
    assert genes_at([others[0], short, full, others[1]], "c", 50, 60) == [full, others[0]]
    assert genes_at([full], "c", 100, 200) == []
    assert genes_at([short, full], "c", 35, 45) == [full]
