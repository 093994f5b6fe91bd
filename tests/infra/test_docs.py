"""What README.md, CONTRIBUTING.md and docs/ show exists: commands, flags, links, paths, targets, the example of a step."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import pandas as pd
import pytest

from flows.cli.main import build_parser
from tests.infra.rendering import INFRA

ROOT = INFRA.parent
FILES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): re.sub(r"\\\n\s*", "", path.read_text()) for path in FILES}
SHOWN = [
    (name, line) for name, text in PAGES.items() for line in re.findall(r"^ *(?:\S*/)?chrombpnet (.*)$", text, re.MULTILINE)
]
MENTIONED = [(name, words) for name, text in PAGES.items() for words in re.findall(r"`chrombpnet ([^`]*)`", text)]


def _words(line: str) -> list[str]:
    return [word for word in shlex.split(line, comments=True) if word != "…"]


def test_commands_are_found():
    assert len(SHOWN) > 20
    assert {"deploy", "bridge", "encode", "run"} <= {line.split()[0] for _, line in SHOWN}


@pytest.mark.parametrize(("page", "line"), SHOWN)
def test_a_command_in_a_block_parses(page, line):
    assert build_parser().parse_args(_words(line)).run


@pytest.mark.parametrize(("page", "words"), MENTIONED)
def test_a_command_in_a_sentence_exists_with_its_flags(page, words):
    parser, given = build_parser(), _words(words)
    while given and not given[0].startswith("-"):
        groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not groups:
            break
        parser = groups[0].choices[given.pop(0)]
    known = {flag for action in parser._actions for flag in action.option_strings}
    assert {word for word in given if word.startswith("-")} <= known


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text()), target


@pytest.mark.parametrize("page", PAGES)
def test_paths_of_the_repository_exist(page):
    """Such as `chrombpnet_core/training/step.py`, `tests/infra/` or `flows/encode/flow.py:encode`."""
    for path in re.findall(r"`((?:chrombpnet_core|tasks|flows|infra|tests|docs|benchmarks)/[^`\s…<*]*)`", PAGES[page]):
        name, _, definition = path.partition(":")
        assert (ROOT / name).exists() or name == "infra/terraform/terraform.tfvars", path  # each user writes that one
        if definition:
            assert re.search(rf"^(def|class) {definition}\b", (ROOT / name).read_text(), re.MULTILINE), path


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_make_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^ +)make ([a-z-]+)(?=[`\s])", PAGES[page], re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_tables_and_fences_are_whole(page):
    """Each row of a table has its header's number of cells, and each fence is closed."""
    text = (ROOT / page).read_text()
    assert text.count("```") % 2 == 0
    for table in re.findall(r"(?:^\|.*\|$\n?)+", re.sub(r"```.*?```", "", text, flags=re.S), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


def test_the_example_of_a_step_runs(tmp_path):
    """CONTRIBUTING.md's declaration makes a step whose outputs are kept and found again."""
    from tasks import runner

    code = re.search(r"## Add a step.*?```python\n(.*?)```", PAGES["CONTRIBUTING.md"], re.S)[1]
    names: dict[str, Any] = {"dataclass": dataclass, "Generic": Generic, "Path": Path, "__name__": "example"}
    names |= {name: getattr(runner, name) for name in ("At", "Source", "Step", "Work", "published")}
    names["gc_of_regions"] = lambda genome, regions, window: pd.DataFrame({"gc": [0.4, 0.6]})
    exec(compile(code, "CONTRIBUTING.md", "exec", dont_inherit=True), names)
    (tmp_path / "genome.fa").write_text(">chr1\nACGT\n")
    inputs = names["GcInputs"](genome=str(tmp_path / "genome.fa"), regions=str(tmp_path / "genome.fa"))
    first, again = (names["GC"](str(tmp_path / "store"), inputs, names["GcParameters"]()) for _ in range(2))
    assert (first.cached, again.cached) == (False, True)
    assert json.loads(json.dumps(first.facts)) == {"mean_gc": 0.5}
    assert names["GC"].outputs == {"main": {"gc.tsv": "auxiliary/"}}
    assert again.file("gc.tsv").read_text().startswith("\tgc")
