"""Reading variants: VCF, the tables, what is refused and what is left out."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pysam
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome, codes_of, open_genome
from chrombpnet_core.variants import (
    ALLELE_AGREES,
    ALLELE_DIFFERS,
    ALLELES_SWAPPED,
    VARIANT_COLUMNS,
    VARIANT_SCHEMAS,
    DuplicateVariants,
    allele_problems,
    allele_windows,
    chromosome_codes,
    compare_with_genome,
    explain_disagreement,
    read_variants,
    schema_columns,
    swap_alleles,
    variant_table,
    window_problems,
)

LINES = {
    "chrombpnet": ["chr1\t5\ta\tC\trs1", "chr1\t9\tAC\t-\trs2"],
    "original": ["chr1\t5\trs1\tA\tc", "chr1\t9\trs2\tAC\t"],
    "plink": ["chr1\trs1\t0.5\t5\tA\tC", "chr1\trs2\t0\t9\tAC\t-"],
    "plink2": ["chr1\trs1\t5\tA\tC", "chr1\trs2\t9\tAC\t-"],
    "bed": ["chr1\t4\t5\tA\tC\trs1", "chr1\t8\t10\tAC\t-\trs2"],
    "snp_score": ["chr1\t4\tA\tC\trs1\tmore", "chr1\t8\tAC\t-"],
}
VCF = [
    "##fileformat=VCFv4.2",
    "##contig=<ID=chr1>",
    "##contig=<ID=chr2>",
    '##INFO=<ID=END,Number=1,Type=Integer,Description="end">',
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
]


def vcf(path, rows):
    path.write_text("\n".join([*VCF, *("\t".join([*row, ".", ".", "."]) for row in rows)]) + "\n")
    return path


def whole(path, schema="chrombpnet", **options):
    return pd.concat(list(read_variants(path, schema, **options)), ignore_index=True)


@pytest.mark.parametrize("schema", VARIANT_SCHEMAS)
def test_every_schema_gives_the_same_table(tmp_path, schema):
    path = tmp_path / "variants.tsv"
    path.write_text("\n".join(LINES[schema]) + "\n")
    table = whole(path, schema)
    assert [*table.columns] == VARIANT_COLUMNS
    assert table[["chr", "pos", "allele1", "allele2"]].to_numpy().tolist() == [["chr1", 5, "A", "C"], ["chr1", 9, "AC", "-"]]
    names = ["rs1", "chr1:9:AC:-" if schema == "snp_score" else "rs2"]
    assert table["variant_id"].tolist() == names
    assert table["record"].tolist() == [1, 2]
    assert set(schema_columns(schema)) >= {"chr", "pos", "allele1", "allele2", "variant_id"}


@pytest.mark.parametrize("ending", ["vcf", "vcf.gz", "bcf"])
def test_vcf_is_split_by_alleles_whatever_its_form(tmp_path, ending):
    rows = [
        ("chr1", "5", "rs1", "A", "C,G"),
        ("chr1", "7", ".", "at", "a,<DEL>,*"),
        ("chr2", "3", "rs3", "G", "."),
        ("chr2", "4", ".", "G", "T"),
    ]
    plain = vcf(tmp_path / "plain.vcf", rows)
    path = tmp_path / f"variants.{ending}"
    mode = {"vcf": "w", "vcf.gz": "wz", "bcf": "wb"}[ending]
    with pysam.VariantFile(str(plain)) as source, pysam.VariantFile(str(path), mode, header=source.header) as target:
        for record in source:
            target.write(record)
    table = whole(path, block=2)
    assert table["variant_id"].tolist() == ["rs1_C", "rs1_G", *table["variant_id"][2:5], "rs3", "chr2:4:G:T"]
    assert table["record"].tolist() == [1, 1, 2, 2, 2, 3, 4]
    assert table["alt"].tolist() == [0, 1, 0, 1, 2, 0, 0]
    assert table["allele1"].tolist() == ["A", "A", "AT", "AT", "AT", "G", "G"]
    assert allele_problems(table).tolist() == ["", "", "", "symbolic allele", "allele *", "no alternative allele", ""]


def test_unsorted_vcf_is_refused_and_a_table_is_not(tmp_path):
    path = vcf(tmp_path / "a.vcf", [("chr1", "9", ".", "A", "C"), ("chr1", "5", ".", "A", "C")])
    with pytest.raises(InputError, match=r"not sorted: record 2, chr1:5, comes after chr1:9.*bcftools sort"):
        whole(path)
    path = vcf(
        tmp_path / "b.vcf", [("chr1", "9", ".", "A", "C"), ("chr2", "5", ".", "A", "C"), ("chr1", "9", ".", "A", "G")]
    )
    with pytest.raises(InputError, match="not sorted: record 3"):
        whole(path)
    text = tmp_path / "t.tsv"
    text.write_text("chr1\t9\tA\tC\tb\nchr1\t5\tA\tC\ta\n")
    assert whole(text)["pos"].tolist() == [9, 5]


def test_truncated_files_are_refused(tmp_path):
    rows = [("chr1", str(5 + row), f"rs{row}", "A", "C") for row in range(30_000)]
    plain = vcf(tmp_path / "plain.vcf", rows)
    content = plain.read_bytes()
    packed = tmp_path / "b.vcf.gz"
    with pysam.BGZFile(str(packed), "wb") as file:
        file.write(content)
    cut = tmp_path / "cut.vcf.gz"
    cut.write_bytes(packed.read_bytes()[:60_000])
    with pytest.raises(InputError, match="truncated"):
        whole(cut)
    text = b"".join(b"chr1\t%d\tA\tC\trs%d\n" % (row + 5, row) for row in range(30_000))
    for name, data in (("t.tsv.gz", gzip.compress(text)), ("plain.vcf.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match=r"truncated|plain gzip.*bgzip"):
            whole(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "schema", "words"),
    [
        ("chr\tpos\ta\tb\tid\n", "chrombpnet", "line 1: position.*'pos'.*header"),
        ("chr1\t5\tA\tC\n", "chrombpnet", "line 1: 4 columns.*5 tab-separated"),
        ("chr1\t4\tx\tA\tC\tid\n", "bed", "end"),
        ("chr1\t" + "9" * 30 + "\tA\tC\tid\n", "chrombpnet", "line 1: position"),
        ("chr1\t" + "9" * 9999 + "\tA\tC\tid\n", "chrombpnet", "line 1: position"),
        ("chr1\t1e400\tA\tC\tid\n", "chrombpnet", "line 1: position"),
        ("chr1\t5\tA\tC\tid\n", "vcf", "not VCF.*`schema`"),
        ("# nothing\n", "chrombpnet", "no variants"),
        ("chr1\t5\tA\tC\tid\n", "maf", "schema maf"),
    ],
)
def test_bad_tables_name_the_line(tmp_path, text, schema, words):
    path = tmp_path / "bad.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        whole(path, schema)


def table_of(*rows):
    return pd.DataFrame(
        [(chrom, pos, one, two, f"v{number}", 0, number, 0) for number, (chrom, pos, one, two) in enumerate(rows)],
        columns=VARIANT_COLUMNS,
    )


def test_allele_problems():
    table = table_of(
        ("c", 1, "A", "A"), ("c", 1, "R", "A"), ("c", 1, "-", "A"), ("c", 1, "A", "G[c:5["), ("c", 1, "A-", "C")
    )
    assert [*allele_problems(table)] == [
        "both alleles are the same",
        "an allele has letters other than A, C, G and T",
        "",
        "symbolic allele",
        "an allele has letters other than A, C, G and T",
    ]


def test_duplicates_are_found_across_blocks_and_in_any_order():
    rng = np.random.default_rng(1)
    rows = [(f"chr{rng.integers(3)}", int(rng.integers(40)), "A", "CG"[rng.integers(2)]) for _ in range(400)]
    table, known, seen = table_of(*rows), DuplicateVariants(), set()
    found = np.concatenate([known.mark(table.iloc[at : at + 64].reset_index(drop=True)) for at in range(0, 400, 64)])
    wanted = [row in seen or bool(seen.add(row)) for row in rows]
    assert found.tolist() == wanted
    assert 0 < sum(wanted) < 400


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    rng = np.random.default_rng(3)
    letters = "".join(rng.choice(list("ACGT"), 400))
    letters = letters[:150] + "n" * 10 + letters[160:]
    (folder / "g.fa").write_text(f">chr1\n{letters}\n")
    with open_genome(folder / "g.fa", folder) as opened:
        yield letters.upper(), opened


def expected(letters: str, pos: int, one: str, two: str, length: int) -> tuple[str, str]:
    """By hand: what is left of the variant, the allele, and then what follows allele 1 in the genome."""
    one, two, at = one.replace("-", ""), two.replace("-", ""), pos - 1
    left, right = letters[at - length // 2 : at], letters[at + len(one) :]
    return tuple((left + allele + right)[:length] for allele in (one, two))


@pytest.mark.parametrize("length", [60, 61])
def test_windows_of_both_alleles(genome, length):
    letters, opened = genome
    rows = []
    for pos in (31, 77, 120, 149, 155, 300, 365):
        there = letters[pos - 1 : pos + 7]
        rows += [
            ("chr1", pos, there[0], "A"),
            ("chr1", pos, there[:2], "TT"),
            ("chr1", pos, there[:4], there[0]),
            ("chr1", pos, "-", "GATT"),
            ("chr1", pos, there[:3], "-"),
            ("chr1", pos, there[0], there[0] + "ACC"),
            ("chr1", pos, there[:2], "GATTA"),
            ("chr1", pos, there[:5], "CA"),
        ]
    table = table_of(*rows)
    table = table[window_problems(table, {"chr1": 400}, length, 30) == ""].reset_index(drop=True)
    assert len(table) >= 50
    first, second = allele_windows(chromosome_codes(opened, "chr1"), table, length)
    for row, (one, two) in enumerate(
        expected(letters, variant.pos, variant.allele1, variant.allele2, length) for variant in table.itertuples()
    ):
        np.testing.assert_array_equal(first[row], codes_of(one))
        np.testing.assert_array_equal(second[row], codes_of(two))


def test_alleles_are_put_into_changed_windows(genome):
    letters, opened = genome
    table = table_of(
        ("chr1", 200, letters[199], "A"), ("chr1", 210, letters[209:213], letters[209]), ("chr1", 220, "-", "TT")
    )
    sequence = chromosome_codes(opened, "chr1")
    first, second = allele_windows(sequence, table, 20, lambda flanks, rows: np.zeros_like(flanks))
    assert first[1].tolist() == [0] * 10 + codes_of(letters[209:213]).tolist() + [0] * 6
    assert second[1].tolist() == [0] * 10 + codes_of(letters[209]).tolist() + [0] * 9
    assert second[2].tolist() == [0] * 10 + [3, 3] + [0] * 8
    assert first[2].tolist() == [0] * 20


def test_bounds_are_those_of_variant_scorer():
    """pos − L//2 > 0 and pos + L//2 ≤ size; what a deletion takes from the right must be there too."""
    table = table_of(
        ("c", 30, "A", "C"),
        ("c", 31, "A", "C"),
        ("c", 70, "A", "C"),
        ("c", 71, "A", "C"),
        ("c", 70, "AC", "A"),
        ("c", 69, "AC", "A"),
        ("c", 70, "A", "AC"),
        ("c", 50, "A" * 16, "A"),
    )
    why = window_problems(table, {"c": 100}, 60, 30)
    end = "too near a chromosome end"
    assert why.tolist() == [end, "", "", end, end, "", "", "longer than half of the model's output"]


