"""The script that README.md shows runs as it stands, but for names of files and places."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import chrombpnet_core as cbp

README = Path(cbp.__file__).parents[1] / "README.md"
HERE = {
    "genome.fa.gz": "genome.fa",
    "peaks.narrowPeak": "regions.bed",
    "my.vcf.gz": "variants.tsv",
    "chrI:50,000": "chrA:701",
}


def test_the_script_of_the_readme_runs(files, monkeypatch):
    monkeypatch.chdir(files.folder)
    monkeypatch.setenv("CHROMBPNET_CACHE", str(files.folder / "cache"))
    script = re.search(r"```python\n(import chrombpnet_core.*?)```", README.read_text(), re.S)[1]
    for written, here in HERE.items():
        assert written in script
        script = script.replace(written, here)
    names: dict[str, object] = {}
    exec(compile(script, "README.md", "exec"), names)
    assert names["predicted"].profile.shape == (1, names["model"].output_length)
    assert names["explained"].actual.shape == (1, names["model"].input_length, 4)
    assert len(names["table"]) == 4
    assert np.isfinite(names["footprint"].to_frame().to_numpy(dtype=float)).all()
    assert len(names["scores"].to_frame()) > 0
    plt.close("all")
