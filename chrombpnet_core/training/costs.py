"""What a data set costs: hours of GPU and CPU machines, storage, and money at given prices.

Hours follow from rates, and rates are only as good as where they come from, which each carries along. No GPU has been
measured by us. ``python -m chrombpnet_core.training.costs --help`` prints the table for rates and prices of your own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from chrombpnet_core.errors import InputError

__all__ = ["AIM", "CPU", "OTHERS", "Cost", "Prices", "Rates", "Workload", "cost", "cost_table", "hours_of_fold"]

_BIAS = 0.0382
"""Operations of the bias model (128 × 4) by those of the main model (512 × 8): ``Architecture.flops``, which needs Keras."""


@dataclass(frozen=True)
class Workload:
    """A data set; the defaults are those of a human one of 250,000 peaks, as ``docs/scale.md`` has it.

    Attributes
    ----------
    peaks, nonpeaks
        All of them; of the nonpeaks all train the bias model at most.
    folds
        How many are trained.
    train, valid
        Shares of the regions on chromosomes that train and validate a fold.
    main_epochs, bias_epochs
        Until early stopping; 50 at most.
    explained
        Peaks that are explained, of both models.
    """

    peaks: int = 250_000
    nonpeaks: int = 500_000
    folds: int = 5
    train: float = 0.7
    valid: float = 0.1
    main_epochs: int = 20
    bias_epochs: int = 15
    explained: int = 30_000


@dataclass(frozen=True)
class Rates:
    """Speeds of one machine.

    Attributes
    ----------
    name, source
        What it is, and who measured what of it.
    training
        Examples a second of the full-size main model (512 filters, 8 dilated layers).
    explaining
        Regions a second of that size, both heads in one pass.
    motifs
        Hours of one TF-MoDISco run; it needs no GPU, but runs on the fold's machine.
    """

    name: str
    source: str
    training: float
    explaining: float
    motifs: float = 0.5


OTHERS = Rates("RTX PRO 6000", "another port's authors, theirs; motifs assumed", 674, 10)
AIM = Rates("H200, our aim", "not measured as it is: see benchmarks/RESULTS.md; motifs assumed", 2500, 100)
CPU = Rates(
    "2 CPU cores", "ours at 64 × 8, benchmarks/RESULTS.md, scaled by operations; motifs assumed", 67.3 / 56.8, 3.64 / 59.4
)
"""67.3 examples/s train and 3.64 sequences/s are explained of a model of 64 × 8. One of 512 × 8 takes 59.4 times the
operations, and in training, where frozen bias models come on top of both, 56.8 times."""


@dataclass(frozen=True)
class Prices:
    """In any currency: of an hour of a fold's machine, GPU included, of a CPU machine, and of a GB for a month."""

    gpu_hour: float
    cpu_hour: float
    gb_month: float


@dataclass(frozen=True)
class Cost:
    """Of one data set: hours of fold machines and CPU machines, GB that stay, price of the run and of a month's storage."""

    gpu_hours: float
    cpu_hours: float
    stored: float
    run: float
    month: float


_START_HOURS = 0.2
"""Assumed: a node comes up and pulls the image, once a fold."""
_LOST = 0.05
"""Assumed: work done twice after preemptions. Checkpoints are two minutes apart, but each costs a start."""
_CPU_HOURS = 0.25
"""Measured: reads to shards take 85 s on two cores (docs/scale.md). Assumed: the rest, copies and hashes of inputs."""
_SHARED_GB, _FOLD_GB = 2.8, 1.5
"""Measured: bigWig and shards (docs/scale.md). Assumed: models, predictions and contributions of a fold."""


