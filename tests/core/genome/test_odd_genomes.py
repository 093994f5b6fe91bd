"""Small and odd genomes from reads to shards: right numbers or one clear error, and nothing lost without a word."""

from __future__ import annotations

import json
import logging
import textwrap
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming, codes_of, make_fold, make_folds, read_regions
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training_data import ShardSet
from tasks.steps.examples import NONPEAKS, SHARDS, NonpeaksInputs, NonpeaksParameters, ShardsInputs, ShardsParameters
from tasks.steps.insertions import BIGWIG, COVERAGE, CoverageInputs, ReadsParameters

WIDTH, OUTPUT, JITTER, STRIDE = 400, 200, 50, 100


def letters(size, seed, gc=0.4):
    rng = np.random.default_rng(seed)
    return "".join(rng.choice(list("ACGT"), size, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]))


class Inputs:
    """A genome, fragments and peaks as files; the three steps of data preparation on them."""

    def __init__(self, folder, genome, fragments, peaks):
        self.folder, self.genome, self.fragments, self.peaks = folder, genome, fragments, peaks
        self.sizes = {chrom: len(text) for chrom, text in genome.items()}
        self.store = str(folder / "store")
        self._write(
            "g.fa",
            "".join(f">{chrom} a comment\n" + "\n".join(textwrap.wrap(text, 60)) + "\n" for chrom, text in genome.items()),
        )
        self._write("f.tsv", "".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in fragments))
        self._write("p.bed", "".join(f"{chrom}\t{centre - 20}\t{centre + 20}\n" for chrom, centre in peaks))

    def _write(self, name, text):
        (self.folder / name).write_text(text)

    def path(self, name):
        return str(self.folder / name)

    def count(self, naming=None):
        parameters = ReadsParameters(
            kind="fragments",
            assay="ATAC",
            plus_shift=4,
            minus_shift=-4,
            num_samples=100,
            seed=1,
            naming=Naming.from_json(naming),
        )
        inputs = CoverageInputs(genome=self.path("g.fa"), reads=(self.path("f.tsv"),))
        return COVERAGE(self.store, inputs, parameters)

    def nonpeaks(self, fold, ratio=1, naming=None):
        parameters = NonpeaksParameters(
            fold=fold, input_length=WIDTH, stride=STRIDE, ratio=ratio, seed=1, naming=Naming.from_json(naming)
        )
        return NONPEAKS(self.store, NonpeaksInputs(genome=self.path("g.fa"), peaks=self.path("p.bed")), parameters)

    def shards(self, coverage, nonpeaks, naming=None):
        inputs = ShardsInputs(coverage=coverage, genome=self.path("g.fa"), peaks=self.path("p.bed"), nonpeaks=nonpeaks)
        parameters = ShardsParameters(
            input_length=WIDTH, output_length=OUTPUT, jitter=JITTER, naming=Naming.from_json(naming)
        )
        return SHARDS(self.store, inputs, parameters)

    def all(self, fold, ratio=1, naming=None):
        """Every step, and what it must have: each insertion, and each region with its own bases and counts."""
        counted, drawn = self.count(naming), self.nonpeaks(fold, ratio, naming)
        made = self.shards(counted, drawn, naming)
        excluded = set((naming or {}).get("excluded", ()))
        self.check_counts(counted, excluded)
        table = read_regions(drawn.file("negatives.bed"), "nonpeaks", self.sizes)
        self.check_shards(made, table, excluded)
        return SimpleNamespace(counted=counted.facts, drawn=drawn.facts, made=made.facts, nonpeaks=table)

    def insertions(self, excluded=frozenset()):
        """Chromosome → insertions per base."""
        dense = {chrom: np.zeros(size, dtype=np.float32) for chrom, size in self.sizes.items() if chrom not in excluded}
        for chrom, start, end in self.fragments:
            for site in (start, end - 1):  # the shift is in the input
                if chrom in dense and site < len(dense[chrom]):
                    dense[chrom][site] += 1
        return dense

    def check_counts(self, counted, excluded):
        dense = self.insertions(excluded)
        with Coverage(counted.file(BIGWIG)) as coverage:
            assert coverage.sizes == {chrom: len(values) for chrom, values in dense.items()}
            for chrom, values in dense.items():
                np.testing.assert_array_equal(coverage.chromosome(chrom), values)
        facts = counted.facts
        assert facts["insertions"] + facts["outside"] + facts["reads_lost"] + facts["reads_excluded"] == 2 * len(
            self.fragments
        )

    def check_shards(self, made, nonpeaks, excluded):
        dense, flank = self.insertions(excluded), WIDTH // 2
        expected = Counter(
            (chrom, centre)
            for chrom, centre in self.peaks
            if chrom in dense and flank <= centre <= self.sizes[chrom] - flank
        )
        assert made.facts["peaks"] == sum(expected.values())
        assert made.facts["peaks"] + made.facts["peaks_at_edges"] == sum(chrom in dense for chrom, _ in self.peaks)
        assert made.facts["nonpeaks"] == len(nonpeaks)
        expected.update(zip(nonpeaks["chrom"], (nonpeaks["start"] + flank).tolist(), strict=True))
        with ShardSet(made.folder()) as shards:
            assert Counter(zip(shards.index["chrom"], shards.index["centre"].tolist(), strict=True)) == expected
            codes, counts = shards.read(np.arange(len(shards)))
        for row, (chrom, centre) in enumerate(zip(shards.index["chrom"], shards.index["centre"], strict=True)):
            for stored, whole, width, empty in (
                (codes[row], codes_of(self.genome[chrom]), WIDTH, 4),
                (counts[row], dense[chrom], OUTPUT, 0),
            ):
                first = centre - width // 2 - JITTER
                padded = np.pad(whole, width + JITTER, constant_values=empty)[first + width + JITTER :]
                np.testing.assert_array_equal(stored, padded[: width + 2 * JITTER])


