"""Reads (BAM, CRAM, fragments, tagAlign) to 5' ends by chromosome and strand, and the enzyme shift that they carry.

Files are read once, in any order, in bounded memory; the shift is estimated from a sample and the enzyme's matrices.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.reads.cut_sites import (
        READ_KINDS,
        STRANDS,
        ReadSample,
        SpilledReads,
        read_chromosome_names,
        spill_reads,
    )
    from chrombpnet_core.reads.shift import (
        SHIFT_WINDOW,
        STANDARD_SHIFTS,
        TARGET_SHIFTS,
        ShiftEstimate,
        base_frequencies_around,
        estimate_shift,
        offset_scores,
    )

__all__ = [
    "READ_KINDS",
    "SHIFT_WINDOW",
    "STANDARD_SHIFTS",
    "STRANDS",
    "TARGET_SHIFTS",
    "ReadSample",
    "ShiftEstimate",
    "SpilledReads",
    "base_frequencies_around",
    "estimate_shift",
    "offset_scores",
    "read_chromosome_names",
    "spill_reads",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
