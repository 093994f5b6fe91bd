"""Contributions as a step and as a command: the reference's files, resumption, refusals."""

from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pyBigWig
import pytest

from chrombpnet_core.genome import centres, codes_of, dinucleotide_shuffles, one_hot, read_regions
from chrombpnet_core.interpret import Explainer
from chrombpnet_core.interpret import contributions as core
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    accessibility_part,
    bpnet,
    chrombpnet,
    draw_weights,
    load_model,
    save_model,
)
from flows.cli.main import main
from tasks.steps.contributions import CONTRIBUTIONS, ContributionsInputs, ContributionsParameters, contribution_files

SIZE = Architecture(4, 2, 200, 80)
REGIONS = [("chrB", 700), ("chrA", 300), ("chrB", 150), ("chrB", 99), ("chrA", 331), ("chrA", 1150)]
INNER = [row for row, (_, at) in enumerate(REGIONS) if 100 <= at <= 1100]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(5)
    letters = {chrom: "".join(rng.choice(list("ACGT"), 1200)) for chrom in ("chrA", "chrB")}
    letters["chrB"] = letters["chrB"][:640] + "N" * 30 + letters["chrB"][670:]
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    (folder / "sizes").write_text("chrB\t1200\nchrA\t1200\n")
    (folder / "regions.bed").write_text(
        "".join(f"{chrom}\t{at - 3}\t{at + 5}\tr{row}\t.\t.\t.\t.\t.\t3\n" for row, (chrom, at) in enumerate(REGIONS))
    )
    whole = chrombpnet(bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SIZE))
    draw_weights(accessibility_part(whole), 1)
    draw_weights(whole.layers[2], 2)
    save_model(accessibility_part(whole), folder / "nobias.h5")
    save_model(whole, folder / "whole.h5")
    return SimpleNamespace(
        folder=folder,
        letters=letters,
        **{
            name: str(folder / file)
            for name, file in (
                ("genome", "genome.fa"),
                ("sizes", "sizes"),
                ("model", "nobias.h5"),
                ("whole", "whole.h5"),
                ("regions", "regions.bed"),
            )
        },
    )


def explained(inputs, store, heads=("counts", "profile"), **named):
    given = ContributionsInputs(
        model=named.pop("model", inputs.model),
        regions=named.pop("regions", inputs.regions),
        genome=inputs.genome,
        chrom_sizes=inputs.sizes,
        examples=named.pop("examples", None),
    )
    return CONTRIBUTIONS(str(store), given, ContributionsParameters(heads=tuple(heads), **named))


@pytest.fixture(scope="module")
def result(inputs, tmp_path_factory):
    return explained(inputs, tmp_path_factory.mktemp("store"), exact=True)


def expected(inputs):
    """Codes of the regions away from edges, and their scores computed one by one."""
    codes = np.stack([codes_of(inputs.letters[chrom][at - 100 : at + 100]) for chrom, at in (REGIONS[row] for row in INNER)])
    explainer = Explainer(load_model(inputs.model))
    scores = [explainer(row[None], dinucleotide_shuffles(row[None], 20, 1234)) for row in codes]
    return codes, {head: np.concatenate([part[head] for part in scores]) for head in ("counts", "profile")}


def test_files_hold_the_regions_scores_in_their_order(inputs, result):
    codes, scores = expected(inputs)
    table = read_regions(result.file("interpreted_regions.bed"), "regions")
    assert [*zip(table["chrom"], centres(table), strict=True)] == [REGIONS[row] for row in INNER]
    for head, wanted in scores.items():
        with h5py.File(result.file(f"{head}_scores.h5")) as file:
            assert file["raw/seq"].dtype == np.int8
            np.testing.assert_array_equal(file["raw/seq"][()], one_hot(codes).swapaxes(1, 2))
            np.testing.assert_allclose(file["shap/seq"][()], wanted.swapaxes(1, 2), atol=1e-7)
            np.testing.assert_allclose(file["projected_shap/seq"][()], (one_hot(codes) * wanted).swapaxes(1, 2), atol=1e-7)
            assert file["shap/seq"].compression == "gzip"


def test_tracks_hold_each_base_of_the_nearest_region(inputs, result):
    """Before rounding: values equal the float32 scores; N gets 0; what no region covers has no value."""
    codes, scores = expected(inputs)
    for head, wanted in scores.items():
        actual = (one_hot(codes) * wanted).sum(axis=-1)
        with pyBigWig.open(str(result.file(f"{head}_scores.bw"))) as bigwig:
            assert list(bigwig.chroms()) == ["chrB", "chrA"]
            for chrom in ("chrA", "chrB"):
                found = bigwig.values(chrom, 0, 1200, numpy=True)
                near = [
                    (abs(base + 0.5 - REGIONS[row][1]), row, base)
                    for row in INNER
                    for base in range(1200)
                    if REGIONS[row][0] == chrom and -100 <= base - REGIONS[row][1] < 100
                ]
                value_of = {
                    base: actual[INNER.index(row), base - REGIONS[row][1] + 100]
                    for _, row, base in sorted(near, reverse=True)
                }
                assert set(np.flatnonzero(~np.isnan(found))) == set(value_of)
                odd = [base for base, value in value_of.items() if abs(found[base] - value) > 1e-7]
                assert len(odd) <= 1  # the base as near to two centres
        statistics = dict(line.split("\t") for line in result.file(f"{head}_scores.stats.txt").read_text().splitlines())
        assert float(statistics["max"]) == pytest.approx(result.facts[head]["statistics"]["max"], rel=1e-6)
    with pyBigWig.open(str(result.file("counts_scores.bw"))) as bigwig:
        assert bigwig.values("chrB", 645, 665) == [0.0] * 20


