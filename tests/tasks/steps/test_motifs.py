"""Motifs and their hits as steps and as commands: files, the store, refusals before anything is written."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from flows.cli.main import main
from tasks.steps.motifs import (
    HITS,
    MOTIFS,
    HitsInputs,
    HitsParameters,
    MotifsInputs,
    MotifsParameters,
    hit_files,
    known_motifs,
    motif_files,
)
from tests.tasks.declaring import run_step

WORD, REGIONS, LENGTH = "TGCGCATGCGCA", 130, 120
MATRIX = "".join(" ".join("0.97" if base == letter else "0.01" for base in "ACGT") + "\n" for letter in WORD)
HEADER = f"letter-probability matrix: alength= 4 w= {len(WORD)}"
MEME = f"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF known NRF1\n{HEADER}\n{MATRIX}"


def find_motifs(store, contributions, *, motifs, **parameters):
    file, database = known_motifs(motifs)
    inputs = MotifsInputs(contributions=contributions, motifs=file)
    return MOTIFS["profile"](store, inputs, MotifsParameters(motifs=database, **parameters))


def find_hits(store, contributions, regions, motifs):
    inputs = HitsInputs(contributions=contributions, regions=regions, motifs=motifs)
    return HITS["profile"](store, inputs, HitsParameters())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder as a step that explains leaves it: contributions with a motif in every region, and the regions."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, (REGIONS, LENGTH))
    scores = rng.normal(0, 0.02, (REGIONS, LENGTH, 4))
    motif = np.array(["ACGT".index(letter) for letter in WORD])
    weights = np.eye(4)[motif] - 0.25
    places = rng.integers(30, 80, REGIONS)
    for row, at in enumerate(places):
        codes[row, at : at + len(motif)] = motif
        scores[row, at : at + len(motif)] += rng.uniform(0.8, 1.2) * weights
    with h5py.File(folder / "profile_scores.h5", "w") as file:
        file["raw/seq"] = np.moveaxis(np.eye(4, dtype=np.int8)[codes], 2, 1)
        file["shap/seq"] = np.moveaxis(scores, 2, 1).astype(np.float16)
    (folder / "interpreted_regions.bed").write_text(
        "".join(f"chr1\t{1000 * row + 900}\t{1000 * row + 1100}\t.\t.\t.\t.\t.\t.\t100\n" for row in range(REGIONS))
    )
    (folder / "known.meme").write_text(MEME)
    return folder, [1000 * row + 1000 - LENGTH // 2 + int(at) for row, at in enumerate(places)]


@pytest.fixture(scope="module")
def explained(inputs, tmp_path_factory):
    """The store, and a step that leaves that folder."""
    folder, _ = inputs
    store = str(tmp_path_factory.mktemp("store"))
    return store, run_step(
        store,
        "contributions",
        1,
        {},
        {},
        lambda work: [shutil.copy(folder / name, work.out) for name in ("profile_scores.h5", "interpreted_regions.bed")],
    )


@pytest.fixture(scope="module")
def found(inputs, explained):
    folder, _ = inputs
    store, contributions = explained
    return find_motifs(store, contributions, window=LENGTH, n_leiden=1, motifs=str(folder / "known.meme"))


def test_a_steps_contributions_give_motifs_and_named_hits(inputs, explained, found):
    assert found.step == "motifs_profile"
    assert found.facts["kinds"] == {"tf": 1, "enzyme": 0, "unmatched": 0}
    assert found.facts["database"] == "known.meme"
    assert sorted(motif_files(found, "x")) == [
        "x_modisco.h5",
        "x_reports/motifs.html",
        "x_reports/motifs.json",
        "x_reports/motifs.tsv",
    ]
    (row,) = json.loads(found.file("motifs.json").read_text())["motifs"]
    assert (row["kind"], row["matches"][0]["name"]) == ("tf", "NRF1")
    hits = find_hits(explained[0], explained[1], None, found)
    rows = [line.split("\t") for line in hits.file("hits.bed").read_text().splitlines()]
    assert {row[3] for row in rows} == {"NRF1"}
    assert {row[6] for row in rows} == {"pos_patterns.pattern_0"}
    starts = [place + (len(WORD) - int(rows[0][2]) + int(rows[0][1])) // 2 for place in inputs[1]]
    near = sum(any(abs(int(row[1]) - start) <= 2 for row in rows) for start in starts)
    assert near >= 0.95 * REGIONS
    assert len(rows) <= REGIONS
    assert hits.facts["hits"] == len(rows)
    assert list(hit_files(hits, "")) == ["hits.bed"]


def test_what_was_found_is_not_searched_again(inputs, explained, found):
    again = find_motifs(explained[0], explained[1], window=LENGTH, n_leiden=1, motifs=str(inputs[0] / "known.meme"))
    assert again.cached
    assert again.key == found.key


def test_commands_write_the_references_files(inputs, tmp_path, capsys):
    folder, _ = inputs
    few = tmp_path / "few_counts_scores.h5"
    with h5py.File(folder / "profile_scores.h5", "r") as source, h5py.File(few, "w") as target:
        for name in ("raw/seq", "shap/seq"):
            target[name] = source[name][:3]
    store = ["--store", str(tmp_path / "store")]
    assert main(["modisco_motifs", "-i", str(few), "-op", str(tmp_path / "out" / "x"), "-w", "100", *store]) == 0
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")) == [
        "x_modisco.h5",
        "x_reports/motifs.html",
        "x_reports/motifs.json",
        "x_reports/motifs.tsv",
    ]
    about = json.loads((tmp_path / "out" / "x_reports" / "motifs.json").read_text())
    assert (about["name"], about["window"], about["max_seqlets"], about["seed"]) == ("counts", 100, 50_000, 1234)
    assert about["motifs"] == []
    regions = tmp_path / "regions.bed"
    regions.write_text("".join((folder / "interpreted_regions.bed").read_text().splitlines(keepends=True)[:3]))
    assert (
        main(
            [
                "motif_hits",
                "-i",
                str(few),
                "-r",
                str(regions),
                "-m",
                str(tmp_path / "out" / "x_modisco.h5"),
                "-op",
                str(tmp_path / "out" / "x"),
                *store,
            ]
        )
        == 0
    )
    assert (tmp_path / "out" / "x_hits.bed").read_text() == ""
    assert capsys.readouterr().out.splitlines()[-1].endswith("x_hits.bed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--motifs", "jaspar:birds"], "jaspar:birds: no such taxon"),
        (["--motifs", "absent.meme"], "absent.meme"),
        (["-w", "5000"], "window of 5,000 bp; expected 50 to 120 bp"),
        (["-w", "100", "-n", "0"], "-n/--max-seqlets 0"),
        (["-i", __file__], "not readable as HDF5"),
    ],
    ids=["taxon", "no file", "window", "seqlets", "no HDF5"],
)
def test_mistakes_are_one_line_and_nothing_is_written(inputs, tmp_path, capsys, arguments, message):
    given = [
        "modisco_motifs",
        "-i",
        str(inputs[0] / "profile_scores.h5"),
        "-op",
        str(tmp_path / "out" / "x"),
        "--store",
        str(tmp_path / "store"),
        *arguments,
    ]
    assert main(given) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("chrombpnet: error: ")
    assert message in last
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "store").rglob("manifest.json"))


def test_hits_of_other_regions_are_refused(inputs, explained, found, tmp_path):
    (tmp_path / "two.bed").write_text("chr1\t900\t1100\nchr1\t1900\t2100\n")
    with pytest.raises(InputError, match=f"holds {REGIONS} regions"):
        find_hits(
            explained[0], str(inputs[0] / "profile_scores.h5"), str(tmp_path / "two.bed"), str(found.file("modisco.h5"))
        )
