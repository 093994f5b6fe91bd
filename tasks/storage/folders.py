"""Folders of this machine: the cache, and the store that is used where none is given."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder", "default_store"]


def cache_folder() -> Path:
    """Machine-local cache: ``$CHROMBPNET_CACHE``, else ``~/.cache/chrombpnet``."""
    return Path(os.environ.get("CHROMBPNET_CACHE") or Path.home() / ".cache" / "chrombpnet")


def default_store() -> str:
    """Store used without ``--store``: ``$CHROMBPNET_STORE``, else a folder of the cache."""
    return os.environ.get("CHROMBPNET_STORE") or str(cache_folder() / "store")