def test_half_precision_is_the_default_and_tracks_do_not_change(inputs, result, tmp_path):
    half = explained(inputs, tmp_path)
    for head in ("counts", "profile"):
        with h5py.File(half.file(f"{head}_scores.h5")) as one, h5py.File(result.file(f"{head}_scores.h5")) as other:
            assert one["shap/seq"].dtype == np.float16
            np.testing.assert_array_equal(one["shap/seq"][()], other["shap/seq"][()].astype(np.float16))
        assert half.file(f"{head}_scores.bw").read_bytes() == result.file(f"{head}_scores.bw").read_bytes()


def test_the_noise_floor_is_told(result):
    floor = result.facts["noise_floor"]
    assert set(floor) == {"counts", "profile"}
    assert all(0 < r < 1 for r in floor.values())


def test_a_killed_run_goes_on_where_it_stopped(inputs, result, tmp_path, monkeypatch):
    """Parts of two regions; the second attempt computes only what the first had not finished."""
    monkeypatch.setattr(core, "_ROWS_OF_PART", 2)
    computed = []
    whole = core.explain_codes

    def dies(explainer, codes, *rest):
        if len(computed) == 1:
            raise KeyboardInterrupt
        computed.append(len(codes))
        return whole(explainer, codes, *rest)

    monkeypatch.setattr(core, "explain_codes", dies)
    monkeypatch.setattr("chrombpnet_core.interpret.noise_floor", lambda *_: {})
    with pytest.raises(KeyboardInterrupt):
        explained(inputs, tmp_path, exact=True)
    assert computed == [2]
    monkeypatch.setattr(
        core, "explain_codes", lambda explainer, codes, *rest: computed.append(len(codes)) or whole(explainer, codes, *rest)
    )
    again = explained(inputs, tmp_path, exact=True)
    assert sum(computed) == len(INNER)
    for head in ("counts", "profile"):
        with h5py.File(again.file(f"{head}_scores.h5")) as one, h5py.File(result.file(f"{head}_scores.h5")) as other:
            np.testing.assert_allclose(one["shap/seq"][()], other["shap/seq"][()], atol=1e-7)
    assert not list((tmp_path / "checkpoints").glob("*/*/part*"))


def test_regions_are_drawn_where_there_are_too_many(inputs, tmp_path):
    drawn = explained(inputs, tmp_path, ["profile"], most=2)
    table = read_regions(drawn.file("interpreted_regions.bed"), "regions")
    assert len(table) == 2
    assert {*table["name"]} <= {f"r{row}" for row in INNER}
    with h5py.File(drawn.file("profile_scores.h5")) as file:
        assert len(file["shap/seq"]) == 2
    assert "counts_scores.h5" not in drawn.manifest["files"]


def test_files_are_named_as_the_references(result):
    placed = contribution_files(result, "out/x", "other/y")
    assert sorted(placed["out"]) == [
        "x.counts_scores.bw",
        "x.counts_scores.h5",
        "x.interpreted_regions.bed",
        "x.profile_scores.bw",
        "x.profile_scores.h5",
    ]
    assert sorted(placed["other"]) == ["y.counts_scores.stats.txt", "y.profile_scores.stats.txt"]
    assert list(contribution_files(result, "x", None)) == [""] or "y.counts_scores.stats.txt" not in str(
        contribution_files(result, "x", None)
    )


def test_of_a_full_model_a_run_explains_the_accessibility_part(inputs, result, tmp_path):
    part = explained(inputs, tmp_path, model=inputs.whole, kind="main", exact=True)
    for head in ("counts", "profile"):
        assert part.file(f"{head}_scores.bw").read_bytes() == result.file(f"{head}_scores.bw").read_bytes()


def test_example_regions_are_explained_besides(inputs, tmp_path):
    starts = np.array([300 - 40, 700 - 40])
    np.savez(tmp_path / "examples.npz", chroms=np.array(["chrA", "chrB"]), starts=starts)
    found = explained(inputs, tmp_path / "store", ["profile"], exact=True, examples=str(tmp_path / "examples.npz"))
    codes, scores = expected(inputs)
    with np.load(found.file("examples_contributions.npz")) as file:
        assert file["starts"].tolist() == starts.tolist()
        for shown, row in zip(file["profile"], (INNER.index(1), INNER.index(0)), strict=True):
            np.testing.assert_allclose(shown, (one_hot(codes) * scores["profile"])[row, 60:140], atol=1e-3, rtol=1e-3)


def test_command_writes_them(inputs, tmp_path, capsys):
    assert (
        main(
            [
                "contribs_bw",
                "-m",
                inputs.whole,
                "-r",
                inputs.regions,
                "-g",
                inputs.genome,
                "-c",
                inputs.sizes,
                "-op",
                str(tmp_path / "x"),
                "-pc",
                "profile",
                "-d",
                "chrA",
                "--store",
                str(tmp_path / "store"),
            ]
        )
        == 0
    )
    assert "x.profile_scores.h5" in capsys.readouterr().out
    assert len(read_regions(tmp_path / "x.interpreted_regions.bed", "regions")) == 2
    assert not (tmp_path / "x.counts_scores.h5").exists()


def test_command_refuses_counts_of_a_full_model(inputs, tmp_path, capsys):
    assert (
        main(
            [
                "contribs_bw",
                "-m",
                inputs.whole,
                "-r",
                inputs.regions,
                "-g",
                inputs.genome,
                "-c",
                inputs.sizes,
                "-op",
                str(tmp_path / "x"),
                "--store",
                str(tmp_path / "store"),
            ]
        )
        == 2
    )
    assert "chrombpnet_nobias.h5" in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))
