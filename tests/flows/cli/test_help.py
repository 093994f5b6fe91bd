"""Help of the whole command line, computed: defaults, units, an example that parses and a page that exists."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from flows.cli import common
from flows.cli.examples import DOCUMENTATION, EXAMPLES
from flows.cli.main import build_parser
from flows.cli.parser import commands_below, subcommands

ROOT = Path(common.__file__).parents[2]
COMMANDS = {" ".join(words): parser for words, parser in commands_below(build_parser()) if not subcommands(parser)}
UNITS = {"BP": r"\bbp\b|base pairs", "S": r"\bseconds\b"}
"""Metavar of a number → what its help says of the unit; all others are counts and shares of what the help names."""


def _given_by_hand(parser):
    """Flags of which one at least must be given: they have no default."""
    required = [group for group in parser._mutually_exclusive_groups if group.required]
    required += [group for group in parser._action_groups if "at least one" in (group.title or "")]
    return [action for group in required for action in group._group_actions]


def _optional(parser):
    shown = [action for action in parser._actions if action.option_strings and action.help is not argparse.SUPPRESS]
    return [action for action in shown if not action.required and action.nargs != 0 and action not in _given_by_hand(parser)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_optional_flag_tells_its_default(name):
    silent = [action.option_strings for action in _optional(COMMANDS[name]) if "default" not in action.help]
    assert silent == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_default_that_is_told_is_the_default(name):
    wrong = []
    for action in _optional(COMMANDS[name]):
        if isinstance(action.default, int | float | str) and action.default != "":
            value = f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
            if not re.search(rf"default:? [^)]*?(?<![\d.]){re.escape(value)}(?![\d.]\d)", action.help):
                wrong.append((action.option_strings, action.default, action.help))
    assert wrong == []


@pytest.mark.parametrize("name", COMMANDS)
def test_lengths_and_times_have_units(name):
    numbers = [action for action in COMMANDS[name]._actions if action.type in (int, float)]
    silent = [a.option_strings for a in numbers if a.metavar in UNITS and not re.search(UNITS[a.metavar], a.help)]
    assert silent == []
    assert [action.option_strings for action in numbers if not action.metavar] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_that_parses_and_a_page_that_exists(name):
    example, documentation = COMMANDS[name].epilog.split("\n\n")
    assert example.startswith("Example:\n  chrombpnet ")
    words = shlex.split(example.removeprefix("Example:").replace("\\\n", " "))
    chosen = build_parser().parse_args(words[1 : words.index(">")] if ">" in words else words[1:])
    assert chosen.parser.prog == f"chrombpnet {name}"
    page = documentation.removeprefix("Documentation: ")
    assert (ROOT / page).is_file()


@pytest.mark.parametrize("name", ["", "prep", "pipeline", "prep splits"])
def test_examples_and_pages_are_shown(name, capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args([*name.split(), "--help"])
    shown = capsys.readouterr().out
    assert "Documentation: " in shown.strip().splitlines()[-1]
    assert ("Example:" in shown) == (name in EXAMPLES)


def test_the_tables_name_commands_that_exist():
    groups = {" ".join(words) for words, _ in commands_below(build_parser())}
    assert {*EXAMPLES} == {*COMMANDS}
    assert {*DOCUMENTATION} <= groups
