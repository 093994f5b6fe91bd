"""Data sets made of ENCODE experiments, new and changed ones, week after week.

The flow asks the portal, compares with the catalogue, and starts what is missing.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from flows.encode.flow import Summary, dataset_content, encode, reprocess
    from flows.encode.prefect_tasks import find_deployment, find_experiments, look_at_runs, start_run
    from flows.encode.request import EncodeRequest

__all__ = [
    "EncodeRequest",
    "Summary",
    "dataset_content",
    "encode",
    "find_deployment",
    "find_experiments",
    "look_at_runs",
    "reprocess",
    "start_run",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
