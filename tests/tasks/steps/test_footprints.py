"""Footprints as a step and as a command: the reference's files, built-in motifs, verdicts by enzyme, refusals."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
from scipy.special import softmax

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import read_footprints
from chrombpnet_core.genome import codes_of, one_hot, reverse_complement
from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, bpnet, draw_weights, save_model
from chrombpnet_core.plots import read_limits
from flows.cli.main import main
from tasks.steps.footprints import FOOTPRINTS, FootprintsInputs, FootprintsParameters, footprint_files

SIZE = Architecture(4, 2, 200, 80)
CENTRES = (50, 100, 400, 777, 1100, 1151)  # on each chromosome of 1,200 bp; the first and the last are too near its ends


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Paths of a genome of three chromosomes, regions, a fold and a model; the model and the letters themselves."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(3)
    letters = {chrom: "".join(rng.choice(list("ACGT"), 1200)) for chrom in ("chrA", "chrB", "chrC")}
    paths = {name: folder / name for name in ("genome.fa", "regions.bed", "fold.json", "nobias.h5")}
    paths["genome.fa"].write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    paths["regions.bed"].write_text(
        "".join(f"{chrom}\t{at - 5}\t{at + 5}\t.\t.\t.\t.\t.\t.\t5\n" for at in CENTRES for chrom in letters)
    )
    paths["fold.json"].write_text(json.dumps({"train": ["chrB"], "valid": ["chrC"], "test": ["chrA"]}))
    model = bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias")
    draw_weights(model, 1)
    save_model(model, paths["nobias.h5"])
    return SimpleNamespace(folder=folder, model=model, letters=letters, paths=paths)


def written(tmp_path, text, name="motifs.tsv"):
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def asked_of(inputs, **parameters):
    """Inputs and parameters of the step."""
    names = {"model": "nobias.h5", "regions": "regions.bed", "genome": "genome.fa", "fold": "fold.json"}
    files = {what: str(inputs.paths[name]) for what, name in names.items()}
    return FootprintsInputs(**files), FootprintsParameters(batch_size=3, **parameters)


def drawn(inputs, store, motifs=None, **changes):
    """The step, run on ``inputs`` with changes by name of file."""
    names = {"model": "nobias.h5", "regions": "regions.bed", "genome": "genome.fa", "fold": "fold.json"}
    files = {what: str(changes.get(name, inputs.paths[name])) for what, name in names.items()}
    parameters = FootprintsParameters(batch_size=changes.get("batch_size", 3), ylim=read_limits(changes.get("ylim")))
    return FOOTPRINTS(str(store), FootprintsInputs(**files, motifs=motifs), parameters)


def arguments(inputs, tmp_path, *more):
    flags = {"-m": "nobias.h5", "-r": "regions.bed", "-g": "genome.fa", "-fl": "fold.json"}
    return [
        "footprints",
        *(str(item) for flag, name in flags.items() for item in (flag, inputs.paths[name])),
        "-op",
        str(tmp_path / "out" / "x"),
        "--store",
        str(tmp_path / "store"),
        "--device",
        "cpu",
        *more,
    ]


def by_hand(inputs, motif):
    """Mean over the test regions of the normalised sum of both strands' tracks, and of its counts."""
    profiles, counts = [], []
    for at in CENTRES[1:-1]:
        text = inputs.letters["chrA"][at - 100 : at + 100]
        start = 100 - len(motif) // 2
        codes = codes_of(text[:start] + motif + text[start + len(motif) :])
        logits, log_counts = (
            np.asarray(head, float)
            for head in inputs.model.predict_on_batch(one_hot(np.stack([codes, reverse_complement(codes)])))
        )
        tracks = softmax(logits, axis=-1) * (np.exp(log_counts) - 1)
        both = tracks[0] + tracks[1, ::-1]
        profiles.append(both / both.sum())
        counts.append(both.sum())
    return np.mean(profiles, axis=0), np.mean(counts)


