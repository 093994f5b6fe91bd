"""Where things lie: staging of inputs, content digests, and the object store that holds steps' outputs.

An address is a local path, ``gs://`` (:mod:`tasks.storage.gcs`) or anything that fsspec opens, such as ``s3://`` and ``https://``
(:mod:`tasks.storage.objects`). Local files are used
where they are; remote ones are copied once into the cache. SHA-256 digests are
memoised by address, size and the store's own change mark, so a 100 GB file is never hashed twice. A remote address may end
with ``#md5=…``: what arrives must have that MD5; and with ``#hosts=…``: no other host is contacted, wherever one redirects.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats.text import require_file
from tasks.storage.addresses import is_local, local_path, redact, redact_all, split_conditions, split_prefix
from tasks.storage.faults import Mismatch, Overtaken, StorageError, is_transient, persistently
from tasks.storage.objects import objects_of
from tasks.storage.protocol import Information
from tasks.storage.transfer import Copy, download

__all__ = [
    "Artifact",
    "Store",
    "cache_folder",
    "default_store",
    "digest_of_file",
    "is_staged",
    "is_transient",
    "redact",
    "redact_all",
    "require",
    "require_place",
    "split_prefix",
    "stage",
]

R = TypeVar("R")

_AT_ONCE = 8  # objects that are written or deleted


def cache_folder() -> Path:
    """Machine-local cache: ``$CHROMBPNET_CACHE``, else ``~/.cache/chrombpnet``."""
    return Path(os.environ.get("CHROMBPNET_CACHE") or Path.home() / ".cache" / "chrombpnet")


def default_store() -> str:
    """Store used without ``--store``: ``$CHROMBPNET_STORE``, else a folder of the cache."""
    return os.environ.get("CHROMBPNET_STORE") or str(cache_folder() / "store")


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


def _information(uri: str) -> Information:
    """What is told of a local file or remote object; a remote one that cannot be read is a user's error."""
    if is_local(uri):
        status = local_path(uri).stat()
        return Information(status.st_size, str(status.st_mtime_ns))
    address, md5, hosts = split_conditions(uri)
    objects, path = objects_of(address, hosts)
    try:
        told = persistently(address, lambda: objects.info(path))
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise InputError(
            f"{redact(uri)}: no such object, or no right to read it", remedy="check the address and your credentials"
        ) from None
    return replace(told, checks=told.checks | {"md5": md5}) if md5 else told


def require(uri: str, what: str) -> None:
    """Raise :class:`InputError` where a local file or remote object is absent or empty; nothing is copied or hashed."""
    if is_local(uri):
        require_file(local_path(uri), what)
    elif _information(uri).size == 0:
        raise InputError(f"{redact(uri)}: empty object", expected=f"the {what} file")


def require_place(url: str, what: str) -> None:
    """Raise :class:`InputError` where nothing could be written below: a file is there, or no right, or no such bucket."""
    if not is_local(url):
        _require_remote_place(url, what)
        return
    folder = local_path(url).expanduser().absolute()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"{folder}: {nearest} is a file", expected=f"a folder for the {what}", remedy="give another path")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(
            f"{folder}: {nearest} is not writable",
            expected=f"a folder for the {what}",
            remedy="give another path, or mend its permissions",
        )


def _require_remote_place(url: str, what: str) -> None:
    """A listing tells early that a bucket is not there or not ours; whether it may be written to, the first write tells."""
    if url.startswith(("http://", "https://")):
        raise InputError(f"{redact(url)}: nothing can be written there", expected=f"a folder or bucket for the {what}")
    objects, path = objects_of(url)
    try:
        persistently(url, lambda: objects.sizes("/".join(filter(None, [path, "locks"]))))
    except (FileNotFoundError, PermissionError):
        raise InputError(
            f"{redact(url)}: no such bucket, or no right to it",
            expected=f"a place for the {what}",
            remedy="check the address and your credentials",
        ) from None


