"""Doors of the rooms: names that are imported when they are first used.

A room's ``__init__`` names what it exports under ``if TYPE_CHECKING``, where type checkers and editors read it;
:func:`lazy_door` does these imports at first use. So ``import chrombpnet_core`` stays light, and a room may export both what
needs Keras and what does not. The idea is Scientific Python's SPEC 1, which keeps the names in a stub file instead.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["lazy_door"]


def lazy_door(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make ``__getattr__`` and ``__dir__`` of a package whose exports are imported at first use.

    Parameters
    ----------
    package
        The package's ``__name__``.
    file
        The package's ``__file__``; its imports under ``if TYPE_CHECKING`` say which module each name comes from.

    Returns
    -------
    tuple of callables
        ``__getattr__`` and ``__dir__`` for the package's namespace.
    """
    homes: dict[str, tuple[str, str]] = {}

    def get(name: str) -> object:
        if not homes:
            homes.update(_homes(Path(file)))
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = homes[name]
        home = importlib.import_module(module)
        is_module = hasattr(home, "__path__") and importlib.util.find_spec(f"{module}.{original}") is not None
        value = importlib.import_module(f"{module}.{original}") if is_module else getattr(home, original)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *sys.modules[package].__all__})

    return get, names


def _homes(file: Path) -> dict[str, tuple[str, str]]:
    """Name → (module, name there) of the imports under ``if TYPE_CHECKING``."""
    blocks = [
        node
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in imports for alias in node.names}
