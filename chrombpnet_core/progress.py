"""Progress of long work: rate and time left, on a terminal and in a log file alike."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

__all__ = ["bar", "track"]

T = TypeVar("T")


def bar(description: str, total: float | None = None, unit: str = "it", initial: float = 0) -> tqdm:
    """A progress bar on standard error; where that is no terminal, one line every ten seconds instead."""
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=f"  {description}",
        total=total,
        initial=initial,
        unit=f" {unit}",
        unit_scale=True,
        file=sys.stderr,
        ascii=not terminal,
        dynamic_ncols=terminal,
        leave=False,
        mininterval=0.2 if terminal else 10,
        maxinterval=1 if terminal else 20,
        delay=2,
        bar_format=None if terminal else "{desc}: {n_fmt}/{total_fmt} {unit} {rate_fmt}, {remaining} left\n",
    )


def track(items: Iterable[T], description: str, total: float | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate over ``items`` under a :func:`bar`."""
    with bar(description, total if total is not None else len(items), unit) as progress:  # type: ignore[arg-type]
        for item in items:
            yield item
            progress.update()
