"""Where data lie: addresses, copies of remote inputs, digests, and the store of steps' outputs.

Local folders, Google Cloud Storage, S3 and whatever else fsspec opens stand behind one protocol. Faults of network and
storage are retried here, by one table, and nowhere else; what is written is there whole or not at all.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.storage.addresses import (
        hide_secrets,
        is_local,
        local_path,
        redact,
        redact_all,
        redact_text,
        require_no_secret,
        split_conditions,
        split_prefix,
    )
    from tasks.storage.digests import checksums, digest_of_file, digest_once
    from tasks.storage.faults import (
        TASK_RETRIES,
        Damaged,
        Mismatch,
        Overtaken,
        StorageError,
        is_transient,
        persistently,
        should_retry,
    )
    from tasks.storage.folders import cache_folder, default_store, make_folder
    from tasks.storage.full_disk import FullDisk, fault_in_words, require_space, telling_full_disk
    from tasks.storage.hosts import is_inner_host
    from tasks.storage.locks import is_locked, locked
    from tasks.storage.manifests import MANIFEST, manifest_fault, sealed
    from tasks.storage.owners import DEAD, SILENT, Owner, beating, is_owned
    from tasks.storage.placing import place_files, prefixed_path
    from tasks.storage.staging import Artifact, is_staged, require, require_all, require_place, stage
    from tasks.storage.store import Store

__all__ = [
    "DEAD",
    "MANIFEST",
    "SILENT",
    "TASK_RETRIES",
    "Artifact",
    "Damaged",
    "FullDisk",
    "Mismatch",
    "Overtaken",
    "Owner",
    "StorageError",
    "Store",
    "beating",
    "cache_folder",
    "checksums",
    "default_store",
    "digest_of_file",
    "digest_once",
    "fault_in_words",
    "hide_secrets",
    "is_inner_host",
    "is_local",
    "is_locked",
    "is_owned",
    "is_staged",
    "is_transient",
    "local_path",
    "locked",
    "make_folder",
    "manifest_fault",
    "persistently",
    "place_files",
    "prefixed_path",
    "redact",
    "redact_all",
    "redact_text",
    "require",
    "require_all",
    "require_no_secret",
    "require_place",
    "require_space",
    "sealed",
    "should_retry",
    "split_conditions",
    "split_prefix",
    "stage",
    "telling_full_disk",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