def stage(uri: str, what: str = "input") -> tuple[Path, Artifact]:
    """A local path of the object and what it is: a remote one is copied into the cache once, then used from there.

    Raises
    ------
    InputError
        Where it does not exist, is empty or is a folder.
    """
    if is_local(uri):
        path = require_file(local_path(uri), what)
        uri = str(path.resolve())
        told = _information(uri)
    else:
        told = _information(uri)
        path = _staged_path(uri, told)
        if not path.exists() or not told.mark:
            _note_digest(uri, told, _download(uri, told, path))
    return path, Artifact(uri, _memoised_digest(uri, told, path), path.stat().st_size)


def _download(uri: str, told: Information, path: Path) -> str:
    address, md5, hosts = split_conditions(uri)
    objects, inside = objects_of(address, hosts)
    try:
        return download(Copy(objects, inside, address, told), path, cache_folder() / "transfers")
    except (FileNotFoundError, PermissionError):
        raise InputError(
            f"{redact(uri)}: no right to read it, or it was replaced while it was copied",
            remedy="check your credentials, then try again",
        ) from None
    except Mismatch as error:
        if not md5:
            raise
        raise InputError(
            str(error).replace("the store tells", "was stated"),
            expected=md5,
            remedy="the file has changed: state its new MD5",
        ) from None


def is_staged(uri: str) -> bool:
    """Whether :func:`stage` would copy nothing."""
    return is_local(uri) or _staged_path(uri, _information(uri)).exists()


def _staged_path(uri: str, told: Information) -> Path:
    place = hashlib.sha256(f"{uri}\n{told.size}\n{told.mark}".encode()).hexdigest()[:32]
    return cache_folder() / "staged" / place / (Path(redact(split_conditions(uri).address)).name or "object")


def _note(uri: str) -> Path:
    return cache_folder() / "digests" / hashlib.sha256(uri.encode()).hexdigest()


def _memoised_digest(uri: str, told: Information, path: Path) -> str:
    note = _note(uri)
    if told.mark and note.exists():
        known = note.read_text().split()
        if known[:2] == [str(told.size), hashlib.sha256(told.mark.encode()).hexdigest()]:
            return known[2]
    return _note_digest(uri, told, digest_of_file(path))


def _note_digest(uri: str, told: Information, digest: str) -> str:
    _write_local(_note(uri), f"{told.size} {hashlib.sha256(told.mark.encode()).hexdigest()} {digest}\n".encode())
    return digest


