"""Progress of long work: rate and time left, on a terminal and in a log file alike."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

__all__ = ["bar", "track"]

T = TypeVar("T")


class _Lines(tqdm):
    """Progress as lines of a log file: nothing is overwritten."""

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Write a line."""
        self.fp.write(f"{self if msg is None else msg}\n")
        self.fp.flush()
        return True

    def clear(self, nolock: bool = False) -> None:
        """Lines stay."""

    def close(self) -> None:
        """End without a last line."""
        if not self.disable:
            self.disable = True
            self._decr_instances(self)


def bar(description: str, total: float | None = None, unit: str = "it", initial: float = 0) -> tqdm:
    """A progress bar on standard error; where that is no terminal, a line every ten seconds instead."""
    form = "{desc}: {n_fmt}/{total_fmt} " + unit + ", {rate_noinv_fmt}, {remaining} left{postfix}"
    options = {
        "desc": f"  {description}",
        "total": total,
        "initial": initial,
        "unit": "",
        "unit_scale": True,
        "file": sys.stderr,
        "delay": 2,
    }
    if sys.stderr.isatty():
        return tqdm(
            **options,
            dynamic_ncols=True,
            leave=False,
            mininterval=0.2,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| " + form.removeprefix("{desc}: "),
        )
    return _Lines(**options, mininterval=10, maxinterval=20, bar_format=form)


def track(items: Iterable[T], description: str, total: float | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate over ``items`` under a :func:`bar`."""
    with bar(description, total if total is not None else len(items), unit) as progress:  # type: ignore[arg-type]
        for item in items:
            yield item
            progress.update()
