"""gs:// by Google's own client, for what fsspec lacks: generation preconditions, checked and resumable uploads.

Its own retries are off but for the parts of a resumable upload, so that attempts do not multiply.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tasks.storage.faults import CONNECT, SILENCE, UPLOAD_PATIENCE, Damaged, Overtaken, StorageError
from tasks.storage.objects import Information

__all__ = ["GcsObjects"]

_PART = 32 << 20  # bytes of a resumable upload that are sent, and perhaps sent again, at once
_SINGLE = 8 << 20  # bytes that the client uploads in one request
_TIMEOUT = (CONNECT, SILENCE)


@functools.lru_cache(maxsize=4)
def _client(_endpoint: str | None) -> Any:
    """One client per process: Application Default Credentials, else none, which is enough for public buckets."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client(project=None)
    except DefaultCredentialsError:
        return storage.Client.create_anonymous_client()


@contextlib.contextmanager
def _plain(address: str) -> Iterator[None]:
    """Raise the client's errors as built-in ones."""
    from google.api_core import exceptions
    from google.auth.exceptions import RefreshError

    try:
        yield
    except exceptions.NotFound:
        raise FileNotFoundError(address) from None
    except (exceptions.Forbidden, exceptions.Unauthorized):
        raise PermissionError(address) from None
    except exceptions.PreconditionFailed:
        raise Overtaken(address) from None
    except RefreshError as error:
        if error.retryable:
            raise
        raise PermissionError(f"{address}: the credentials were refused") from None
    except exceptions.RetryError as error:
        raise StorageError(f"{address}: {error.cause or error}") from None
    except ValueError as error:  # JSON that was cut short
        raise Damaged(str(error)) from error


class GcsObjects:
    """A bucket; see :class:`tasks.storage.objects.Objects`."""

    def __init__(self, bucket: str) -> None:
        self._name = bucket

    def _bucket(self) -> Any:
        return _client(os.environ.get("STORAGE_EMULATOR_HOST")).bucket(self._name)

    def _at(self, path: str) -> contextlib.AbstractContextManager[None]:
        return _plain(f"gs://{self._name}/{path}")

    def info(self, path: str) -> Information:
        """Size, generation and CRC32C, which every object has."""
        with self._at(path):
            blob = self._bucket().get_blob(path, retry=None, timeout=_TIMEOUT)
        if blob is None:
            raise FileNotFoundError(f"gs://{self._name}/{path}")
        return Information(int(blob.size), str(blob.generation), {"crc32c": blob.crc32c} if blob.crc32c else {})

    def takes_ranges(self, path: str) -> bool:
        """Say yes: Cloud Storage always does."""
        return True

    def read(self, path: str, start: int = 0, end: int | None = None, mark: str = "") -> bytes:
        """Bytes of one generation; the client may take a body that was cut short for whole, so they are counted."""
        with self._at(path):
            blob = self._bucket().blob(path, generation=int(mark) if mark else None)
            data: bytes = blob.download_as_bytes(
                start=start or None,
                end=None if end is None else end - 1,
                raw_download=True,
                retry=None,
                timeout=_TIMEOUT,
                checksum="crc32c" if end is None and not start else None,
            )
        if end is not None and len(data) != end - start:
            raise Damaged(f"{len(data):,} of {end - start:,} bytes arrived")
        return data

    def stream(self, path: str, file: BinaryIO) -> None:
        """Copy the whole object, checked by its CRC32C."""
        with self._at(path):
            self._bucket().blob(path).download_to_file(
                file, raw_download=True, retry=None, timeout=_TIMEOUT, checksum="crc32c"
            )

    def write(self, path: str, source: bytes | Path, replacing: str | None = None) -> None:
        """Beyond 8 MiB in parts that are tried one by one; the store refuses content whose CRC32C is not the sender's."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        match = None if replacing is None else int(replacing or 0)
        with self._at(path):
            blob = self._bucket().blob(path, chunk_size=_PART)
            options = {"if_generation_match": match, "timeout": _TIMEOUT, "checksum": "crc32c"}
            if isinstance(source, Path):
                retry = DEFAULT_RETRY.with_timeout(UPLOAD_PATIENCE) if source.stat().st_size > _SINGLE else None
                blob.upload_from_filename(str(source), retry=retry, **options)
            else:
                blob.upload_from_string(source, "application/octet-stream", retry=None, **options)

    def sizes(self, path: str) -> dict[str, int]:
        """All pages of the listing."""
        prefix = path.rstrip("/") + "/" if path else ""
        with self._at(path):
            found = self._bucket().list_blobs(
                prefix=prefix, fields="items(name,size),nextPageToken", retry=None, timeout=_TIMEOUT
            )
            return {blob.name[len(prefix) :]: int(blob.size) for blob in found}

    def delete(self, path: str) -> None:
        """Delete an object, where it is there."""
        with contextlib.suppress(FileNotFoundError), self._at(path):
            self._bucket().blob(path).delete(retry=None, timeout=_TIMEOUT)
