"""Hours and prices of a data set: in proportion to work, rates and prices, each with where it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.models import Architecture
from chrombpnet_core.training.costs import (
    _BIAS,
    AIM,
    CPU,
    OTHERS,
    Prices,
    Rates,
    Workload,
    cost,
    cost_table,
    hours_of_fold,
    main,
)

PRICES = Prices(2.0, 0.5, 0.02)


def test_an_hour_of_training_is_an_hour():
    """3600 steps of one example a second, nothing to validate, test or explain."""
    work = Workload(peaks=3600, nonpeaks=0, folds=1, train=1.0, valid=0.0, main_epochs=1, bias_epochs=1, explained=0)
    hours = hours_of_fold(work, Rates("x", "here", 1.1, 1))
    assert hours == pytest.approx({"bias model": 0, "main model": 1, "contributions": 0, "motifs": 0})


def test_twice_the_rate_halves_the_hours():
    slow, fast = (hours_of_fold(Workload(), Rates("x", "", 100 * k, 10 * k, 0)) for k in (1, 2))
    assert all(fast[name] == pytest.approx(slow[name] / 2) for name in slow)


def test_the_price_is_that_of_the_hours():
    whole = cost(Workload(), OTHERS, PRICES)
    assert whole.run == pytest.approx(2.0 * whole.gpu_hours + 0.5 * whole.cpu_hours)
    assert whole.month == pytest.approx(0.02 * whole.stored)
    parts = sum(hours_of_fold(Workload(), OTHERS).values())
    assert 5 * parts < whole.gpu_hours < 1.3 * 5 * parts, "starts and lost work are in it"
    assert cost(Workload(folds=1), OTHERS, PRICES).gpu_hours == pytest.approx(whole.gpu_hours / 5)


def test_the_cpus_rates_are_the_measured_ones_scaled_by_operations():
    assert Architecture(128, 4).flops() / Architecture(512, 8).flops() == pytest.approx(_BIAS, rel=0.01)
    small, full, bias = (Architecture(*size).flops() for size in ((64, 8), (512, 8), (128, 4)))
    explained = full / small
    frozen = Architecture(32, 4).flops()  # of the benchmark; a third of its share, as it is not trained
    trained = (3 * full + bias) / (3 * small + frozen)
    assert CPU.explaining == pytest.approx(3.64 / explained, rel=0.01)
    assert CPU.training == pytest.approx(67.3 / trained, rel=0.01)


def test_every_line_says_where_its_rates_come_from():
    table = cost_table(Workload(), [OTHERS, AIM, CPU], PRICES)
    assert len(table.splitlines()) == 5
    assert "theirs" in table
    assert "not measured" in table


@pytest.mark.parametrize("rates", [replace(OTHERS, training=0), replace(OTHERS, explaining=-1)], ids=["none", "negative"])
def test_impossible_rates_are_refused(rates):
    with pytest.raises(InputError, match="above 0"):
        cost(Workload(), rates, PRICES)


def test_impossible_prices_are_refused():
    with pytest.raises(InputError, match="price"):
        cost(Workload(), OTHERS, Prices(-1, 0, 0))


def test_rates_of_ones_own_come_first(capsys):
    main(["--training", "1000", "--explaining", "50", "--gpu-hour", "0.7", "--folds", "1"])
    assert "| yours |" in capsys.readouterr().out.splitlines()[2]


def test_the_table_of_the_docs_is_this_one():
    """That of the default prices; run the module again where it differs."""
    told = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
    for line in cost_table(Workload(), [OTHERS, AIM, CPU], Prices(1.0, 0.2, 0.02)).splitlines():
        assert line in told