def test_reference_alleles_are_held_against_the_genome(genome):
    letters, opened = genome
    other = {"A": "C", "C": "A", "G": "C", "T": "C"}
    there = letters[199]
    table = table_of(
        ("chr1", 200, there, other[there]),
        ("chr1", 200, other[there], there),
        ("chr1", 200, "-", "A"),
        ("chr1", 152, "A", "C"),
        ("chr1", 200, other[there] * 2, "-"),
    )
    verdicts = compare_with_genome(opened, table)
    assert verdicts.tolist() == [ALLELE_AGREES, ALLELES_SWAPPED, ALLELE_AGREES, ALLELE_AGREES, ALLELE_DIFFERS]
    turned = swap_alleles(table, verdicts == ALLELES_SWAPPED)
    assert turned.iloc[1][["allele1", "allele2"]].tolist() == [there, other[there]]
    assert (compare_with_genome(opened, turned)[:4] == ALLELE_AGREES).all()


@pytest.mark.parametrize(("shift", "words"), [(-1, "0-based"), (1, "1 too large"), (120, "another assembly")])
def test_likely_cause_of_mismatches(genome, shift, words):
    letters, opened = genome
    rng = np.random.default_rng(7)
    rows = [
        ("chr1", int(at) + shift, letters[at - 1], "ACGT"[("ACGT".index(letters[at - 1]) + 1 + rng.integers(3)) % 4])
        for at in rng.permutation([at for at in range(160, 270) if letters[at - 1] in "ACGT"])
    ]
    table = table_of(*rows)
    verdicts = compare_with_genome(opened, table)
    wrong = verdicts != ALLELE_AGREES
    advice = explain_disagreement(opened, table[wrong], verdicts[wrong])
    assert words in advice


