"""Predicted tracks as a step and as a command: the reference's files, any set of regions, refusals."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import h5py
import numpy as np
import pyBigWig
import pytest
from scipy.special import softmax

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import evaluate_predictions
from chrombpnet_core.genome import codes_of, one_hot
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    accessibility_part,
    bpnet,
    chrombpnet,
    draw_weights,
    save_model,
)
from flows.cli.main import main
from tasks.steps.tracks import TRACKS, TracksInputs, TracksParameters, track_files

SIZE = Architecture(4, 2, 200, 80)
SIZES = {"chrB": 1500, "chrA": 1200, "chrC": 400}
REGIONS = [("chrA", 700), ("chrB", 300), ("chrA", 100), ("chrB", 331), ("chrA", 1100), ("chrB", 300), ("chrB", 1400)]
FLAGS = {"bias": "-bm", "chrombpnet": "-cm", "chrombpnet_nobias": "-cmb"}


def predict_tracks(store, models, regions, genome, sizes, bigwig=None, batch_size=64, chroms=None):
    inputs = TracksInputs(**models, regions=regions, genome=genome, chrom_sizes=sizes, bigwig=bigwig)
    return TRACKS(store, inputs, TracksParameters(batch_size=batch_size, chroms=chroms))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Paths of genome, sizes, insertions and of models of all kinds, with what is in them."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(5)
    letters = {chrom: "".join(rng.choice(list("ACGT"), SIZES[chrom])) for chrom in sorted(SIZES)}
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    (folder / "sizes").write_text("".join(f"{chrom}\t{size}\n" for chrom, size in SIZES.items()))
    counts = {chrom: rng.poisson(0.5, size).astype(np.float32) for chrom, size in SIZES.items()}
    write_bigwig(folder / "observed.bw", counts)
    whole = chrombpnet(bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SIZE))
    draw_weights(accessibility_part(whole), 1)
    draw_weights(whole.layers[2], 2)
    models = {"bias": whole.layers[2], "chrombpnet": whole, "chrombpnet_nobias": accessibility_part(whole)}
    files = {name: str(folder / f"{name}.h5") for name in models}
    for name, model in models.items():
        save_model(model, files[name])
    return SimpleNamespace(
        folder=folder,
        letters=letters,
        counts=counts,
        models=models,
        files=files,
        genome=str(folder / "genome.fa"),
        sizes=str(folder / "sizes"),
        bigwig=str(folder / "observed.bw"),
    )


def write_bigwig(path, counts):
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader([(chrom, len(values)) for chrom, values in counts.items()])
        for chrom, values in counts.items():
            bigwig.addEntries(chrom, 0, values=values.astype(float), span=1, step=1)
    return str(path)


def written(folder, regions, name="regions.bed"):
    """A narrowPeak whose summits are the centres, or text as it is."""
    text = (
        regions
        if isinstance(regions, str)
        else "".join(f"{chrom}\t{at - 3}\t{at + 5}\tr{row}\t.\t.\t.\t.\t.\t3\n" for row, (chrom, at) in enumerate(regions))
    )
    (folder / name).write_text(text)
    return str(folder / name)


def predicted(inputs, folder, regions, kinds=("chrombpnet_nobias",), **changes):
    given = {"bigwig": None, "batch_size": 3, "chroms": None} | changes
    return predict_tracks(
        str(folder / "store"),
        {kind: inputs.files[kind] for kind in kinds},
        written(folder, regions),
        inputs.genome,
        inputs.sizes,
        *given.values(),
    )


def by_hand(inputs, kind, regions):
    """Profiles and log counts of regions, and the track as chromosome → base → value."""
    codes = np.stack([codes_of(inputs.letters[chrom][at - 100 : at + 100]) for chrom, at in regions])
    logits, log_counts = (np.asarray(head) for head in inputs.models[kind].predict_on_batch(one_hot(codes)))
    tracks = softmax(logits, axis=-1) * np.exp(log_counts)
    values = {chrom: {} for chrom in SIZES}
    nearest = {}
    for (chrom, at), track in zip(regions, tracks, strict=True):
        for base, value in zip(range(at - 40, at + 40), track, strict=True):
            distance = abs(base + 0.5 - at), -at
            if distance <= nearest.get((chrom, base), distance):
                nearest[chrom, base] = distance
                values[chrom][base] = value
    return logits, log_counts[:, 0], values


def check_track(path, values):
    with pyBigWig.open(str(path)) as bigwig:
        assert list(bigwig.chroms().items()) == list(SIZES.items())
        for chrom, expected in values.items():
            found = {start: value for start, _, value in bigwig.intervals(chrom) or ()}
            assert sorted(found) == sorted(expected), chrom
            np.testing.assert_allclose(
                [found[base] for base in sorted(found)], [expected[base] for base in sorted(found)], rtol=1e-4
            )


def test_every_model_gets_its_track(inputs, tmp_path):
    """Regions out of order, two alike, two that overlap, some whose windows just fit."""
    result = predicted(inputs, tmp_path, REGIONS, tuple(inputs.files))
    for kind in inputs.files:
        *_, values = by_hand(inputs, kind, REGIONS)
        check_track(result.file(f"{kind}.bw"), values)
        rows = [line.split("\t") for line in result.file(f"{kind}_preds.bed").read_text().splitlines()]
        assert [(row[0], int(row[1]) + int(row[9]), row[3]) for row in rows] == [
            (chrom, at, f"r{row}") for row, (chrom, at) in enumerate(REGIONS)
        ]
        numbers = np.array([value for part in values.values() for value in part.values()])
        lines = [line.split("\t") for line in result.file(f"{kind}_stats.txt").read_text().splitlines()]
        np.testing.assert_allclose(
            [float(value) for _, value in lines],
            np.quantile(numbers, [0, 0.001, 0.01, 0.5, 0.99, 0.999, 0.9995, 0.9999, 1]),
            rtol=1e-4,
        )
    assert result.facts["repeated"] == 1
    assert {name.split(".")[-1] for name in result.manifest["files"]} == {"bw", "bed", "txt"}
    assert predicted(inputs, tmp_path, REGIONS, tuple(inputs.files)).cached


def test_observed_insertions_bring_metrics_and_predictions(inputs, tmp_path):
    """One region at an edge is left out of everything."""
    result = predicted(inputs, tmp_path, [("chrC", 60), *REGIONS], ("chrombpnet",), bigwig=inputs.bigwig)
    assert (result.facts["regions"], result.facts["at_edges"]) == (7, 1)
    logits, log_counts, values = by_hand(inputs, "chrombpnet", REGIONS)
    check_track(result.file("chrombpnet.bw"), values)
    with h5py.File(result.file("chrombpnet_predictions.h5")) as file:
        found = list(zip(file["coords/coords_chrom"].asstr()[:], file["coords/coords_center"][:], strict=True))
        assert found == REGIONS
        np.testing.assert_allclose(file["predictions/profs"][:], softmax(logits, axis=-1), rtol=1e-4)
        np.testing.assert_allclose(file["predictions/logcounts"][:], log_counts, rtol=1e-5)
    observed = np.stack([inputs.counts[chrom][at - 40 : at + 40] for chrom, at in REGIONS])
    metrics = json.loads(result.file("chrombpnet_metrics.json").read_text())
    expected = evaluate_predictions(observed, logits, log_counts, None)
    for part in ("counts_metrics", "profile_metrics"):
        assert metrics[part] == {"regions": pytest.approx(expected[part]["regions"], rel=1e-4)}
    assert metrics["group_sizes"] == {"regions": {"regions": 7, "without_reads": 0}}


def test_only_the_chromosomes_asked_for(inputs, tmp_path):
    result = predicted(inputs, tmp_path, REGIONS, chroms=["chrC", "chrA"])
    check_track(
        result.file("chrombpnet_nobias.bw"),
        by_hand(inputs, "chrombpnet_nobias", [region for region in REGIONS if region[0] == "chrA"])[2],
    )
    assert result.facts["regions"] == 3
    assert predicted(inputs, tmp_path, REGIONS, chroms=["chrA", "chrC"]).cached


@pytest.mark.parametrize("bigwig", [False, True])
def test_one_region(inputs, tmp_path, bigwig):
    result = predicted(inputs, tmp_path, REGIONS[:1], bigwig=inputs.bigwig if bigwig else None)
    check_track(result.file("chrombpnet_nobias.bw"), by_hand(inputs, "chrombpnet_nobias", REGIONS[:1])[2])
    if bigwig:
        metrics = json.loads(result.file("chrombpnet_nobias_metrics.json").read_text())
        assert metrics["counts_metrics"]["regions"]["pearsonr"] is None
        assert metrics["profile_metrics"]["regions"]["median_jsd"] > 0


def test_a_bigwig_that_lacks_a_chromosome_counts_it_as_empty(inputs, tmp_path, caplog):
    lacking = write_bigwig(tmp_path / "a.bw", {"chrA": inputs.counts["chrA"]})
    result = predicted(inputs, tmp_path, REGIONS, bigwig=lacking)
    metrics = json.loads(result.file("chrombpnet_nobias_metrics.json").read_text())
    assert metrics["group_sizes"]["regions"] == {"regions": 7, "without_reads": 4}


def arguments(inputs, folder, *more, kinds=("chrombpnet_nobias",), regions=REGIONS):
    given = [
        "pred_bw",
        "-r",
        written(folder, regions),
        "-g",
        inputs.genome,
        "-c",
        inputs.sizes,
        "-op",
        str(folder / "out" / "x"),
        "--store",
        str(folder / "store"),
        "--device",
        "cpu",
    ]
    return [*given, *(word for kind in kinds for word in (FLAGS[kind], inputs.files[kind])), *more]


def test_the_command_places_the_references_files(inputs, tmp_path, capsys):
    given = arguments(
        inputs,
        tmp_path,
        "-bw",
        inputs.bigwig,
        "-os",
        str(tmp_path / "stats" / "y"),
        "-bs",
        "2",
        "-d",
        "chrB",
        "chrA",
        kinds=tuple(inputs.files),
    )
    assert main(given) == 0
    said = capsys.readouterr().out.splitlines()
    placed = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert placed == sorted(
        f"x_{kind}{file}" for kind in inputs.files for file in (".bw", "_preds.bed", "_predictions.h5", "_metrics.json")
    )
    assert sorted(path.name for path in (tmp_path / "stats").iterdir()) == sorted(
        f"y_{kind}_stats.txt" for kind in inputs.files
    )
    assert len(said) == 15
    check_track(tmp_path / "out" / "x_bias.bw", by_hand(inputs, "bias", REGIONS)[2])
    assert main(given) == 0  # found in the store, put in its place again


def test_files_without_a_prefix_for_statistics(inputs, tmp_path):
    result = predicted(inputs, tmp_path, REGIONS[:1])
    assert track_files(result, "gs://bucket/a/x", None) == {
        "gs://bucket/a": {
            "x_chrombpnet_nobias.bw": result.file("chrombpnet_nobias.bw"),
            "x_chrombpnet_nobias_preds.bed": result.file("chrombpnet_nobias_preds.bed"),
        }
    }
    here = track_files(result, "x", "/y")
    assert {folder: sorted(files) for folder, files in here.items()} == {
        ".": ["x_chrombpnet_nobias.bw", "x_chrombpnet_nobias_preds.bed"],
        "/": ["y_chrombpnet_nobias_stats.txt"],
    }
    assert "chrombpnet_nobias.bw" in track_files(result, "folder/", None)["folder"]


MISTAKES = {
    "only edges": (
        {"regions": [("chrA", 99), ("chrB", 1401)]},
        [],
        r"regions\.bed: all 2 regions are too near a chromosome end for the model's window of 200 bp",
    ),
    "unknown -d": ({}, ["-d", "chrA", "chrZ"], "chromosome chrZ is not in the chromosome sizes; expected some of chrB"),
    "other name -d": ({}, ["-d", "A"], "the genome calls it chrA"),
    "none on -d": ({}, ["-d", "chrC"], "none of the 7 regions lies on chrC"),
    "unknown chromosome": (
        {"regions": [("chrA", 500), ("chrZ", 500)]},
        [],
        r"line 2: chromosome chrZ of the regions is not in the genome",
    ),
    "empty": ({"regions": ""}, [], r"regions\.bed: empty file"),
    "no model": (
        {"kinds": ()},
        [],
        "no model given; expected at least one of -bm/--bias-model, -cm/--chrombpnet-model and -cmb/--chrombpnet-model-nb",
    ),
    "batch": ({}, ["-bs", "0"], "-bs/--batch-size"),
}


def refused(capsys, tmp_path, given, words):
    assert main(given) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("chrombpnet: error: "))
    assert re.search(words, line), line
    assert not (tmp_path / "out").exists()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file() and "locks" not in path.parts] == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_clear_line_and_leaves_nothing(inputs, tmp_path, capsys, mistake):
    changes, more, words = MISTAKES[mistake]
    refused(capsys, tmp_path, arguments(inputs, tmp_path, *more, **changes), words)


def test_models_of_another_kind_or_size_are_refused(inputs, tmp_path, capsys):
    refused(capsys, tmp_path, arguments(inputs, tmp_path, "-bm", inputs.files["chrombpnet"]), "the wrong kind of model")
    save_model(bpnet(Architecture(4, 2, 240, 80)), tmp_path / "other.h5")
    refused(
        capsys,
        tmp_path,
        arguments(inputs, tmp_path, "-bm", str(tmp_path / "other.h5")),
        "input and output length of the model; expected 240 and 80, found 200 and 80",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda counts: {"other": counts["chrA"]}, "has none of the genome's chromosomes"),
        (lambda counts: {"chrA": counts["chrA"][:-1]}, "length of chromosome chrA; expected 1,200 bp"),
        (lambda counts: {"chrA": counts["chrA"] - 1}, "expected insertions per base, 0 or more, found -1"),
    ],
    ids=["names", "lengths", "negative"],
)
def test_a_bigwig_that_does_not_fit_is_refused(inputs, tmp_path, capsys, change, words):
    observed = write_bigwig(tmp_path / "observed.bw", change(inputs.counts))
    refused(capsys, tmp_path, arguments(inputs, tmp_path, "-bw", observed), words)


WRONG_TRACKS = {
    "bins": lambda track: np.repeat(np.add.reduceat(track, np.arange(0, len(track), 10)), 10)[: len(track)],
    "CPM": lambda track: track * 0.37,
    "smoothed": lambda track: np.convolve(track, np.ones(9) / 9, "same"),
}


@pytest.mark.parametrize("kind", WRONG_TRACKS)
def test_a_bigwig_that_is_no_insertions_is_refused_unless_the_user_insists(inputs, tmp_path, capsys, kind):
    change = WRONG_TRACKS[kind]
    track = write_bigwig(tmp_path / "track.bw", {chrom: change(values) for chrom, values in inputs.counts.items()})
    given = arguments(inputs, tmp_path, "-bw", track, regions=REGIONS[:2])
    refused(capsys, tmp_path, given, r"track\.bw: no insertions per base: .* found .* with --accept-bigwig")
    with pytest.raises(InputError, match="no insertions per base"):  # by the step itself, too
        predicted(inputs, tmp_path, REGIONS[:2], bigwig=track)
    assert main([*given, "--accept-bigwig"]) == 0
    metrics = json.loads((tmp_path / "out" / "x_chrombpnet_nobias_metrics.json").read_text())
    assert "track.bw: no insertions per base" in metrics["accepted"]
    assert metrics["group_sizes"]["regions"]["regions"] == 2


def test_a_model_that_diverged_is_told(inputs, tmp_path):
    model = bpnet(SIZE)
    for layer in model.layers:
        layer.set_weights([np.full_like(weight, np.nan) for weight in layer.get_weights()])
    save_model(model, tmp_path / "bias.h5")
    with pytest.raises(InputError, match="values that are not finite"):
        predict_tracks(
            str(tmp_path / "store"),
            {"bias": str(tmp_path / "bias.h5")},
            written(tmp_path, REGIONS),
            inputs.genome,
            inputs.sizes,
        )


def test_regions_and_insertions_of_other_names(inputs, tmp_path):
    """A for chrA, in regions, bigWig and -d alike."""
    regions = written(tmp_path, [(chrom.removeprefix("chr"), at) for chrom, at in REGIONS])
    observed = write_bigwig(
        tmp_path / "other.bw", {chrom.removeprefix("chr"): values for chrom, values in inputs.counts.items()}
    )
    common = [
        "pred_bw",
        "-cmb",
        inputs.files["chrombpnet_nobias"],
        "-g",
        inputs.genome,
        "-c",
        inputs.sizes,
        "--store",
        str(tmp_path / "store"),
        "-d",
        "A",
        "-r",
        regions,
        "-bw",
        observed,
        "-op",
        str(tmp_path / "other"),
    ]
    assert main([*common, "--alias", "auto"]) == 0
    chosen = [region for region in REGIONS if region[0] == "chrA"]
    *_, values = by_hand(inputs, "chrombpnet_nobias", chosen)
    check_track(tmp_path / "other_chrombpnet_nobias.bw", values)
    same = predicted(inputs, tmp_path, chosen, bigwig=inputs.bigwig)
    assert (tmp_path / "other_chrombpnet_nobias_metrics.json").read_text() == same.file(
        "chrombpnet_nobias_metrics.json"
    ).read_text()
    assert main([*common, "--alias", "none.tsv"]) == 2
