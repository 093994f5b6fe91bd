"""The store of steps' outputs: a local folder, ``gs://`` or anything that fsspec opens and writes, such as ``s3://``."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import is_local, local_path, redact
from tasks.storage.faults import Overtaken, StorageError, persistently
from tasks.storage.folders import cache_folder, write_whole
from tasks.storage.opening import objects_of
from tasks.storage.transfer import Copy, download

__all__ = ["Store"]

R = TypeVar("R")

_AT_ONCE = 8  # objects that are written or deleted


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

    def read_json(self, *parts: str) -> dict[str, Any] | None:
        """Read a JSON object; None where it is absent or damaged."""
        try:
            content: dict[str, Any] = json.loads(self.read_bytes(*parts) or b"")
        except ValueError:
            return None
        return content

    def write_json(self, content: dict[str, Any], *parts: str, replacing: str | None = None) -> None:
        """:meth:`write_bytes` of a JSON object."""
        self.write_bytes((json.dumps(content, indent=1, default=str) + "\n").encode(), *parts, replacing=replacing)

    def write_bytes(self, data: bytes, *parts: str, replacing: str | None = None) -> None:
        """Write an object whole or not at all.

        ``replacing`` is a :meth:`mark`: :class:`~tasks.storage.faults.Overtaken` where
        that is not what lies there. It means nothing
        in a local store, where a lock is held instead.
        """
        if self.local:
            write_whole(Path(self.path(*parts)), data)
        else:
            self._do(lambda: self._objects.write(self.path(*parts), data, replacing), *parts)

    def mark(self, *parts: str) -> str:
        """Ask what names the version of a remote object that is there now; empty where there is none."""
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

    def publish(
        self, folder: Path, manifest: dict[str, Any], name: str, replacing: str, *parts: str
    ) -> tuple[dict[str, Any], bool]:
        """Put a local folder and, last of all, its manifest in place; return what stands then, and whether it is ours.

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
        stands: dict[str, Any] | None = manifest | {"place": place}
        try:
            self.write_json(manifest | {"place": place}, *parts, name, replacing=replacing)
        except Overtaken:
            # Ours may be what is there: the answer to the first attempt can be lost where the write was not.
            stands = self.read_json(*parts, name)
        if stands is None:
            raise StorageError(f"{redact(self.uri(*parts))}: removed while it was written")
        if stands.get("place") != place:
            self.remove(*parts, place)
            return stands, False
        stale = [path for path in self.sizes(*parts) if path != name and not path.startswith(f"{place}/")]
        self._each(self._delete, [self.path(*parts, path) for path in stale])  # of attempts that were killed or have lost
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
        """Copy one object to ``target``, checked; a copy of the right size there is used again."""
        if not (target.exists() and target.stat().st_size == size):
            target.unlink(missing_ok=True)
            information = self._do(lambda: self._objects.info(self.path(*parts)), *parts)
            copy = Copy(self._objects, self.path(*parts), self.uri(*parts), information, sha256)
            download(copy, target, cache_folder() / "transfers")
        return target
