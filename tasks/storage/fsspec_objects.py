"""S3, HTTPS and whatever else fsspec opens, as stores of objects."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import redact, redact_text
from tasks.storage.faults import Damaged, Overtaken, StorageError, is_transient
from tasks.storage.hosts import Elsewhere
from tasks.storage.objects import Information

__all__ = ["FsspecObjects", "HostGuard"]


_PART = 50 << 20  # bytes of a part of an upload
_MARKS = ("generation", "etag", "ETag", "mtime", "LastModified", "Last-Modified", "created")


@dataclass(frozen=True)
class HostGuard:
    """Part of an aiohttp client: looks at every request, those of redirects too, before anything is sent.

    From HTTPS nothing leads to HTTP; where there are ``hosts`` (such as ``host`` or ``host:8080``), nothing to others.
    """

    secure: bool
    hosts: tuple[str, ...]

    async def __call__(self, request: Any, handler: Any) -> Any:
        """Pass the request on, or refuse it."""
        url = request.url
        host = url.host_port_subcomponent.lower()
        if self.secure and url.scheme != "https":
            raise Elsewhere(f"{url.scheme}://{host}", "https all the way")
        if self.hosts and host not in self.hosts:
            raise Elsewhere(host, f"one of {', '.join(self.hosts)}")
        return await handler(request)


class FsspecObjects:
    """Any of fsspec's file systems.

    S3's conditional writes go past s3fs, which knows only the first of them; elsewhere "replacing nothing" is all there is.

    Parameters
    ----------
    fs
        The file system.
    uploads
        The same with its own retries of each part, for large files; None: ``fs`` does them, too.
    """

    def __init__(self, fs: Any, uploads: Any = None) -> None:
        self.fs, self._uploads = fs, uploads
        protocol = fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)
        self._http, self._s3 = "http" in protocol, "s3" in protocol

    def info(self, path: str) -> Information:
        """See :class:`~tasks.storage.objects.Objects`."""
        self.fs.invalidate_cache()
        with _plain_errors(path):
            info = self.fs.info(path)
            checks = self._s3_checks(path) if self._s3 else {}
        if info.get("type") == "directory":
            raise IsADirectoryError(redact(path))
        mark = next((str(info[key]) for key in _MARKS if info.get(key)), "")
        return Information(-1 if info.get("size") is None else int(info["size"]), mark, checks)

    def _s3_checks(self, path: str) -> dict[str, str]:
        """CRC32C where the object was stored with one; else its etag, which is an MD5 of what was not encrypted by a key."""
        bucket, key, _ = self.fs.split_path(path)
        head = self.fs.call_s3("head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        crc, etag = head.get("ChecksumCRC32C", ""), head.get("ETag", "").strip('"')
        if crc and "-" not in crc:
            return {"crc32c": crc}
        plain = head.get("ServerSideEncryption") in (None, "AES256") and "SSECustomerAlgorithm" not in head
        return {"md5": etag} if plain and len(etag) == 32 else {}

    def takes_ranges(self, path: str) -> bool:
        """See :class:`~tasks.storage.objects.Objects`.

        A web server may ignore a range that is asked for and send everything, so it is tried on one byte.
        """
        if not self._http:
            return True
        from fsspec.asyn import sync

        async def status() -> int:
            session = await self.fs.set_session()
            async with session.get(self.fs.encode_url(path), headers={"Range": "bytes=0-0"}) as answer:
                return int(answer.status)

        with _plain_errors(path):
            return bool(sync(self.fs.loop, status) == 206)

    def read(self, path: str, start: int = 0, end: int | None = None, mark: str = "") -> bytes:
        """See :class:`~tasks.storage.objects.Objects`."""
        with _plain_errors(path):
            data: bytes = self.fs.cat_file(path, **({} if end is None else {"start": start, "end": end}))
        if end is not None and len(data) != end - start:
            raise Damaged(f"{len(data):,} of {end - start:,} bytes arrived")
        return data

    def stream(self, path: str, file: BinaryIO) -> None:
        """See :class:`~tasks.storage.objects.Objects`."""
        with _plain_errors(path), self.fs.open(path, "rb") as source:
            shutil.copyfileobj(source, file, 1 << 22)

    def write(self, path: str, source: bytes | Path, replacing: str | None = None) -> None:
        """See :class:`~tasks.storage.objects.Objects`."""
        with _plain_errors(path):
            if isinstance(source, Path) and self._uploads is not None and source.stat().st_size >= 2 * _PART:
                self._upload(source, path)
            elif isinstance(source, Path):
                self.fs.put_file(str(source), path)
            elif self._s3 and replacing is not None:
                bucket, key, _ = self.fs.split_path(path)
                condition = {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
                self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=source, **condition)
            else:
                self.fs.pipe_file(path, source, **({"mode": "create"} if replacing == "" else {}))

    def _upload(self, source: Path, path: str) -> None:
        """Write a large file in parts, each of which the client sends again; after that it is no use to begin anew."""
        try:
            self._uploads.put_file(str(source), path, chunksize=_PART)
        except Exception as error:
            if not is_transient(error):
                raise
            raise StorageError(f"{redact(path)}: {type(error).__name__} {redact_text(str(error))[:200]}") from None

    def sizes(self, path: str) -> dict[str, int]:
        """See :class:`~tasks.storage.objects.Objects`."""
        self.fs.invalidate_cache()
        try:
            with _plain_errors(path):
                listing = self.fs.find(path, detail=True)
        except FileNotFoundError:
            return {}
        skip = len(self.fs._strip_protocol(path)) + 1
        return {name[skip:]: int(info["size"]) for name, info in listing.items() if len(name) > skip}

    def delete(self, path: str) -> None:
        """See :class:`~tasks.storage.objects.Objects`."""
        with contextlib.suppress(FileNotFoundError), _plain_errors(path):
            self.fs.rm_file(path)


@contextlib.contextmanager
def _plain_errors(path: str) -> Iterator[None]:
    """Errors of fsspec's clients as built-in ones where these say the same; others as they are, their causes too."""
    try:
        yield
    except FileExistsError:
        raise Overtaken(path) from None
    except Exception as error:
        plain = _plain(error, path)
        if plain is error:
            raise
        raise plain from error


def _plain(error: Exception, path: str) -> Exception:
    """Find the built-in error that says the same, or return the error: s3fs and aiohttp have their own for rights and races.

    fsspec calls a web address that answered with any error a file that is not found.
    """
    cause = error.__cause__
    of_a_web_server = isinstance(cause, Elsewhere) or type(cause).__module__.startswith("aiohttp")
    if isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and of_a_web_server:
        error = cause
    if isinstance(error, Elsewhere):
        where, allowed = error.args
        return InputError(f"{redact(path)}: leads to {where}", expected=allowed)
    if isinstance(error, ValueError) and type(error).__module__.startswith("aiohttp"):
        return InputError(f"{redact(path)}: not a web address", expected="https://host/path", remedy="check the address")
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    status = getattr(error, "status", None)
    if isinstance(answer, dict):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status in (401, 403):
        return PermissionError(redact(path))
    if status == 404:
        return FileNotFoundError(redact(path))
    return Overtaken(path) if status in (409, 412) else error
