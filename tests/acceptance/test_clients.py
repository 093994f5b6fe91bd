"""Model files in and out, by the programs of others, each in an environment of its own (``make clients``).

Predictions of small models are compared with those of Keras 2, of bpnet-lite and of a reader that knows h5py and the
names of layers alone; of the golden models, where they are present, with the reference's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    average_models,
    bpnet,
    chrombpnet,
    draw_weights,
    load_model,
    save_model,
    shift_log_counts,
)

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).parent / "clients"
KERAS_2 = ["tf-keras", "keras2"]
NAMES = ["bias", "bias_model_scaled", "chrombpnet", "chrombpnet_nobias"]
CLOSE = 1e-4  # largest difference of a logit or a log count


@dataclass(frozen=True)
class Files:
    """Our four files, sequences one-hot ``(n, 2114, 4)``, and what is predicted: ``NAME_logits``, ``NAME_log_counts``."""

    folder: Path
    wanted: dict[str, np.ndarray]

    @property
    def sequences(self) -> Path:
        return self.folder / "sequences.npy"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.h5"

    def named(self) -> list[str]:
        """As clients take them."""
        return [f"{name}={self.path(name)}" for name in NAMES]


def run_client(environment: str | None, program: str, *arguments: object) -> None:
    """Run one of ``clients`` in its environment; without one, by this Python, away from this project."""
    python = Path(sys.executable)
    if environment:
        folder = ROOT / f".venv-{environment}"
        if not (folder / "installed").exists():
            log = folder / "log"
            pytest.fail(
                f"{folder.name} could not be made (make clients): "
                + (log.read_text()[-2000:] if log.exists() else "see what it says"),
                pytrace=False,
            )
        python = folder / "bin" / "python"
    run = subprocess.run(
        [python, CLIENTS / program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=CLIENTS,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert run.returncode == 0, run.stderr[-4000:]


def compare(found: Path, wanted: dict[str, np.ndarray], names: list[str], client: str) -> None:
    """Predictions of a client with those wanted, to ``CLOSE``; a longer profile by its centre."""
    with np.load(found) as predicted:
        for name in names:
            for kind in ("logits", "log_counts"):
                ours, theirs = wanted[f"{name}_{kind}"], predicted[f"{name}_{kind}"]
                spare = theirs.shape[1] - ours.shape[1]
                theirs = theirs[:, spare // 2 : theirs.shape[1] - spare // 2]
                assert theirs.shape == ours.shape
                difference = np.abs(theirs - ours).max()
                print(f"{client:10} {name:20} {kind:10} largest difference {difference:.1e} of {np.abs(ours).max():.2f}")
                assert difference <= CLOSE, (client, name, kind)


def predict(path: Path, sequences: Path) -> tuple[np.ndarray, np.ndarray]:
    """Ours."""
    return load_model(path).predict_on_batch(np.load(sequences))


def small_models(seed: int = 3) -> dict:
    """Models of small width and real lengths, all biases random, whose log counts lie close together."""
    rng = np.random.default_rng(seed)
    bias, scaled = bpnet(Architecture(8, 4)), bpnet(Architecture(8, 4))
    nobias = bpnet(Architecture(12, 8), ACCESSIBILITY_PREFIX, "model_wo_bias")
    for model in (bias, nobias):
        draw_weights(model, seed)
        model.set_weights([array + rng.normal(0, 0.05, array.shape) for array in model.get_weights()])
        shift_log_counts(model, 4 - model.predict_on_batch(np.zeros((1, 2114, 4), np.float32))[1].item())
    scaled.set_weights(bias.get_weights())
    shift_log_counts(scaled, -0.7)
    return {"bias": bias, "bias_model_scaled": scaled, "chrombpnet_nobias": nobias, "chrombpnet": chrombpnet(nobias, scaled)}


@pytest.fixture(scope="module", params=["made", "golden"])
def files(request, tmp_path_factory) -> Files:
    """Of small models, with our predictions; and of the reference's, with its own in float64."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "golden":
        golden = request.getfixturevalue("golden")
        models = {name: load_model(golden / "models" / f"{name}.h5") for name in NAMES if name != "chrombpnet"}
        models["chrombpnet"] = chrombpnet(models["chrombpnet_nobias"], models["bias_model_scaled"])
        np.save(folder / "sequences.npy", np.load(golden / "forward.npz")["seqs"].astype(np.float32))
        with np.load(golden / "forward_float64.npz") as data:
            wanted = {
                f"{name}_{kind}": data[f"{name}_{kind.replace('_', '')}"]
                for name in NAMES
                for kind in ("logits", "log_counts")
            }
    else:
        models, wanted = small_models(), {}
        bases = np.random.default_rng(4).integers(0, 5, (16, 2114))  # the fifth is N
        sequences = np.eye(5, 4, dtype=np.float32)[bases]
        np.save(folder / "sequences.npy", sequences)
        for name, model in models.items():
            wanted[f"{name}_logits"], wanted[f"{name}_log_counts"] = model.predict_on_batch(sequences)
    for name, model in models.items():
        save_model(model, folder / f"{name}.h5")
    return Files(folder, wanted)


