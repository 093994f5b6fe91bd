"""A machine that has Keras, JAX, numpy, scipy, h5py and numba alone: models, a training step and contributions work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.core.test_light_core import BARE

PACKAGES = ("keras", "jax", "numpy", "scipy", "h5py", "numba")


def test_a_training_step_in_an_environment_made_for_it(tmp_path, request):
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv" / "bin" / "python"
    constraints = request.config.rootpath / "constraints.txt"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, "--constraint", constraints, *PACKAGES],
        env=os.environ | {"UV_SYSTEM_CERTS": "true"},
        check=True,
    )
    run = subprocess.run(
        [python, "-c", BARE],
        env={"KERAS_BACKEND": "jax", "PYTHONPATH": str(request.config.rootpath), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "a step on jax\n"