def test_swapped_alleles_are_told(genome):
    letters, opened = genome
    table = table_of(
        *[("chr1", at, "ACGT"[("ACGT".index(letters[at - 1]) + 1) % 4], letters[at - 1]) for at in range(20, 60)]
    )
    assert "`swap_ref=True`" in explain_disagreement(opened, table, compare_with_genome(opened, table))
    assert isinstance(opened, Genome)


def test_a_table_in_memory_becomes_a_variant_table():
    given = pd.DataFrame({"pos": [3, 9], "chr": ["a", "b"], "allele1": ["", "g"], "allele2": ["T", "c"], "more": [0, 0]})
    table = variant_table(given)
    assert [*table.columns] == VARIANT_COLUMNS
    assert table.iloc[0].tolist() == ["a", 3, "-", "T", "a:3:-:T", 0, 1, 0]
    assert variant_table(given.assign(variant_id=["x", "y"]))["variant_id"].tolist() == ["x", "y"]
    with pytest.raises(InputError, match="no column allele1"):
        variant_table(given.drop(columns="allele1"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends_of_tables(tmp_path, end):
    (tmp_path / "a.tsv").write_text("\ufeff" + end.join(LINES["chrombpnet"]), newline="")
    assert whole(tmp_path / "a.tsv")["variant_id"].tolist() == ["rs1", "rs2"]
