"""What a model learns from: GC-matched nonpeaks, the selection of regions, and shards of training examples.

Shards hold the bases and insertion counts of every region once; plans say which examples an epoch sees, with which
jitter and strand.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.training_data.example_format import HEADER, ShardLayout, decode_records, encode_records
    from chrombpnet_core.training_data.nonpeaks import (
        CLOSE_GC,
        GC_EDGES,
        candidate_bins,
        gc_bins,
        gc_histogram,
        peak_gc,
        sample_nonpeaks,
    )
    from chrombpnet_core.training_data.random_streams import Stream, epoch_stream, random_stream
    from chrombpnet_core.training_data.sampling import (
        ExampleBatch,
        ExamplePlan,
        centred_plan,
        read_batch,
        read_batches,
        training_plan,
    )
    from chrombpnet_core.training_data.selection import (
        BiasSelection,
        MainSelection,
        select_bias_regions,
        select_main_regions,
    )
    from chrombpnet_core.training_data.shard_index import write_shards
    from chrombpnet_core.training_data.shards import NONPEAK, PEAK, ShardSet

__all__ = [
    "CLOSE_GC",
    "GC_EDGES",
    "HEADER",
    "NONPEAK",
    "PEAK",
    "BiasSelection",
    "ExampleBatch",
    "ExamplePlan",
    "MainSelection",
    "ShardLayout",
    "ShardSet",
    "Stream",
    "candidate_bins",
    "centred_plan",
    "decode_records",
    "encode_records",
    "epoch_stream",
    "gc_bins",
    "gc_histogram",
    "peak_gc",
    "random_stream",
    "read_batch",
    "read_batches",
    "sample_nonpeaks",
    "select_bias_regions",
    "select_main_regions",
    "training_plan",
    "write_shards",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
