"""``--threads N`` limits all that a command computes with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flows.cli import build_parser
from flows.cli.main import main


def test_threads_are_limited_before_any_library_is_imported(tmp_path):
    """A command's function sees the limit before NumPy and TensorFlow are imported."""
    program = f"""
import os, sys
from flows.cli import check, main

def look(arguments):
    heavy = {{"numpy", "numba", "tensorflow", "keras"}} & set(sys.modules)
    import numba
    from chrombpnet_core.concurrency import usable_threads
    print("threads:", sorted(heavy), usable_threads(), numba.get_num_threads(), os.environ["TF_NUM_INTRAOP_THREADS"])

check.doctor = look
main.main(["doctor", "--threads", "1", "--device", "cpu", "--store", {str(tmp_path)!r}])
"""
    environment = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert "threads: [] 1 1 1" in run.stdout


@pytest.mark.parametrize("value", ["0", "-2"])
def test_less_than_one_thread_is_refused(value, capsys, tmp_path):
    assert main(["doctor", "--threads", value, "--store", str(tmp_path)]) == 2
    assert f"--threads is {value}; expected 1 or more" in capsys.readouterr().err


def test_every_command_that_computes_takes_threads():
    for words in (["run", "d.yaml"], ["demo"], ["pred_bw", "-r", "r", "-g", "g", "-c", "c", "-op", "o"]):
        assert build_parser().parse_args([*words, "--threads", "3"]).threads == 3
