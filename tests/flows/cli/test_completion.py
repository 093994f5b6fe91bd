"""Completion in the shells: bash really completes; zsh and fish read their scripts where they are installed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest

from flows.cli.main import build_parser, main
from flows.cli.parser import commands_below, subcommands

PLACES = dict(commands_below(build_parser()))


def script(shell, capsys):
    arguments = build_parser().parse_args(["completion", shell])
    arguments.run(arguments)
    return capsys.readouterr().out


@pytest.fixture
def complete(capsys, tmp_path):
    """A function that tells what bash offers for the last of some words, which is not yet whole."""
    (tmp_path / "completion").write_text(script("bash", capsys))

    def offered(*words):
        program = (
            f"source completion; COMP_WORDS=({shlex.join(('chrombpnet', *words))}); COMP_CWORD={len(words)}; "
            "_chrombpnet; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        run = subprocess.run(["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert run.stderr == ""
        return run.stdout.split()

    return offered


def test_bash_offers_commands_flags_and_values(complete):
    assert complete("") == [*subcommands(PLACES[()])]
    assert sorted(complete("pre")) == ["pred_bw", "prep"]
    assert complete("prep", "") == ["nonpeaks", "splits", "folds"]
    assert complete("prep", "splits", "--t") == ["--test-chroms"]
    assert complete("prep", "splits", "-t") == ["-tcr"]
    assert complete("pipeline", "-d", "") == ["ATAC", "DNASE"]
    assert complete("bias", "pipeline", "-g", "run", "--precision", "b") == ["bfloat16"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]
    assert complete("pipeline", "-g", "") == []  # files, which the shell itself offers
    assert complete("pipeline", "--tmp") == []  # flags without effect are not offered


def test_bash_offers_every_flag_of_every_command(complete):
    for words in (("pipeline",), ("bias", "qc"), ("encode", "run"), ("variants",)):
        shown = [action for action in PLACES[words]._actions if action.help != "==SUPPRESS=="]
        assert complete(*words, "-") == [flag for action in shown for flag in action.option_strings]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_read_their_scripts(shell, capsys, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script(shell, capsys))
    run = subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_script_of_fish_has_all(capsys):
    """A line for each command and flag, quoted as fish does: with a backslash within single quotes."""
    lines = [re.sub(r"(?<!\\)\\'", "", line) for line in script("fish", capsys).splitlines() if line.startswith("complete ")]
    assert all(line.count("'") % 2 == 0 for line in lines)
    flags = [" ".join(shlex.split(line)) for line in lines]
    assert any("__chrombpnet_at prep splits -o tcr -l test-chroms -r -d " in line for line in flags)
    assert any("__chrombpnet_at pipeline -s d -l data-type -x -a ATAC DNASE -d " in line for line in flags)
    assert any("__chrombpnet_at prep -f -a splits -d " in line for line in flags)
    shown = sum(
        action.help != "==SUPPRESS==" and bool(action.option_strings)
        for parser in PLACES.values()
        for action in parser._actions
    )
    commands = len(PLACES) - 1
    assert len(lines) == shown + commands + 1  # one more: the shells


def test_the_script_of_zsh_has_all(capsys):
    text = script("zsh", capsys)
    assert text.startswith("#compdef chrombpnet\n")
    assert "'--test-chroms:chromosomes held out for testing'" in re.search(r'\("prep splits"\)(.*?);;', text, re.S)[1]
    assert sum(line.strip().startswith("below=(") for line in text.splitlines()) == len(PLACES)
    assert """("pipeline -d"|"pipeline --data-type") values=('ATAC' 'DNASE') ;;""" in text


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["completion", "csh"])
    assert "invalid choice: 'csh'" in capsys.readouterr().err
