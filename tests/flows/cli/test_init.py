"""``init``: files are found by content, what is ambiguous or missing is said, and what was all found can be run as it is."""

from __future__ import annotations

import gzip
import json
import shutil

import numpy as np
import pytest
import yaml

from chrombpnet_core.formats import Intervals, write_bigwig
from chrombpnet_core.genome import is_organelle, likely_taxon
from chrombpnet_core.simulation import SimulationSettings, simulate
from flows.cli.main import main
from flows.spec import read_spec


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    """A simulated experiment: genome, sizes, peaks, a fold, and its reads as fragments, BAM and tagAlign."""
    return simulate(tmp_path_factory.mktemp("simulated"), SimulationSettings(size=700_000), bgzip=True)


@pytest.fixture
def folder(simulation, tmp_path, monkeypatch):
    """A folder with genome, peaks, fragments and a fold under names that say nothing, and what lies beside such files."""
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CHROMBPNET_STORE", str(tmp_path / "store"))
    folder = tmp_path / "my sample"
    folder.mkdir()
    files = {"a": simulation.genome, "b": simulation.peaks, "c": simulation.fragments, "d": simulation.sizes}
    for name, path in files.items():
        shutil.copy(path, folder / name)
    shutil.copy(simulation.fold, folder / "e.json")
    (folder / "README.md").write_text("# Files\n\nOf an experiment.\n")
    (folder / "settings.json").write_text("{}")
    (folder / ".hidden").write_text(">chr1\nACGT\n")
    (folder / "empty").write_text("")
    (folder / "below").mkdir()
    (folder / "below" / "other.fa").write_text(">chr1\nACGT\n")
    monkeypatch.chdir(folder)
    return folder


def drafted(*words):
    assert main(["init", *words]) == 0
    with open(words[words.index("-o") + 1] if "-o" in words else "dataset.yaml") as file:
        return yaml.safe_load(file)


def test_what_is_all_found_can_be_checked_and_run_as_it_is(folder, capsys):
    content = drafted("-d", "ATAC", "--name", "Sample: a test")
    told = capsys.readouterr().out
    assert "to fill in" not in told
    assert "next: chrombpnet check dataset.yaml" in told
    assert content["reads"] == {"fragments": ["c"]}
    assert (content["genome"], content["chrom_sizes"], content["peaks"]) == ("a", "d", "b")
    assert (content["folds"], content["id"], content["name"]) == (["e.json"], "my-sample", "Sample: a test")
    assert read_spec("dataset.yaml").title == "Sample: a test"
    assert main(["check", "dataset.yaml", "--device", "cpu"]) == 0
    assert "in order: " in capsys.readouterr().out
    assert main(["run", "dataset.yaml", "--device", "cpu", "--dry-run"]) == 0


def test_folds_are_made_where_there_are_none(folder, capsys):
    (folder / "e.json").unlink()
    assert drafted("-d", "DNASE")["folds"] == 5
    assert read_spec("dataset.yaml").bias.threshold_factor == 0.8
    assert main(["check", "dataset.yaml", "--device", "cpu"]) == 0
    text = (folder / "b").read_text()
    (folder / "b").write_text("".join(line for line in text.splitlines(True) if line[:4] in ("chr1", "chr2")))
    assert "folds" not in drafted("--force")


def test_a_file_is_never_written_over_unless_forced(folder, capsys):
    (folder / "dataset.yaml").write_text("mine\n")
    assert main(["init"]) == 2
    assert "dataset.yaml: is there already; give another file with -o, or --force" in capsys.readouterr().err
    assert (folder / "dataset.yaml").read_text() == "mine\n"
    assert drafted("--force")["genome"] == "a"
    assert main(["init", "nowhere"]) == 2
    assert main(["init", "-o", "nowhere/d.yaml"]) == 2
    assert sorted(path.name for path in folder.iterdir() if "partial" in path.name) == []


