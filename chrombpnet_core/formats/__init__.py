"""File formats that nobody else writes fast or exactly enough, and files that appear whole or not at all.

BigWig, BGZF, CRAM checks, TFRecord, TensorBoard scalars, HDF5 tables that grow, text with line numbers. Nothing here knows
of genomes, reads or models.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.formats.atomic import UNFINISHED, flush, share_with_group, shared_mode, written_whole
    from chrombpnet_core.formats.bgzf import decompressed
    from chrombpnet_core.formats.bigwig import Intervals, write_bigwig
    from chrombpnet_core.formats.bigwig_reader import BigWigFile
    from chrombpnet_core.formats.cram import count_cram_records
    from chrombpnet_core.formats.documents import line_of_key, read_json, read_yaml
    from chrombpnet_core.formats.hdf5 import open_hdf5, open_hdf5_to_write
    from chrombpnet_core.formats.hdf5_table import GrowingTable, TableColumn
    from chrombpnet_core.formats.sealed_arrays import check_seal, load_sealed, save_sealed
    from chrombpnet_core.formats.tensorboard import write_scalars
    from chrombpnet_core.formats.text import (
        LARGEST_POSITION,
        check_complete,
        is_bgzip,
        is_comment,
        is_gzip,
        is_private,
        numbered_lines,
        open_binary,
        refuse_other_text,
        require_file,
        whole_number,
    )
    from chrombpnet_core.formats.tfrecord import RECORD_HEAD, RECORD_TAIL, as_tfrecord, masked_crc32c

__all__ = [
    "LARGEST_POSITION",
    "RECORD_HEAD",
    "RECORD_TAIL",
    "UNFINISHED",
    "BigWigFile",
    "GrowingTable",
    "Intervals",
    "TableColumn",
    "as_tfrecord",
    "check_complete",
    "check_seal",
    "count_cram_records",
    "decompressed",
    "flush",
    "is_bgzip",
    "is_comment",
    "is_gzip",
    "is_private",
    "line_of_key",
    "load_sealed",
    "masked_crc32c",
    "numbered_lines",
    "open_binary",
    "open_hdf5",
    "open_hdf5_to_write",
    "read_json",
    "read_yaml",
    "refuse_other_text",
    "require_file",
    "save_sealed",
    "share_with_group",
    "shared_mode",
    "whole_number",
    "write_bigwig",
    "write_scalars",
    "written_whole",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
