"""Which client opens an address: Google's own for gs://, fsspec's for S3, HTTPS and whatever else it knows.

The clients' own retries are off: :mod:`tasks.storage.faults` alone tries again.
"""

from __future__ import annotations

from typing import Any

import fsspec
from fsspec.core import url_to_fs

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import redact, redact_text, require_plain
from tasks.storage.faults import CONNECT, SILENCE, UPLOAD_ATTEMPTS
from tasks.storage.fsspec_objects import FsspecObjects, HostGuard
from tasks.storage.hosts import guarded_client
from tasks.storage.objects import Objects

__all__ = ["objects_of"]

_WEB, _S3 = ("http://", "https://"), ("s3://", "s3a://")


def objects_of(uri: str, hosts: tuple[str, ...] = ()) -> tuple[Objects, str]:
    """Open the store that a remote address lies in.

    Parameters
    ----------
    uri
        The address.
    hosts
        The only ones that may be contacted for an address over HTTP; where there are none, any may be.

    Returns
    -------
    tuple
        The store, and the path within it.

    Raises
    ------
    InputError
        For an address that nobody can open.
    """
    require_plain(uri)
    if hosts and not uri.startswith(_WEB):
        raise InputError(f"{redact(uri)}: hosts are stated", expected="an address that begins with https:// or http://")
    if uri.startswith(("gs://", "gcs://")):
        from tasks.storage.gcs_objects import GcsObjects

        bucket, _, path = uri.split("://", 1)[1].partition("/")
        if not bucket:
            raise InputError(f"{redact(uri)}: no bucket", expected="gs://bucket/path")
        return GcsObjects(bucket), path
    try:
        file_system, path = url_to_fs(uri, **_options(uri, hosts))
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{redact(uri)}: cannot be opened",
            found=redact_text(str(error))[:200],
            remedy="check the address; s3:// needs pip install 'chrombpnet-flows[s3]'",
        ) from error
    if not uri.startswith(_S3):
        return FsspecObjects(file_system), path
    uploads, _ = url_to_fs(uri, **_options(uri, hosts, UPLOAD_ATTEMPTS))
    file_system.retries = uploads.retries = 1  # s3fs's own, over botocore's
    return FsspecObjects(file_system, uploads), path


def _options(uri: str, hosts: tuple[str, ...], attempts: int = 1) -> dict[str, Any]:
    """Timeouts and attempts at a request, as fsspec's file systems take them."""
    if uri.startswith(_WEB):
        from aiohttp import ClientTimeout

        # Silence ends a connection; a large file that takes its time does not.
        timeout = ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
        guard = HostGuard(uri.startswith("https://"), hosts)
        options: dict[str, Any] = {"client_kwargs": {"timeout": timeout, "middlewares": (guard,)}}
        return options | ({"get_client": guarded_client} if hosts else {})
    if uri.startswith(_S3):
        given = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        retries = {"total_max_attempts": attempts, "mode": "standard"}
        return {"config_kwargs": {"retries": retries, "connect_timeout": CONNECT, "read_timeout": SILENCE} | given}
    return {}