def test_what_is_missing_is_named_with_what_to_put(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = drafted()
    told = capsys.readouterr().out
    text = (tmp_path / "dataset.yaml").read_text()
    assert {*content} == {"id", "explanation", "output"}
    for key, words in {
        "assay": "ATAC or DNASE",
        "reads": "BAM",
        "genome": "FASTA",
        "peaks": "narrowPeak",
        "folds": "2 or",
    }.items():
        assert any(line.startswith("to fill in") and key in line and words in line for line in told.splitlines())
        assert f"\n# {key}:" in text
    assert "next: fill in what is missing, then chrombpnet check dataset.yaml" in told
    assert main(["check", "dataset.yaml"]) == 2
    assert capsys.readouterr().err.count("Field required") == 5


def test_several_files_of_one_kind_are_listed(folder, simulation, capsys):
    shutil.copy(folder / "b", folder / "b2")
    shutil.copy(simulation.bam, folder / "r.bam")
    shutil.copy(simulation.tagalign, folder / "t.gz")
    shutil.copy(folder / "c", folder / "c2")
    content = drafted("-d", "ATAC")
    told = capsys.readouterr().out
    text = (folder / "dataset.yaml").read_text()
    assert "peaks" not in content
    assert "# peaks: b\n# peaks: b2\n" in text
    assert "peaks: " in next(line for line in told.splitlines() if line.startswith("to fill in"))
    assert content["reads"] == {"bam": ["r.bam"]}
    assert "#   fragments: [c, c2]\n#   tagalign: [t.gz]\n" in text
    (folder / "r.bam").unlink()
    assert drafted("--force")["reads"] == {"fragments": ["c", "c2"]}
    assert "These 2 files are added up" in (folder / "dataset.yaml").read_text()


def test_other_files_are_recognised_too(folder, capsys):
    regions = [("chr1", start, start + 500) for start in range(0, 60_000, 2_000)]
    (folder / "f").write_text("".join(f"{c}\t{s}\t{e}\tHigh Signal Region\n" for c, s, e in regions))
    (folder / "g").write_text("".join(f"{c}\t{s}\t{e}\t" + ".\t" * 6 + "250\n" for c, s, e in regions))
    sites = np.arange(100, 9_000, 3)
    values = np.random.default_rng(1).poisson(2, len(sites)).astype("f4") + 1
    write_bigwig(str(folder / "h"), {"chr1": 10_000}, [Intervals("chr1", sites, sites + 1, values)], 1)
    write_bigwig(str(folder / "i"), {"chr1": 10_000}, [Intervals("chr1", sites, sites + 3, values / 7)], 1)
    (folder / "c").unlink()
    content = drafted("-d", "ATAC")
    assert (content["blacklist"], content["nonpeaks"], content["reads"]) == ("f", "g", {"bigwig": ["h"]})
    assert "#   i: a bigWig, but not of insertions per base" in (folder / "dataset.yaml").read_text()


def test_names_of_chromosomes_decide_what_is_excluded_and_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    roman = {f"chr{name}": 2_000 for name in ("I", "II", "III", "IV", "V", "VI")} | {"chrM": 1_500}
    (tmp_path / "genome.fa").write_text(
        "".join(f">{name} of yeast\n{'ACGT' * (size // 4)}\n" for name, size in roman.items())
    )
    lines = "".join(f"{name[3:]}\t900\t1100\tpeak\t7\t.\t2.5\t3.1\t1.9\t80\n" for name in roman for _ in range(3))
    with gzip.open(tmp_path / "yeast_atac_peaks.gz", "wt") as file:
        file.write(lines)
    content = drafted()
    assert content["chromosomes"] == {"alias": "auto", "exclude": ["chrM"]}
    assert (content["assay"], content["folds"]) == ("ATAC", 5)
    assert content["explanation"] == {"motifs": "jaspar:fungi"}
    assert content["model"] == {"filters": 64}


def test_paths_are_absolute_where_the_file_lies_elsewhere_and_odd_names_are_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "out").mkdir()
    name = "genome: \"new\" #1 'é'\x07.fa"
    (tmp_path / "data" / name).write_text(">chr1\nACGT\n")
    assert drafted("data")["genome"] == f"data/{name}"
    assert drafted("data", "-o", "out/d.yaml")["genome"] == str(tmp_path / "data" / name)
    assert read_spec_paths(tmp_path / "out" / "d.yaml") == str(tmp_path / "data" / name)


def read_spec_paths(path):
    """The genome that a run would read."""
    from flows.spec import resolve_paths

    return resolve_paths(yaml.safe_load(path.read_text()), path.parent)["genome"]


def test_the_shared_yeast(yeast, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = drafted(str(yeast))
    assert content["assay"] == "ATAC"
    assert [path.rsplit("/", 1)[1] for path in content["folds"]] == [f"fold_{i}.json" for i in range(5)]
    names = {key: content[key].rsplit("/", 1)[1] for key in ("genome", "chrom_sizes", "peaks", "blacklist")}
    assert names == {
        "genome": "genome.fa.gz",
        "chrom_sizes": "chrom.sizes",
        "peaks": "peaks.narrowPeak",
        "blacklist": "blacklist.bed",
    }
    assert content["chromosomes"] == {"exclude": ["chrM"]}
    assert content["explanation"] == {"motifs": "jaspar:fungi"}
    assert [path.rsplit("/", 1)[1] for path in content["reads"]["bam"]] == ["reads_reconstructed.bam"]
    assert json.dumps(content).count("tn5_pfm") == 0


@pytest.mark.parametrize(
    ("sizes", "taxon"),
    [
        ({"chr2L": 23e6, "chr2R": 25e6, "chr3L": 28e6, "chr3R": 32e6, "chrX": 23e6}, "insects"),
        ({"I": 15e6, "II": 15e6, "III": 13e6, "IV": 17e6, "V": 20e6, "X": 17e6, "MtDNA": 13e3}, "nematodes"),
        ({"Chr1": 30e6, "Chr2": 19e6, "Chr3": 23e6, "Chr4": 18e6, "Chr5": 26e6}, "plants"),
        ({"1": 300e6, "2": 240e6, "Pt": 140e3}, "plants"),
        ({"chr1": 195e6, "chr2": 182e6, "chrX": 171e6, "chrM": 16e3}, None),
        ({"chr1": 900, "chr2": 900, "chr3": 900, "chr4": 900, "chr5": 900}, None),
        ({}, None),
    ],
)
def test_likely_taxa(sizes, taxon):
    assert likely_taxon({name: int(size) for name, size in sizes.items()}) == taxon
    assert is_organelle("MtDNA")
    assert not is_organelle("chrX")
