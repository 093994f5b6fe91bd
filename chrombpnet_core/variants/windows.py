"""The sequences of both alleles of a variant, and whether the first is what the genome has.

Windows are variant-scorer's: allele letters begin at base ``L // 2``. Of a deletion the right flank of allele 2 goes on as
far as needed, of an insertion it ends earlier, so that both sequences are L long and the left flanks are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray, Bools, Codes, Ints
from chrombpnet_core.genome import Genome, codes_of

__all__ = [
    "ALLELES_SWAPPED",
    "ALLELE_AGREES",
    "ALLELE_DIFFERS",
    "allele_lengths",
    "allele_windows",
    "chromosome_codes",
    "compare_with_genome",
    "explain_disagreement",
    "swap_alleles",
    "window_problems",
]

ALLELE_AGREES, ALLELES_SWAPPED, ALLELE_DIFFERS = 0, 1, 2
"""Allele 1 is the genome's; allele 2 is instead; neither is."""

_FETCHED = 1 << 24  # bp of a chromosome that are letters at a time
_READ_ON = 2000  # bp that are read beyond an allele: its neighbours are often there
_OFF_BY_ONE = (-1, 1)
_LETTER_OF_CODE = np.frombuffer(b"ACGTN", dtype=np.uint8)


def allele_lengths(alleles: pd.Series[str]) -> Ints:
    """Count the letters of alleles.

    Parameters
    ----------
    alleles
        Letters; ``-`` has none.

    Returns
    -------
    numpy.ndarray
        int64 ``(n,)``.

    Examples
    --------
    >>> import pandas as pd
    >>> allele_lengths(pd.Series(["A", "-", "ACG"])).tolist()
    [1, 0, 3]
    """
    return np.where(alleles == "-", 0, alleles.str.len()).astype(np.int64)


def chromosome_codes(genome: Genome, chrom: str) -> Codes:
    """Read the base codes of a whole chromosome, its letters never in memory at once.

    Parameters
    ----------
    genome
        The genome.
    chrom
        The chromosome's name.

    Returns
    -------
    numpy.ndarray
        uint8 ``(size,)``.
    """
    size = genome.sizes[chrom]
    codes = np.empty(size, dtype=np.uint8)
    for start in range(0, size, _FETCHED):
        codes[start : start + _FETCHED] = genome.codes(chrom, start, min(start + _FETCHED, size))
    return codes


