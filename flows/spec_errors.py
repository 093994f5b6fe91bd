"""What is wrong in a data set, in words: the key, its line, what was meant, and where a key belongs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError

from chrombpnet_core.errors import InputError, InputErrors
from tasks.storage import redact_all

__all__ = ["LineOf", "error_in_words"]

Keys: TypeAlias = tuple[str | int, ...]
LineOf: TypeAlias = Callable[[Sequence[str | int]], int | None]
"""Keys, from the outermost on → the line of the file on which the last of them stands, None where that is not known."""

_TAG = "="  # begins the names of a union's parts, which pydantic puts into the place of an error
_LIKENESS = 0.7  # of what is written and what may be meant, as difflib counts it


def error_in_words(
    kind: type[BaseModel],
    error: ValidationError,
    where: str,
    flags: dict[str, str] | None = None,
    line_of: LineOf | None = None,
) -> InputError:
    """Put everything that pydantic found wrong into one error of the user's.

    Parameters
    ----------
    kind
        What was to be made: a DatasetSpec, or a section of one.
    error
        Pydantic's.
    where
        Begins each message, such as the name of the file.
    flags
        Key → the flag that sets it, where keys come from a command line.
    line_of
        Finds the line of a key, where they come from a file.

    Returns
    -------
    InputError
        Of one problem, or of all.
    """
    found: list[tuple[bool, int, Keys, dict[str, Any]]] = []
    for details in error.errors():
        place = tuple(part for part in details["loc"] if not str(part).startswith(_TAG))
        known = line_of(place) if line_of else None
        found.append((details["type"] == "missing", known or 0, place, dict(details)))
    meant: set[str] = set()
    problems = []
    for _, line, place, fault in sorted(found, key=lambda one: one[:2]):
        key, begin = _dotted(place), f"{where}, line {line}" if line else where
        if fault["type"] == "extra_forbidden":
            remedy, keys = _advice(kind, place)
            meant |= keys
            problems.append(InputError(f"{begin}: {key}: unknown key", remedy=remedy))
        elif fault["type"] != "missing" or key not in meant:  # what a misspelt key was meant to be is not missing as well
            problems.append(_problem(begin, key, fault, flags))
    return problems[0] if len(problems) == 1 else InputErrors(problems)


def _problem(begin: str, key: str, fault: dict[str, Any], flags: dict[str, str] | None) -> InputError:
    """Say what is wrong with the value of a key, or that it is missing."""
    shown = flags or {}
    key = shown.get(key) or shown.get(key.rsplit(".", 1)[-1], key)
    whole = fault["type"] == "missing" or isinstance(fault["input"], dict | list)
    return InputError(
        ": ".join(filter(None, (begin, key, fault["msg"].removeprefix("Value error, ")))),
        found="" if whole else json.dumps(redact_all(fault["input"]), default=str)[:80],
        remedy="see --help" if flags else "see 'chrombpnet run --schema'",
    )


def _advice(kind: type[BaseModel], place: Keys) -> tuple[str, set[str]]:
    """Guess what an unknown key was meant to be: in words, and as the keys that it may stand for."""
    *above, last = place
    written = str(last).lower().replace("-", "_").replace(" ", "_")
    section = _section_at(kind, above)
    here = [*section.model_fields] if section else []
    everywhere = [*_all_keys(kind)]
    if written in everywhere and "." in written:  # a key with dots in place of a section
        outer, _, inner = written.rpartition(".")
        return f"write {inner} below {outer}, indented", {written}
    if written in here:
        return f"did you mean {written}?", {_dotted((*above, written))}
    homes = [key for key in everywhere if key.rpartition(".")[2] == written]
    near = difflib.get_close_matches(written, here, 1, _LIKENESS)
    if not homes and near:
        return f"did you mean {near[0]}?", {_dotted((*above, near[0]))}
    if not homes:
        likely = difflib.get_close_matches(written, [key.rpartition(".")[2] for key in everywhere], 1, _LIKENESS)
        homes = [key for key in everywhere if likely and key.rpartition(".")[2] == likely[0]]
    if homes:
        return f"did you mean {' or '.join(homes)}? {_homes_in_words(homes)}", set(homes)
    known = ", ".join(here)
    return (f"known keys of {_dotted(above)}: {known}" if above else "see 'chrombpnet run --schema'"), set()


def _homes_in_words(keys: list[str]) -> str:
    sections = dict.fromkeys(key.rpartition(".")[0] for key in keys)
    return f"it belongs {' or '.join(f'below {section}' if section else 'at the top level' for section in sections)}"


def _dotted(place: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in place)


def _section_at(kind: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    """Find the section that keys lead to; None where there is none."""
    section: type[BaseModel] | None = kind
    for part in place:
        if isinstance(part, int) or section is None:
            continue
        field = section.model_fields.get(part)
        section = next(_sections_in(field.annotation), None) if field else None
    return section


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_in(part)


def _all_keys(kind: type[BaseModel], above: str = "") -> Iterator[str]:
    """List every key of a data set, sections within it with a dot; not those of lists, whose place is a number."""
    for name, field in kind.model_fields.items():
        yield above + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _all_keys(field.annotation, f"{above}{name}.")