def hours_of_fold(work: Workload, rates: Rates) -> dict[str, float]:
    """Compute the hours of a fold's machine, by what they go into.

    A training step is three forward passes, validation one. The bias model's share follows from its operations; so does
    that of its contributions. Evaluation is one pass over the test regions and is added to validation.
    """
    test = 1 - work.train - work.valid
    main_seen = 1.1 * work.peaks * work.main_epochs * (work.train + work.valid / 3)
    bias_seen = work.nonpeaks * work.bias_epochs * (work.train + work.valid / 3)
    tested = (work.peaks + work.nonpeaks) * test / 3
    explained = work.explained / rates.explaining
    seconds = {
        "bias model": _BIAS * (bias_seen + tested) / rates.training,
        "main model": (main_seen + tested) / rates.training,
        "contributions": explained * (1 + _BIAS),
    }
    runs = 3 if work.explained else 0  # the bias model's profile and counts, the main model's profile
    return {name: each / 3600 for name, each in seconds.items()} | {"motifs": runs * rates.motifs}


def cost(work: Workload, rates: Rates, prices: Prices) -> Cost:
    """Compute what a data set takes and costs; starts of machines and work lost to preemptions included.

    The run that waits for its folds holds a CPU machine for as long as they take, all at a time.

    Parameters
    ----------
    work
        The data set.
    rates
        Speeds of a fold's machine.
    prices
        Of machines and storage.

    Returns
    -------
    Cost
        Hours, gigabytes and money.

    Raises
    ------
    InputError
        Where a rate is not above 0, or a price below.
    """
    if min(rates.training, rates.explaining) <= 0:
        raise InputError("a rate", expected="above 0", found=str(min(rates.training, rates.explaining)))
    if min(prices.gpu_hour, prices.cpu_hour, prices.gb_month) < 0:
        raise InputError("a price", expected="0 or more")
    gpu = work.folds * (sum(hours_of_fold(work, rates).values()) * (1 + _LOST) + _START_HOURS)
    cpu, stored = _CPU_HOURS + gpu / work.folds, _SHARED_GB + work.folds * _FOLD_GB
    return Cost(gpu, cpu, stored, gpu * prices.gpu_hour + cpu * prices.cpu_hour, stored * prices.gb_month)


def cost_table(work: Workload, rates: list[Rates], prices: Prices) -> str:
    """Write a Markdown table of costs.

    Parameters
    ----------
    work
        The data set.
    rates
        Of each machine, which gets a line with where its rates come from.
    prices
        Of machines and storage.

    Returns
    -------
    str
        The table.
    """
    lines = [
        "| machine of a fold | bias model | main model | contributions | motifs | hours of all folds | price | rates |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for machine in rates:
        parts, whole = hours_of_fold(work, machine), cost(work, machine, prices)
        lines.append(
            f"| {machine.name} | "
            + " | ".join(f"{hours:,.1f} h" for hours in parts.values())
            + f" | {whole.gpu_hours:,.0f} | {whole.run:,.2f} | {machine.source} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m chrombpnet_core.training.costs", description="GPU hours and price of a data set"
    )
    parser.add_argument("--gpu-hour", type=float, default=1.0, metavar="PRICE", help="of a fold's machine (default 1)")
    parser.add_argument("--cpu-hour", type=float, default=0.2, metavar="PRICE", help="of a CPU machine (default 0.2)")
    parser.add_argument("--gb-month", type=float, default=0.02, metavar="PRICE", help="of storage (default 0.02)")
    parser.add_argument("--training", type=float, metavar="N", help="examples/s that you measured: make bench-gpu")
    parser.add_argument("--explaining", type=float, metavar="N", help="regions/s of both heads that you measured")
    for name, value in vars(Workload()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, metavar="N")
    given = vars(parser.parse_args(arguments))
    prices = Prices(given["gpu_hour"], given["cpu_hour"], given["gb_month"])
    work = Workload(**{name: given[name] for name in vars(Workload())})
    machines = [OTHERS, AIM, CPU]
    if given["training"] or given["explaining"]:
        machines = [
            Rates(
                "yours",
                "given; motifs assumed",
                given["training"] or OTHERS.training,
                given["explaining"] or OTHERS.explaining,
            ),
            *machines,
        ]
    print(cost_table(work, machines, prices))
    whole = cost(work, machines[0], prices)
    print(
        f"\nCPU machines, {machines[0].name}: {whole.cpu_hours:,.1f} h. "
        f"Kept: {whole.stored:,.1f} GB, {whole.month:,.2f} a month."
    )


if __name__ == "__main__":
    main()
