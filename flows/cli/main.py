"""The ``chrombpnet`` command line: commands, flags and defaults of the reference program, and ours.

Nothing but argparse and rich_argparse is imported here and in the modules of the commands: ``--help`` and wrong arguments
answer at once.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import functools
import io
import locale
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO, cast

from flows.cli import apply, check, completion, demo, deploy, encode, init, prep, runs, train, variants, view
from flows.cli.common import HelpFormatter, flags_of, with_flags
from flows.cli.examples import add_examples
from flows.cli.first_words import say_first
from flows.cli.parser import CommandParser, share_root

__all__ = ["build_parser", "main"]


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    words
        The command and its arguments; those of the process if absent.

    Returns
    -------
    int
        0 when done, 2 for an error of the user's, 1 for a fault of disk or network, or a failed fold.
    """
    if words is None:
        _use_utf8()
    arguments = build_parser().parse_args(words)
    say_first(arguments)
    from chrombpnet_core.errors import InputError, printable
    from flows import environment
    from flows.dataset import FoldsFailed
    from tasks.runs import interruption
    from tasks.storage import fault_in_words

    in_flags = functools.partial(with_flags, flags=flags_of(arguments.parser))
    environment.show_log(in_flags)
    try:
        environment.prepare(
            getattr(arguments, "backend", None),
            getattr(arguments, "device", None) or "auto",
            getattr(arguments, "threads", None),
        )
        environment.end_orphans()
        with contextlib.redirect_stdout(cast(TextIO, _Escaping(sys.stdout))):
            return environment.run_stoppably(lambda: arguments.run(arguments) or 0)
    except InputError as error:
        print(f"chrombpnet: error: {in_flags(str(error))}", file=sys.stderr)
        return 2
    except FoldsFailed as error:
        for line in in_flags(str(error)).splitlines():
            print(f"chrombpnet: {printable(line)}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"chrombpnet: {printable(in_flags(fault_in_words(error)))}{interruption.outlook()}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands; the chosen one sets ``run``, the function that does it, and ``parser``, its own."""
    parser = CommandParser(
        prog="chrombpnet",
        formatter_class=HelpFormatter,
        description="Base-resolution, bias-corrected models of chromatin accessibility from ATAC-seq and DNase-seq.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (init, train, prep, apply, variants, check, runs, view, encode, deploy, demo, completion):
        group.add_commands(commands)
    add_examples(parser)
    share_root(parser)
    return parser


def _use_utf8() -> None:
    """Start this process again where its texts and file names are not UTF-8; refuse arguments that no file system's are."""
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8" and not sys.flags.utf8_mode:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever PYTHONIOENCODING says
    for word in sys.argv:
        if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
            from chrombpnet_core.errors import printable

            print(f"chrombpnet: error: {printable(word)}: not UTF-8; rename the file or folder", file=sys.stderr)
            sys.exit(2)


class _Escaping:
    """Standard output of a command: names and texts out of files may hold what a terminal would take for its commands."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        from chrombpnet_core.errors import printable

        return self._stream.write(printable(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Version(argparse.Action):
    """Print the installed version; which it is, is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"chrombpnet-flows {version('chrombpnet-flows')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