def test_footprints_of_the_test_regions_that_lie_inside(inputs, tmp_path):
    result = drawn(inputs, tmp_path, written(tmp_path, "own\tGATTACA\nTn5_like\tACGTT\n"))
    found = read_footprints(result.file("footprints.h5"))
    for name, motif in {"control": "", "own": "GATTACA", "Tn5_like": "ACGTT"}.items():
        profile, counts = by_hand(inputs, motif)
        np.testing.assert_allclose(found[name].profile, profile, rtol=1e-5)
        assert found[name].counts == pytest.approx(counts, rel=1e-5)
    assert set(found) == {"control", "own", "Tn5_like"}
    assert (result.facts["sequences"], result.facts["at_edges"]) == (4, 2)
    maximum = by_hand(inputs, "ACGTT")[0].max()
    assert result.facts["maxima"]["Tn5_like"] == pytest.approx(maximum, rel=1e-5)
    assert result.file("max_bias_response.txt").read_text() == f"uncorrected_{round(maximum, 3)}_{round(maximum, 3)}\n"


@pytest.mark.parametrize(
    ("motifs", "expected"),
    [
        ("a/b\tACG\n", ["x_footprints.h5", "x_footprints.html", "x.a_b.footprint.png"]),
        ("dnase_1\tACG\n", ["x_footprints.h5", "x_footprints.html", "x.dnase_1.footprint.png", "x_max_bias_response.txt"]),
        (
            "dnase_1\tACG\ntn5_1\tAAT\n",
            [
                "x_footprints.h5",
                "x_footprints.html",
                "x.dnase_1.footprint.png",
                "x.tn5_1.footprint.png",
                "x_dnase_max_bias_response.txt",
                "x_tn5_max_bias_response.txt",
            ],
        ),
    ],
    ids=["own", "one enzyme", "two enzymes"],
)
def test_files_are_named_as_the_references(inputs, tmp_path, motifs, expected):
    result = drawn(inputs, tmp_path, written(tmp_path, motifs))
    files = footprint_files(result, "x")
    assert sorted(files) == sorted(expected)
    assert all(path.stat().st_size > 0 for path in files.values())
    assert sorted(footprint_files(result, "")) == sorted(name[2:] for name in expected)


def test_built_in_motifs_are_the_enzymes_and_the_factors(inputs, tmp_path):
    result = drawn(inputs, tmp_path)
    names = set(result.facts["maxima"])
    assert {"tn5_1", "tn5_5", "dnase_1", "dnase_2", "CTCF", "GATA+TAL", "NRF1", "NRF1_2"} <= names
    pictures = {name.removesuffix(".footprint.png") for name in result.manifest["files"] if name.endswith(".png")}
    assert pictures == names
    assert result.facts["tn5_response"].count("/") == 4
    assert result.facts["dnase_response"].count("/") == 1
    assert result.facts["taxon"] == "vertebrates"


def test_factors_are_those_of_the_taxon(inputs, tmp_path, caplog):
    """As asked for; else as the names of the chromosomes say."""
    asked = FOOTPRINTS(str(tmp_path), *asked_of(inputs, taxon="plants"))
    assert {"tn5_1", "LFY", "WRKY40"} <= set(asked.facts["maxima"])
    assert "CTCF" not in asked.facts["maxima"]
    romans = tmp_path / "romans"
    romans.mkdir()
    names = {"chrA": "chrI", "chrB": "chrII", "chrC": "chrIII"}
    for name in ("genome.fa", "regions.bed", "fold.json"):
        text = inputs.paths[name].read_text()
        for old, new in names.items():
            text = text.replace(old, new)
        (romans / name).write_text(text + ">chrIV\nACGT\n>chrV\nACGT\n" * (name == "genome.fa"))
    with caplog.at_level("INFO"):
        guessed = drawn(inputs, tmp_path, **{name: romans / name for name in ("genome.fa", "regions.bed", "fold.json")})
    assert guessed.facts["taxon"] == "fungi"
    assert {"REB1", "dnase_1"} <= set(guessed.facts["maxima"])
    assert "those of fungi, by the names of the chromosomes; another `taxon` can be given" in caplog.text


def test_the_page_shows_every_motif(inputs, tmp_path):
    motifs = written(tmp_path, "tn5_1\tGCACAGTACAGAGCTG\n<b>own</b>\tGATTACA\n")
    result = drawn(inputs, tmp_path, motifs)
    page = result.file("footprints.html").read_text()
    assert page.count("<svg") == page.count("<figure") == 2
    assert "&lt;b&gt;own&lt;/b&gt;" in page
    assert "<b>own</b>" not in page
    assert f"{result.facts['maxima']['tn5_1']:.4f}" in page
    gone = result.facts["tn5_response"].startswith("corrected")
    assert ("does not predict its bias" in page) == gone
    assert ("leave footprints of 0.003 or more" in page) != gone
    assert "http" not in page.replace("http://www.w3.org", "")  # it stands alone
    assert 'href="#motif-2"' in page
    assert 'id="motif-2"' in page


