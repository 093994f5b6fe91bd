"""What reads tell of their library besides 5' ends, counted in the one pass over them: fragment lengths and duplicates."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._types import Ints
from chrombpnet_core.reads._tally import DUPLICATES, JUDGED, LONGER, LONGEST_FRAGMENT, TALLY

__all__ = ["LONGEST_FRAGMENT", "new_tally", "tally_alignment", "tally_facts"]

_UNPAIRED, _SECONDARY = 0x908, 0x900  # SAM flags: mate unmapped, secondary, supplementary


def new_tally() -> Ints:
    """Make an empty tally, int64: numbers of fragments by length, of longer ones, of reads judged, of duplicates."""
    return np.zeros(TALLY, dtype=np.int64)


def tally_alignment(tally: Ints, flag: int, insert: int, counted: bool) -> None:
    """Enter a mapped alignment, as :func:`chrombpnet_core.reads._parse_alignments.read_alignments` does."""
    if not flag & _SECONDARY:
        tally[JUDGED] += 1
        tally[DUPLICATES] += flag >> 10 & 1
    if counted and flag & 1 and not flag & _UNPAIRED and insert > 0:
        tally[min(insert, LONGER)] += 1


def tally_facts(tally: Ints, kind: str) -> dict[str, object]:
    """Say what a tally tells, as far as reads of this kind tell it.

    Parameters
    ----------
    tally
        Of all files.
    kind
        One of :data:`~chrombpnet_core.reads.READ_KINDS`.

    Returns
    -------
    dict
        ``fragment_sizes``: fragments by length in bp from 0 to 1,000, and last the longer ones; None where reads are not
        paired. ``duplicates``: how many reads or fragments there are (``of``), how many of them are ``duplicates``, and
        whether the ``flag`` or the ``count`` (column 5) says so; None where nothing does.
    """
    sizes = tally[: LONGER + 1] if kind in ("bam", "fragments") else tally[:0]
    told_by = {"bam": "flag", "fragments": "count", "single_end": "count"}.get(kind)
    told = told_by is not None and tally[JUDGED] > 0
    return {
        "fragment_sizes": sizes.tolist() if sizes.any() else None,
        "duplicates": {"told_by": told_by, "of": int(tally[JUDGED]), "duplicates": int(tally[DUPLICATES])} if told else None,
    }
