"""CRAM takes its reference from the genome at hand, whatever it was made with, and looks nothing up."""

from __future__ import annotations

import shutil

import numpy as np
import pysam
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import open_genome
from chrombpnet_core.reads import ReadFilters, spill_reads
from tests.core.reads.test_read_files import ends, write_bam

SIZES = {"chr1": 4000, **{f"scaf{number}": 300 + number for number in range(40)}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A BAM over many contigs, and the CRAM of it whose reference is gone."""
    folder = tmp_path_factory.mktemp("cram")
    rng = np.random.default_rng(1)
    letters = {name: "".join(rng.choice([*"ACGT"], size)) for name, size in SIZES.items()}
    fasta = folder / "made_with.fa"
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    chroms = sorted(rng.choice([*SIZES], 900).tolist(), key=[*SIZES].index)
    records = [(name, int(rng.integers(0, 250)), int(rng.choice([0, 16])), "30M") for name in chroms]
    bam = write_bam(folder / "r.bam", sorted(records, key=lambda row: [*SIZES].index(row[0])), SIZES)
    options = {"one": b"multi_seq_per_slice=0", "several": b"multi_seq_per_slice=1"}
    for layout, option in options.items():
        with (
            pysam.AlignmentFile(bam) as source,
            pysam.AlignmentFile(
                folder / f"{layout}.cram",
                "wc",
                template=source,
                reference_filename=str(fasta),
                format_options=[option, b"seqs_per_slice=100"],
            ) as file,
        ):
            for read in source:
                read.query_sequence = letters[read.reference_name][read.reference_start : read.reference_start + 30]
                file.write(read)
    for path in folder.glob("made_with.fa*"):
        path.unlink()
    return folder, letters


def spilled(path, tmp_path, genome=None, **options):
    return spill_reads([path], "bam", SIZES, tmp_path / "s", genome=genome, **options)


@pytest.mark.parametrize("layout", ["one", "several"])
@pytest.mark.parametrize("kind", ["plain", "bgzip", "other bases", "fewer chromosomes", "another name"])
def test_the_genome_serves_as_reference(made, tmp_path, layout, kind):
    folder, letters = made
    fasta = tmp_path / "g.fa"
    shown = dict(letters)
    if kind == "other bases":
        shown = {name: text[::-1] for name, text in letters.items()}
    elif kind == "fewer chromosomes":
        shown = {"chr1": letters["chr1"]}
    elif kind == "another name":
        shown["I"] = shown.pop("chr1")
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in shown.items()))
    if kind == "bgzip":
        pysam.tabix_compress(str(fasta), f"{fasta}.gz", force=True)
        fasta = tmp_path / "g.fa.gz"
    expected = spilled(folder / "r.bam", tmp_path)
    whole = ends(expected)
    with open_genome(fasta, tmp_path / "cache") as genome:
        read = spilled(folder / f"{layout}.cram", tmp_path, genome)
        assert ends(read) == whole
        assert sum(read.counts.values()) == 900
        filtered = spilled(folder / f"{layout}.cram", tmp_path, genome, filters=ReadFilters(exclude_flags=16))
        assert filtered.filtered == sum(len(positions) for (_, strand), positions in whole.items() if strand == "-")
    assert not [*tmp_path.glob("*.fai")]


def test_other_versions_and_methods_are_named(made, tmp_path):
    folder, _ = made
    old = tmp_path / "old.cram"
    shutil.copy(folder / "one.cram", old)
    data = bytearray(old.read_bytes())
    data[4:6] = bytes([2, 1])
    old.write_bytes(data)
    with pytest.raises(InputError, match=r"old\.cram: CRAM 2\.1; expected CRAM 3\.0 or 3\.1; .*samtools view"):
        spilled(old, tmp_path)


def test_an_address_in_the_header_is_never_opened(tmp_path):
    """The header names a reference in the network, and htslib is never asked without the genome."""
    header = pysam.AlignmentHeader.from_dict({"SQ": [{"SN": "chr1", "LN": 4000, "UR": "http://127.0.0.1:9/g.fa"}]})
    path = tmp_path / "far.cram"
    with pysam.AlignmentFile(path, "wc", header=header, format_options=[b"no_ref=1"]):
        pass
    with pytest.raises(InputError, match=r"its reference is an address; give the genome"):
        spilled(path, tmp_path)


def test_the_shared_case(shared, tmp_path):
    case = shared / "cases" / "cram_multiref"
    if not case.exists():
        pytest.skip("no cases")
    from chrombpnet_core.genome import read_chrom_sizes

    sizes = read_chrom_sizes(case / "chrom.sizes")
    with open_genome(case / "many.fa.gz", tmp_path / "cache") as genome:
        read = spill_reads([case / "sorted.cram"], "bam", sizes, tmp_path / "s", genome=genome)
    assert sum(read.counts.values()) == 8000
