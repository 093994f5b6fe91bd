"""Tables of scores: TSV and Parquet in blocks, the rows that rank first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chrombpnet_core.variants import ScoreTable, TopRows, read_score_tables, read_variant_table
from tests.core.variants.tables import scores_table


def test_tables_are_written_in_blocks(tmp_path):
    one = scores_table([("c1", 5, "A", "-", "NA", 1, 0, False)], logfc=[1 / 3])
    two = scores_table([("c1", 9, "A", "C", 'b"x', 2, 0, True)], logfc=[-2e-7])
    paths = [tmp_path / "a.tsv", tmp_path / "a.parquet"]
    with ScoreTable(paths, "bed") as table:
        table.append(one)
        table.append(two)
    text, parquet = (
        pd.concat(list(read_variant_table(paths[0], 1)), ignore_index=True),
        pd.concat(list(read_score_tables(paths[1:]))),
    )
    assert [*text.columns] == ["chr", "pos", "end", "allele1", "allele2", "variant_id", "swapped", "logfc"]
    assert text["pos"].tolist() == [4, 8]
    assert text["variant_id"].tolist() == parquet["variant_id"].tolist()
    assert text["variant_id"][0] == "NA"
    np.testing.assert_allclose(text["logfc"], [1 / 3, -2e-7], rtol=1e-8)
    assert parquet["logfc"].tolist() == [1 / 3, -2e-7]


def test_top_rows_of_many_blocks():
    values = np.random.default_rng(3).permutation(100)
    top = TopRows(5, "x")
    for at in range(0, 100, 7):
        top.add(pd.DataFrame({"x": values[at : at + 7]}))
    assert top.table["x"].tolist() == [99, 98, 97, 96, 95]
