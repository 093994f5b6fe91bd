"""The sequences of both alleles of a variant, and whether the first is what the genome has.

Windows are variant-scorer's: allele letters begin at base ``L // 2``. Of a deletion the right flank of allele 2 goes on as
far as needed, of an insertion it ends earlier, so that both sequences are L long and the left flanks are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

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
_FETCHED = 1 << 24  # bp of a chromosome that are letters at a time
_READ_ON = 2000  # bp that are read beyond an allele: its neighbours are often there
_NEXT_TO = (-1, 1)
_LETTER_OF_CODE = np.frombuffer(b"ACGTN", dtype=np.uint8)


def allele_lengths(alleles: pd.Series) -> np.ndarray:
    """Number of letters, int64 ``(n,)``; ``-`` has none."""
    return np.where(alleles == "-", 0, alleles.str.len()).astype(np.int64)


def chromosome_codes(genome: Genome, chrom: str) -> np.ndarray:
    """Base codes of a whole chromosome, uint8 ``(size,)``, its letters never in memory at once."""
    size = genome.sizes[chrom]
    codes = np.empty(size, dtype=np.uint8)
    for at in range(0, size, _FETCHED):
        codes[at : at + _FETCHED] = genome.codes(chrom, at, min(at + _FETCHED, size))
    return codes


def window_problems(table: pd.DataFrame, sizes: dict[str, int], length: int, width: int) -> np.ndarray:
    """Why a variant has no window, text ``(n,)``, empty where it has one.

    The window of ``L`` letters must lie in the chromosome by variant-scorer's rule, ``pos − L//2 > 0`` and
    ``pos + L//2 ≤ size``; of a deletion it begins as much later as letters are lost. An allele must end within the output,
    else its profiles cannot be aligned.

    Parameters
    ----------
    table
        Of variants, all on chromosomes of ``sizes``.
    sizes
        Chromosome → length in bp.
    length, width
        Input and output length of the model in bp.
    """
    one, two = allele_lengths(table["allele1"]), allele_lengths(table["allele2"])
    pos, size, flank = table["pos"].to_numpy(), table["chr"].map(sizes).to_numpy(dtype=np.int64), length // 2
    why = np.full(len(table), "", dtype=object)
    why[(pos - flank <= 0) | (pos + flank + np.maximum(one - two, 0) > size)] = "too near a chromosome end"
    why[np.maximum(one, two) > width - width // 2] = "longer than half of the model's output"
    return why


def compare_with_genome(genome: Genome, table: pd.DataFrame, shift: int = 0) -> np.ndarray:
    """Hold allele 1 against the genome, int8 ``(n,)``: :data:`ALLELE_AGREES`, or allele 2 is the genome's, or neither.

    An N in the genome agrees with every letter; an empty allele agrees.

    Parameters
    ----------
    genome
        The genome; has all chromosomes of the table.
    table
        Of variants.
    shift
        Added to every position.
    """
    found = np.empty(len(table), dtype=np.int8)
    starts = table["pos"].to_numpy() - 1 + shift
    alleles = [table[name].to_numpy() for name in ("allele1", "allele2")]
    longest = int(max((allele_lengths(table[name]).max(initial=1) for name in ("allele1", "allele2")), default=1))
    for chrom, rows in table.groupby("chr", sort=False).indices.items():
        begin, text = 0, ""
        for row in rows[np.argsort(starts[rows], kind="stable")]:
            at = int(starts[row]) - begin
            if not text or at + longest > len(text):
                begin, at = int(starts[row]), 0
                text = _letters(genome, chrom, begin, begin + longest + _READ_ON)
            one, two = alleles[0][row], alleles[1][row]
            if _agree(one, text, at):
                found[row] = ALLELE_AGREES
            else:
                found[row] = ALLELES_SWAPPED if two != "-" and _agree(two, text, at) else ALLELE_DIFFERS
    return found


def _letters(genome: Genome, chrom: str, start: int, end: int) -> str:
    """Letters of ``[start, end)``, N for all but A, C, G and T, and beyond the chromosome."""
    return _LETTER_OF_CODE[genome.codes(chrom, start, end)].tobytes().decode()


def _agree(allele: str, text: str, at: int) -> bool:
    if allele == "-":
        return True
    there = text[at : at + len(allele)]
    return there == allele or all(letter in ("N", own) for letter, own in zip(there, allele, strict=True))


def swap_alleles(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """The same with the alleles of ``rows``, bool ``(n,)``, exchanged."""
    return table.assign(
        allele1=table["allele1"].where(~rows, table["allele2"]), allele2=table["allele2"].where(~rows, table["allele1"])
    )


def explain_disagreement(genome: Genome, table: pd.DataFrame, verdicts: np.ndarray) -> str:
    """Advice where many variants disagree with the genome: swapped alleles, positions off by one, another assembly.

    Parameters
    ----------
    genome, table
        As for :func:`compare_with_genome`: some of the variants that disagree.
    verdicts
        What it said of them.
    """
    if (verdicts == ALLELES_SWAPPED).mean() > 0.5:
        return "allele 2 is the genome's letter in most of them: give --swap-ref"
    for shift in _NEXT_TO:
        if (compare_with_genome(genome, table, shift) == ALLELE_AGREES).mean() > 0.8:
            return "most agree one base to the " + (
                "right: positions are 0-based, give --schema bed, or add 1"
                if shift > 0
                else "left: positions are 1 too large; a 1-based table was read as 0-based?"
            )
    return "the variants are of another assembly than the genome: lift them over, or give their genome"


def allele_windows(
    sequence: np.ndarray,
    table: pd.DataFrame,
    length: int,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Base codes of both alleles, uint8 ``(n, L)`` each, of variants of one chromosome that have windows.

    Parameters
    ----------
    sequence
        Base codes of the chromosome, uint8 ``(size,)``.
    table
        Of variants.
    length
        L in bp.
    change
        From the genome's windows, uint8 ``(m, L + letters lost)``, and the rows of the table that they belong to, to other
        windows of that shape, into which the alleles are put then.
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


def _by_lengths(table: pd.DataFrame) -> Iterator[tuple[np.ndarray, int, int]]:
    """Rows of the variants whose alleles have the same two lengths, and these."""
    lengths = np.stack([allele_lengths(table[name]) for name in ("allele1", "allele2")], axis=1)
    pairs, group = np.unique(lengths, axis=0, return_inverse=True)
    for number, (one, two) in enumerate(pairs):
        yield np.flatnonzero(group.ravel() == number), int(one), int(two)
