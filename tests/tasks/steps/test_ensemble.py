"""All folds taken together as steps: models, ENCODE's tracks, contributions that motifs can be sought in, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pyBigWig
import pytest
from scipy.special import softmax

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import pearson
from chrombpnet_core.genome import codes_of, one_hot
from chrombpnet_core.interpret import ContributionsFile
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    accessibility_part,
    bias_part,
    bpnet,
    chrombpnet,
    draw_weights,
    load_model,
    save_model,
)
from chrombpnet_core.tracks import place_regions, write_track
from tasks.runner import FileOf, planning
from tasks.steps.contributions import CONTRIBUTIONS, ContributionsInputs, ContributionsParameters
from tasks.steps.ensemble import (
    AGREEMENT,
    AVERAGE_CONTRIBUTIONS,
    AVERAGE_MODELS,
    AVERAGE_TRACKS,
    MeanContributionsInputs,
    MeanContributionsParameters,
    MeanTracksInputs,
    MeanTracksParameters,
    ModelsInputs,
    ModelsParameters,
)
from tasks.steps.peak_tracks import PEAK_TRACKS, PeakTracksInputs
from tests.tasks.declaring import run_step

SIZE = Architecture(4, 2, 200, 80)
SIZES = {"chrB": 1500, "chrA": 1200}
REGIONS = [("chrA", 700), ("chrB", 300), ("chrA", 100), ("chrB", 331), ("chrB", 1400)]
FOLDS = 3


def average_models(store, trained):
    files = {kind: tuple(FileOf(result, f"{kind}.h5") for result in trained) for kind in ("chrombpnet", "chrombpnet_nobias")}
    return AVERAGE_MODELS(store, ModelsInputs(**files), ModelsParameters())


def average_tracks(store, trained, regions, genome, sizes, **parameters):
    models = tuple(FileOf(result, "chrombpnet.h5") for result in trained)
    inputs = MeanTracksInputs(models=models, regions=regions, genome=genome, chrom_sizes=sizes)
    return AVERAGE_TRACKS(store, inputs, MeanTracksParameters(**parameters))


def average_contributions(store, results, heads):
    return AVERAGE_CONTRIBUTIONS(store, MeanContributionsInputs(tuple(results)), MeanContributionsParameters(tuple(heads)))


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """A store with three trainings, a genome, and peaks as the step of the shards has them, one of them at an edge."""
    folder = tmp_path_factory.mktemp("folds")
    rng = np.random.default_rng(5)
    letters = {chrom: "".join(rng.choice(list("ACGT"), size)) for chrom, size in SIZES.items()}
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    (folder / "sizes").write_text("".join(f"{chrom}\t{size}\n" for chrom, size in SIZES.items()))
    wholes = []
    for seed in range(FOLDS):
        wholes.append(chrombpnet(bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SIZE)))
        draw_weights(accessibility_part(wholes[-1]), seed)
        draw_weights(bias_part(wholes[-1]), seed + 10)

    def train(work):
        whole = wholes[work.parameters["fold"]]
        save_model(whole, work.out / "chrombpnet.h5")
        save_model(accessibility_part(whole), work.out / "chrombpnet_nobias.h5")

    def peaks(work):
        (work.out / "peaks.bed").write_text(
            "".join(f"{chrom}\t{at - 3}\t{at + 5}\t.\t.\t.\t.\t.\t.\t3\n" for chrom, at in [*REGIONS, ("chrA", 60)])
        )

    store = str(folder / "store")
    return SimpleNamespace(
        store=store,
        letters=letters,
        wholes=wholes,
        genome=str(folder / "genome.fa"),
        sizes=str(folder / "sizes"),
        shards=run_step(store, "shards", 1, {}, {}, peaks),
        trained=[run_step(store, "train_main", 1, {}, {"fold": i}, train) for i in range(FOLDS)],
    )


def windows(folds, width):
    return np.stack([codes_of(folds.letters[chrom][at - width // 2 : at + width // 2]) for chrom, at in REGIONS])


def test_models_are_averaged_once(folds):
    result = average_models(folds.store, folds.trained)
    assert set(result.manifest["files"]) == {"chrombpnet.h5", "chrombpnet_nobias.h5"}
    assert result.facts == {"folds": FOLDS}
    found = load_model(result.file("chrombpnet.h5")).predict_on_batch(one_hot(windows(folds, 200)))
    wanted = [whole.predict_on_batch(one_hot(windows(folds, 200))) for whole in folds.wholes]
    for head in (0, 1):
        np.testing.assert_allclose(
            np.asarray(found[head]), np.mean([np.asarray(each[head]) for each in wanted], axis=0), atol=1e-6
        )
    assert average_models(folds.store, folds.trained).cached
    assert not average_models(folds.store, folds.trained[::-1]).cached


def test_the_tracks_of_one_model_are_those_of_a_fold(folds):
    """As those of the average, of a single fold; there is nothing to agree."""

    def predicted(seed):
        inputs = PeakTracksInputs(
            chrombpnet=FileOf(folds.trained[seed], "chrombpnet.h5"),
            regions=FileOf(folds.shards, "peaks.bed"),
            genome=folds.genome,
            chrom_sizes=folds.sizes,
        )
        return PEAK_TRACKS(folds.store, inputs, MeanTracksParameters(batch_size=2))

    result = predicted(1)
    assert AGREEMENT not in result.manifest["files"]
    assert (result.facts["regions"], result.facts["at_edges"]) == (len(REGIONS), 1)
    whole = folds.wholes[1]
    for kind, model in {
        "chrombpnet": whole,
        "chrombpnet_nobias": accessibility_part(whole),
        "bias": bias_part(whole),
    }.items():
        logits, counts = (np.asarray(head) for head in model.predict_on_batch(one_hot(windows(folds, 200))))
        wanted = softmax(logits, axis=-1) * (np.exp(counts) - 1)
        with pyBigWig.open(str(result.file(f"{kind}.bw"))) as track:
            for row in (0, 2, 4):
                chrom, at = REGIONS[row]
                np.testing.assert_allclose(track.values(chrom, at - 40, at + 40, numpy=True), wanted[row], rtol=1e-4)
    assert set(PEAK_TRACKS.outputs["main"]) <= set(result.manifest["files"])
    assert predicted(1).cached
    assert not predicted(2).cached


@pytest.fixture(scope="module")
def tracks(folds):
    return average_tracks(
        folds.store, folds.trained, FileOf(folds.shards, "peaks.bed"), folds.genome, folds.sizes, batch_size=2
    )


def test_tracks_are_encodes(folds, tracks):
    """Away from other regions each base is softmax(mean logits) × (exp(mean log counts) − 1)."""
    assert (tracks.facts["regions"], tracks.facts["at_edges"]) == (len(REGIONS), 1)
    assert len(tracks.file("regions.bed").read_text().splitlines()) == len(REGIONS)
    parts = {"chrombpnet": lambda whole: whole, "chrombpnet_nobias": accessibility_part, "bias": bias_part}
    for kind, part in parts.items():
        found = [part(whole).predict_on_batch(one_hot(windows(folds, 200))) for whole in folds.wholes]
        logits, counts = (np.stack([np.asarray(each[head]) for each in found]) for head in (0, 1))
        wanted = softmax(logits.mean(axis=0), axis=-1) * (np.exp(counts.mean(axis=0)) - 1)
        with pyBigWig.open(str(tracks.file(f"{kind}.bw"))) as track:
            assert track.chroms() == SIZES
            for row in (0, 2, 4):
                chrom, at = REGIONS[row]
                np.testing.assert_allclose(track.values(chrom, at - 40, at + 40, numpy=True), wanted[row], rtol=1e-4)
        with np.load(tracks.file("log_counts.npz")) as file:
            np.testing.assert_allclose(file[kind], counts[..., 0], rtol=1e-5)
        agreement = json.loads(tracks.file(AGREEMENT).read_text())[kind]
        assert (agreement["folds"], agreement["regions"], agreement["pairs"]) == (3, 5, [[0, 1], [0, 2], [1, 2]])
        profiles = softmax(logits, axis=-1)
        for (i, j), r, near in zip(agreement["pairs"], agreement["log_counts"], agreement["profile"], strict=True):
            assert r == pytest.approx(pearson(counts[i, :, 0], counts[j, :, 0]), abs=1e-4)
            assert near == pytest.approx(
                np.median([pearson(*pair) for pair in zip(profiles[i], profiles[j], strict=True)]), abs=1e-4
            )
    assert "99.9%" in tracks.file("bias_stats.txt").read_text()


def test_batches_do_not_change_tracks(folds, tracks):
    other = average_tracks(
        folds.store, folds.trained, str(folds.shards.file("peaks.bed")), folds.genome, folds.sizes, batch_size=64
    )
    with pyBigWig.open(str(tracks.file("chrombpnet.bw"))) as one, pyBigWig.open(str(other.file("chrombpnet.bw"))) as two:
        for chrom in SIZES:
            (starts, values), (others, expected) = (
                zip(*[(start, value) for start, _, value in each.intervals(chrom)], strict=True) for each in (one, two)
            )
            assert starts == others
            np.testing.assert_allclose(values, expected, rtol=1e-4)


def explained(folds, fold, **changes):
    inputs = ContributionsInputs(
        model=FileOf(folds.trained[fold], "chrombpnet_nobias.h5"),
        regions=FileOf(folds.shards, "peaks.bed"),
        genome=folds.genome,
        chrom_sizes=folds.sizes,
    )
    given = {"heads": ("profile", "counts"), "seed": 1} | changes
    return CONTRIBUTIONS(folds.store, inputs, ContributionsParameters(kind="main", **given))


@pytest.fixture(scope="module")
def contributions(folds):
    return [explained(folds, fold) for fold in range(FOLDS)]


def test_contributions_are_averaged_and_motifs_can_be_sought(folds, contributions):
    result = average_contributions(folds.store, contributions, ["profile", "counts"])
    regions = "interpreted_regions.bed"
    assert result.file(regions).read_bytes() == contributions[0].file(regions).read_bytes()
    for head in ("profile", "counts"):
        scores = []
        for each in contributions:
            with h5py.File(each.file(f"{head}_scores.h5")) as file:
                scores.append(file["shap/seq"][()].astype(np.float64))
        mean = np.mean(scores, axis=0)
        with h5py.File(result.file(f"{head}_scores.h5")) as file:
            present = one_hot(windows(folds, 200)).swapaxes(1, 2)
            np.testing.assert_array_equal(file["raw/seq"][()], present)
            np.testing.assert_allclose(file["shap/seq"][()], mean, rtol=1e-3, atol=1e-6)
            np.testing.assert_allclose(file["projected_shap/seq"][()], mean * present, rtol=1e-3, atol=1e-6)
        with pyBigWig.open(str(result.file(f"{head}_scores.bw"))) as track:
            assert track.chroms() == SIZES
            np.testing.assert_allclose(
                track.values("chrA", 600, 800, numpy=True), (mean * present)[0].sum(axis=0), atol=1e-5
            )
        agreement = json.loads(result.file(AGREEMENT).read_text())[head]
        there = [(each * present).sum(axis=1) for each in scores]
        assert agreement["contributions"][1] == pytest.approx(
            np.median([pearson(*pair) for pair in zip(there[0], there[2], strict=True)]), abs=1e-4
        )
        assert f"{head}_scores.stats.txt" in result.manifest["files"]


def test_a_fold_with_other_regions_is_named(folds, contributions):
    other = explained(folds, 2, most=3)
    with pytest.raises(InputError, match=r"fold 2 explained other regions than fold 0.*5 regions.*3 regions"):
        average_contributions(folds.store, [*contributions[:2], other], ["profile"])
    with pytest.raises(InputError, match=r"fold 1: its step contributions made no counts_scores.h5"):
        average_contributions(folds.store, [contributions[0], explained(folds, 1, heads=["profile"])], ["counts"])
    assert not list((Path(folds.store) / "scratch").glob("*"))


def test_regions_that_differ_in_a_line_are_told(folds, tmp_path):
    def body(work):
        file = ContributionsFile(work.out / "profile_scores.h5", 20)
        file.append(np.zeros((2, 20), np.uint8), np.zeros((2, 20, 4), np.float32))
        file.close()
        placement = place_regions(np.array(["chrA", "chrB"]), np.array([50, 90]), 20, SIZES)
        write_track(work.out / "profile_scores.bw", SIZES, placement, lambda rows: np.zeros((len(rows), 20), np.float32))
        (work.out / "interpreted_regions.bed").write_text(
            f"chrA\t45\t55\t.\t.\t.\t.\t.\t.\t5\nchrB\t{work.parameters['start']}\t95\t.\t.\t.\t.\t.\t.\t5\n"
        )

    results = [run_step(str(tmp_path), "contributions", 1, {}, {"start": start}, body) for start in (85, 86)]
    with pytest.raises(InputError) as error:
        average_contributions(str(tmp_path), results, ["profile"])
    assert re.search(r"line 2: chrB 85 95.*line 2: chrB 86 95", str(error.value))


@pytest.mark.parametrize(
    "step",
    [
        lambda folds, some: average_models(folds.store, some),
        lambda folds, some: average_contributions(folds.store, some, ["profile"]),
    ],
)
def test_one_fold_is_no_ensemble(folds, step):
    with pytest.raises(InputError, match="an average over 1 fold"):
        step(folds, folds.trained[:1])


def test_a_plan_runs_nothing(folds, tmp_path):
    with planning() as steps:
        trained = [run_step(str(tmp_path), "train_main", 1, {}, {"fold": i}, lambda work: None) for i in range(2)]
        average_models(str(tmp_path), trained)
        average_tracks(str(tmp_path), trained, FileOf(folds.shards, "peaks.bed"), folds.genome, folds.sizes)
        average_contributions(str(tmp_path), trained, ["profile"])
    assert [(step.step, step.cached) for step in steps[2:]] == [
        ("average_models", False),
        ("average_tracks", False),
        ("average_contributions", False),
    ]
