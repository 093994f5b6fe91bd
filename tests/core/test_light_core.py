"""What a training step, predictions and contributions need: Keras with JAX, numpy, scipy, h5py and numba, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

BARE = """
import keras
import numpy as np
from chrombpnet_core.evaluation import score_regions
from chrombpnet_core.genome import codes_of, dinucleotide_shuffles, one_hot
from chrombpnet_core.interpret import ContributionsFile, Explainer, explain_codes, mean_contributions
from chrombpnet_core.models import (
    Architecture, average_models, bpnet, chrombpnet, open_model, predict, predicted_track, save_model,
)
from chrombpnet_core.training import Checkpoint, History, TrainingOptions, fit, make_training_step, predict_examples
from chrombpnet_core.training_data import ExampleBatch, ShardSet, read_batches, select_main_regions, training_plan

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)
size = Architecture(4, 2, 200, 80)
model = chrombpnet(bpnet(size, "wo_bias_", "model_wo_bias"), bpnet(size))
optimizer = keras.optimizers.Adam(0.01)
optimizer.build(model.trainable_variables)
codes = rng.integers(0, 4, (8, 200), dtype=np.uint8)
batch = ExampleBatch(codes, rng.poisson(1.0, (8, 80)).astype(np.float32), np.arange(8))
step = make_training_step(model, optimizer, 2.0)
losses = [float(np.asarray(step.train(batch))[0]) for _ in range(20)]
assert losses[-1] < losses[0], losses
step.state()
save_model(model, "model.h5")
opened = open_model("model.h5")
assert opened.kind == "chrombpnet"
prediction = predict(opened.keras, codes)
assert np.isfinite(prediction.tracks).all()
score_regions([(batch.profiles, prediction.logits, prediction.log_counts)])
for rows, scores in explain_codes(Explainer(bpnet(size), references=2), codes, 2, 1):
    assert scores["counts"].shape[1:] == (200, 4)
print("a step on", keras.backend.backend())
"""
"""Runs in a folder that it may write to, with ``KERAS_BACKEND=jax``."""

_ONLY_THESE = """
import sys
from importlib.machinery import PathFinder

ALLOWED = {
    "chrombpnet_core", "keras", "jax", "jaxlib", "numpy", "scipy", "h5py", "numba", "llvmlite", "__main__",
    # what Keras and JAX themselves depend on
    "absl", "rich", "markdown_it", "mdurl", "pygments", "namex", "optree", "ml_dtypes", "packaging", "opt_einsum",
    "typing_extensions",
}


class OnlyThese(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ALLOWED | sys.stdlib_module_names or top.startswith("_sysconfigdata"):
            return super().find_spec(name, path, target)


sys.meta_path[:] = [OnlyThese if finder is PathFinder else finder for finder in sys.meta_path]
"""


def test_models_training_and_contributions_need_keras_and_jax_only(tmp_path, request):
    run = subprocess.run(
        [sys.executable, "-c", _ONLY_THESE + BARE],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(request.config.rootpath)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "a step on jax\n"


def test_the_core_is_imported_in_no_time_and_without_keras_or_prefect():
    look = (
        "import time; begin = time.process_time(); import chrombpnet_core; spent = time.process_time() - begin; import sys; "
        "print(spent, *({'keras', 'tensorflow', 'jax', 'prefect', 'pandas'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    spent, *heavy = run.stdout.split()
    assert float(spent) < 0.3
    assert not heavy