def _write_local(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{uuid.uuid4().hex}")
    try:
        partial.write_bytes(data)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


class Store:
    """Steps' outputs under one address.

    Parameters
    ----------
    url
        A local folder or any address that can be written to.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url).rstrip("/")
        self.local = is_local(self.url)
        if self.local:
            self.url = self._root = str(local_path(self.url).expanduser().resolve())
        else:
            self._objects, self._root = objects_of(self.url)

    def path(self, *parts: str) -> str:
        """Path inside the file system or bucket."""
        return "/".join(filter(None, [self._root.rstrip("/"), *parts]))

    def uri(self, *parts: str) -> str:
        """Full address."""
        return "/".join([self.url, *parts])

    def _do(self, call: Callable[[], R], *parts: str) -> R:
        """One operation on an object or those below, tried again after faults; missing rights are a user's error."""
        try:
            return persistently(self.uri(*parts), call)
        except PermissionError:
            raise InputError(
                f"{redact(self.uri(*parts))}: no right to read or write it", remedy="check the address and your credentials"
            ) from None

    def read_bytes(self, *parts: str) -> bytes | None:
        """Content of an object, or None where it is absent."""
        try:
            if self.local:
                return Path(self.path(*parts)).read_bytes()
            return self._do(lambda: self._objects.read(self.path(*parts)), *parts)
        except FileNotFoundError:
            return None

    def read_json(self, *parts: str) -> dict | None:
        """Content of a JSON object, or None where it is absent or damaged."""
        try:
            return json.loads(self.read_bytes(*parts) or b"")
        except ValueError:
            return None

    def write_json(self, content: dict, *parts: str, replacing: str | None = None) -> None:
        """:meth:`write_bytes` of a JSON object."""
        self.write_bytes((json.dumps(content, indent=1, default=str) + "\n").encode(), *parts, replacing=replacing)

    def write_bytes(self, data: bytes, *parts: str, replacing: str | None = None) -> None:
        """Write an object whole or not at all.

        ``replacing`` is a :meth:`mark`: :class:`~tasks.storage.faults.Overtaken` where
        that is not what lies there. It means nothing
        in a local store, where a lock is held instead.
        """
        if self.local:
            _write_local(Path(self.path(*parts)), data)
        else:
            self._do(lambda: self._objects.write(self.path(*parts), data, replacing), *parts)

    def mark(self, *parts: str) -> str:
        """What names the version of a remote object that is there now; empty where there is none."""
        if self.local:
            return ""
        try:
            return self._do(lambda: self._objects.info(self.path(*parts)), *parts).mark
        except (FileNotFoundError, IsADirectoryError):
            return ""

    def sizes(self, *parts: str) -> dict[str, int]:
        """Size in bytes of every object below, by path relative to it."""
        root = self.path(*parts)
        if self.local:
            return {
                path.relative_to(root).as_posix(): path.stat().st_size for path in Path(root).rglob("*") if path.is_file()
            }
        try:
            return self._do(lambda: self._objects.sizes(root), *parts)
        except FileNotFoundError:
            return {}

    def publish(self, folder: Path, manifest: dict, name: str, replacing: str, *parts: str) -> tuple[dict, bool]:
        """Put a local folder and, last of all, its manifest in place; the manifest that stands then, and whether it is this.

        A local store takes the folder over by renaming, in place of what lay there. In an object store every attempt has a
        place of its own, which the manifest names, and the manifest is written only where no other has been since
        ``replacing`` was its :meth:`mark`: so what two runs write never mixes, and what one reads the other never removes.
        """
        if self.local:
            self.remove(*parts)
            target = Path(self.path(*parts))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder, target)
            self.write_json(manifest, *parts, name)
            return manifest, True
        place = uuid.uuid4().hex[:12]
        self.upload_all(
            {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()},
            *parts,
            place,
        )
        stands = manifest | {"place": place}
        try:
            self.write_json(stands, *parts, name, replacing=replacing)
        except Overtaken:
            # Ours may be what is there: the answer to the first attempt can be lost where the write was not.
            stands = self.read_json(*parts, name)
        if stands is None:
            raise StorageError(f"{redact(self.uri(*parts))}: removed while it was written")
        if stands.get("place") != place:
            self.remove(*parts, place)
            return stands, False
        others = [each for each in self.sizes(*parts) if each != name and not each.startswith(f"{place}/")]
        self._each(self._delete, [self.path(*parts, each) for each in others])  # of attempts that were killed or have lost
        return stands, True

    def upload_all(self, files: dict[str, Path], *parts: str) -> None:
        """Copy local files below, several at once."""
        self._each(lambda name: self.upload(files[name], *parts, name), files)

    def _each(self, call: Callable[[str], None], names: Iterable[str]) -> None:
        """Call for every name, several at once; the first that fails stops those that have not begun."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                list(pool.map(call, names))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def upload(self, path: Path, *parts: str) -> None:
        """Copy one local file into the store."""
        self._do(lambda: self._objects.write(self.path(*parts), path), *parts)

    def remove(self, *parts: str) -> None:
        """Delete an object or everything below."""
        path = self.path(*parts)
        if not self.local:
            self._delete(path)
            self._each(self._delete, [self.path(*parts, name) for name in self.sizes(*parts)])
        elif os.path.isdir(path):
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)

    def _delete(self, path: str) -> None:
        self._do(lambda: self._objects.delete(path))

    def fetch(self, target: Path, size: int, *parts: str, sha256: str = "") -> Path:
        """A local copy of one object at ``target``, checked; one of the right size there is used again."""
        if not (target.exists() and target.stat().st_size == size):
            target.unlink(missing_ok=True)
            told = self._do(lambda: self._objects.info(self.path(*parts)), *parts)
            copy = Copy(self._objects, self.path(*parts), self.uri(*parts), told, sha256)
            download(copy, target, cache_folder() / "transfers")
        return target
