"""The README of published models: what it tells is there, its examples are valid, and no text breaks its tables."""

from __future__ import annotations

import ast
import re
import shlex

from chrombpnet_core.report.model_card import ModelCard, render_model_card

CARD = ModelCard(
    "yeast",
    "ATAC",
    "sacCer3",
    2114,
    1000,
    {"models/yeast.models.tar": ("models", 2_500_000), "README.md": ("documentation", 900)},
    "models/yeast.ensemble.chrombpnet_nobias.h5",
    [{"name": "fold_0", "test": ["chrI", "chrII"], "pearson_peaks": 0.61234, "norm_jsd_peaks": None}],
    [("reads: a|b\nc.bam", "ab" * 32)],
    {"keras": "3.15.1"},
)


def test_it_tells_what_is_there_and_how_good():
    text = render_model_card(CARD)
    assert text.startswith("# yeast\n\nChromBPNet models of ATAC-seq data: from 2,114 bp")
    for line in (
        "| `models/yeast.models.tar` | models | 2.5 MB |",
        "| `README.md` | documentation | 900 B |",
        "| fold_0 | chrI chrII | 0.612 | – |",
        "| keras | 3.15.1 |",
        "Genome: sacCer3. The model of 1 fold was trained",
    ):
        assert line in text
    assert "10.1101/2024.12.25.630221" in text
    assert "The models of 5 folds were each trained" in render_model_card(
        ModelCard("a", "DNASE", "", 200, 80, {}, "x.h5", CARD.folds * 5)
    )


def test_examples_are_valid():
    text = render_model_card(CARD)
    ast.parse(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    from flows.cli.main import build_parser

    command = shlex.split(re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1])
    assert command[0] == "chrombpnet"
    asked = build_parser().parse_args(command[1:])
    assert asked.chrombpnet_model_nb == CARD.example


def test_no_text_breaks_a_table():
    text = render_model_card(CARD)
    assert "| reads: a\\|b c.bam |" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        rows = [re.split(r"(?<!\\)\|", line) for line in block.splitlines()]
        assert len({len(row) for row in rows}) == 1
    assert "<script" not in render_model_card(ModelCard("<script>", "ATAC", "<script>", 1, 1, {}, "", []))
