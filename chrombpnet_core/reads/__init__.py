"""Reads (BAM, CRAM, fragments, tagAlign) to 5' ends by chromosome and strand, and the enzyme shift that they carry.

Files are read once, in any order, in bounded memory; the shift is estimated from a sample and the enzyme's matrices.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.reads.read_batches import ReadFilters
    from chrombpnet_core.reads.read_files import READ_KINDS, read_chromosome_names, spill_reads
    from chrombpnet_core.reads.recognition import Recognised, check_read_kind, recognise_file
    from chrombpnet_core.reads.sampled_reads import check_read_files, first_reads
    from chrombpnet_core.reads.shift import (
        SHIFT_WINDOW,
        STANDARD_SHIFTS,
        TARGET_SHIFTS,
        ShiftEstimate,
        base_frequencies_around,
        estimate_shift,
        offset_scores,
    )
    from chrombpnet_core.reads.spilled_reads import STRANDS, ReadSample, SpilledReads

__all__ = [
    "READ_KINDS",
    "SHIFT_WINDOW",
    "STANDARD_SHIFTS",
    "STRANDS",
    "TARGET_SHIFTS",
    "ReadFilters",
    "ReadSample",
    "Recognised",
    "ShiftEstimate",
    "SpilledReads",
    "base_frequencies_around",
    "check_read_files",
    "check_read_kind",
    "estimate_shift",
    "first_reads",
    "offset_scores",
    "read_chromosome_names",
    "recognise_file",
    "spill_reads",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
