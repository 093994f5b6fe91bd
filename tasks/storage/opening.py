"""What an object store must do for us, over fsspec: S3, HTTPS and whatever else it opens.

gs:// is in :mod:`tasks.storage.gcs_objects`.
"""

from __future__ import annotations

from fsspec.core import url_to_fs

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import redact
from tasks.storage.fsspec_objects import FsspecObjects, _Within
from tasks.storage.objects import Objects

__all__ = ["objects_of"]


def objects_of(uri: str, hosts: tuple[str, ...] = ()) -> tuple[Objects, str]:
    """Store and path within it of a remote address; one that nobody can open is a user's error.

    ``hosts`` are the only ones that may be contacted for an address over HTTP; where there are none, any may be.
    """
    if hosts and not uri.startswith(("http://", "https://")):
        raise InputError(f"{redact(uri)}: hosts are stated", expected="an address that begins with https:// or http://")
    if uri.startswith(("gs://", "gcs://")):
        from tasks.storage.gcs_objects import GcsObjects

        bucket, _, path = uri.split("://", 1)[1].partition("/")
        if not bucket:
            raise InputError(f"{uri}: no bucket", expected="gs://bucket/path")
        return GcsObjects(bucket), path
    options = {}
    if uri.startswith(("http://", "https://")):
        from aiohttp import ClientTimeout

        # Silence ends a connection; a large file that takes its time does not.
        options = {
            "client_kwargs": {
                "timeout": ClientTimeout(total=None, sock_connect=10, sock_read=60),
                "middlewares": (_Within(uri.startswith("https://"), hosts),),
            }
        }
    try:
        fs, path = url_to_fs(uri, **options)
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{redact(uri)}: cannot be opened",
            found=str(error),
            remedy="check the address; s3:// needs pip install 'chrombpnet-flows[s3]'",
        ) from error
    return FsspecObjects(fs), path
