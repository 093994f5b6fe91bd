"""The house itself: sizes of modules and functions, no import circle, doors that open."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("chrombpnet_core", "tasks", "flows")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
DOORS = [path for path in MODULES if path.name == "__init__.py" and "TYPE_CHECKING" in path.read_text(encoding="utf-8")]
MOST_TOP_LEVEL, LONGEST_MODULE, LONGEST_FUNCTION = 8, 400, 60


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _long_functions(path: Path, source: str) -> list[str]:
    return [
        f"{_named(path)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]


def _circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected modules, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in imports[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            circle = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(circle) > 1:
                circles.append(sorted(circle))

    for module in imports:
        if module not in index:
            visit(module)
    return circles


def _imports(packages: tuple[str, ...]) -> dict[str, set[str]]:
    """Module → modules that it imports; what only type checkers see is left out, as are doors, which import at first use."""
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_the_core_has_few_modules_outside_its_rooms():
    assert len(list((ROOT / "chrombpnet_core").glob("*.py"))) <= MOST_TOP_LEVEL


def test_no_module_is_too_long():
    lengths = {_named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_function_is_too_long():
    assert [line for path in MODULES for line in _long_functions(path, path.read_text(encoding="utf-8"))] == []


def test_no_modules_import_one_another_in_a_circle():
    assert _circles(_imports(PACKAGES)) == []


def test_what_is_too_long_or_goes_in_circles_is_found():
    source = "def long():\n" + "    pass\n" * LONGEST_FUNCTION
    assert len(_long_functions(ROOT / "module.py", source)) == 1
    assert _long_functions(ROOT / "module.py", source.replace("    pass\n", "", 1)) == []
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@pytest.mark.parametrize("door", DOORS, ids=_named)
def test_doors_tell_what_a_room_is_for_and_open(door):
    package = importlib.import_module(".".join(door.relative_to(ROOT).parent.parts))
    assert package.__doc__
    assert len(package.__doc__.split()) >= 10
    assert package.__all__ == sorted(package.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def test_every_room_has_a_door():
    rooms = {path.parent for path in MODULES if path.parent.name != "cli"}
    assert sorted(_named(room) for room in rooms if room / "__init__.py" not in DOORS and room.parent != ROOT) == []


def test_importing_the_core_is_light():
    code = "import sys, chrombpnet_core; print(*sorted({*sys.argv[1:]} & {*sys.modules}))"
    heavy = ("keras", "tensorflow", "jax", "prefect", "pandas", "numpy", "pysam")
    run = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.split() == []


def test_rooms_are_entered_by_their_doors():
    """From outside a room its door is imported, not a module within."""
    rooms = {".".join(door.relative_to(ROOT).parent.parts) for door in DOORS} - set(PACKAGES)
    inside = [
        f"{_named(path)}:{node.lineno} imports {node.module}"
        for path in MODULES
        if path.name != "__init__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for room in rooms
        if node.module.startswith(f"{room}.") and ".".join(path.relative_to(ROOT).parent.parts) != room
    ]
    assert inside == []


def test_benchmarks_import_what_is_there():
    missing = []
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
                module = importlib.import_module(node.module)
                missing += [f"{_named(path)}: {alias.name}" for alias in node.names if not hasattr(module, alias.name)]
    assert missing == []
