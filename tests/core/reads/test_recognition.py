"""What a file of reads seems to be: given as another kind it is refused in one line; no right file is ever refused."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.reads import check_read_kind
from tests.core.reads.test_read_files import write_bam


def rows(count, length, strand=None, seed=0, barcode="N", score="60", span=3_000_000):
    """Sorted lines; ``length`` draws lengths, ``strand`` says of what lines column 6 is."""
    rng = np.random.default_rng(seed)
    starts, lengths = np.sort(rng.integers(0, span, count)), length(rng, count)
    lines = []
    for start, size in zip(starts.tolist(), lengths.tolist(), strict=True):
        tail = f"\t{barcode}\t{score}\t{rng.choice(['+', '-'])}" if strand else ""
        lines.append(f"chr1\t{start}\t{start + size}{tail}\n")
    return "".join(lines)


def fragment_lengths(rng, count):
    """As of ATAC: no nucleosome, one or two."""
    kind = rng.choice(3, count, p=[0.6, 0.3, 0.1])
    return np.choose(kind, [30 + rng.gamma(2.5, 25, count), rng.normal(195, 25, count), rng.normal(385, 35, count)]).astype(
        int
    )


def trimmed(read):
    """Reads whose adapters were cut off: the fragment's length where that is shorter."""
    return lambda rng, count: np.minimum(fragment_lengths(rng, count), read)


def fixed(read):
    return lambda rng, count: np.full(count, read)


def even(first, last):
    return lambda rng, count: rng.integers(first, last + 1, count)


def cut_sites(count, lengths, seed, both_ends, strands="+-", span=100_000):
    """Lines of which one end is cut by an enzyme with preferences; the other one, too, or where the read was cut off."""
    rng = np.random.default_rng(seed)
    taste = rng.gamma(0.3, size=span + 1000)
    sites = rng.choice(span, count, p=taste[:span] / taste[:span].sum()) + 500
    plus = rng.choice([*strands], count) == "+"
    tried = sites[:, None] + np.where(plus, 1, -1)[:, None] * lengths(rng, (count, 30))
    liked = taste[tried] if both_ends else np.ones(tried.shape)
    other = np.take_along_axis(tried, (liked * rng.exponential(size=tried.shape) ** -1).argmax(axis=1)[:, None], axis=1)[
        :, 0
    ]
    lines = sorted(zip(np.minimum(sites, other), np.maximum(sites, other), plus, strict=True))
    return "".join(f"chr1\t{start}\t{end}\tN\t60\t{'+' if strand else '-'}\n" for start, end, strand in lines)


