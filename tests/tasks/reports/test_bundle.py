"""The bundle: the portal's names, the same bytes each time, checksums that hold, the manifest last, any address."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile

import fsspec
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import quality_metric
from tasks.reports import bundle, publish_bundle, write_tar
from tests.tasks.declaring import run_step

FOLDS = {
    "fold_0": {"train": ["chr3"], "valid": ["chr2"], "test": ["chr1"]},
    "fold_1": {"train": ["chr1"], "valid": ["chr3"], "test": ["chr2"]},
}
PEAKS = "".join(f"chr{chrom}\t{at}\t{at + 5}\n" for chrom in (1, 2, 3) for at in (10, 20))
ARCHITECTURE = {"filters": 4, "layers": 2, "input_length": 200, "output_length": 80}
TYPES = {
    "models": "models/S1.models.tar",
    "bias models": "models/S1.bias_models.tar",
    "training and test regions": "regions/S1.training_and_test_regions.tar",
}


def metrics(r):
    counts = {"pearsonr": r, "spearmanr": r, "mse": 1.0}
    return {
        "counts_metrics": {"peaks": counts, "peaks_and_nonpeaks": counts},
        "profile_metrics": {"peaks": {"median_norm_jsd": 0.3}},
        "classification_metrics": {"auroc": 0.9, "auprc": 0.8},
    }


def step(store, name, parameters, files, inputs=None):
    def body(work):
        for file, text in files.items():
            (work.out / file).write_text(text)

    return run_step(str(store), name, 1, inputs or {}, parameters, body)


@pytest.fixture
def folds(tmp_path):
    """Two folds' steps; what files hold is their own name and the fold's."""
    store = tmp_path / "store"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "reads.bam").write_text("reads")
    found = {}
    for i, (name, fold) in enumerate(FOLDS.items()):

        def named(*files, i=i):
            return {file: f"{file} of {i}" for file in files}

        found[name] = {
            "coverage": step(store, "coverage", {"i": i}, {}, {"reads": [str(tmp_path / "secret" / "reads.bam")]}),
            "train_bias": step(store, "train_bias", {"i": i}, named("bias.h5")),
            "scale_bias": step(store, "scale_bias", {"i": i}, named("bias_model_scaled.h5")),
            "select_main": step(
                store, "select_main", {"fold": fold}, {"filtered.peaks.bed": PEAKS, "filtered.nonpeaks.bed": ""}
            ),
            "train_main": step(
                store,
                "train_main",
                {"model": {"architecture": ARCHITECTURE}, "i": i},
                named("chrombpnet.h5", "chrombpnet_nobias.h5", "chrombpnet.log"),
            ),
            "evaluate_main": step(
                store,
                "evaluate_main",
                {"i": i},
                {
                    f"{model}_metrics.json": json.dumps(metrics(0.5 + i / 10))
                    for model in ("bias", "chrombpnet", "chrombpnet_nobias")
                },
            ),
            "report": step(store, "report", {"i": i}, named("overall_report.html")),
        }
    return found


@pytest.fixture
def averaged(tmp_path):
    files = {
        "average_models": ["chrombpnet.h5", "chrombpnet_nobias.h5"],
        "average_tracks": ["chrombpnet.bw", "chrombpnet_nobias.bw", "bias.bw", "regions.bed"],
        "average_contributions": ["profile_scores.h5", "profile_scores.bw", "interpreted_regions.bed"],
        "motifs_profile": ["modisco.h5", "motifs.tsv", "motifs.html"],
        "folds_report": ["folds_report.html", "folds_report.json"],
    }
    return {
        name: step(tmp_path / "store", name, {}, {file: f"{name} {file}" for file in names}) for name, names in files.items()
    }


def published(tmp_path, folds, averaged=None, url=None):
    return publish_bundle.fn(
        str(tmp_path / "store"), "S1", url or str(tmp_path / "out"), folds, averaged, {"assay": "ATAC", "genome": "sacCer3"}
    )


def test_the_bundle_has_the_portals_shape(tmp_path, folds, averaged):
    out = tmp_path / "out" / "S1"
    assert published(tmp_path, folds, averaged) == str(out / "README.md")
    manifest = json.loads((out / "manifest.json").read_text())
    assert [manifest[key] for key in ("name", "assay", "genome", "input_length")] == ["S1", "ATAC", "sacCer3", 200]
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        *manifest["files"],
        "manifest.json",
    }
    types = {entry["output_type"] for entry in manifest["files"].values()}
    assert {
        "models",
        "bias models",
        "training and test regions",
        "predicted signal profile",
        "predicted bias profile",
        "bias-corrected predicted signal profile",
        "profile sequence contribution scores",
        "sequence motifs",
        "sequence motifs report",
        "model performance metrics",
        "selected regions for predicted signal and sequence contribution scores",
    } <= types
    for kind, file in TYPES.items():
        assert manifest["files"][file]["output_type"] == kind
    with tarfile.open(out / TYPES["models"]) as tar:
        assert tar.getnames() == sorted(tar.getnames())
        assert {name for name in tar.getnames() if "logs" not in name} == {
            f"fold_{i}/model.{kind}.fold_{i}.S1.h5"
            for i in (0, 1)
            for kind in ("bias_scaled", "chrombpnet", "chrombpnet_nobias")
        }
        assert tar.extractfile("fold_1/model.bias_scaled.fold_1.S1.h5").read() == b"bias_model_scaled.h5 of 1"
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.mode) for entry in tar} == {(0, 0, 0, "", 0o644)}
    with tarfile.open(out / TYPES["bias models"]) as tar:
        assert tar.getnames() == [f"fold_{i}/model.bias.fold_{i}.S1.h5" for i in (0, 1)]
    with tarfile.open(out / TYPES["training and test regions"]) as tar:
        assert json.load(tar.extractfile("fold_1/chromosomes.fold_1.S1.json")) == FOLDS["fold_1"]
        assert tar.extractfile("fold_1/test.peaks.fold_1.S1.bed").read() == b"chr2\t10\t15\nchr2\t20\t25\n"
        assert tar.extractfile("fold_0/train.peaks.fold_0.S1.bed").read() == b"chr3\t10\t15\nchr3\t20\t25\n"
        assert tar.extractfile("fold_0/test.nonpeaks.fold_0.S1.bed").read() == b""
    assert (
        out / "tracks/S1.bias_corrected_predicted_signal_profile.bw"
    ).read_text() == "average_tracks chrombpnet_nobias.bw"
    assert (out / "fold_1/overall_report.html").read_text() == "overall_report.html of 1"
    found = json.loads((out / "metrics/bpnet_quality_metric.json").read_text())
    assert found == quality_metric([metrics(0.5), metrics(0.6)])
    readme = (out / "README.md").read_text()
    assert "models/S1.ensemble.chrombpnet_nobias.h5" in readme
    assert "| fold_1 | chr2 | 0.600 | 0.300 |" in readme
    assert "| reads: reads.bam |" in readme
    assert "secret" not in readme + (out / "manifest.json").read_text()


def test_checksums_hold(tmp_path, folds, averaged):
    published(tmp_path, folds, averaged)
    out = tmp_path / "out" / "S1"
    for tool in ("sha256", "md5"):
        run = subprocess.run(
            [f"{tool}sum", "--strict", "-c", f"checksums.{tool}"], cwd=out, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout
    for file, entry in json.loads((out / "manifest.json").read_text())["files"].items():
        content = (out / file).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()) == (
            entry["size"],
            entry["sha256"],
            entry["md5"],
        )


def test_the_same_results_are_the_same_bytes(tmp_path, folds, averaged):
    published(tmp_path, folds, averaged, str(tmp_path / "one"))
    for path in (tmp_path / "store" / "bundle").iterdir():
        path.rename(tmp_path / path.name)
    published(tmp_path, folds, averaged, str(tmp_path / "two"))
    one, two = (
        {path.relative_to(tmp_path / side): path.read_bytes() for path in (tmp_path / side).rglob("*") if path.is_file()}
        for side in ("one", "two")
    )
    assert one == two


def test_folds_alone_make_a_bundle(tmp_path, folds):
    del folds["fold_1"]
    del folds["fold_0"]["train_bias"]
    del folds["fold_0"]["report"]
    published(tmp_path, folds)
    files = json.loads((tmp_path / "out/S1/manifest.json").read_text())["files"]
    assert "models/S1.models.tar" in files
    assert not [file for file in files if file.startswith(("tracks", "models/S1.bias", "models/S1.ensemble", "fold"))]
    assert 'load_model("fold_0/model.chrombpnet_nobias.fold_0.S1.h5"' in (tmp_path / "out/S1/README.md").read_text()


def test_it_goes_to_any_address(tmp_path, folds, averaged):
    assert published(tmp_path, folds, averaged, "memory://bucket/models/") == "memory://bucket/models/S1/README.md"
    files = fsspec.filesystem("memory")
    manifest = json.loads(files.cat("/bucket/models/S1/manifest.json"))
    for file, entry in manifest["files"].items():
        assert hashlib.sha256(files.cat(f"/bucket/models/S1/{file}")).hexdigest() == entry["sha256"]
    with tarfile.open(fileobj=io.BytesIO(files.cat("/bucket/models/S1/models/S1.models.tar"))) as tar:
        assert "fold_0/model.chrombpnet.fold_0.S1.h5" in tar.getnames()


def test_what_is_there_is_not_copied_again_and_what_is_lost_is(tmp_path, folds, averaged, monkeypatch):
    copied = []
    whole = bundle.place_files
    monkeypatch.setattr(bundle, "place_files", lambda files, *rest: copied.append(list(files)) or whole(files, *rest))
    for _ in range(2):
        published(tmp_path, folds, averaged)
    assert len(copied) == 1
    assert copied[0][-3:] == ["folds_report.html", "folds_report.json", "manifest.json"]
    (tmp_path / "out/S1/README.md").unlink()
    published(tmp_path, folds, averaged)
    assert len(copied) == 2
    assert (tmp_path / "out/S1/README.md").exists()


def test_a_bundle_that_shrinks_leaves_nothing_behind_and_has_no_manifest_meanwhile(tmp_path, folds, averaged, monkeypatch):
    published(tmp_path, folds, averaged)
    out = tmp_path / "out" / "S1"
    (out / "mine.txt").write_text("the user's own")
    del averaged["average_tracks"]
    whole = bundle.place_files

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(bundle, "place_files", fails)
    with pytest.raises(OSError, match="disk full"):
        published(tmp_path, folds, averaged)
    assert not (out / "manifest.json").exists()
    monkeypatch.setattr(bundle, "place_files", whole)
    published(tmp_path, folds, averaged)
    assert not list(out.glob("tracks/*"))
    assert (out / "mine.txt").exists()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "with space"])
def test_a_name_that_is_no_folder_is_refused(tmp_path, folds, name):
    with pytest.raises(InputError, match="the bundle's name"):
        publish_bundle.fn(str(tmp_path / "store"), name, str(tmp_path / "out"), folds)
    assert not (tmp_path / "out").exists()


def test_no_folds_are_refused(tmp_path):
    with pytest.raises(InputError, match="a bundle of no folds"):
        published(tmp_path, {})


def test_a_tar_keeps_long_names_and_order(tmp_path):
    long = "fold_0/" + "x" * 150 + ".h5"
    (tmp_path / "source").write_bytes(b"abc")
    write_tar(tmp_path / "one.tar", {long: tmp_path / "source", "a": b"z"})
    write_tar(tmp_path / "two.tar", {"a": b"z", long: tmp_path / "source"})
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert tar.getnames() == ["a", long]
        assert tar.extractfile(long).read() == b"abc"
