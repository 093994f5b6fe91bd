"""TF-MoDISco on contributions with planted motifs: patterns, their places, table and page; no motif is a result."""

from __future__ import annotations

import re
import shutil
import types
from dataclasses import replace

import h5py
import numpy as np
import pytest

from chrombpnet_core.concurrency import in_own_process
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.motifs import (
    MotifMatch,
    find_patterns,
    match_patterns,
    read_contribution_windows,
    read_database,
    read_discovered_motifs,
    tabulate_motifs,
)
from chrombpnet_core.report.motif_search import search_motifs
from chrombpnet_core.report.motifs_page import render_motifs

PLANTED = {"NRF1": "TGCGCATGCGCA", "GATA": "CAGATAAGGA"}
REGIONS, LENGTH, WINDOW = 160, 260, 200


def contributions(path, seed=0, planted=True, regions=REGIONS, scale=0.02):
    """An HDF5 file as contribs_bw writes it: noise and, in every region, each of the motifs once on either strand."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (regions, LENGTH))
    scores = rng.normal(0, scale, (regions, 4, LENGTH))
    for row in range(regions if planted else 0):
        for number, word in enumerate(PLANTED.values()):
            motif = np.array(["ACGT".index(letter) for letter in word])
            motif = 3 - motif[::-1] if rng.random() < 0.5 else motif
            at = 40 + 90 * number + rng.integers(0, 70)
            codes[row, at : at + len(motif)] = motif
            weights = np.full((4, len(motif)), -0.25)
            weights[motif, np.arange(len(motif))] = 0.75
            scores[row, :, at : at + len(motif)] += rng.lognormal(0, 0.2) * weights
    present = np.moveaxis(np.eye(4, dtype=np.int8)[codes], 2, 1)
    with h5py.File(path, "w") as file:
        file.create_dataset("raw/seq", data=present, compression="gzip")
        file.create_dataset("shap/seq", data=scores.astype(np.float16), compression="gzip")
    return path


def content(path):
    """Name → values of every data set."""
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def search_each(source, *folders):
    """The numbers of a search into each folder."""
    return [search_motifs(source, folder, "jaspar:vertebrates", "counts", 5_000, WINDOW, 1, 1234) for folder in folders]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return contributions(tmp_path_factory.mktemp("contributions") / "counts_scores.h5")


@pytest.fixture(scope="module")
def searches(source, tmp_path_factory):
    """Folder and numbers of two searches, in one process of their own: libraries are slow to import."""
    folders = [tmp_path_factory.mktemp("search") for _ in range(2)]
    return list(zip(folders, in_own_process(search_each, source, *folders, what="TF-MoDISco"), strict=True))


@pytest.fixture(scope="module")
def search(searches):
    return searches[0]


def test_every_planted_motif_is_found_and_matched(search):
    folder, facts = search
    rows = read_discovered_motifs(folder / "motifs.json")
    consensus = {row[4] for row in tabulate_motifs(rows)[1:]}
    for word in PLANTED.values():
        both = {word, word.translate(str.maketrans("ACGT", "TGCA"))[::-1]}
        assert any(one[1:-1] in found for one in both for found in consensus), (word, consensus)
    assert {row.kind for row in rows} == {"tf"}
    names = {match.name.upper()[:4] for row in rows for match in row.matches if match.called}
    assert names >= {"NRF1", "GATA"}
    assert facts["patterns"] == len(rows) == facts["kinds"]["tf"]
    assert facts["regions"] == REGIONS
    assert facts["seqlets"] == sum(row.seqlets for row in rows) > REGIONS
    assert all(row.contribution > 3 for row in rows)


def test_two_runs_give_the_same(searches):
    one, other = (content(folder / "modisco.h5") for folder, _ in searches)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
    for name in ("motifs.json", "motifs.tsv", "motifs.html"):
        first, second = ((folder / name).read_bytes() for folder, _ in searches)
        assert first == second, name
    assert all(facts["peak_memory"] > 2**20 for _, facts in searches)


def test_places_are_those_of_the_files_rows(search, source):
    with h5py.File(source, "r") as file:
        raw = np.moveaxis(file["raw/seq"][()], 1, 2)[:, (LENGTH - WINDOW) // 2 :][:, :WINDOW]
    found = content(search[0] / "modisco.h5")
    for pattern in {name.split("/seqlets")[0] for name in found if name.endswith("seqlets/sequence")}:
        sites = {
            name: found[f"{pattern}/seqlets/{name}"] for name in ("example_idx", "start", "end", "is_revcomp", "sequence")
        }
        for row, start, end, turned, bases in zip(*sites.values(), strict=True):
            there = raw[row, start:end]
            np.testing.assert_array_equal(bases, there[::-1, ::-1] if turned else there)
    assert len(set(found["pos_patterns/pattern_0/seqlets/example_idx"])) > REGIONS // 2


def test_rows_go_to_json_and_back(search):
    folder, _ = search
    rows = match_patterns(folder / "modisco.h5", read_database())
    for row, found in zip(rows, read_discovered_motifs(folder / "motifs.json"), strict=True):
        assert (row.pattern, row.seqlets, row.kind) == (found.pattern, found.seqlets, found.kind)
        assert row.matches == found.matches
        np.testing.assert_allclose(row.cwm, found.cwm, rtol=1e-4)
        np.testing.assert_allclose(row.pfm, found.pfm, rtol=1e-4)
        size = np.abs(row.cwm).sum(axis=1)
        assert min(size[0], size[-1]) >= 0.3 * size.max()


def test_the_page_shows_all_and_needs_nothing_else(search):
    folder, _ = search
    page = (folder / "motifs.html").read_text()
    rows = read_discovered_motifs(folder / "motifs.json")
    for row in rows:
        assert f'id="{row.pattern}"' in page
        for match in row.matches:
            assert match.name in page
            assert match.identifier in page
    assert page.count("<svg") == 5 * len(rows)
    assert not re.search(r"""(?:src|href)=["'](?!#)|url\((?!#)|@import""", page)
    assert set(re.findall(r"https?://[^\"' )]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    table = (folder / "motifs.tsv").read_text().splitlines()
    assert [len(line.split("\t")) for line in table] == [14] * (1 + len(rows))


def test_a_name_of_a_motif_is_no_markup(search):
    row = read_discovered_motifs(search[0] / "motifs.json")[0]
    evil = MotifMatch("<script>x</script>", '"><img>', False, 0.0, 0.0, 1.0, row.pfm)
    page = render_motifs([replace(row, matches=(evil,))], "t", "a")
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    "changes",
    [
        {"planted": False, "regions": 8},
        {"planted": False, "scale": 0.0},
        {"scale": 0.0, "regions": 20},
    ],
    ids=["noise", "all zero", "nothing but motifs"],
)
def test_no_motif_is_a_result(tmp_path, changes):
    source = contributions(tmp_path / "scores.h5", **changes)
    (facts,) = search_each(source, tmp_path)
    assert facts["patterns"] == 0
    with h5py.File(tmp_path / "modisco.h5", "r") as file:
        assert {name: len(group) for name, group in file.items()} == {"pos_patterns": 0, "neg_patterns": 0}
    assert match_patterns(tmp_path / "modisco.h5", read_database()) == read_discovered_motifs(tmp_path / "motifs.json") == []
    assert "No motifs found" in (tmp_path / "motifs.html").read_text()
    assert len((tmp_path / "motifs.tsv").read_text().splitlines()) == 1


def edited(source, tmp_path, change):
    path = tmp_path / "edited.h5"
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def put(name, value):
    def change(file):
        file[name][5, 1, 100] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.__delitem__("shap/seq"), "no data set shap/seq"),
        (lambda file: file.__delitem__("raw"), "no data set raw/seq"),
        (replaced("raw/seq", np.zeros((REGIONS, LENGTH, 4), "i1")), r"raw/seq; expected numbers of shape \(regions, 4, l"),
        (replaced("shap/seq", np.zeros((REGIONS, 4, LENGTH - 1), "f4")), "expected one shape"),
        (replaced("shap/seq", np.full((REGIONS, 4, LENGTH), b"x")), "shap/seq; expected numbers"),
        (replaced("raw/seq", np.zeros((0, 4, LENGTH), "i1")), "raw/seq; expected numbers"),
        (put("shap/seq", np.nan), "expected finite contributions"),
        (put("shap/seq", np.inf), "expected finite contributions"),
        (put("raw/seq", 2), "expected one-hot bases"),
    ],
    ids=["no scores", "no sequences", "transposed", "lengths", "text", "no regions", "nan", "infinity", "two"],
)
def test_a_file_without_contributions_is_refused(source, tmp_path, change, message):
    path = edited(source, tmp_path, change)
    with pytest.raises(InputError, match=message) as error:
        find_patterns(path, tmp_path / "out.h5", window=WINDOW)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.h5").exists()


