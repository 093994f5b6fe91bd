"""Production: what a Prefect server holds for this project, and the flows and services that only production needs.

Deployments, work pools and automations are declared in ``infra/`` and applied from here; a bridge turns bucket
notifications into events, which start the flow ``drop``; the flow ``publish`` keeps the page over all data sets.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from flows.deployment.bridge import Bridge, serve
    from flows.deployment.desired_state import CPU_POOL, GPU_POOL, OURS, Change, Desired, Settings, desired
    from flows.deployment.google_tokens import GOOGLE_CERTIFICATES, GoogleTokens
    from flows.deployment.notifications import (
        FINALIZED_GCS,
        FINALIZED_S3,
        Malformed,
        Written,
        event_of,
        read_notification,
    )
    from flows.deployment.publishing import publish
    from flows.deployment.server import apply
    from flows.deployment.watched_folder import drop, read_dropped

__all__ = [
    "CPU_POOL",
    "FINALIZED_GCS",
    "FINALIZED_S3",
    "GOOGLE_CERTIFICATES",
    "GPU_POOL",
    "OURS",
    "Bridge",
    "Change",
    "Desired",
    "GoogleTokens",
    "Malformed",
    "Settings",
    "Written",
    "apply",
    "desired",
    "drop",
    "event_of",
    "publish",
    "read_dropped",
    "read_notification",
    "serve",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
