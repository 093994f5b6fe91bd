"""Where things lie: staging of inputs, content digests, and the object store that holds steps' outputs.

Any address that fsspec opens will do: a local path, ``gs://``, ``s3://``, ``https://``. Local files are used where they are;
remote ones are copied once into the cache. SHA-256 digests are memoised by address, size and the store's own change mark, so
a 100 GB file is never hashed twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import fsspec
from fsspec.core import url_to_fs
from tenacity import before_sleep_log, retry, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from chrombpnet_core.errors import InputError
from chrombpnet_core.textfiles import require_file

__all__ = ["Artifact", "Store", "cache_folder", "default_store", "digest_of_file", "is_staged", "is_transient", "redact",
           "redact_all", "require", "require_place", "retried", "split_prefix", "stage"]

log = logging.getLogger(__name__)
P, R = ParamSpec("P"), TypeVar("R")

_CHUNK = 1 << 22


def cache_folder() -> Path:
    """Machine-local cache: ``$CHROMBPNET_CACHE``, else ``~/.cache/chrombpnet``."""
    return Path(os.environ.get("CHROMBPNET_CACHE") or Path.home() / ".cache" / "chrombpnet")


def default_store() -> str:
    """Store used without ``--store``: ``$CHROMBPNET_STORE``, else a folder of the cache."""
    return os.environ.get("CHROMBPNET_STORE") or str(cache_folder() / "store")


def redact(address: str) -> str:
    """An address without user names, passwords, and query strings, which may sign or authorise."""
    return re.sub(r"//[^/@]*@", "//", str(address)).split("?", 1)[0]


def redact_all(value: Any) -> Any:
    """The same JSON value with every remote address in it redacted."""
    if isinstance(value, dict):
        return {key: redact_all(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redact_all(inner) for inner in value]
    return redact(value) if isinstance(value, str) and "://" in value else value


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: faults of network and storage; never what the user gave."""
    if isinstance(error, InputError | FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    code = getattr(error, "code", None) or getattr(error, "status", None)
    if str(code).isdigit():
        return int(str(code)) in (408, 429) or int(str(code)) >= 500
    return type(error).__module__.split(".")[0] in ("aiohttp", "gcsfs", "s3fs", "botocore", "requests", "urllib3")


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Try again, four times with growing pauses, after faults that :func:`is_transient` names."""
    again = retry(retry=retry_if_exception(is_transient), stop=stop_after_attempt(5), reraise=True,
                  wait=wait_exponential_jitter(initial=0.5, max=20),
                  before_sleep=before_sleep_log(log, logging.WARNING))
    return wraps(function)(again(function))


@dataclass(frozen=True)
class Artifact:
    """An immutable object: address, SHA-256 and size in bytes."""

    uri: str
    sha256: str
    size: int


def digest_of_file(path: str | os.PathLike) -> str:
    """SHA-256 of a local file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith(("file://", "local://"))


def _local_path(uri: str) -> Path:
    return Path(re.sub(r"^(file|local)://", "", uri))


def _file_system(uri: str) -> tuple[Any, str]:
    """fsspec's file system and path of an address; one that it cannot open is a user's error."""
    try:
        return url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise InputError(f"{redact(uri)}: cannot be opened", found=str(error), remedy="check the address; s3:// needs "
                         "pip install 'chrombpnet-flows[s3]'") from error


@retried
def _information(uri: str) -> dict:
    fs, path = _file_system(uri)
    try:
        return fs.info(path)
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"{redact(uri)}: no such object, or no right to read it",
                         remedy="check the address and your credentials") from error


def _change_mark(uri: str) -> tuple[int, str]:
    """Size (-1 = not told) and a string that changes with the content: modification time, generation or etag."""
    if _is_local(uri):
        status = _local_path(uri).stat()
        return status.st_size, str(status.st_mtime_ns)
    info = _information(uri)
    marks = ("generation", "etag", "ETag", "mtime", "LastModified", "Last-Modified")
    mark = next((str(info[key]) for key in marks if info.get(key)), "")
    return -1 if info.get("size") is None else int(info["size"]), mark


def require(uri: str, what: str) -> None:
    """Raise :class:`InputError` where a local file or remote object is absent or empty; nothing is copied or hashed."""
    if _is_local(uri):
        require_file(_local_path(uri), what)
    elif _change_mark(uri)[0] == 0:
        raise InputError(f"{redact(uri)}: empty object", expected=f"the {what} file")


def require_place(url: str, what: str) -> None:
    """Raise :class:`InputError` where a local folder neither is there to be written to nor could be made."""
    if not _is_local(url):
        return
    folder = _local_path(url).expanduser().absolute()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"{folder}: {nearest} is a file", expected=f"a folder for the {what}", remedy="give another path")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: {nearest} is not writable", expected=f"a folder for the {what}",
                         remedy="give another path, or mend its permissions")