def test_what_shapes_the_pictures_alone_is_another_result(inputs, tmp_path):
    motifs = written(tmp_path, "own\tGATTACA\n")
    plain, limited, again = (drawn(inputs, tmp_path, motifs, ylim=ylim) for ylim in (None, "0,0.5", "(0, 0.5)"))
    assert (plain.cached, limited.cached, again.cached) == (False, False, True)
    one, other = (result.file("own.footprint.png").read_bytes() for result in (plain, limited))
    assert one[:4] == b"\x89PNG"
    assert one != other
    assert plain.file("footprints.h5").read_bytes() == limited.file("footprints.h5").read_bytes()


def test_the_command_places_the_files_and_says_where(inputs, tmp_path, capsys):
    motifs = written(tmp_path, "tn5_1\tGCACAGTACAGAGCTG\nCTCF\tTTGGCCACTAGGGGGCGCTAT\n")
    given = arguments(inputs, tmp_path, "-pwm_f", motifs, "--ylim", "0,0.1", "-bs", "2")
    assert main(given) == 0
    said = capsys.readouterr().out.splitlines()
    placed = sorted(str(path) for path in (tmp_path / "out").iterdir())
    assert sorted(said) == placed
    assert [path.rsplit("/", 1)[1] for path in placed] == [
        "x.CTCF.footprint.png",
        "x.tn5_1.footprint.png",
        "x_footprints.h5",
        "x_footprints.html",
        "x_max_bias_response.txt",
    ]
    with h5py.File(tmp_path / "out" / "x_footprints.h5") as file:
        assert sorted(file) == ["CTCF", "control", "tn5_1"]
        assert file["CTCF/footprint"].shape == (80,)
    assert main(given) == 0  # found in the store, put in its place again


MISTAKES = {
    "letter": ("-pwm_f", "own\tACXT\n", r"file, line 1: sequence of motif own; expected letters A, C, G, T or N"),
    "long": ("-pwm_f", "own\tAC\nlong\t" + "A" * 201, "motif long: longer than the model's input; expected at most 200"),
    "alike": ("-pwm_f", "a/b\tACG\na_b\tCCC\n", "motif a_b: its picture would have the file name of that of motif a/b"),
    "no motifs": ("-pwm_f", "", "file: (empty file|no motifs)"),
    "not tested": ("-r", "chrB\t400\t410\n", r"no regions on the fold's test chromosomes \(chrA\)"),
    "edges": ("-r", "chrA\t0\t10\n", "all 1 of them lie too near a chromosome end for the model's 200 bp"),
    "unknown": ("-r", "chrZ\t400\t410\n", "file, line 1: chromosome chrZ of the regions is not in the genome"),
    "fold": ("-fl", '{"train": ["chrB"], "valid": ["chrC"]}', "file: 'test'"),
    "model": ("-m", "no model\n", "file: not a Keras HDF5 model"),
    "limits": ("--ylim", "0.1,0", "--ylim; expected two numbers, the smaller first"),
    "batch": ("-bs", "0", "-bs/--batch-size"),
    "absent": ("-r", "absent.bed", r"absent\.bed: no such file"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_clear_line_and_leaves_nothing(inputs, tmp_path, capsys, mistake):
    flag, value, words = MISTAKES[mistake]
    if flag in ("-pwm_f", "-r", "-fl", "-m") and mistake != "absent":
        value = written(tmp_path, value, "file")
    assert main(arguments(inputs, tmp_path, flag, value)) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("chrombpnet: error: "))
    assert re.search(words, line), line
    assert not (tmp_path / "out").exists()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file() and "locks" not in path.parts] == []


def test_a_model_that_diverged_is_told(inputs, tmp_path):
    model = keras.models.clone_model(inputs.model)
    for layer in model.layers:
        layer.set_weights([np.full_like(weight, np.nan) for weight in layer.get_weights()])
    save_model(model, tmp_path / "diverged.h5")
    with pytest.raises(InputError, match="values that are not finite"):
        drawn(inputs, tmp_path, written(tmp_path, "own\tA\n"), **{"nobias.h5": tmp_path / "diverged.h5"})
