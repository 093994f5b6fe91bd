"""Check variants against the genome: what can be scored, what cannot and why."""

from __future__ import annotations

import collections
import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.genome import Genome, Naming, same_chromosome
from chrombpnet_core.variants.reading import DuplicateVariants, allele_problems
from chrombpnet_core.variants.windows import (
    ALLELE_AGREES,
    ALLELES_SWAPPED,
    compare_with_genome,
    explain_disagreement,
    swap_alleles,
    window_problems,
)

__all__ = ["LEFT_OUT_COLUMNS", "VariantChecker"]

log = logging.getLogger(__name__)

LEFT_OUT_COLUMNS = ["record", "chr", "pos", "allele1", "allele2", "variant_id", "why"]
_MOST_WRONG = 0.05  # share of variants that may disagree with the genome
_SHOWN = 1000  # of these, the cause is looked for in so many
_DISAGREES = {"swapped": "alleles are swapped; with swap_ref it would be scored", "differs": "allele 1 is not the genome's"}


class VariantChecker:
    """Go through a list of variants block by block; keep those that can be scored, and count the rest by reason.

    Parameters
    ----------
    genome
        The genome.
    sizes
        Chromosome → length in bp of the chromosomes in use.
    lengths
        Input and output length of the models in bp.
    naming
        How chromosome names are read.
    chroms
        Variants on these alone are scored; all by default.
    swap_ref
        Whether alleles are exchanged where the second is the genome's.

    Attributes
    ----------
    scored
        Variants that can be scored, so far.
    reasons
        Why others cannot, with their numbers.
    swapped
        Variants whose alleles were exchanged.
    """

    def __init__(
        self,
        genome: Genome,
        sizes: Mapping[str, int],
        lengths: tuple[int, int],
        naming: Naming | None = None,
        chroms: Sequence[str] | None = None,
        swap_ref: bool = False,
    ) -> None:
        self.genome, self.sizes, self.lengths = genome, dict(sizes), lengths
        self.naming, self.chroms, self.swap_ref = naming or Naming(), chroms, swap_ref
        self.scored, self.swapped = 0, 0
        self.reasons: collections.Counter[str] = collections.Counter()
        self._unknown: collections.Counter[str] = collections.Counter()
        self._duplicates, self._compared = DuplicateVariants(), 0
        self._disagreeing: list[tuple[pd.DataFrame, AnyArray]] = []

    def check(self, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Divide one block of variants.

        Parameters
        ----------
        table
            Of :func:`~chrombpnet_core.variants.read_variants`; its chromosome names are changed in place.

        Returns
        -------
        tuple of pandas.DataFrame
            Variants that can be scored, with a column ``swapped``; and the others, with a column ``why``.
        """
        changed = self.naming.translate(table["chr"].unique(), self.sizes)
        table["chr"] = table["chr"].replace(changed)
        why = allele_problems(table)
        for row, chrom in enumerate(table["chr"]):
            if chrom not in self.sizes:
                if chrom in self.naming.excluded:
                    why[row] = why[row] or "chromosome left out"
                else:
                    why[row] = why[row] or "chromosome not in the genome"
                    self._unknown[chrom] += 1
        if self.chroms is not None:
            why[(why == "") & ~table["chr"].isin(list(self.chroms)).to_numpy()] = "chromosome not asked for"
        rows = np.flatnonzero(why == "")
        why[rows] = window_problems(table.iloc[rows], self.sizes, *self.lengths)
        table = self._compare(table.assign(swapped=False), why)
        rows = np.flatnonzero(why == "")
        why[rows[self._duplicates.mark(table.iloc[rows].reset_index(drop=True))]] = "the same variant was there before"
        self.reasons.update(reason for reason in why if reason)
        scored = table[why == ""]
        self.scored += len(scored)
        return scored, table[why != ""].assign(why=why[why != ""])

    def _compare(self, table: pd.DataFrame, why: AnyArray) -> pd.DataFrame:
        """Hold the first alleles against the genome, and exchange alleles where that is wanted."""
        rows = np.flatnonzero(why == "")
        verdicts = compare_with_genome(self.genome, table.iloc[rows])
        self._compared += len(rows)
        exchanged = np.zeros(len(table), dtype=bool)
        if self.swap_ref:
            exchanged[rows[verdicts == ALLELES_SWAPPED]] = True
            self.swapped += int(exchanged.sum())
            table = swap_alleles(table, exchanged).assign(swapped=exchanged)
            rows, verdicts = rows[verdicts != ALLELES_SWAPPED], verdicts[verdicts != ALLELES_SWAPPED]
            again = np.flatnonzero(exchanged)  # what an exchanged deletion loses from the right may not be there
            why[again] = window_problems(table.iloc[again], self.sizes, *self.lengths)
        wrong = rows[verdicts != ALLELE_AGREES]
        why[wrong] = [
            _DISAGREES["swapped" if verdict == ALLELES_SWAPPED else "differs"]
            for verdict in verdicts[verdicts != ALLELE_AGREES]
        ]
        if len(wrong) and sum(len(part) for part, _ in self._disagreeing) < _SHOWN:
            self._disagreeing.append((table.iloc[wrong[:_SHOWN]], verdicts[verdicts != ALLELE_AGREES][:_SHOWN]))
        return table

    def finish(self, path: str | os.PathLike[str]) -> None:
        """Say what was left out; refuse a list of which none is left, or too many disagree with the genome.

        Parameters
        ----------
        path
            Of the list, for messages.

        Raises
        ------
        InputError
            With the likely cause.
        """
        wrong = sum(self.reasons[words] for words in _DISAGREES.values())
        if wrong > _MOST_WRONG * max(self._compared, 1):
            raise self._not_the_genomes(path, wrong)
        number = self.scored + self.reasons.total()
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        if not self.scored:
            names = [name for name, _ in self._unknown.most_common(3)]
            others = [f"{name} is {other} in the genome" for name in names if (other := same_chromosome(name, self.sizes))]
            raise InputError(
                f"{path}: of {counted(number, 'variants')} none can be scored",
                found=reasons,
                remedy="; ".join(others) + ': give `alias="auto"`' if others else "",
            )
        if self.reasons:
            log.warning("%s of %s variants are not scored: %s", f"{self.reasons.total():,}", f"{number:,}", reasons)
        if self._unknown:
            log.warning(
                "chromosomes that the genome lacks: %s", ", ".join(map(self._unknown_text, self._unknown.most_common(5)))
            )
        if self.swapped:
            log.warning(
                "%s variants have the genome's letters as allele 2: their alleles are exchanged, so signs are those "
                "of the exchanged order (column swapped)",
                f"{self.swapped:,}",
            )

    def _unknown_text(self, name_and_count: tuple[str, int]) -> str:
        name, count = name_and_count
        other = same_chromosome(name, self.sizes)
        return f"{name} ({count:,}{', its ' + other if other else ''})"

    def _not_the_genomes(self, path: str | os.PathLike[str], wrong: int) -> InputError:
        tables, verdicts = zip(*self._disagreeing, strict=True)
        table = pd.concat(tables, ignore_index=True)
        row = table.iloc[0]
        return InputError(
            f"{path}: allele 1 is not the genome's in {wrong:,} of {self._compared:,} variants, such as "
            f"{row['chr']}:{row['pos']} {row['allele1']}>{row['allele2']}",
            expected=f"at most {_MOST_WRONG:.0%}",
            remedy=explain_disagreement(self.genome, table[:_SHOWN], np.concatenate(verdicts)[:_SHOWN]),
        )
