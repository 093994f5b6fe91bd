"""What is misspelt on the command line is told with what was probably meant."""

from __future__ import annotations

import pytest

from flows.cli.main import build_parser


def told(words, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words.split())
    assert ended.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("pipelin", "unknown command 'pipelin'; did you mean 'pipeline'?"),
        ("pred-bw", "did you mean 'pred_bw'?"),
        ("nonpeaks", "did you mean 'chrombpnet prep nonpeaks'?"),
        ("prep nonpeeks", "unknown command 'nonpeeks'; did you mean 'nonpeaks'?"),
        ("xyzzy", "unknown command 'xyzzy'; known are init, pipeline, "),
        ("pipeline --genomee x", "unknown flag --genomee; did you mean -g/--genome?"),
        ("prep splits --output-prefx x", "unknown flag --output-prefx; did you mean -op/--output_prefix?"),
        ("status results --folds-at-once 2", "unknown flag --folds-at-once, which is one of 'chrombpnet run'"),
        ("run d.yaml --dryrun --fould=2", "--dryrun; did you mean --dry-run?; unknown flag --fould; did you mean --fold?"),
        ("run d.yaml --qqq", "error: unknown flag --qqq"),
        ("pipeline -d atac", "invalid choice: 'atac' (choose from 'ATAC', 'DNASE'); did you mean ATAC?"),
        ("doctor --device gqu", "did you mean gpu?"),
    ],
)
def test_what_was_meant(words, answer, capsys):
    assert answer in told(words, capsys)


def test_what_is_required_is_still_told(capsys):
    assert "the following arguments are required: -g/--genome" in told("pipeline", capsys)


@pytest.mark.parametrize(
    "words",
    [
        "pipeline -g g -c c -ibam a -o o -d ATAC -p p -n n -fl f -b m -ps 4 -ms -5",
        "prep splits -c sizes -op x -tcr chr1 --valid chr2",  # flags may be shortened, as ever
        "index -- -folder-that-begins-so",
        "run d.yaml --store=s",
    ],
)
def test_what_is_right_stays_right(words):
    assert build_parser().parse_args(words.split()).run


def test_what_was_given_is_cut_and_escaped(capsys):
    line = told("run d.yaml --a\x1b[2Jb" + "x" * 5000, capsys)
    assert line.isprintable()
    assert len(line) < 2000