@pytest.mark.parametrize("environment", KERAS_2)
def test_keras_2_opens_all_four_and_writes_them_again(files, environment, tmp_path):
    """Without custom objects; the bias model stays frozen; what Keras 2 makes of our files we read as before."""
    out = tmp_path / "predictions.npz"
    run_client(environment, "keras2.py", "predict", files.sequences, out, *files.named())
    compare(out, files.wanted, NAMES, environment)
    with np.load(out) as found:
        trainable = {name: int(found[f"{name}_trainable"]) for name in NAMES}
    assert trainable == {"bias": 14, "bias_model_scaled": 14, "chrombpnet": 22, "chrombpnet_nobias": 22}
    for name in NAMES:
        before, after = (predict(path, files.sequences) for path in (files.path(name), tmp_path / f"{name}.again.h5"))
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("environment", KERAS_2)
def test_keras_2_opens_the_mean_of_folds_and_writes_it_again(environment, tmp_path):
    """Of main models and of accessibility models, as one file."""
    folds = [small_models(seed) for seed in (3, 4, 5)]
    sequences, wanted = tmp_path / "sequences.npy", {}
    np.save(sequences, np.eye(5, 4, dtype=np.float32)[np.random.default_rng(6).integers(0, 5, (8, 2114))])
    for name in ("chrombpnet", "chrombpnet_nobias"):
        each = [fold[name].predict_on_batch(np.load(sequences)) for fold in folds]
        wanted[f"{name}_logits"], wanted[f"{name}_log_counts"] = (np.mean(of, axis=0) for of in zip(*each, strict=True))
        save_model(average_models([fold[name] for fold in folds]), tmp_path / f"{name}.h5")
    out = tmp_path / "predictions.npz"
    run_client(
        environment,
        "keras2.py",
        "predict",
        sequences,
        out,
        *(f"{name}={tmp_path / f'{name}.h5'}" for name in ("chrombpnet", "chrombpnet_nobias")),
    )
    compare(out, wanted, ["chrombpnet", "chrombpnet_nobias"], environment)
    for name in ("chrombpnet", "chrombpnet_nobias"):
        for one, other in zip(
            predict(tmp_path / f"{name}.h5", sequences), predict(tmp_path / f"{name}.again.h5", sequences), strict=True
        ):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_bpnet_lite_opens_bias_and_accessibility_models(files, tmp_path):
    out = tmp_path / "predictions.npz"
    run_client(
        "bpnet-lite",
        "bpnet_lite.py",
        files.sequences,
        out,
        files.path("bias"),
        files.path("bias_model_scaled"),
        files.path("chrombpnet_nobias"),
    )
    compare(out, files.wanted, NAMES, "bpnet-lite")
    with np.load(out) as found:
        assert found["bias_logits"].shape[1] == 1960


def test_a_reader_of_names_alone_opens_all_four(files, tmp_path):
    """It computes in float64."""
    out = tmp_path / "predictions.npz"
    run_client(None, "plain_h5py.py", files.sequences, out, *files.named())
    compare(out, files.wanted, NAMES, "plain h5py")


@pytest.fixture(scope="module", params=KERAS_2)
def written(request, tmp_path_factory) -> tuple[Path, Path]:
    """A folder of models that Keras 2 wrote, and the file that their Lambda writes where it is run."""
    folder = tmp_path_factory.mktemp(request.param)
    save_model(small_models()["bias_model_scaled"], folder / "scaled.h5")
    np.save(folder / "sequences.npy", np.eye(4, dtype=np.float32)[np.random.default_rng(5).integers(0, 4, (8, 2114))])
    run_client(request.param, "keras2.py", "write", folder / "sequences.npy", folder, folder / "scaled.h5", folder / "plant")
    return folder, folder / "plant"


def test_files_with_a_lambda_are_read_and_their_code_is_never_run(written, tmp_path):
    """Keras 2 did run it on opening its own file, so the plant works; ours gives the same predictions without."""
    folder, plant = written
    assert plant.read_text() == "the stored code ran\n"
    plant.unlink()
    for number in (1, 2):
        path = folder / f"chrombpnet_{number}.h5"
        with h5py.File(path) as file:
            assert '"class_name": "Lambda"' in file.attrs["model_config"]
        logits, log_counts = predict(path, folder / "sequences.npy")
        np.savez(
            tmp_path / "ours.npz", **{f"chrombpnet_{number}_logits": logits, f"chrombpnet_{number}_log_counts": log_counts}
        )
        with np.load(folder / "predictions.npz") as theirs:
            compare(tmp_path / "ours.npz", theirs, [f"chrombpnet_{number}"], "ours")
        save_model(load_model(path), tmp_path / "again.h5")
    assert not plant.exists()


def test_names_numbered_on_from_other_models_are_read_and_written_anew(written, tmp_path):
    """Keras numbers additions and models within a process; bpnet-lite takes ``add_11`` for a sign of eleven layers."""
    folder, _ = written
    scaled, last = folder / "scaled.h5", []
    for number in (1, 2):
        source, ours = folder / f"chrombpnet_nobias_{number}.h5", tmp_path / "nobias.h5"
        last.append(max(additions(source)))
        save_model(load_model(source), ours)
        assert additions(ours) == [*range(8)]
        out = tmp_path / "predictions.npz"
        run_client("bpnet-lite", "bpnet_lite.py", folder / "sequences.npy", out, scaled, scaled, ours)
        with np.load(folder / "predictions.npz") as theirs:
            wanted = {
                f"{name}_{kind}": theirs[f"{name}_{number}_{kind}"]
                for name in ("chrombpnet", "chrombpnet_nobias")
                for kind in ("logits", "log_counts")
            }
        compare(out, wanted, ["chrombpnet", "chrombpnet_nobias"], "bpnet-lite")
    assert last[1] > last[0] >= 7


def additions(path: Path) -> list[int]:
    """The numbers of a file's additions, sorted; ``add`` is 0."""
    with h5py.File(path) as file:
        return sorted(int(name[4:] or 0) for name in file["model_weights"] if name.startswith("add"))
