"""The store of steps' outputs: a local folder, ``gs://`` or anything that fsspec opens and writes, such as ``s3://``."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import flush, share_with_group
from tasks.storage.addresses import is_local, local_path, redact, require_no_secret
from tasks.storage.claims import claim, mark_of
from tasks.storage.digests import checksums, digest_once, know_digest
from tasks.storage.faults import Overtaken, StorageError, persistently
from tasks.storage.folders import cache_folder, make_folder, write_whole
from tasks.storage.manifests import MANIFEST, manifest_fault, sealed
from tasks.storage.opening import objects_of
from tasks.storage.owners import DEAD
from tasks.storage.transfer import Copy, digest_of_object, download

__all__ = ["Store"]

log = logging.getLogger(__name__)
R = TypeVar("R")

_AT_ONCE = 8  # objects that are written or deleted
_HASHED_AT_ONCE = 4  # local files


class Store:
    """Steps' outputs under one address.

    Parameters
    ----------
    url
        A local folder or any address that can be written to, without a secret in it.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url).rstrip("/")
        self.local = is_local(self.url)
        if self.local:
            self.url = self._root = os.path.realpath(local_path(self.url).expanduser())
            if os.path.islink(self.url):
                raise InputError(f"{self.url}: a link that leads to itself", expected="a folder", remedy="give another path")
        else:
            require_no_secret(self.url, "store or results")
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

    def read_json(self, *parts: str, quiet: bool = False) -> dict[str, Any] | None:
        """Read a JSON object; None where it is absent, or damaged, which the log tells unless it should be ``quiet``."""
        data = self.read_bytes(*parts)
        if data is None:
            return None
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return content
        if not quiet:
            log.warning("%s: damaged (no JSON object), not used", redact(self.uri(*parts)))
        return None

    def read_manifest(self, step: str, key: str, quiet: bool = False) -> dict[str, Any] | None:
        """Read a step's manifest; None where there is none, or a damaged one, as for :meth:`read_json`."""
        manifest = self.read_json(step, key, MANIFEST, quiet=quiet)
        fault = manifest_fault(manifest, step, key) if manifest is not None else ""
        if fault:
            if not quiet:
                log.warning("%s: damaged manifest (%s), not used", redact(self.uri(step, key, MANIFEST)), fault)
            return None
        return manifest

    def faults(self, files: dict[str, dict[str, Any]], *parts: str, content: bool = True) -> dict[str, str]:
        """Compare what lies below with a manifest's files: the wrong ones, and what is wrong with them.

        With ``content`` the SHA-256 of local files is computed, once in a process;
        that of remote ones is when they are copied.
        """
        present = self.sizes(*parts)
        wrong = {
            name: "has another size" if name in present else "is missing"
            for name, entry in files.items()
            if present.get(name) != entry["size"]
        }
        if not (content and self.local):
            return wrong
        right = [name for name in files if name not in wrong]
        with ThreadPoolExecutor(_HASHED_AT_ONCE) as pool:
            digests = pool.map(lambda name: digest_once(self.path(*parts, name)), right)
        changed = [name for name, digest in zip(right, digests, strict=True) if digest != files[name]["sha256"]]
        return wrong | dict.fromkeys(changed, "has another checksum (SHA-256)")

    def digest(self, *parts: str) -> str:
        """Compute the SHA-256 of an object, which is read for it."""
        if self.local:
            return checksums(Path(self.path(*parts)))["sha256"]
        return self._do(lambda: digest_of_object(self._objects, self.path(*parts)), *parts)

    def write_json(self, content: dict[str, Any], *parts: str, replacing: str | None = None) -> None:
        """:meth:`write_bytes` of a JSON object."""
        self.write_bytes(_as_json(content), *parts, replacing=replacing)

    def write_bytes(self, data: bytes, *parts: str, replacing: str | None = None) -> None:
        """Write an object whole or not at all.

        ``replacing`` is a :meth:`mark`: :class:`~tasks.storage.faults.Overtaken` where that is not what lies there.
        """
        if self.local:
            target = Path(self.path(*parts))
            if replacing is not None and mark_of(target) != replacing:
                raise Overtaken(str(target))
            write_whole(target, data)
        else:
            self._do(lambda: self._objects.write(self.path(*parts), data, replacing), *parts)

    def mark(self, *parts: str) -> str:
        """Ask what names the version of an object that is there now; empty where there is none."""
        if self.local:
            return mark_of(Path(self.path(*parts)))
        try:
            return self._do(lambda: self._objects.info(self.path(*parts)), *parts).mark
        except (FileNotFoundError, IsADirectoryError):
            return ""

    def sizes(self, *parts: str) -> dict[str, int]:
        """Size in bytes of every object below, by path relative to it."""
        root = self.path(*parts)
        if self.local:
            sizes = {}
            for path in Path(root).rglob("*"):
                with contextlib.suppress(FileNotFoundError):  # removed while we look
                    if path.is_file():
                        sizes[path.relative_to(root).as_posix()] = path.stat().st_size
            return sizes
        try:
            return self._do(lambda: self._objects.sizes(root), *parts)
        except FileNotFoundError:
            return {}

    def publish(
        self, folder: Path, manifest: dict[str, Any], name: str, replacing: str, *parts: str
    ) -> tuple[dict[str, Any], bool]:
        """Put a step's outputs and, last of all, the manifest in place; return what stands then, and whether it is ours.

        Every attempt has a place of its own, which the manifest names, and the manifest is written only where no other has
        been since ``replacing`` was its :meth:`mark`: so what two runs write never mixes, and what one reads the other never
        removes. A local store takes the folder over by renaming; no lock is needed.
        """
        place = uuid.uuid4().hex[:12]
        manifest = sealed(manifest | {"place": place})
        if self.local:
            return self._publish_local(folder, manifest, name, replacing, *parts)
        self.upload_all(
            {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()},
            *parts,
            place,
        )
        stands: dict[str, Any] | None = manifest
        try:
            self.write_json(manifest, *parts, name, replacing=replacing)
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

    def _publish_local(
        self, folder: Path, manifest: dict[str, Any], name: str, replacing: str, *parts: str
    ) -> tuple[dict[str, Any], bool]:
        own = Path(self.path(*parts, manifest["place"]))
        make_folder(own.parent)
        os.utime(folder)  # as old as it is here
        for path in [*folder.rglob("*"), folder]:
            flush(path)
        os.rename(folder, own)
        for path in [own, *own.rglob("*")]:
            share_with_group(path)
        flush(own.parent)
        if not claim(Path(self.path(*parts, name)), _as_json(manifest), replacing):
            stands = self.read_json(*parts, name)
            shutil.rmtree(own, ignore_errors=True)
            if stands is None:
                raise StorageError(f"{self.uri(*parts)}: removed or damaged while it was written")
            return stands, False
        for file, entry in manifest["files"].items():
            know_digest(own / file, entry["sha256"])
        for path in own.parent.iterdir():  # of attempts that were killed, or damaged
            if path.name not in (name, own.name) and path.stat().st_mtime < time.time() - DEAD:
                self.remove(*parts, path.name)
        return manifest, True

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
        """Copy one object to ``target``, checked; a whole copy that is there is used again."""
        present = target.exists() and target.stat().st_size == size
        if present and sha256 and digest_once(target) != sha256:
            log.warning("%s: damaged copy, not used, copied again", target)
            present = False
        if not present:
            target.unlink(missing_ok=True)
            information = self._do(lambda: self._objects.info(self.path(*parts)), *parts)
            copy = Copy(self._objects, self.path(*parts), self.uri(*parts), information, sha256)
            download(copy, target, cache_folder() / "transfers")
        return target


def _as_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, default=str) + "\n").encode()
