"""TODO."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import redact
from tasks.storage.faults import Damaged, Overtaken
from tasks.storage.objects import Information

__all__ = ["FsspecObjects"]


_MARKS = ("generation", "etag", "ETag", "mtime", "LastModified", "Last-Modified", "created")


class _Elsewhere(Exception):
    """A request that may not be made: where it would lead, and what is allowed."""


@dataclass(frozen=True)
class _Within:
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
            raise _Elsewhere(f"{url.scheme}://{host}", "https all the way")
        if self.hosts and host not in self.hosts:
            raise _Elsewhere(host, f"one of {', '.join(self.hosts)}")
        return await handler(request)


class FsspecObjects:
    """Any of fsspec's file systems.

    S3's conditional writes go past s3fs, which knows only the first of them; elsewhere "replacing nothing" is all there is.
    """

    def __init__(self, fs: Any) -> None:
        self.fs = fs
        protocol = fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)
        self._http, self._s3 = "http" in protocol, "s3" in protocol

    def info(self, path: str) -> Information:
        """See :class:`Objects`."""
        self.fs.invalidate_cache()
        try:
            info = self.fs.info(path)
            checks = self._s3_checks(path) if self._s3 else {}
        except Exception as error:
            raise _plain(error, path) from error
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
        """See :class:`Objects`. A web server may ignore what is asked and send everything, so it is tried on one byte."""
        if not self._http:
            return True
        from fsspec.asyn import sync

        async def status() -> int:
            session = await self.fs.set_session()
            async with session.get(self.fs.encode_url(path), headers={"Range": "bytes=0-0"}) as answer:
                return answer.status

        try:
            return sync(self.fs.loop, status) == 206
        except Exception as error:
            raise _plain(error, path) from error

    def read(self, path: str, start: int = 0, end: int | None = None, mark: str = "") -> bytes:
        """See :class:`Objects`."""
        try:
            data = self.fs.cat_file(path, **({} if end is None else {"start": start, "end": end}))
        except Exception as error:
            raise _plain(error, path) from error
        if end is not None and len(data) != end - start:
            raise Damaged(f"{len(data):,} of {end - start:,} bytes arrived")
        return data

    def stream(self, path: str, file: BinaryIO) -> None:
        """See :class:`Objects`."""
        try:
            with self.fs.open(path, "rb") as source:
                shutil.copyfileobj(source, file, 1 << 22)
        except Exception as error:
            raise _plain(error, path) from error

    def write(self, path: str, source: bytes | Path, replacing: str | None = None) -> None:
        """See :class:`Objects`."""
        try:
            if isinstance(source, Path):
                self.fs.put_file(str(source), path)
            elif self._s3 and replacing is not None:
                bucket, key, _ = self.fs.split_path(path)
                condition = {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
                self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=source, **condition)
            else:
                self.fs.pipe_file(path, source, **({"mode": "create"} if replacing == "" else {}))
        except FileExistsError:
            raise Overtaken(path) from None
        except Exception as error:
            raise _plain(error, path) from error

    def sizes(self, path: str) -> dict[str, int]:
        """See :class:`Objects`."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.find(path, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise _plain(error, path) from error
        skip = len(self.fs._strip_protocol(path)) + 1
        return {name[skip:]: int(info["size"]) for name, info in found.items() if len(name) > skip}

    def delete(self, path: str) -> None:
        """See :class:`Objects`."""
        try:
            self.fs.rm_file(path)
        except FileNotFoundError:
            return
        except Exception as error:
            raise _plain(error, path) from error


def _plain(error: Exception, path: str) -> Exception:
    """The same error, or the built-in one that says the same: s3fs and aiohttp have their own for missing rights and races.

    fsspec calls a web address that answered with any error a file that is not found.
    """
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and (
        isinstance(cause, _Elsewhere) or type(cause).__module__.startswith("aiohttp")
    ):
        error = cause
    if isinstance(error, _Elsewhere):
        where, allowed = error.args
        return InputError(f"{redact(path)}: leads to {where}", expected=allowed)
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    status = getattr(error, "status", None)
    if isinstance(answer, dict):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status in (401, 403):
        return PermissionError(redact(path))
    if status == 404:
        return FileNotFoundError(redact(path))
    return Overtaken(path) if status in (409, 412) else error
