"""The command ``completion``: scripts by which bash, zsh and fish complete commands, flags and their values."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from flows.cli.common import Subcommands, add_command
from flows.cli.parser import commands_below, subcommands

__all__ = ["add_commands"]


def add_commands(commands: Subcommands) -> None:
    """Add ``completion``."""
    parser = add_command(
        commands, "completion", completion, "print a script that completes commands and flags in your shell"
    )
    parser.add_argument("shell", choices=[*_SCRIPTS], metavar="SHELL", help="bash, zsh or fish")


def completion(arguments: argparse.Namespace) -> None:
    """Print the script of a shell."""
    root = arguments.parser.root
    print(_SCRIPTS[arguments.shell]([_Place.of(words, parser) for words, parser in commands_below(root)]))


@dataclass(frozen=True)
class _Flag:
    """Spellings of a flag, what it is for, its values where these are few, and whether it has one."""

    spellings: tuple[str, ...]
    words: str
    choices: tuple[str, ...]
    valued: bool


@dataclass(frozen=True)
class _Place:
    """What may follow the words of a command or of a group: commands, flags, and values without a flag."""

    words: str
    commands: dict[str, str]
    flags: tuple[_Flag, ...]
    values: tuple[str, ...]

    @classmethod
    def of(cls, words: tuple[str, ...], parser: argparse.ArgumentParser) -> _Place:
        shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS]
        flags = tuple(
            _Flag(tuple(action.option_strings), _plain(action, parser), _choices(action), action.nargs != 0)
            for action in shown
            if action.option_strings
        )
        below = {name: child.description or "" for name, child in subcommands(parser).items()}
        values = [value for action in shown if not action.option_strings and not below for value in _choices(action)]
        return cls(" ".join(words), below, flags, tuple(values))


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(map(str, action.choices or ()))


def _plain(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    return " ".join(((action.help or "") % {**vars(action), "prog": parser.prog}).split())


def _cases(places: list[_Place]) -> list[str]:
    """List every step down: the words so far, a blank, the word that leads on."""
    return [f"{place.words} {name}" for place in places for name in place.commands]


def _quoted(*texts: str) -> str:
    """Quote texts for bash and zsh."""
    return " ".join("'" + text.replace("'", "'\\''") + "'" for text in texts)


def _alternatives(texts: list[str], quote: str = '"') -> str:
    return "|".join(f"{quote}{text}{quote}" for text in texts)


def _value_cases(place: _Place) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    for flag in place.flags:
        if flag.choices:
            yield [f"{place.words} {spelling}" for spelling in flag.spellings], flag.choices


def _bash(places: list[_Place]) -> str:
    lines = [
        "# bash completion of chrombpnet",
        "_chrombpnet() {",
        '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" at="" word all="" values=""',
        '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        f'    case "$at $word" in {_alternatives(_cases(places))}) at="${{at:+$at }}$word" ;; esac',
        "  done",
        '  case "$at" in',
    ]
    for place in places:
        flags = " ".join(spelling for flag in place.flags for spelling in flag.spellings)
        values = " ".join([*place.commands, *place.values])
        lines.append(f'    "{place.words}") all={_quoted(flags)} values={_quoted(values)} ;;')
    lines += ["  esac", '  case "$at $previous" in']
    for place in places:
        for patterns, choices in _value_cases(place):
            lines.append(f"    {_alternatives(patterns)}) all='' values={_quoted(' '.join(choices))} ;;")
    return "\n".join(
        [
            *lines,
            "  esac",
            '  [[ $current == -* ]] && values="$all"',
            '  COMPREPLY=($(compgen -W "$values" -- "$current"))',
            "}",
            "complete -o default -F _chrombpnet chrombpnet  # files where nothing else fits",
        ]
    )


def _zsh(places: list[_Place]) -> str:
    lines = [
        "#compdef chrombpnet",
        "_chrombpnet() {",
        '  local at="" word',
        "  local -a below flags values",
        '  for word in "${(@)words[2,CURRENT-1]}"; do',
        f'    case "$at $word" in ({_alternatives(_cases(places))}) at="${{at:+$at }}$word" ;; esac',
        "  done",
        '  case "$at" in',
    ]
    for place in places:
        commands = [f"{name}:{words}" for name, words in place.commands.items()]
        flags = [f"{spelling}:{flag.words}" for flag in place.flags for spelling in flag.spellings]
        lines.append(f'    ("{place.words}")')
        lines.append(f"      below=({_quoted(*commands)})")
        lines.append(f"      flags=({_quoted(*flags)})")
        lines.append(f"      values=({_quoted(*place.values)}) ;;")
    lines += ["  esac", '  case "$at ${words[CURRENT-1]}" in']
    for place in places:
        for patterns, choices in _value_cases(place):
            lines.append(f"    ({_alternatives(patterns)}) values=({_quoted(*choices)}) ;;")
    return "\n".join(
        [
            *lines,
            "  esac",
            "  if [[ ${words[CURRENT]} == -* ]]; then _describe -o flag flags",
            "  elif (( $#below )); then _describe command below",
            "  elif (( $#values )); then compadd -- $values",
            "  else _files; fi",
            "}",
            'if [[ $funcstack[1] == _chrombpnet ]]; then _chrombpnet "$@"; else compdef _chrombpnet chrombpnet; fi',
        ]
    )


def _fish(places: list[_Place]) -> str:
    lines = [
        "# fish completion of chrombpnet",
        "function __chrombpnet_at",
        "  set -l at ''",
        "  for word in (commandline -opc)[2..-1]",
        '    switch "$at $word"',
        f"      case {_quoted(*_cases(places))}",
        '        set at (string trim "$at $word")',
        "    end",
        "  end",
        '  test "$at" = "$argv[1]"',
        "end",
    ]
    for place in places:
        begin = f"complete -c chrombpnet -n {_fish_quoted(f'__chrombpnet_at {_fish_quoted(place.words)}')}"
        for name, words in place.commands.items():
            lines.append(f"{begin} -f -a {name} -d {_fish_quoted(words)}")
        if place.values:
            lines.append(f"{begin} -f -a {_fish_quoted(' '.join(place.values))}")
        for flag in place.flags:
            names = " ".join(map(_fish_option, flag.spellings))
            value = f" -x -a {_fish_quoted(' '.join(flag.choices))}" if flag.choices else " -r" if flag.valued else ""
            lines.append(f"{begin} {names}{value} -d {_fish_quoted(flag.words)}")
    return "\n".join(lines)


def _fish_option(spelling: str) -> str:
    kind = "-l" if spelling.startswith("--") else "-s" if len(spelling) == 2 else "-o"
    return f"{kind} {spelling.lstrip('-')}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