def fragments_on(sizes, count, seed):
    rng = np.random.default_rng(seed)
    names = rng.choice([*sizes], count, p=np.array([*sizes.values()]) / sum(sizes.values()))
    found = []
    for chrom in names:
        start = int(rng.integers(0, sizes[chrom]))
        found.append((str(chrom), start, min(start + int(rng.integers(1, 200)), sizes[chrom])))
    return found


def test_thousands_of_scaffolds(tmp_path):
    rng = np.random.default_rng(0)
    lengths = rng.integers(30, 1500, 3000)
    genome = {f"scaffold_{at}": letters(size, at) for at, size in enumerate(lengths.tolist())}
    sizes = {chrom: len(text) for chrom, text in genome.items()}
    long_ones = [chrom for chrom, size in sizes.items() if size > 1300]
    peaks = [(chrom, 250) for chrom in long_ones] + [(chrom, 30) for chrom in [*sizes][:40] if sizes[chrom] > 60]
    inputs = Inputs(tmp_path, genome, fragments_on(sizes, 5000, 1), peaks)
    fold = make_folds(sizes, Counter(chrom for chrom, _ in peaks))[0]
    assert {*fold.train, *fold.valid, *fold.test} == {*sizes}
    found = inputs.all(fold, ratio=2)
    assert found.drawn["made"] == found.drawn["wanted"] > len(long_ones)
    assert set(found.nonpeaks["chrom"]) <= {chrom for chrom, size in sizes.items() if size >= WIDTH}
    assert found.made["peaks_at_edges"] > 0


