"""Progress of long work: how much is done, rate and time left, on a terminal and in a log file alike."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["bar", "readable_time", "track"]

T = TypeVar("T")

_PREFIXES = ("", "k", "M", "G", "T")


def readable_time(seconds: float) -> str:
    """Put a length of time in words.

    Parameters
    ----------
    seconds
        0 or more.

    Returns
    -------
    str
        Such as "40 s", "12 min" or "3.5 h".

    Examples
    --------
    >>> readable_time(754)
    '13 min'
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.{1 if seconds < 36000 else 0}f} h"


def _readable(number: float) -> str:
    """Three figures and a prefix: 7, 212, 4.24k, 0.19."""
    power = 0
    while abs(number) >= 999.5 and power < len(_PREFIXES) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g}{_PREFIXES[power]}"


def _in_words(figures: dict[str, Any], unit: str) -> str:
    """How much is done of how much, and, once something is done, rate and time left; before that neither is known."""
    done, total, initial, elapsed = figures["n"], figures["total"], figures["initial"], figures["elapsed"]
    words = f"{_readable(done)}/{_readable(total)} {unit}" if total else f"{_readable(done)} {unit}"
    rate = figures["rate"] or ((done - initial) / elapsed if elapsed else 0)
    if done <= initial or not rate:
        return words
    words += f", {_readable(rate)}/s"
    return f"{words}, {readable_time(max(0, total - done) / rate)} left" if total else words


@functools.cache
def _bars() -> tuple[type[Any], type[Any]]:
    """Make the classes of bars on a terminal, and of bars that are lines of a log file, where nothing is overwritten."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]  # tqdm takes no type argument when it runs
        """Progress with our own words."""

        counted = ""

        @property
        def format_dict(self) -> Any:
            """What the form of a bar may name, our words among it."""
            figures: dict[str, Any] = {"rate": None, "initial": 0, **super().format_dict}
            return figures | {"words": _in_words(figures, self.counted)}

    class Lines(Bar):
        """Progress as lines of a log file."""

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            """Write a line."""
            self.fp.write(f"{self if msg is None else msg}\n")
            self.fp.flush()

        def refresh(self, nolock: bool = False, lock_args: Any = None) -> Any:
            """Write a line for progress, and none for a line of the log that comes between, which tears nothing."""
            return None if nolock else super().refresh(nolock, lock_args)

        def clear(self, nolock: bool = False) -> None:
            """Lines stay."""

        def close(self) -> None:
            """End without a last line."""
            if not self.disable:
                self.disable = True
                type(self)._decr_instances(self)  # type: ignore[attr-defined]  # tqdm's own, which its stubs leave out

    return Bar, Lines


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
    on_terminal, lines = _bars()
    options: dict[str, Any] = {
        "desc": f"  {description}",
        "total": total,
        "initial": initial,
        "unit": "",
        "file": sys.stderr,
        "delay": 2,
    }
    terminal = sys.stderr.isatty()
    share = "{percentage:3.0f}%|{bar}| " if terminal and total else ""
    if terminal:
        options |= {"dynamic_ncols": True, "leave": False, "mininterval": 0.2}
    else:
        options |= {"mininterval": 10, "maxinterval": 20}
    made: tqdm[Any] = (on_terminal if terminal else lines)(**options, bar_format="{desc}: " + share + "{words}{postfix}")
    made.counted = unit  # type: ignore[attr-defined]  # of our class
    return made


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
