"""Tracks: cut sites to bigWig, bigWig to windows of values, predicted tracks and their statistics.

BigWigs are always written by :mod:`chrombpnet_core.formats`, whole or not at all.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.tracks.coverage import Coverage
    from chrombpnet_core.tracks.insertion_evidence import TrackEvidence, check_insertions, track_evidence
    from chrombpnet_core.tracks.insertions import insertion_pfm, run_lengths, write_insertions
    from chrombpnet_core.tracks.merge import check_coverage_sizes, merge_bigwigs
    from chrombpnet_core.tracks.placement import TrackPlacement, place_regions, write_track
    from chrombpnet_core.tracks.predictions import RegionPredictionsFile, predict_regions
    from chrombpnet_core.tracks.rows_on_disk import RowsOnDisk
    from chrombpnet_core.tracks.statistics import track_statistics, write_track_statistics

__all__ = [
    "Coverage",
    "RegionPredictionsFile",
    "RowsOnDisk",
    "TrackEvidence",
    "TrackPlacement",
    "check_coverage_sizes",
    "check_insertions",
    "insertion_pfm",
    "merge_bigwigs",
    "place_regions",
    "predict_regions",
    "run_lengths",
    "track_evidence",
    "track_statistics",
    "write_insertions",
    "write_track",
    "write_track_statistics",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