def refusal(tmp_path, content, kind, name="x.gz", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        return check_read_kind(path, kind, **options)
    except InputError as error:
        return error


def seen(tmp_path, content, kind, *words, **options):
    error = refusal(tmp_path, content, kind, **options)
    assert isinstance(error, InputError), (kind, error)
    assert "\n" not in str(error)
    for word in words:
        assert word in str(error), str(error)


SAM = "@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:1000\nr1\t0\tchr1\t11\t60\t50M\t*\t0\t0\t*\t*\n"
NARROW = "".join(f"chr1\t{at}\t{at + 300}\tpeak_{at}\t10\t.\t3.5\t4.1\t2.2\t150\n" for at in range(0, 90_000, 900))
BROAD = "".join(f"chr1\t{at}\t{at + 300}\tx\t10\t.\t3.5\t4.1\t2.2\n" for at in range(0, 9_000, 900))
GAPPED = "chr1\t5\t900\tx\t10\t.\t5\t900\t0\t2\t100,200\t0,600\t3.5\t4.1\t2.2\n"
BEDPE = "chr1\t10\t60\tchr1\t150\t200\tr1\t60\t+\t-\n"
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t5\t.\tA\tG\t.\t.\t.\n"


@pytest.mark.parametrize("kind", ["bam", "fragments", "single_end", "tagalign", "bigwig"])
def test_formats_are_named_whatever_they_are_given_as(tmp_path, kind):
    for content, *words in (
        (SAM, "seems to be SAM", "samtools view -b"),
        (SAM.split("\n", 2)[2], "seems to be SAM"),
        ("@r1\nACGT\n+\nIIII\n", "FASTQ", "align it"),
        ("<!DOCTYPE html>\n<html><body>Not found</body></html>", "HTML", "download it again"),
        ("\n <html>503</html>", "HTML"),
        (VCF, "VCF"),
        (VCF.split("\n", 1)[1], "VCF"),
        (NARROW, "peaks"),
        (BROAD, "peaks"),
        (GAPPED, "peaks"),
        (BEDPE, "BEDPE", "`fragments`"),
        (">chr1\nACGT\n", "FASTA"),
        ("chr1\tHAVANA\tgene\t5\t900\t.\t+\t.\tgene_id\n", "GTF"),
        (b"PK\x03\x04zipped", "zip", "unzip"),
        (lzma.compress(b"chr1\t1\t5\n"), "xz", "unxz"),
        (bz2.compress(b"chr1\t1\t5\n"), "bzip2", "bunzip2"),
        ("chr1\t1\t5\n".encode("utf-16"), "UTF-16"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"TBI\x01" + bytes(40), "index"),
    ):
        for packed in (False, True):
            data = content if isinstance(content, bytes) else content.encode()
            seen(tmp_path, gzip.compress(data) if packed else data, kind, *words)


def test_bam_and_bigwig_given_as_text_and_text_as_these(tmp_path):
    bam = write_bam(tmp_path / "r.bam", [("chr1", 10, 0, "20M")]).read_bytes()
    for kind in ("fragments", "single_end", "tagalign", "bigwig"):
        seen(tmp_path, bam, kind, "seems to be BAM", "`bam`")
        seen(tmp_path, b"CRAM\x03\x00", kind, "seems to be CRAM", "`bam`")
    assert refusal(tmp_path, bam, "bam") == ""
    for kind in ("bam", "fragments", "tagalign"):
        seen(tmp_path, b"\x26\xfc\x8f\x88" + bytes(60), kind, "seems to be bigWig", "`bigwig`")
    for kind in ("bam", "bigwig"):
        seen(tmp_path, rows(300, fragment_lengths), kind, "seems to be fragments", "`fragments`")
        seen(tmp_path, rows(300, fixed(50), "both"), kind, "single reads", "`tagalign`")
    seen(tmp_path, rows(10, fragment_lengths), "tagalign", "seems to be fragments", "`fragments`")
    seen(tmp_path, rows(10, fragment_lengths), "single_end", "seems to be fragments", "`fragments`")


@pytest.mark.parametrize("lengths", [fragment_lengths, even(30, 300), even(100, 1000)])
@pytest.mark.parametrize("count", [100, 2000, 30_000])
def test_whole_fragments_with_a_strand_are_no_reads(tmp_path, lengths, count):
    """As chromap writes bulk data."""
    text = rows(count, lengths, "read 1")
    for kind in ("tagalign", "single_end"):
        seen(tmp_path, text, kind, "whole fragments", "`fragments`", "accept_reads")
        assert "is read as" in refusal(tmp_path, text, kind, accept_reads=True)
    assert refusal(tmp_path, text, "fragments") == ""


READS = [fixed(36), fixed(1), trimmed(36), trimmed(50), trimmed(76), trimmed(101), trimmed(150), trimmed(250), even(20, 50)]
READS += [even(36, 101), even(30, 150), lambda rng, n: rng.choice([36, 50, 76, 101], n)]
READS += [lambda rng, n: 50 + rng.binomial(4, 0.02, n) - rng.binomial(3, 0.02, n)]


@pytest.mark.parametrize("lengths", READS)
@pytest.mark.parametrize("count", [5, 100, 3000])
def test_reads_of_any_length_are_reads_and_never_fragments(tmp_path, lengths, count):
    for barcode, score in (("N", "1000"), ("ACGT-1", "1")):
        text = rows(count, lengths, "own", barcode=barcode, score=score)
        for kind in ("tagalign", "single_end"):
            assert refusal(tmp_path, text, kind) == ""
        seen(tmp_path, text, "fragments", "strand in column 6", "`tagalign` or `single_end`", "accept_reads")
        assert "is read as" in refusal(tmp_path, text, "fragments", accept_reads=True)


def nucleosome_free(rng, shape):
    return np.minimum(30 + rng.gamma(2.5, 20, shape), 158 - rng.integers(0, 20, shape)).astype(int)


def shorter_than_120(rng, shape):
    return (35 + 80 * rng.beta(1.5, 2, shape)).astype(int)


VARIED = [even(30, 150), nucleosome_free, shorter_than_120]


@pytest.mark.parametrize("lengths", VARIED)
@pytest.mark.parametrize("count", [5000, 30_000])
@pytest.mark.parametrize("strands", ["+-", "+", "-"])
def test_short_whole_fragments_are_known_by_cut_sites_at_both_ends(tmp_path, lengths, count, strands):
    text = cut_sites(count, lengths, count, True, strands)
    seen(tmp_path, text, "tagalign", "whole fragments", "`fragments`", "accept_reads")
    assert refusal(tmp_path, text, "fragments") == ""


@pytest.mark.parametrize("lengths", [*VARIED, even(36, 101), even(20, 50), even(25, 75)])
@pytest.mark.parametrize("count", [100, 5000, 30_000])
@pytest.mark.parametrize("strands", ["+-", "+", "-"])
def test_reads_trimmed_for_quality_are_reads_though_their_5_ends_recur(tmp_path, lengths, count, strands):
    assert refusal(tmp_path, cut_sites(count, lengths, count, False, strands), "tagalign") == ""


def test_few_short_fragments_say_nothing(tmp_path):
    assert refusal(tmp_path, cut_sites(300, even(30, 150), 3, True), "tagalign") == ""


def test_short_fragments_and_trimmed_reads_of_real_data(yeast, tmp_path):
    rng = np.random.default_rng(4)
    with gzip.open(yeast / "fragments.tsv.gz", "rt") as file:
        places = [line.split("\t")[:3] for line in itertools.islice((x for x in file if x[0] != "#"), 60_000)]
    short = [place for place in places if int(place[2]) - int(place[1]) < 160]
    for some in (short[:3000], short[-20_000:], [place for place in short if int(place[2]) - int(place[1]) < 100]):
        text = "".join("\t".join([*place, "N", "60", rng.choice(["+", "-"])]) + "\n" for place in some)
        seen(tmp_path, text, "tagalign", "whole fragments", "`fragments`")
    for least, most in ((30, 150), (36, 101), (20, 50)):
        reads = [
            (chrom, int(start), int(start) + size, "+") if forward else (chrom, max(int(end) - size, 0), int(end), "-")
            for chrom, start, end in places[:10_000]
            for forward, size in zip((True, False), rng.integers(least, most + 1, 2).tolist(), strict=True)
        ]
        text = "".join(f"{chrom}\t{start}\t{end}\tN\t60\t{strand}\n" for chrom, start, end, strand in sorted(reads))
        assert refusal(tmp_path, text, "tagalign") == ""


def test_pairs_of_reads_as_long_as_their_fragments_are_reads(tmp_path):
    rng = np.random.default_rng(5)
    lines = []
    for start, size in zip(
        np.sort(rng.integers(0, 10**6, 2000)).tolist(), fragment_lengths(rng, 2000).tolist(), strict=True
    ):
        lines += [f"chr1\t{start}\t{start + size}\tN\t60\t{strand}\n" for strand in "+-"]
    assert refusal(tmp_path, "".join(lines), "tagalign") == ""


@settings(max_examples=60)
@given(st.integers(20, 300), st.floats(0, 0.7), st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_no_trimmed_reads_are_refused(tmp_path_factory, read, cut, count, seed):
    """Reads of one length, a part of them cut by their adapter or for quality, anywhere."""

    def lengths(rng, number):
        shorter = rng.integers(min(20, read), read + 1, number)
        return np.where(rng.random(number) < cut, shorter, read)

    folder = tmp_path_factory.mktemp("trimmed")
    assert refusal(folder, rows(count, lengths, "own", seed), "tagalign") == ""


def test_cut_sites_peaks_and_signal_are_no_fragments(tmp_path):
    seen(tmp_path, rows(300, fixed(1)), "fragments", "cut sites", "`bigwig`", "accept_reads")
    seen(tmp_path, rows(300, fixed(1), "own"), "fragments", "cut sites", "`tagalign`")
    assert refusal(tmp_path, rows(300, fixed(1), "own"), "tagalign") == ""
    seen(tmp_path, rows(300, fixed(501)), "fragments", "peaks")
    apart = "".join(f"chr1\t{at}\t{at + 150 + at % 97}\n" for at in range(0, 2_000_000, 1000))
    seen(tmp_path, apart, "fragments", "peaks", "accept_reads")
    seen(
        tmp_path, "".join(f"chr1\t{at}\t{at + 50 + at % 97}\tpeak_{at}\n" for at in range(0, 9000, 60)), "fragments", "peaks"
    )
    graph = "".join(f"chr1\t{at}\t{at + 50}\t{at % 7}\n" for at in range(0, 20_000, 50))
    seen(tmp_path, graph, "fragments", "bedGraph")
    assert "is read as" in refusal(tmp_path, graph, "fragments", accept_reads=True)


@settings(max_examples=40)
@given(st.integers(1, 3000), st.sampled_from([10**5, 10**7]), st.integers(3, 5), st.integers(0, 2**32 - 1))
def test_no_fragments_are_refused(tmp_path_factory, count, span, columns, seed):
    text = rows(count, fragment_lengths, None, seed, span=span)
    more = "".join(f"\t{value}" for value in ("AAAC-1", "3")[: columns - 3])
    text = "# id=x\n" + text.replace("\n", f"{more}\n")
    assert refusal(tmp_path_factory.mktemp("fragments"), text, "fragments") == ""


def test_real_reads_are_what_they_are_given_as(yeast):
    files = {
        "fragments": "fragments.tsv.gz",
        "bam": "reads_reconstructed.bam",
        "tagalign": "reads_reconstructed.tagAlign.gz",
    }
    for kind, name in files.items():
        assert check_read_kind(yeast / name, kind) == ""
        for other in {*files, "bigwig"} - {kind}:
            with pytest.raises(InputError, match="seems to be"):
                check_read_kind(yeast / name, other)


def test_chromap_fragments_of_the_shared_cases(shared):
    path = shared / "cases" / "chromap_bulk_bed_as_itag" / "frags.bed"
    if path.exists():
        assert check_read_kind(path, "fragments") == ""
        with pytest.raises(InputError, match=r"whole fragments.*`fragments`"):
            check_read_kind(path, "tagalign")