def test_a_damaged_file_is_refused(source, tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(source.read_bytes()[:-20_000])
    with pytest.raises(InputError, match="not readable as HDF5"):
        find_patterns(path, tmp_path / "out.h5", window=WINDOW)
    path.write_text("chr1\t1\t2\n")
    with pytest.raises(InputError, match="not readable as HDF5"):
        find_patterns(path, tmp_path / "out.h5", window=WINDOW)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 49}, "window of 49 bp; expected 50 to 260 bp"),
        ({"window": LENGTH + 1}, "window of 261 bp"),
        ({"max_seqlets": 0}, "`max_seqlets` 0"),
        ({"n_leiden": 0}, "`n_leiden` 0"),
    ],
)
def test_arguments_that_cannot_be_are_refused(source, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        find_patterns(source, tmp_path / "out.h5", **{"window": WINDOW, **changes})


def test_more_than_the_memory_holds_is_refused_before_it_is_asked_for(source, tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: types.SimpleNamespace(available=1 << 20))
    with pytest.raises(InputError, match=r"GiB; found .* GiB free"):
        find_patterns(source, tmp_path / "out.h5", window=WINDOW)


def test_regions_that_are_declared_alone_are_refused(tmp_path):
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        for name in ("raw/seq", "shap/seq"):
            file.create_dataset(name, (1 << 32, 4, 2114), "i1", chunks=(8, 4, 2114))
    with pytest.raises(InputError, match="values of 1 bytes are declared, 0 bytes are stored"):
        find_patterns(tmp_path / "huge.h5", tmp_path / "out.h5")


def test_the_middle_is_read_some_regions_at_a_time(source):
    with h5py.File(source, "r") as file:
        raw, scores = (np.moveaxis(file[name][()], 1, 2) for name in ("raw/seq", "shap/seq"))
    with open_hdf5(source, "contributions") as file:
        parts = list(read_contribution_windows(file, 100, rows=37))
    assert [part.start for part, *_ in parts] == list(range(0, REGIONS, 37))
    np.testing.assert_array_equal(np.concatenate([bases for _, bases, _ in parts]), raw[:, 80:180])
    np.testing.assert_array_equal(np.concatenate([found for *_, found in parts]), scores[:, 80:180])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["pos_patterns/pattern_0"].__delitem__("sequence"), "pattern_0/sequence; expected numbers"),
        (replaced("pos_patterns/pattern_0/contrib_scores", np.zeros((5, 3))), "contrib_scores; expected numbers of shape"),
        (replaced("pos_patterns/pattern_0/contrib_scores", np.full((30, 4), np.nan)), "expected finite numbers"),
        (replaced("pos_patterns", np.zeros(3)), "expected a group of patterns"),
    ],
    ids=["missing", "shape", "nan", "no group"],
)
def test_patterns_of_another_form_are_refused(search, tmp_path, change, message):
    path = edited(search[0] / "modisco.h5", tmp_path, change)
    with pytest.raises(InputError, match=message):
        match_patterns(path, read_database())
