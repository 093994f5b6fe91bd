"""Every `chrombpnet …` that README.md and docs/ show is one that the command line takes."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from flows.cli.main import build_parser
from tests.infra.rendering import INFRA

PAGES = {
    path.name: re.sub(r"\\\n\s*", "", path.read_text())
    for path in (INFRA.parent / "README.md", *sorted((INFRA.parent / "docs").glob("*.md")))
}
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
    while given and (
        choices := next(
            (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None
        )
    ):
        parser = choices[given.pop(0)]
    known = {flag for action in parser._actions for flag in action.option_strings}
    assert {word for word in given if word.startswith("-")} <= known
