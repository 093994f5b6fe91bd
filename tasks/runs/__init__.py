"""Runs as users know them: what was asked, what became of each step, what could be deleted.

A run is the results folder that it fills; its record lies in the store and beside the results. Interruption by a signal
and the check of this machine are here, too.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.runs.cleaning import Removable, find_removable, remove
    from tasks.runs.doctor import examine
    from tasks.runs.run_record import (
        RUN,
        is_running,
        parts_of,
        read_run,
        reason_of,
        record_run,
        run_id,
    )
    from tasks.runs.status import status_lines
    from tasks.runs.step_record import Record, recording
    from tasks.runs.stopping import GRACE, Interruption, interruption
    from tasks.runs.verifying import Damage, Verification, verify_store

__all__ = [
    "GRACE",
    "RUN",
    "Damage",
    "Interruption",
    "Record",
    "Removable",
    "Verification",
    "examine",
    "find_removable",
    "interruption",
    "is_running",
    "parts_of",
    "read_run",
    "reason_of",
    "record_run",
    "recording",
    "remove",
    "run_id",
    "status_lines",
    "verify_store",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
