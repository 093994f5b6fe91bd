"""The ENCODE portal: which experiments and files there are, and a catalogue of what became of them.

Files are chosen by the rules of ENCODE's own ChromBPNet runs; the portal is asked slowly enough for its rules, and no host
but those on a list.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.encode.catalogue import CATALOGUE, METRICS, PAGE, STATES, Catalogue, Entry, gpu_hours, now, outcome
    from tasks.encode.experiment_files import (
        ASSAYS,
        FIELDS,
        ExperimentFiles,
        PortalFile,
        Refused,
        Rules,
        changed_files,
        choose_files,
    )
    from tasks.encode.portal import BUCKETS, PORTAL, Portal, RateLimiter, Search

__all__ = [
    "ASSAYS",
    "BUCKETS",
    "CATALOGUE",
    "FIELDS",
    "METRICS",
    "PAGE",
    "PORTAL",
    "STATES",
    "Catalogue",
    "Entry",
    "ExperimentFiles",
    "Portal",
    "PortalFile",
    "RateLimiter",
    "Refused",
    "Rules",
    "Search",
    "changed_files",
    "choose_files",
    "gpu_hours",
    "now",
    "outcome",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
