"""Where the files of a run's steps lie in its results folder, as their declarations say."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from tasks.registry import declared_steps
from tasks.runner import Result, RunKind

__all__ = ["layout_of", "placed_files"]


def layout_of(kind: RunKind) -> dict[str, Mapping[str, str]]:
    """Return the results folder's layout.

    Parameters
    ----------
    kind
        bias, main, dataset or ensemble.

    Returns
    -------
    dict
        Step → file or pattern → its place, as :func:`tasks.runner.published` takes them.
    """
    return {name: step.outputs[kind] for name, step in declared_steps().items() if kind in step.outputs}


def placed_files(kind: RunKind, results: Mapping[str, Result]) -> dict[str, Path]:
    """Find the files of a run that go to its results folder.

    Parameters
    ----------
    kind
        bias, main, dataset or ensemble.
    results
        Results by the steps' names; those of other names, and of steps that publish nothing, stay in the store.

    Returns
    -------
    dict
        Path in the results folder → local path, in the order in which they are to be placed: the report last.
    """
    layout, files = layout_of(kind), {}
    for name in sorted(results, key=lambda name: name == "report"):
        for file, place in _placed(layout.get(name, {}), results[name]).items():
            files[place] = results[name].file(file)
    return files


def _placed(places: Mapping[str, str], result: Result) -> dict[str, str]:
    """File of the result → path in the results folder, in the order of the declaration; exact names before patterns."""
    made = sorted(result.manifest["files"])
    return {
        file: place + file
        for pattern, place in places.items()
        for file in made
        if file == pattern or (file not in places and fnmatch(file, pattern))
    }
