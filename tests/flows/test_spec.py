"""The DatasetSpec: strict, defaults of the reference, a schema, and the documented example."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from chrombpnet_core.errors import InputError
from flows.spec import DatasetSpec, make_spec, read_spec

LEAST = {
    "assay": "ATAC",
    "reads": {"bam": ["a.bam"]},
    "genome": "g.fa",
    "peaks": "p.bed",
    "folds": ["f.json"],
    "output": "out",
}


def test_defaults_are_the_references():
    spec = make_spec(LEAST, "test")
    assert (spec.input_length, spec.output_length) == (2114, 1000)
    assert (spec.bias.filters, spec.bias.layers, spec.model.filters, spec.model.layers) == (128, 4, 512, 8)
    assert (spec.model.jitter, spec.model.negative_sampling_ratio) == (500, 0.1)
    training = spec.training
    assert (training.batch_size, training.learning_rate, training.patience, training.seed) == (64, 1e-3, 5, 1234)
    assert (training.outlier_threshold, spec.model.epochs, spec.background.ratio) == (0.9999, 50, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"genom": "x"}, "genom: unknown key; did you mean genome"),
        ({"training": {"patience": True}}, "training.patience: Input should be a valid integer, number or text, not true"),
        (
            {"bias": {"threshold_factor": True}},
            "bias.threshold_factor: Input should be a valid integer, number or text, not true",
        ),
        ({"input_length": 1e400}, "input_length: Input should be a finite number"),
        ({"input_length": "1e400"}, "input_length: Input should be a valid integer"),
        ({"input_length": float("nan")}, "input_length: Input should be a finite number"),
        ({"model": {"layers": 10**30}}, "model.layers: Input should be less than"),
        ({7: "x"}, "7: Keys should be strings"),
        ({"assay": "RNA"}, "assay: Input should be 'ATAC' or 'DNASE'"),
        ({"reads": {}}, "exactly one kind of reads"),
        ({"reads": {"bam": ["a"], "fragments": ["b"]}}, "exactly one kind of reads"),
        ({"reads": {"bam": ["a"], "plus_shift": 4}}, "plus_shift and minus_shift together"),
        ({"folds": []}, "folds"),
        ({"model": {"filters": 0}}, "model.filters"),
        ({"bias": {"threshold_factor": -1}}, "bias.threshold_factor"),
        ({"id": "../up"}, "id"),
        ({"input_length": 500}, "output_length 1000 is greater"),
        ({"training": {"device": "tpu"}}, "training.device"),
        ({"training": {"seed": -1}}, "training.seed"),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate: Input should be a finite number"),
        ({"reads": {"bam": ["a"], "plus_shift": 5000, "minus_shift": 0}}, "reads.plus_shift"),
        ({"folds": [{"train": ["1"], "valid": ["2"]}]}, r"folds\.0\.test: Field required"),
        ({"folds": 1}, r"test: folds: Input should be greater than or equal to 2"),
        ({"folds": 2.5}, r"test: folds"),
        ({"folds": True}, r"test: folds: Input should be a valid integer"),
        ({"folds_at_once": 0}, r"folds_at_once"),
        ({"bias": {"threshold_factor": []}}, r"bias\.threshold_factor: List should have at least 1 item"),
        ({"bias": {"threshold_factor": [0.5, -1]}}, r"bias\.threshold_factor\.1: Input should be greater than 0"),
        ({"bias": {"threshold_factor": [0.5, 0.5]}}, r"bias\.threshold_factor: a number is given twice"),
    ],
)
def test_what_is_wrong_is_told_by_key(change, words):
    with pytest.raises(InputError, match=words):
        make_spec(LEAST | change, "test")


def test_numbers_are_chromosome_names_too():
    spec = make_spec(LEAST | {"folds": [{"train": [1, 2], "valid": ["3"], "test": [4]}]}, "test")
    assert spec.folds[0].train == ["1", "2"]


def test_folds_may_be_a_number_and_threshold_factors_several():
    spec = make_spec(LEAST | {"folds": 5, "bias": {"threshold_factor": [0.3, 0.5]}}, "test")
    assert (spec.folds, spec.bias.factors) == (5, [0.3, 0.5])
    assert make_spec(LEAST, "test").bias.factors == [0.5]
    assert make_spec(LEAST | {"bias": {"threshold_factor": 1}}, "test").bias.factors == [1.0]


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "d.yaml").write_text(
        yaml.safe_dump(LEAST | {"peaks": "gs://bucket/p.bed", "blacklist": "/abs/b.bed", "publish": "bundle"})
    )
    spec = read_spec(str(tmp_path / "d.yaml"))
    assert spec.reads.bam == [str(tmp_path / "a.bam")]
    assert spec.folds == [str(tmp_path / "f.json")]
    assert spec.publish == str(tmp_path / "bundle")
    assert (spec.peaks, spec.blacklist) == ("gs://bucket/p.bed", "/abs/b.bed")


def test_a_file_that_is_no_data_set_is_refused(tmp_path):
    for name, text, words in (("a", "- 1\n", "not a data set"), ("b", "a: [", "not YAML")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=words):
            read_spec(str(tmp_path / name))


def test_the_documented_example_fits_the_schema(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "dataset.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.S)
    assert examples
    for example in examples:
        content = yaml.safe_load(example)
        jsonschema.validate(content, DatasetSpec.model_json_schema())
        make_spec(content, "docs/dataset.md")
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.M))
    fields = {
        f"{name}.{inner}"
        for name, info in DatasetSpec.model_fields.items()
        for inner in getattr(info.annotation, "model_fields", {})
    } | {name for name, info in DatasetSpec.model_fields.items() if not hasattr(info.annotation, "model_fields")}
    assert documented == fields


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("assay: ATAC\npeaks: a\npeaks: b\n", "line 3: not YAML; found key 'peaks' is given twice"),
        ("assay: &a [*a]\n", "line 1: not YAML; found an alias within"),
        ("[" * 3000, "nested too deeply"),
        ("assay: \x1b[2J\n", "#x001b"),
        ("- ATAC\n", "not a data set"),
        ("assay: ATAC\nreads: {bam: [a.bam]}\ngenome: '~nobody/g.fa'\npeaks: p\nfolds: [[f]]\noutput: o\n", "folds"),
    ],
    ids=range(6),
)
def test_files_that_are_no_data_set_are_one_line(tmp_path, text, words):
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_spec(str(tmp_path / "d.yaml"))
    assert str(caught.value).isprintable()


def test_a_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "d.yaml").write_text("\ufeff" + yaml.safe_dump(LEAST).replace("\n", "\r\n"), newline="")
    assert read_spec(str(tmp_path / "d.yaml")).assay == "ATAC"


def _file(tmp_path, **changes):
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(LEAST | changes, sort_keys=False))
    return str(tmp_path / "d.yaml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blacklst": "b.bed"}, r"d\.yaml, line 10: blacklst: unknown key; did you mean blacklist\?$"),
        ({"chrom-sizes": "c"}, r"line 10: chrom-sizes: unknown key; did you mean chrom_sizes\?"),
        ({"Blacklist": "b"}, r"line 10: Blacklist: unknown key; did you mean blacklist\?"),
        ({"model": {"filter": 8}}, r"line 11: model\.filter: unknown key; did you mean filters\?"),
        (
            {"folds": [{"train": ["1"], "valid": ["2"], "tests": ["3"]}]},
            r"line \d+: folds\.0\.tests: .* did you mean test\?$",
        ),
        ({"filters": 64}, r"did you mean bias\.filters or model\.filters\? it belongs below bias or below model"),
        (
            {"reads": {"bam": ["a"], "peaks": "p"}},
            r"reads\.peaks: unknown key; did you mean peaks or explanation\.peaks\? it belongs at the top level or "
            r"below explanation",
        ),
        (
            {"bias": {"patience": 3}},
            r"bias\.patience: unknown key; did you mean training\.patience\? it belongs below training",
        ),
        ({"learning-rat": 3}, r"did you mean training\.learning_rate\? it belongs below training"),
        ({"bias.filters": 8}, r"bias\.filters: unknown key; write filters below bias, indented"),
        ({"model": {"zzz": 1}}, r"model\.zzz: unknown key; known keys of model: filters, layers, epochs"),
        ({"zzz": 1}, r"zzz: unknown key; see 'chrombpnet run --schema'"),
        ({"input_length": "long"}, r"d\.yaml, line 10: input_length: Input should be a valid integer"),
        ({"name": "x" * 121}, r"name: give 1 to 120 printable letters"),
        ({"name": " "}, r"name: give 1 to 120 printable letters"),
    ],
)
def test_a_misspelt_key_is_told_with_its_line_and_what_was_meant(tmp_path, changes, words):
    with pytest.raises(InputError, match=words) as caught:
        read_spec(_file(tmp_path, **changes))
    assert "problems" not in str(caught.value)  # what was meant is not missing as well


def test_all_errors_are_told_at_once(tmp_path):
    text = "assay: RNA\nreads: {bam: [a.bam]}\ngenom: g.fa\nfolds: [f.json]\ntraining:\n  sed: 1\n"
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(str(tmp_path / "d.yaml"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "5 problems:"
    assert [line.split(": ")[0].rpartition(", ")[2] for line in lines[1:4]] == ["line 1", "line 3", "line 6"]
    assert lines[2].endswith("genom: unknown key; did you mean genome?")
    assert lines[3].endswith("training.sed: unknown key; did you mean seed?")
    assert [line.split(": ")[1] for line in lines[4:]] == ["peaks", "output"]


def test_what_a_misspelt_key_holds_is_not_quoted(tmp_path):
    with pytest.raises(InputError) as caught:
        read_spec(_file(tmp_path, passwort="hunter2"))
    assert "hunter2" not in str(caught.value)


def test_reports_are_titled_by_the_name_or_the_id():
    assert make_spec(LEAST, "test").title == "dataset"
    assert make_spec(LEAST | {"id": "k562"}, "test").title == "k562"
    assert make_spec(LEAST | {"id": "k562", "name": " K562,  replicate 1 "}, "test").title == "K562, replicate 1"
