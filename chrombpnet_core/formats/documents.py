"""JSON and YAML files of the user's, read in bounded time and memory or refused in one line, whatever they hold."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats.text import refuse_other_text, require_file

if TYPE_CHECKING:
    from yaml import SafeLoader
    from yaml.nodes import MappingNode, Node

__all__ = ["line_of_key", "read_json", "read_yaml"]

_LARGEST = {"JSON": 64 << 20, "YAML": 1 << 20}  # bytes; PyYAML reads 100 kB a second
_DEEPEST = 50
_MOST_VALUES = 1_000_000  # of YAML, counted as often as aliases repeat them


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path
        The file.
    what
        What it is, for messages.

    Returns
    -------
    Any
        Its content.

    Raises
    ------
    InputError
        Naming file and line, where it is not JSON: nested too deeply, a key twice, a number that is none, too large.
    """
    text = _text(path, what, "JSON")
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise InputError(f"{path}: not JSON", found="lists or mappings that are nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON", found=f"{error.msg} (column {error.colno})") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON", found=str(error).partition(": value has")[0]) from None


def read_yaml(path: str | os.PathLike[str], what: str, name: str = "") -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path
        The file.
    what
        What it is, for messages.
    name
        What messages call the file; by default its path.

    Returns
    -------
    Any
        Its content; scalars, lists and mappings alone.

    Raises
    ------
    InputError
        Naming file and line, where it is not YAML: nested too deeply, a key twice, aliases that repeat themselves or
        millions of values, a value that is not of its type, too large.
    """
    import yaml

    name = name or str(path)
    text = _text(path, what, "YAML", name)
    try:
        return yaml.load(text, _loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(
            f"{name}{line}: not YAML", found=(error.problem or error.context or "").removeprefix("found ")
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"{name}: not YAML", found=str(error).partition("\n")[0]) from None
    except RecursionError:
        raise InputError(f"{name}: not YAML", found="lists or mappings that are nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):  # PyYAML's own, of tags and dates
        raise InputError(f"{name}: not YAML", found="a date or number that is none", remedy="quote it") from None


def line_of_key(path: str | os.PathLike[str], keys: Sequence[str | int]) -> int | None:
    """Find the line of a YAML file on which a key stands.

    Parameters
    ----------
    path
        A file that :func:`read_yaml` reads.
    keys
        From the outermost on: names of a mapping, numbers of a list.

    Returns
    -------
    int or None
        Line from 1, of the last of the keys that is there; None where not even the first is.
    """
    import yaml

    node = yaml.compose(_text(path, "file", "YAML"), _loader())
    line: int | None = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(key)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            pair = (node.value[key], node.value[key])
        else:
            pair = None
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def _text(path: str | os.PathLike[str], what: str, kind: str, name: str = "") -> str:
    file, name = require_file(path, what), name or str(path)
    size = file.stat().st_size
    if size > _LARGEST[kind]:
        raise InputError(f"{name}: too large for a {what}", expected=f"at most {_LARGEST[kind]:,} bytes", found=f"{size:,}")
    content = file.read_bytes()
    refuse_other_text(content[:8], name, what)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}, line {line}: not {kind}",
            expected=f"the {what} as UTF-8 text",
            found=f"byte {content[error.start]:#x}",
        ) from None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} twice")
    return content


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is no number that JSON can hold")


def _refuse_twice(node: MappingNode) -> None:
    import yaml

    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)


@functools.cache
def _loader() -> type[SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML's safe loader, which counts what aliases repeat and refuses a key that is given twice."""

        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self._values = self._depth = 0
            self._open: set[str] = set()
            self._sizes: dict[str, int] = {}

        def compose_node(self, parent: Node | None, index: int) -> Node | None:
            event = self.peek_event()  # type: ignore[no-untyped-call]  # its stub has no types
            alias, before = self.check_event(yaml.AliasEvent), self._values
            anchor: str | None = event.anchor
            if alias and anchor in self._open:
                raise yaml.MarkedYAMLError(problem="an alias within what it stands for", problem_mark=event.start_mark)
            self._values += self._sizes.get(anchor or "", 0) if alias else 1
            self._depth += 1
            if self._depth > _DEEPEST or self._values > _MOST_VALUES:
                why = "nested too deeply" if self._depth > _DEEPEST else f"more than {_MOST_VALUES:,} values"
                raise yaml.MarkedYAMLError(problem=why, problem_mark=event.start_mark)
            if anchor and not alias:
                self._open.add(anchor)
            node = super().compose_node(parent, index)
            if anchor and not alias:
                self._open.discard(anchor)
                self._sizes[anchor] = self._values - before
            self._depth -= 1
            if isinstance(node, yaml.MappingNode) and not alias:
                _refuse_twice(node)
            return node

    return Loader
