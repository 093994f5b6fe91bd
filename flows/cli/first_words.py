"""What a command says before it has imported anything: what it does, and on what."""

from __future__ import annotations

import argparse
import os
import sys
import time

__all__ = ["say", "say_first"]

_SUBJECTS = (
    "dataset",
    "recorded",
    "root",
    "results",
    "folder",
    "list",
    "input_bam_file",
    "input_fragment_file",
    "input_single_end_file",
    "input_tagalign_file",
    "input_bigwig_file",
    "bigwig",
    "h5py",
    "regions",
    "peaks",
    "chrom_sizes",
)
_PLACES = ("output_dir", "output_prefix", "output")
"""Arguments that say what a command works on, and where its results go; the first that is given is told."""


def say(words: str) -> None:
    """Print a line on standard error, as the log does, before the log is there; a fold's process leaves it out."""
    if not os.environ.get("CHROMBPNET_PARENT"):
        print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)


def say_first(arguments: argparse.Namespace) -> None:
    """Say what the chosen command does, and on what, before anything is imported for it.

    Parameters
    ----------
    arguments
        Of the command; its parser among them.
    """
    parser: argparse.ArgumentParser = arguments.parser
    what = str(parser.description or "").rstrip(".")
    given, place = (_first_given(arguments, names) for names in (_SUBJECTS, _PLACES))
    files = " → ".join(filter(None, (given, place)))
    command = parser.prog.removeprefix("chrombpnet ")
    if command != "completion":  # which shells ask for at each start, and which answers at once
        say(": ".join(filter(None, (command, what[:1].lower() + what[1:], files))))


def _first_given(arguments: argparse.Namespace, names: tuple[str, ...]) -> str:
    """Name what the first of some arguments has: a file, and how many more there are."""
    from chrombpnet_core.errors import printable

    values = next((value for value in (getattr(arguments, name, None) for name in names) if value), None)
    if values is None:
        return ""
    first, *others = values if isinstance(values, list) else [values]
    _, separator, rest = str(first).partition("://")
    shown = rest.split("?")[0].split("#")[0].rpartition("@")[2] if separator else str(first)
    shown = printable(shown.rstrip("/").rsplit("/", 1)[-1] or str(first))[:80]
    return f"{shown} and {len(others)} more" if others else shown