def stage(uri: str, what: str = "input") -> tuple[Path, Artifact]:
    """A local path of the object and what it is: a remote one is copied into the cache once, then used from there.

    Raises
    ------
    InputError
        Where it does not exist, is empty or is a folder.
    """
    if _is_local(uri):
        path = require_file(_local_path(uri), what)
        uri = str(path.resolve())
        size, mark = _change_mark(uri)
    else:
        size, mark = _change_mark(uri)
        path = _staged_path(uri, size, mark)
        if not path.exists() or not mark:
            _download(uri, path)
    return path, Artifact(uri, _memoised_digest(uri, size, mark, path), path.stat().st_size)


def is_staged(uri: str) -> bool:
    """Whether :func:`stage` would copy nothing."""
    return _is_local(uri) or _staged_path(uri, *_change_mark(uri)).exists()


def _staged_path(uri: str, size: int, mark: str) -> Path:
    place = hashlib.sha256(f"{uri}\n{size}\n{mark}".encode()).hexdigest()[:32]
    return cache_folder() / "staged" / place / (Path(redact(uri)).name or "object")


@retried
def _download(uri: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with fsspec.open(uri, "rb") as source, open(partial, "wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _memoised_digest(uri: str, size: int, mark: str, path: Path) -> str:
    note = cache_folder() / "digests" / hashlib.sha256(uri.encode()).hexdigest()
    if mark and note.exists():
        known = note.read_text().split()
        if known[:2] == [str(size), hashlib.sha256(mark.encode()).hexdigest()]:
            return known[2]
    digest = digest_of_file(path)
    note.parent.mkdir(parents=True, exist_ok=True)
    partial = note.with_name(uuid.uuid4().hex)
    partial.write_text(f"{size} {hashlib.sha256(mark.encode()).hexdigest()} {digest}\n")
    os.replace(partial, note)
    return digest


class Store:
    """Steps' outputs under one address.

    Parameters
    ----------
    url
        A local folder or any address that fsspec writes to.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url).rstrip("/")
        self.local = _is_local(self.url)
        if self.local:
            self.url = str(_local_path(self.url).expanduser().resolve())
        self._fs, self._root = _file_system(self.url)

    def path(self, *parts: str) -> str:
        """Path inside the file system."""
        return "/".join([self._root, *parts])

    def uri(self, *parts: str) -> str:
        """Full address."""
        return "/".join([self.url, *parts])

    @retried
    def read_json(self, *parts: str) -> dict | None:
        """Content of a JSON object, or None where it is absent or damaged."""
        try:
            return json.loads(self._fs.cat_file(self.path(*parts)))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    @retried
    def write_json(self, content: dict, *parts: str) -> None:
        """Write a JSON object whole or not at all."""
        data = (json.dumps(content, indent=1, default=str) + "\n").encode()
        if not self.local:
            self._fs.pipe_file(self.path(*parts), data)
            return
        target = Path(self.path(*parts))
        partial = target.with_name(f".{uuid.uuid4().hex}")
        partial.write_bytes(data)
        os.replace(partial, target)

    @retried
    def sizes(self, *parts: str) -> dict[str, int]:
        """Size in bytes of every object below, by path relative to it."""
        root = self.path(*parts)
        self._fs.invalidate_cache()
        try:
            found = self._fs.find(root, detail=True)
        except FileNotFoundError:
            return {}
        skip = len(self._fs._strip_protocol(root)) + 1
        return {path[skip:]: int(info["size"]) for path, info in found.items()}

    def publish(self, folder: Path, *parts: str) -> None:
        """Put a local folder in place of whatever lies there; local stores take it over by renaming."""
        self.remove(*parts)
        if self.local:
            target = Path(self.path(*parts))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder, target)
            return
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            self.upload(path, *parts, path.relative_to(folder).as_posix())

    @retried
    def upload(self, path: Path, *parts: str) -> None:
        """Copy one local file into the store."""
        self._fs.put_file(str(path), self.path(*parts))

    @retried
    def remove(self, *parts: str) -> None:
        """Delete everything below."""
        if self._fs.exists(self.path(*parts)):
            self._fs.rm(self.path(*parts), recursive=True)

    @retried
    def fetch(self, target: Path, size: int, *parts: str) -> Path:
        """A local copy of one object at ``target``; one of the right size there is used again."""
        if not (target.exists() and target.stat().st_size == size):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{uuid.uuid4().hex}")
            self._fs.get_file(self.path(*parts), str(partial))
            os.replace(partial, target)
        return target


def split_prefix(prefix: str) -> tuple[str, str]:
    """Folder, local or remote, and beginning of the file names of an output prefix."""
    folder, slash, name = prefix.rpartition("/")
    return (folder or "/") if slash else ".", name
