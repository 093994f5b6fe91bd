"""Tables of scores for tests."""

from __future__ import annotations

import pandas as pd


def scores_table(rows, **scores):
    """Rows of a variant table with scores."""
    table = pd.DataFrame(rows, columns=["chr", "pos", "allele1", "allele2", "variant_id", "record", "alt", "swapped"])
    return table.assign(end=0, **scores)