def test_chromosomes_shorter_than_the_window(tmp_path, caplog):
    genome = {
        "a": letters(5000, 1),
        "b": letters(5000, 2),
        "c": letters(5000, 3),
        "plasmid": letters(399, 4),
        "whole": letters(400, 5),
        "one": "g",
    }
    sizes = {chrom: len(text) for chrom, text in genome.items()}
    fragments = [*fragments_on(sizes, 300, 1), ("one", 0, 1), ("plasmid", 0, 399), ("plasmid", 398, 399)]
    peaks = [("a", 1000), ("b", 1000), ("c", 1000), ("plasmid", 199), ("whole", 200)]
    inputs = Inputs(tmp_path, genome, fragments, peaks)
    fold = make_fold({"train": ["a", "plasmid", "one"], "valid": ["b"], "test": ["c", "whole"]}, sizes, "fold")
    with caplog.at_level(logging.INFO):
        found = inputs.all(fold)
    assert found.made["peaks_at_edges"] == 1
    assert "1 of 5 peaks are too near a chromosome end for a window of 400 bp and are left out" in caplog.text
    assert not {"plasmid", "one"} & set(found.nonpeaks["chrom"])
    assert found.drawn["wanted"] == 4


def test_no_chromosome_is_long_enough(tmp_path):
    genome = {chrom: letters(399, seed) for seed, chrom in enumerate("abc")}
    inputs = Inputs(tmp_path, genome, [("a", 1, 9)], [("a", 200), ("b", 150)])
    fold = make_fold({"train": ["a"], "valid": ["b"], "test": ["c"]}, inputs.sizes, "fold")
    with pytest.raises(InputError, match="none of 2 peaks has 400 bp of its chromosome around its summit"):
        inputs.nonpeaks(fold)
    (tmp_path / "n.bed").write_text("c\t100\t300\n")
    counted = inputs.count()
    with pytest.raises(InputError, match="all 2 peaks are too near a chromosome end for a window of 400 bp"):
        inputs.shards(counted, inputs.path("n.bed"))
    inputs.check_counts(counted, set())


def test_lower_case_and_gaps(tmp_path):
    text = {chrom: letters(6000, seed, 0.6) for seed, chrom in enumerate("abc")}
    genome = {
        "a": text["a"][:2000].lower() + "N" * 2000 + text["a"][4000:],
        "b": "n" * 500 + text["b"][500:5500] + "N" * 500,
        "c": "".join(letter.lower() if at % 3 else letter for at, letter in enumerate(text["c"])),
    }
    (tmp_path / "plain").mkdir()
    peaks = [("a", 1000), ("a", 1990), ("b", 700), ("c", 3000)]
    inputs = Inputs(tmp_path, genome, fragments_on(dict.fromkeys("abc", 6000), 500, 2), peaks)
    fold = make_fold({"train": ["a"], "valid": ["b"], "test": ["c"]}, inputs.sizes, "fold")
    found = inputs.all(fold, ratio=2)
    for chrom, start in zip(found.nonpeaks["chrom"], found.nonpeaks["start"], strict=True):
        assert genome[chrom][start : start + WIDTH].upper().count("N") <= WIDTH / 2
    upper = Inputs(tmp_path / "plain", {chrom: each.upper() for chrom, each in genome.items()}, inputs.fragments, peaks)
    assert upper.all(fold, ratio=2).nonpeaks.equals(found.nonpeaks)


