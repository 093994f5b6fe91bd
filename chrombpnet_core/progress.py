"""Progress of long work: rate and time left, on a terminal and in a log file alike."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["bar", "track"]

T = TypeVar("T")


@functools.cache
def _lines() -> type[Any]:
    """Make the class of bars that are lines of a log file: nothing is overwritten."""
    from tqdm import tqdm

    class Lines(tqdm):  # type: ignore[type-arg]  # tqdm takes no type argument when it runs
        """Progress as lines of a log file."""

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            """Write a line."""
            self.fp.write(f"{self if msg is None else msg}\n")
            self.fp.flush()

        def clear(self, nolock: bool = False) -> None:
            """Lines stay."""

        def close(self) -> None:
            """End without a last line."""
            if not self.disable:
                self.disable = True
                type(self)._decr_instances(self)  # type: ignore[attr-defined]  # tqdm's own, which its stubs leave out

    return Lines


def bar(description: str, total: float | None = None, unit: str = "it", initial: float = 0) -> tqdm[Any]:
    """Make a progress bar on standard error; where that is no terminal, a line every ten seconds instead.

    Parameters
    ----------
    description
        What is done.
    total
        How much there is to do.
    unit
        Of which.
    initial
        How much is done already.

    Returns
    -------
    tqdm.tqdm
        A context manager; call its ``update``.
    """
    from tqdm import tqdm

    form = "{desc}: {n_fmt}/{total_fmt} " + unit + ", {rate_noinv_fmt}, {remaining} left{postfix}"
    options: dict[str, Any] = {
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
    lines: tqdm[Any] = _lines()(**options, mininterval=10, maxinterval=20, bar_format=form)
    return lines


def track(items: Iterable[T], description: str, total: float | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate under a :func:`bar`.

    Parameters
    ----------
    items
        What is iterated over.
    description
        As of :func:`bar`.
    total
        How many there are; by default their length.
    unit
        As of :func:`bar`.

    Yields
    ------
    The items.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(description, total, unit) as progress:
        for item in items:
            yield item
            progress.update()
