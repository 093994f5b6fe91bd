"""The table of flags: messages name arguments, users read the flags that set them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from chrombpnet_core.errors import InputError
from flows.cli import common, runs
from flows.cli.common import FLAGS, flags_of, with_flags
from flows.cli.main import build_parser, main
from tests.flows.cli.test_cli import _commands


def _flags(*command: str) -> dict[str, str]:
    return flags_of(_commands()[command])


def test_every_flag_of_the_table_is_one_of_a_command():
    known = {option for parser in _commands().values() for action in parser._actions for option in action.option_strings}
    assert {flag for flags in FLAGS.values() for flag in flags} <= known


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("give `input_length` of the bias model", "give -il/--inputlen of the bias model"),
        ('say `device="cpu"` to do it all the same', "say --device cpu to do it all the same"),
        ("a smaller `filters=64`", "a smaller --filters 64"),
        ("give `exclude_blacklisted_peaks=True`", "give --exclude-blacklisted-peaks"),
        ("`training.batch_size`: 1 or more", "-bs/--batch-size: 1 or more"),
        ("`stride` is no flag of this command", "`stride` is no flag of this command"),
        ("see `chrombpnet run --schema`", "see `chrombpnet run --schema`"),
    ],
)
def test_arguments_become_flags_of_the_command(message, shown):
    assert with_flags(message, _flags("pipeline")) == shown


def test_a_data_set_file_keeps_its_keys():
    """`run` takes a file, whose keys are the names that messages use."""
    message = 'give `input_length` 2114, or `device="cpu"`'
    assert with_flags(message, _flags("run")) == "give `input_length` 2114, or --device cpu"


def test_errors_of_the_core_are_printed_in_flags(capsys, monkeypatch):
    def refuse(*_: object) -> None:
        raise InputError("`seed` is odd", remedy="give `stride`")

    monkeypatch.setattr("chrombpnet_core.genome.make_folds", refuse)
    monkeypatch.setattr("chrombpnet_core.genome.read_chrom_sizes", lambda _: {})
    assert main(["prep", "folds", "-c", __file__, "-op", "x"]) == 2
    assert "chrombpnet: error: -s/--seed is odd; give `stride`" in capsys.readouterr().err


def test_a_key_of_a_section_becomes_its_own_flag(capsys):
    words = ["-g", "g", "-c", "c", "-ibam", "a", "-o", "o", "-d", "ATAC", "-p", "p", "-n", "n", "-fl", "f", "-b", "m.h5"]
    assert main(["pipeline", *words, "--explain", "-1"]) == 2
    assert "arguments: --explain: Input should be" in capsys.readouterr().err


def test_the_chosen_command_is_a_function():
    assert build_parser().parse_args(["status", "results"]).run is runs.status


def _named_arguments() -> set[str]:
    """What errors of the core and of tasks name in backticks; those of the front door reach notebooks alone."""
    names = set()
    for folder in ("chrombpnet_core", "tasks"):
        for path in (Path(common.__file__).parents[2] / folder).rglob("*.py"):
            if path.parent.name == "api":
                continue
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            errors = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id.endswith("Error")]
            texts = [
                node.value
                for error in errors
                for node in ast.walk(error)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            names |= {name for text in texts for name in re.findall(r"`([a-z_.]+)(?:=[^`]*)?`", text)}
    return names


def test_the_table_knows_every_argument_that_an_error_names():
    assert sorted(name for name in _named_arguments() if name.rpartition(".")[2] not in FLAGS) == []


_FLAG = re.compile(r"(?<![\w/.-])--?[a-zA-Z][\w-]*")
_COMMANDS = re.compile(
    r"samtools|gunzip|sha256sum|chrombpnet (pred_bw|pipeline)|awk |bcftools|iconv|gffread |(head|tail) -c|FILE > NEW"
    r"| \(-b[ )]|^-b "  # the bias threshold factor of the next command
)
"""Texts that show something to type: commands of other programs, the README of a bundle, remedies of a report."""


def test_the_core_and_the_steps_do_not_speak_the_command_line():
    """No text of theirs names a flag, but for docstrings and the program that prints the table of costs."""
    root, found = Path(common.__file__).parents[2], []
    for folder in ("chrombpnet_core", "tasks"):
        for path in (root / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
            documents = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
            texts = [node for node in nodes if node not in documents and (" " in node.value or "/-" in node.value)]
            if path.name != "costs.py":
                found += [node.value for node in texts if _FLAG.search(node.value) and not _COMMANDS.search(node.value)]
    assert found == []


@pytest.mark.parametrize("command", ["folds", "splits", "nonpeaks"])
def test_advice_is_about_flags_that_the_command_has(tmp_path, capsys, command):
    """Names of chromosomes are read by a rule only where there is ``--alias``."""
    (tmp_path / "g.fa").write_text("".join(f">chr{name}\n{'ACGT' * 50}\n" for name in "ABC"))
    (tmp_path / "sizes").write_text("chrA\t200\nchrB\t200\nchrC\t200\n")
    (tmp_path / "fold.json").write_text('{"train": ["chrA"], "valid": ["chrB"], "test": ["chrC"]}')
    (tmp_path / "peaks.bed").write_text("A\t50\t60\n")
    words = {
        "folds": "-op x -p peaks.bed",
        "splits": "-op x -tcr A -vcr B",
        "nonpeaks": "-o x -g g.fa -p peaks.bed -fl fold.json -il 20",
    }[command].split()
    given = [str(tmp_path / word) if (tmp_path / word).exists() else word for word in words]
    assert main(["prep", command, "-c", str(tmp_path / "sizes"), *given]) == 2
    told = capsys.readouterr().err
    assert "the genome calls it chr" in told
    assert "`" not in told
    assert ("--alias auto" in told) == (command == "nonpeaks")


@pytest.mark.parametrize("width", ["0", "-4", "-2114"])
def test_nonpeaks_have_a_width(capsys, width):
    assert main(["prep", "nonpeaks", "-o", "x", "-g", "g", "-c", "c", "-p", "p", "-fl", "f", "-il", width]) == 2
    assert f"-il/--inputlen is {width}; expected 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("give another `schema`", "give another chrombpnet variants --schema"),
        ("give `swap_ref=True`", "give chrombpnet variants --swap-ref"),
        ('give `alias="auto"`', "give chrombpnet variants --alias auto"),
    ],
)
def test_snp_score_refers_to_the_command_that_has_the_flag(message, shown):
    assert with_flags(message, _flags("snp_score")) == shown