def test_a_genome_so_full_that_background_runs_out(tmp_path, caplog):
    genome = {
        f"chr{number}": letters(size, seed) for seed, (number, size) in enumerate((("I", 9000), ("II", 6000), ("III", 5000)))
    }
    peaks = [(chrom, centre) for chrom, text in genome.items() for centre in range(300, len(text) // 2, 150)]
    inputs = Inputs(tmp_path, genome, fragments_on({chrom: len(text) for chrom, text in genome.items()}, 500, 3), peaks)
    fold = make_fold({"train": ["chrI"], "valid": ["chrII"], "test": ["chrIII"]}, inputs.sizes, "fold")
    found = inputs.all(fold, ratio=3)
    parts = found.drawn["parts"]
    assert parts["train"]["found"] + parts["train"]["missing"] == 3 * sum(chrom == "chrI" for chrom, _ in peaks)
    assert parts["train"]["missing"] > 0
    assert f"train {parts['train']['missing']:,} of {parts['train']['wanted']:,}" in caplog.text
    assert found.drawn["made"] == sum(part["found"] for part in parts.values()) == len(found.nonpeaks)


def test_no_candidate_is_left_in_one_part_or_in_any(tmp_path, caplog):
    genome = {chrom: letters(3000, seed) for seed, chrom in enumerate("abc")}
    everywhere = [("c", centre) for centre in range(200, 2900, 300)]
    (tmp_path / "full").mkdir()
    inputs = Inputs(tmp_path, genome, [("a", 1, 9)], [("a", 500), ("b", 500), *everywhere])
    fold = make_fold({"train": ["a"], "valid": ["b"], "test": ["c"]}, inputs.sizes, "fold")
    drawn = inputs.nonpeaks(fold)
    assert set(read_regions(drawn.file("negatives.bed"), "nonpeaks")["chrom"]) == {"a", "b"}
    assert drawn.facts["parts"]["test"]["candidates"] == 0
    assert "nonpeaks are missing: test 9 of 9 (no candidate at all)" in caplog.text
    full = Inputs(tmp_path / "full", genome, [("a", 1, 9)], [(chrom, centre) for chrom in "abc" for _, centre in everywhere])
    with pytest.raises(InputError, match=r"no background is left: .*touch all 81 bins of the genome; give fewer peaks"):
        full.nonpeaks(fold)


def test_regions_and_reads_at_the_ends(tmp_path):
    genome = {chrom: letters(3000, seed) for seed, chrom in enumerate("abc")}
    peaks = [("a", 200), ("a", 199), ("a", 2800), ("a", 2801), ("b", 1500), ("c", 1500)]
    fragments = [("a", 0, 1), ("a", 0, 3000), ("a", 2999, 3000), ("b", 2990, 3010), ("c", 3500, 3600), ("b", 1500, 1501)]
    inputs = Inputs(tmp_path, genome, fragments, peaks)
    fold = make_fold({"train": ["a"], "valid": ["b"], "test": ["c"]}, inputs.sizes, "fold")
    found = inputs.all(fold)
    assert (found.made["peaks"], found.made["peaks_at_edges"]) == (4, 2)
    assert (found.counted["insertions"], found.counted["outside"]) == (9, 3)


def test_a_mitochondrion_left_out(tmp_path, caplog):
    genome = {chrom: letters(4000, seed) for seed, chrom in enumerate(("chr1", "chr2", "chr3", "chrM"))}
    fragments = fragments_on(dict.fromkeys(genome, 4000), 400, 5)
    peaks = [(chrom, 1000) for chrom in genome]
    inputs = Inputs(tmp_path, genome, fragments, peaks)
    naming = Naming(excluded=frozenset({"chrM"}))
    content = {"train": ["chr1", "chrM"], "valid": ["chr2"], "test": ["chr3"]}
    fold = make_fold(content, naming.sizes(inputs.sizes), "fold", naming)
    assert fold.train == ("chr1",)
    with caplog.at_level(logging.INFO):
        found = inputs.all(fold, naming=json.loads(json.dumps(naming.to_json())))
    lost = 2 * sum(chrom == "chrM" for chrom, *_ in fragments)
    assert (found.counted["reads_excluded"], found.counted["reads_lost"]) == (lost, 0)
    assert found.counted["genome_size"] == 12_000
    assert f"{lost} reads on chromosomes that are left out" in caplog.text
    assert "1 peak on chromosomes that are left out" in caplog.text
    assert set(found.nonpeaks["chrom"]) == {"chr1", "chr2", "chr3"}
    with pytest.raises(InputError, match=r"chromosome MT is to be left out.*the genome calls it chrM"):
        inputs.count({"excluded": ["MT"]})
    with pytest.raises(InputError, match="'train' has no chromosomes but those left out"):
        make_fold(content | {"train": ["chrM"]}, naming.sizes(inputs.sizes), "fold", naming)
