"""The parser of every command: what is written wrong is told with what may have been meant."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

__all__ = ["CommandParser", "commands_below", "share_root", "subcommands"]

_LIKENESS = 0.6  # of what is written and what may be meant, as difflib counts it


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Give the commands below a parser by the word that begins each; none where it is itself a command."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(groups[0].choices) if groups else {}


def commands_below(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Go through a parser and all below it: groups of commands, which have subcommands, and commands.

    Parameters
    ----------
    parser
        Where to begin.
    words
        That lead to it.

    Yields
    ------
    tuple
        The words of a command, and its parser.
    """
    yield words, parser
    for name, child in subcommands(parser).items():
        yield from commands_below(child, (*words, name))


def share_root(root: argparse.ArgumentParser) -> None:
    """Let the parser of every command know all others, for what may have been meant."""
    for _, parser in commands_below(root):
        if isinstance(parser, CommandParser):
            parser.root = root


class CommandParser(argparse.ArgumentParser):
    """Cut and escape in errors what was given, say what may have been meant, and take integers of 64 bits."""

    root: argparse.ArgumentParser | None = None
    """Parser of all commands, see :func:`share_root`."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.register("type", int, _integer)

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Name all unknown flags of a command before anything that may be missing because of them."""
        words = sys.argv[1:] if args is None else list(args)
        unknown = [] if subcommands(self) else [*self._unknown_flags(words)]
        if unknown:
            self.error("; ".join(f"unknown flag {flag}{self._meant_flag(flag)}" for flag in unknown))
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """End with usage and one line."""
        from chrombpnet_core.errors import InputError

        super().error(str(InputError(message)))

    def _unknown_flags(self, words: Sequence[str]) -> Iterator[str]:
        for word in words:
            if word == "--":
                return
            if not word.startswith("-") or word[1:2].isdigit() or word[1:2] == ".":
                continue  # a value, perhaps a negative number
            seen: Any = self._parse_optional(word)  # a tuple, or in newer Pythons a list of such, the action first
            option = seen[0] if isinstance(seen, list) else seen
            if option is not None and option[0] is None:
                yield word.partition("=")[0]

    def _meant_flag(self, word: str) -> str:
        """Guess what an unknown flag was meant to be: one of this command's, or one of another."""
        flags = {
            option: action
            for action in self._actions
            for option in action.option_strings
            if action.help is not argparse.SUPPRESS
        }
        near = difflib.get_close_matches(word.replace("_", "-"), flags, 1, 0.75)
        if near:
            return f"; did you mean {'/'.join(flags[near[0]].option_strings)}?"
        homes = [" ".join(words) for words, other in self._all_commands() if word in other._option_string_actions]
        return f", which is one of 'chrombpnet {homes[0]}'" if homes else ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if isinstance(action, argparse._SubParsersAction):
                known = f"known are {', '.join(action.choices)}"
                meant = self._meant_command(str(value), action.choices)
                raise argparse.ArgumentError(None, f"unknown command '{value}'; {meant or known}") from None
            names = {str(choice).lower(): str(choice) for choice in action.choices or ()}
            near = difflib.get_close_matches(str(value).lower(), names, 1, _LIKENESS)
            if not near:
                raise
            raise argparse.ArgumentError(action, f"{error.message}; did you mean {names[near[0]]}?") from None

    def _all_commands(self) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
        return ((words, parser) for words, parser in commands_below(self.root or self) if words)

    def _meant_command(self, word: str, here: Any) -> str:
        """Guess which command was meant: one that may stand here, or one that begins with other words."""
        names = {name: name for name in here}
        for words, _ in self._all_commands():
            names.setdefault(words[-1], f"chrombpnet {' '.join(words)}")
        near = difflib.get_close_matches(word.lower().replace("-", "_"), names, 1, _LIKENESS)
        return f"did you mean '{names[near[0]]}'?" if near else ""


def _integer(text: str) -> int:
    """Read an integer; ValueError for one that no array or random generator takes."""
    number = int(text)
    if abs(number) >= 2**63:
        raise ValueError
    return number
