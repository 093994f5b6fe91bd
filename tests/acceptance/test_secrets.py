"""A real run whose inputs lie at addresses with a password and a signature: neither is found in anything that is left."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.core.models.test_files import SMALL, _draw, _functional, _part, _write

PASSWORD, SIGNATURE = "planted-password", "planted-signature"


@pytest.fixture
def inputs(tmp_path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    letters = "".join(np.random.default_rng(0).choice([*"ACGT"], 4000))
    (folder / "genome.fa").write_text(f">chr1\n{letters}\n")
    lines = [
        f"chr1\t{pos}\t{letters[pos - 1]}\t{'ACGT'['ACGT'.index(letters[pos - 1]) - 1]}\tv{pos}" for pos in (1000, 2000)
    ]
    (folder / "list.tsv").write_text("\n".join(lines) + "\n")
    layers = _part(SMALL, "wo_bias_", 0)
    for fold in range(2):
        weights = {name: {name: arrays} for name, arrays in _draw(layers).items()}
        _write(folder / f"fold_{fold}.h5", _functional("model_wo_bias", layers), weights)
    return folder


@pytest.fixture
def served(inputs) -> Iterator[str]:
    """The inputs' address, without the secrets that it wants."""

    class Server(http.server.SimpleHTTPRequestHandler):
        def send_head(self):
            if SIGNATURE not in self.path or "Authorization" not in self.headers:
                return self.send_error(403)
            self.path = urlsplit(self.path).path
            return super().send_head()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(inputs))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_secret_is_left_by_a_run(served, tmp_path):
    def address(name: str) -> str:
        return f"http://user:{PASSWORD}@{served}/{name}?X-Signature={SIGNATURE}"

    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "PREFECT_HOME": str(home / "prefect"), "CHROMBPNET_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "flows.cli.main", "variants", "-l", address("list.tsv"), "-g", address("genome.fa")]
    command += ["-m", address("fold_0.h5"), address("fold_1.h5"), "-op", str(tmp_path / "out" / "x"), "--top", "0"]
    command += ["--store", str(tmp_path / "store"), "--device", "cpu"]
    run = subprocess.run(command, check=False, text=True, capture_output=True, env=os.environ | places)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "x.mean.variant_scores.tsv").exists()
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and "inputs" not in path.parts]
    assert any(path.name == "prefect.db" for path in kept), "Prefect keeps its database elsewhere"
    for secret in (PASSWORD, SIGNATURE):
        assert secret not in run.stdout + run.stderr
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []
