"""Checks before a run: all problems at once in the words of the run, what was not looked at, places really tried."""

from __future__ import annotations

import json
import pickle

import h5py
import numpy as np
import pysam
import pytest

from chrombpnet_core.errors import InputError, InputErrors
from chrombpnet_core.formats import Intervals, write_bigwig
from flows.cli.main import main
from tasks.steps import DatasetFiles, check_inputs, inspect_inputs

SIZES = {"chr1": 6000, "chr2": 5000, "chr3": 4000}
FOLD = {"train": ["chr1"], "valid": ["chr2"], "test": ["chr3"]}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Arguments of a :class:`DatasetFiles` that is in order."""
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    fasta = "".join(f">{chrom}\n{''.join(rng.choice(list('ACGT'), size))}\n" for chrom, size in SIZES.items())
    (tmp_path / "genome.fa").write_text(fasta)
    (tmp_path / "peaks.bed").write_text("".join(f"{chrom}\t2000\t2200\n" for chrom in SIZES))
    (tmp_path / "fragments.tsv").write_text(
        "".join(f"{chrom}\t{at}\t{at + 90}\tcell\t1\n" for chrom in SIZES for at in (500, 900))
    )
    (tmp_path / "fold.json").write_text(json.dumps(FOLD))
    return {
        "reads": (str(tmp_path / "fragments.tsv"),),
        "kind": "fragments",
        "genome": str(tmp_path / "genome.fa"),
        "regions": {"peaks": str(tmp_path / "peaks.bed")},
        "folds": (str(tmp_path / "fold.json"),),
        "input_length": 600,
        "places": {"results": str(tmp_path / "out"), "store": str(tmp_path / "store")},
    }


def problems_of(arguments) -> list[str]:
    return [str(problem) for _, problem in inspect_inputs(DatasetFiles(**arguments)).problems]


def test_inputs_in_order(files, tmp_path):
    inspection = inspect_inputs(DatasetFiles(**files))
    assert not inspection.problems
    assert not inspection.unseen
    assert [what for what, _ in inspection.seen][-4:] == ["genome", "fold fold.json", "peaks", "reads fragments.tsv"]
    checked = inspection.checked()
    assert (checked.peaks, checked.nonpeaks, checked.genome_size) == (3, 0, 15_000)
    assert not (tmp_path / "out").exists()


def test_every_problem_is_listed_at_once_and_numbered(files, tmp_path):
    (tmp_path / "twice.json").write_text(json.dumps(FOLD | {"valid": ["chr1", "chr2"]}))
    (tmp_path / "empty.json").write_text(json.dumps(FOLD | {"test": []}))
    (tmp_path / "peaks.bed").write_text("chr1\t2000\t2200\nchr9\t1\t2\n")
    (tmp_path / "fragments.tsv").write_text("chr1\tfive\t90\n")
    (tmp_path / "motifs.meme").write_text("nothing\n")
    files |= {"folds": (str(tmp_path / "twice.json"), str(tmp_path / "empty.json")), "motifs": str(tmp_path / "motifs.meme")}
    files |= {
        "places": {"results": str(tmp_path / "peaks.bed" / "out")},
        "models": {"bias model": str(tmp_path / "bias.h5")},
    }
    with pytest.raises(InputErrors) as caught:
        check_inputs.fn(DatasetFiles(**files))
    lines = str(caught.value).splitlines()
    assert lines[0] == "7 problems:"
    assert [line[:5] for line in lines[1:]] == [f"{number:>3}. " for number in range(1, 8)]
    for words in (
        "is a file",
        "chr1 is in 'train' and in 'valid'",
        "'test' has no",
        "chr9",
        "fragments.tsv",
        "bias.h5: no such",
        "meme",
    ):
        assert any(words in line for line in lines), words
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # between processes


def test_one_problem_is_its_own_line(files):
    files |= {"regions": {"peaks": "absent.bed"}}
    with pytest.raises(InputError, match=r"^absent\.bed: no such file") as caught:
        check_inputs.fn(DatasetFiles(**files))
    assert not isinstance(caught.value, InputErrors)


def test_a_genome_that_is_not_in_order_does_not_hide_the_rest(files, tmp_path):
    (tmp_path / "genome.fa").write_text("no genome\n")
    (tmp_path / "peaks.bed").write_text("chr1\tx\t2\n")
    inspection = inspect_inputs(DatasetFiles(**files))
    assert [what for what, _ in inspection.problems] == ["genome", "peaks"]
    assert [what for what, _ in inspection.unseen] == ["reads fragments.tsv"]
    lines = [*inspection.lines()]
    assert "a run would stop at: genome, peaks" in lines
    assert "not looked at:" in lines


@pytest.mark.parametrize("kind", ["bam", "bigwig"])
def test_lengths_in_headers_are_compared(files, tmp_path, kind):
    path, sizes = str(tmp_path / f"reads.{kind}"), SIZES | {"chr2": 5100}
    if kind == "bam":
        with pysam.AlignmentFile(path, "wb", header=pysam.AlignmentHeader.from_references([*sizes], [*sizes.values()])):
            pass
    else:
        write_bigwig(path, sizes, [Intervals("chr1", np.array([5]), np.array([6]), np.array([1], "f4"))], 1)
    assert any("length of chromosome chr2" in problem for problem in problems_of(files | {"reads": (path,), "kind": kind}))


def test_a_table_of_sizes_is_looked_at_where_the_genome_is_not_in_order(files, tmp_path):
    files |= {"genome": str(tmp_path / "absent.fa"), "chrom_sizes": str(tmp_path / "absent.sizes")}
    problems = problems_of(files)
    assert [problem.partition(": ")[2][:12] for problem in problems] == ["no such file"] * 2
    (tmp_path / "absent.sizes").write_text("chr1\t6000\n")
    inspection = inspect_inputs(DatasetFiles(**files))
    assert [what for what, _ in inspection.problems] == ["genome"]
    assert ("chromosome sizes", "absent.sizes: not compared with the genome") in inspection.seen


def test_a_file_of_reads_that_is_given_twice(files):
    assert any("one is given twice" in problem for problem in problems_of(files | {"reads": files["reads"] * 2}))


def test_whole_contents_of_reads_where_they_are_cheap(files, tmp_path):
    lost = "".join(f"chrUn_1\t{at}\t{at + 9}\tcell\t1\n" for at in range(40))
    (tmp_path / "fragments.tsv").write_text(lost)
    assert not problems_of(files)  # the first reads may lie anywhere
    assert any("none of 80 reads" in problem for problem in problems_of(files | {"read_whole": 1 << 20}))


def test_parts_of_a_fold_without_peaks(files, tmp_path):
    (tmp_path / "peaks.bed").write_text("chr1\t2000\t2200\n")
    assert sum("no peaks on the fold's" in problem for problem in problems_of(files)) == 2
    assert sum("no peaks on the fold's" in problem for problem in problems_of(files | {"splits": ("test",)})) == 1


@pytest.mark.parametrize("place", ["/proc/nowhere/deep", "FILE/deep", "https://host/results"])
def test_places_are_tried(files, tmp_path, place):
    place = place.replace("FILE", str(tmp_path / "peaks.bed"))
    assert len(problems_of(files | {"places": {"results": place, "store": place}})) == 2


def test_a_model_of_another_kind(files, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.ones(3)
    problems = problems_of(files | {"models": {"bias model": str(tmp_path / "other.h5")}})
    assert len(problems) == 1
    assert "other.h5" in problems[0]


def test_the_command(files, tmp_path, capsys):
    words = ["check", "-g", files["genome"], "-ifrag", *files["reads"], "-p", files["regions"]["peaks"], "-il", "600"]
    assert main([*words, "-fl", *files["folds"], "--store", str(tmp_path / "store")]) == 0
    assert "in order: " in capsys.readouterr().out
    (tmp_path / "fold.json").write_text(json.dumps(FOLD | {"valid": []}))
    assert main([*words, "-fl", *files["folds"], "--store", str(tmp_path / "peaks.bed" / "x")]) == 2
    told = capsys.readouterr().out
    assert "a run would stop at: store, fold fold.json" in told
    assert "  2. " in told
    assert main(["check"]) == 2
    assert main([*words, "-il", "0"]) == 2


def test_the_shared_case(shared, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    folder, sizes = shared / "cases" / "check_says_in_order", {"chr1": 60_000, "chr2": 50_000, "chr3": 40_000}
    (tmp_path / "genome.fa").write_text("".join(f">{chrom}\n{'ACGT' * (size // 4)}\n" for chrom, size in sizes.items()))
    words = ["check", "-g", tmp_path / "genome.fa", "-ibam", folder / "other.bam", "-fl"]
    assert main([str(word) for word in [*words, folder / "overlap.json", folder / "emptytest.json"]]) == 2
    told = capsys.readouterr().out
    for expected in ("chr2 is in 'train' and in 'valid'", "'test' has no chromosomes", "length of chromosome chr1"):
        assert expected in told
