"""The estimate of a run's time holds, within a factor of two, for runs that were measured on two cores."""

from __future__ import annotations

import pytest

from chrombpnet_core.devices import Device
from chrombpnet_core.models import Architecture
from chrombpnet_core.training import estimate_resources
from tasks.steps import RunEstimate, Workload
from tasks.steps.step_times import seconds_of_steps

TWO_CORES = Device("cpu", "2 cores", 1, 24 << 30, "tensorflow")
DEMO = Workload(
    models={"bias": Architecture(16, 4, 1018, 800), "main": Architecture(16, 5, 1018, 800)},
    epochs={"bias": 6, "main": 35},
    heads={"bias": 2, "main": 1},
    peaks=477,
    nonpeaks=878,
    negative_ratio=0.5,
    batch_size=8,
    explained=30_000,
    genome_size=2_400_000,
    jitter=100,
)
DEMO_SECONDS = {
    "train_bias": 13.5,
    "evaluate_bias": 3.3,
    "bias_contributions": 31.2,
    "train_main": 67.0,
    "evaluate_main": 10.6,
    "contributions": 20.2,
    "motifs_profile": 63.1,
}
YEAST = Workload(
    models={"bias": Architecture(32, 4), "main": Architecture(64, 8)},
    epochs={"bias": 8, "main": 14},
    heads={"bias": 2, "main": 1},
    peaks=2121,
    nonpeaks=2121,
    genome_size=12_157_105,
    jitter=500,
)
YEAST_SECONDS = {"train_bias": 49.6, "evaluate_bias": 7.5, "train_main": 414.4, "evaluate_main": 73.9, "coverage": 7.2}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setenv("CHROMBPNET_THREADS", "2")


@pytest.mark.parametrize(("work", "measured"), [(DEMO, DEMO_SECONDS), (YEAST, YEAST_SECONDS)], ids=["demo", "yeast"])
def test_steps_take_what_they_took(work, measured):
    expected = seconds_of_steps([*measured], work, TWO_CORES)
    assert {name: round(expected[name] / seconds, 2) for name, seconds in measured.items()} == {
        name: pytest.approx(1.25, abs=0.75) for name in measured
    }


@pytest.mark.parametrize(("work", "measured"), [(DEMO, DEMO_SECONDS), (YEAST, YEAST_SECONDS)], ids=["demo", "yeast"])
def test_all_steps_together(work, measured):
    expected = sum(seconds_of_steps([*measured], work, TWO_CORES).values())
    assert 0.67 < expected / sum(measured.values()) < 1.5


def test_the_steps_of_a_factor_are_those_of_any_bias_model():
    expected = seconds_of_steps(["0.5 train_bias", "train_bias"], DEMO, TWO_CORES)
    assert expected["0.5 train_bias"] == expected["train_bias"]


def test_a_run_is_told_by_what_takes_longest():
    seconds = seconds_of_steps(["train_main", "motifs_profile", "main_report", "shards"], YEAST, TWO_CORES)
    resources = estimate_resources([], 64, 4242, 3114, 12_157_105, TWO_CORES)
    words = str(RunEstimate(resources, seconds, [*seconds]))
    assert "if all epochs run: training 7 min, motifs 15 s, reports 6 s, all else 2" in words
    assert words.startswith("host memory ")
    assert "training 14 min" in str(RunEstimate(resources, seconds, [*seconds, "train_main"]))  # of a second fold
    assert str(RunEstimate(resources, {}, [])).endswith("; nothing is left to compute")


def test_a_gpu_is_faster():
    gpu = Device("gpu", "a card", 1, 0, "jax")
    on_gpu, on_cpu = (seconds_of_steps(["train_main"], YEAST, device)["train_main"] for device in (gpu, TWO_CORES))
    assert on_gpu < on_cpu / 4
