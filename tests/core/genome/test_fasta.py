"""FASTA in its three forms, its index, windows beyond the ends."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import codes_of, open_genome

BASES = "ACGTNacgtnRYKMryU"


def write_fasta(path, sequences, width=10):
    path.write_text(
        "".join(
            f">{name} text\n" + "".join(f"{sequence[at : at + width]}\n" for at in range(0, len(sequence), width))
            for name, sequence in sequences.items()
        )
    )
    return path


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip"])
def test_fasta_in_every_form(tmp_path, form):
    sequences = {"chr1": "ACGTACGTACGTNNNacgt", "chr2": "TTTTT"}
    fasta = write_fasta(tmp_path / "genome.fa", sequences)
    if form == "gzip":
        packed = tmp_path / "genome.fa.gz"
        packed.write_bytes(gzip.compress(fasta.read_bytes()))
        fasta = packed
    elif form == "bgzip":
        pysam.tabix_compress(str(fasta), str(tmp_path / "genome.fa.gz"))
        fasta = tmp_path / "genome.fa.gz"
    before = sorted(tmp_path.iterdir())
    with open_genome(fasta, tmp_path / "cache") as genome:
        assert genome.sizes == {"chr1": 19, "chr2": 5}
        for chrom, sequence in sequences.items():
            np.testing.assert_array_equal(genome.codes(chrom), codes_of(sequence))
    assert sorted(set(tmp_path.iterdir()) - {tmp_path / "cache"}) == before  # the user's folder is as it was


@settings(max_examples=30)
@given(st.text(alphabet=BASES, min_size=1, max_size=40), st.integers(-50, 60), st.integers(1, 50))
def test_windows_beyond_the_ends_are_other_letters(tmp_path_factory, text, start, width):
    folder = tmp_path_factory.mktemp("genome")
    with open_genome(write_fasta(folder / "genome.fa", {"c": text}), folder) as genome:
        window = genome.windows(np.array(["c"]), np.array([start]), width)[0]
    padded = "N" * 60 + text + "N" * 120
    np.testing.assert_array_equal(window, codes_of(padded[60 + start : 60 + start + width]))


def test_a_stale_index_beside_the_fasta_is_not_trusted(tmp_path):
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT" * 5})
    (tmp_path / "genome.fa.fai").write_text("chr1\t3\t11\t10\t11\n")
    with open_genome(fasta, tmp_path / "cache") as genome:
        assert genome.sizes == {"chr1": 20}


def test_fasta_refusals(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_genome(tmp_path / "absent.fa", tmp_path)
    ragged = tmp_path / "ragged.fa"
    ragged.write_text(">chr1\nACGT\nAC\nACGTACGT\n")
    with pytest.raises(InputError, match=r"ragged\.fa: cannot be indexed"):
        open_genome(ragged, tmp_path / "cache1")
    packed = tmp_path / "genome.fa.gz"
    pysam.tabix_compress(str(write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT" * 500})), str(packed))
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(InputError, match="truncated"):
        open_genome(packed, tmp_path / "cache2")


def test_sizes_are_checked_against_the_genome(tmp_path):
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": "ACGT", "chr2": "AC"}), tmp_path / "cache") as genome:
        genome.check_sizes({"chr1": 4}, "s")
        with pytest.raises(InputError, match=r"length of chromosome chr1.*expected 4 bp, found 5 bp"):
            genome.check_sizes({"chr1": 5}, "s")
        with pytest.raises(InputError, match="chromosome chr9 is not in the genome"):
            genome.check_sizes({"chr9": 5}, "s")


LINES = st.integers(1, 7)


@settings(max_examples=60)
@given(
    st.lists(st.text(alphabet=BASES, min_size=1, max_size=60), min_size=1, max_size=3),
    LINES,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\n\n\n"]),
    st.integers(-5, 60),
    st.integers(0, 70),
)
def test_plain_and_compressed_give_the_bases_that_htslib_gives(tmp_path_factory, texts, line, ending, tail, start, width):
    folder = tmp_path_factory.mktemp("genome")
    plain, packed = folder / "genome.fa", folder / "genome.fa.gz"
    records = []
    for number, text in enumerate(texts):
        pieces = [text[first : first + line] for first in range(0, len(text), line)]
        records.append(f">c{number} what follows a blank{ending}" + "".join(piece + ending for piece in pieces))
    plain.write_bytes(("".join(records) + tail).encode())
    pysam.tabix_compress(str(plain), str(packed))
    with (
        open_genome(plain, folder / "a") as one,
        open_genome(packed, folder / "b") as two,
        pysam.FastaFile(str(plain), filepath_index=str(folder / "a" / "genome.fai")) as htslib,
    ):
        assert one.sizes == two.sizes == {f"c{number}": len(text) for number, text in enumerate(texts)}
        for chrom in one.sizes:
            np.testing.assert_array_equal(one.codes(chrom), codes_of(htslib.fetch(chrom)))
            np.testing.assert_array_equal(two.codes(chrom), one.codes(chrom))
            np.testing.assert_array_equal(one.codes(chrom, start, start + width), two.codes(chrom, start, start + width))


def test_a_copy_younger_than_the_index_of_its_content_is_read_without_a_warning(tmp_path, recwarn):
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT" * 5})
    open_genome(fasta, tmp_path / "cache").close()
    later = fasta.stat().st_mtime + 3600
    os.utime(fasta, (later, later))
    index = (tmp_path / "cache" / "genome.fai").read_bytes()
    with open_genome(fasta, tmp_path / "cache") as genome:
        np.testing.assert_array_equal(genome.codes("chr1", 1, 4), [1, 2, 3])
    assert (tmp_path / "cache" / "genome.fai").read_bytes() == index
    assert not [str(warning.message) for warning in recwarn if "older" in str(warning.message)]


def test_the_users_cache_keeps_the_index_of_one_state_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT" * 5})
    for _ in range(2):
        with open_genome(fasta) as genome:
            assert genome.sizes == {"chr1": 20}
    assert len(list((tmp_path / "cache" / "genomes").iterdir())) == 1
    write_fasta(fasta, {"chr1": "ACGT" * 6})
    with open_genome(fasta) as genome:
        assert genome.sizes == {"chr1": 24}