def window_problems(table: pd.DataFrame, sizes: Mapping[str, int], length: int, width: int) -> AnyArray:
    """Say why variants have no window.

    The window of ``L`` letters must lie in the chromosome by variant-scorer's rule, ``pos − L//2 > 0`` and
    ``pos + L//2 ≤ size``; of a deletion it begins as much later as letters are lost. An allele must end within the output,
    else its profiles cannot be aligned.

    Parameters
    ----------
    table
        Variant table, all on chromosomes of ``sizes``.
    sizes
        Chromosome → length in bp.
    length
        Input length of the model in bp.
    width
        Its output length in bp.

    Returns
    -------
    numpy.ndarray
        Text ``(n,)``, empty where there is a window.
    """
    one, two = allele_lengths(table["allele1"]), allele_lengths(table["allele2"])
    pos, size, flank = table["pos"].to_numpy(), table["chr"].map(dict(sizes)).to_numpy(dtype=np.int64), length // 2
    why = np.full(len(table), "", dtype=object)
    why[(pos - flank <= 0) | (pos + flank + np.maximum(one - two, 0) > size)] = "too near a chromosome end"
    why[np.maximum(one, two) > width - width // 2] = "longer than half of the model's output"
    return why


def compare_with_genome(genome: Genome, table: pd.DataFrame, shift: int = 0) -> Ints:
    """Compare allele 1 with the genome's letters; where it is not the genome's, allele 2.

    An N in the genome agrees with every letter; an empty allele agrees.

    Parameters
    ----------
    genome
        The genome; has all chromosomes of the table.
    table
        Variant table.
    shift
        Added to every position.

    Returns
    -------
    numpy.ndarray
        int8 ``(n,)``: :data:`ALLELE_AGREES`, :data:`ALLELES_SWAPPED` or :data:`ALLELE_DIFFERS`.
    """
    verdicts = np.empty(len(table), dtype=np.int8)
    starts = table["pos"].to_numpy() - 1 + shift
    alleles1, alleles2 = (table[name].to_numpy() for name in ("allele1", "allele2"))
    longest = int(max((allele_lengths(table[name]).max(initial=1) for name in ("allele1", "allele2")), default=1))
    for chrom, members in table.groupby("chr", sort=False).indices.items():
        rows = np.asarray(members)
        begin, text = 0, ""
        for row in rows[np.argsort(starts[rows], kind="stable")]:
            offset = int(starts[row]) - begin
            if not text or offset + longest > len(text):
                begin, offset = int(starts[row]), 0
                text = _letters(genome, str(chrom), begin, begin + longest + _READ_ON)
            if _agree(alleles1[row], text, offset):
                verdicts[row] = ALLELE_AGREES
            else:
                other = alleles2[row]
                verdicts[row] = ALLELES_SWAPPED if other != "-" and _agree(other, text, offset) else ALLELE_DIFFERS
    return verdicts


def _letters(genome: Genome, chrom: str, start: int, end: int) -> str:
    """Letters of ``[start, end)``, N for all but A, C, G and T, and beyond the chromosome."""
    return bytes(_LETTER_OF_CODE[genome.codes(chrom, start, end)]).decode()


def _agree(allele: str, text: str, offset: int) -> bool:
    if allele == "-":
        return True
    there = text[offset : offset + len(allele)]
    return there == allele or all(letter in ("N", own) for letter, own in zip(there, allele, strict=True))


def swap_alleles(table: pd.DataFrame, rows: Bools) -> pd.DataFrame:
    """Exchange the alleles of some variants.

    Parameters
    ----------
    table
        Variant table.
    rows
        Of which, bool ``(n,)``.

    Returns
    -------
    pandas.DataFrame
        A new table.
    """
    return table.assign(
        allele1=table["allele1"].where(~rows, table["allele2"]), allele2=table["allele2"].where(~rows, table["allele1"])
    )


def explain_disagreement(genome: Genome, table: pd.DataFrame, verdicts: Ints) -> str:
    """Advise where many variants disagree with the genome: swapped alleles, positions off by one, another assembly.

    Parameters
    ----------
    genome
        The genome.
    table
        Some of the variants that disagree.
    verdicts
        Of :func:`compare_with_genome` on them.

    Returns
    -------
    str
        What to do.
    """
    if (verdicts == ALLELES_SWAPPED).mean() > 0.5:
        return "allele 2 is the genome's letter in most of them: give `swap_ref=True`"
    for shift in _OFF_BY_ONE:
        if (compare_with_genome(genome, table, shift) == ALLELE_AGREES).mean() > 0.8:
            return "most agree one base to the " + (
                'right: positions are 0-based, give `schema="bed"`, or add 1'
                if shift > 0
                else "left: positions are 1 too large; a 1-based table was read as 0-based?"
            )
    return "the variants are of another assembly than the genome: lift them over, or give their genome"


def allele_windows(
    sequence: Codes,
    table: pd.DataFrame,
    length: int,
    change: Callable[[Codes, Ints], Codes] | None = None,
) -> tuple[Codes, Codes]:
    """Cut the windows of both alleles out of a chromosome.

    Parameters
    ----------
    sequence
        Base codes of the chromosome, uint8 ``(size,)``.
    table
        Variant table, of variants of this chromosome that have windows (:func:`window_problems`).
    length
        L in bp.
    change
        From the genome's windows, uint8 ``(m, L + letters lost)``, and the rows of the table that they belong to, to other
        windows of that shape, into which the alleles are put then.

    Returns
    -------
    first, second : numpy.ndarray
        Base codes of allele 1 and allele 2, uint8 ``(n, L)`` each.
    """
    first, second = (np.empty((len(table), length), dtype=np.uint8) for _ in range(2))
    starts = table["pos"].to_numpy() - 1 - length // 2
    for rows, one, two in _by_lengths(table):
        lost = max(one - two, 0)
        flanks = sequence[starts[rows, None] + np.arange(length + lost)]
        if change is not None:
            flanks = change(flanks, rows)
        for windows, name, size in ((first, "allele1", one), (second, "allele2", two)):
            letters = (
                codes_of("".join(table[name].iloc[rows])).reshape(len(rows), -1)[:, :size]
                if size
                else np.empty((len(rows), 0), np.uint8)
            )
            middle = length // 2
            windows[rows] = np.concatenate([flanks[:, :middle], letters, flanks[:, middle + one :]], axis=1)[:, :length]
    return first, second


def _by_lengths(table: pd.DataFrame) -> Iterator[tuple[Ints, int, int]]:
    """Rows of the variants whose alleles have the same two lengths, and these."""
    lengths = np.stack([allele_lengths(table[name]) for name in ("allele1", "allele2")], axis=1)
    pairs, group = np.unique(lengths, axis=0, return_inverse=True)
    for number, (one, two) in enumerate(pairs):
        yield np.flatnonzero(group.ravel() == number), int(one), int(two)
