"""Inputs, wherever they lie, as local files with a SHA-256.

Local files are used where they are; remote ones are copied once into the cache. Digests are memoised by address and all that
changes with a file: size, times of content and entry, device and inode, and the remote store's own mark. So a 100 GB file is
hashed once, and one that was replaced is seen even where size and time are the same. A remote address may end with
``#md5=…``: what arrives must have that MD5; and with ``#hosts=…``: no other host is contacted, wherever one redirects.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chrombpnet_core.errors import InputError, InputErrors
from chrombpnet_core.formats import require_file
from tasks.storage.addresses import is_local, local_path, redact, require_no_secret, split_conditions
from tasks.storage.digests import digest_of_file, state_of
from tasks.storage.faults import Mismatch, persistently
from tasks.storage.folders import cache_folder, write_whole
from tasks.storage.objects import Information
from tasks.storage.opening import objects_of
from tasks.storage.transfer import Copy, download

__all__ = ["Artifact", "is_staged", "require", "require_all", "require_place", "stage"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artifact:
    """An immutable object: address, SHA-256 and size in bytes."""

    uri: str
    sha256: str
    size: int


def _information(uri: str) -> Information:
    """Ask the size and mark of a local file or remote object; a remote one that cannot be read is a user's error."""
    if is_local(uri):
        state = state_of(local_path(uri))
        return Information(state[2], str(state))
    address, md5, hosts = split_conditions(uri)
    objects, path = objects_of(address, hosts)
    try:
        information = persistently(address, lambda: objects.info(path))
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise InputError(
            f"{redact(uri)}: no such object, or no right to read it", remedy="check the address and your credentials"
        ) from None
    return replace(information, checks=information.checks | {"md5": md5}) if md5 else information


def require(uri: str, what: str) -> None:
    """Raise :class:`InputError` where an input is absent or empty; nothing is copied or hashed.

    Parameters
    ----------
    uri
        Its address.
    what
        What it is, for messages.
    """
    if is_local(uri):
        require_file(local_path(uri), what)
    elif _information(uri).size == 0:
        raise InputError(f"{redact(uri)}: empty object", expected=f"the {what} file")


def require_all(files: Mapping[str, str | None]) -> None:
    """Raise one :class:`InputError` of all inputs that are absent or empty.

    Parameters
    ----------
    files
        What each is, for messages → address; None is passed over.
    """
    problems = []
    for what, uri in files.items():
        try:
            if uri is not None:
                require(uri, what)
        except InputError as error:
            problems.append(error)
    if problems:
        raise problems[0] if len(problems) == 1 else InputErrors(problems)


def require_place(url: str, what: str) -> None:
    """Raise :class:`InputError` where nothing can be written, which is tried: a file is there, no right, no room, no bucket.

    Parameters
    ----------
    url
        A folder or address.
    what
        What it is for, for messages.
    """
    if not is_local(url):
        _require_remote_place(url, what)
        return
    folder = local_path(url).expanduser().absolute()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"{folder}: {nearest} is a file", expected=f"a folder for the {what}", remedy="give another path")
    try:
        with tempfile.TemporaryDirectory(prefix=".chrombpnet-", dir=nearest) as trial:
            Path(trial, "trial").write_bytes(b"trial")
    except OSError as error:
        raise InputError(
            f"{folder}: {nearest} is not writable",
            expected=f"a folder for the {what}",
            found=str(error.strerror),
            remedy="give another path, or mend its permissions",
        ) from error


def _require_remote_place(url: str, what: str) -> None:
    """Write a small object and delete it."""
    if url.startswith(("http://", "https://")):
        raise InputError(f"{redact(url)}: nothing can be written there", expected=f"a folder or bucket for the {what}")
    require_no_secret(url, what)
    objects, path = objects_of(url)
    trial = "/".join(filter(None, [path, f".chrombpnet-trial-{uuid.uuid4().hex}"]))
    try:
        persistently(url, lambda: objects.write(trial, b"trial"))
    except (FileNotFoundError, PermissionError):
        raise InputError(
            f"{redact(url)}: no such bucket, or no right to write there",
            expected=f"a place for the {what}",
            remedy="check the address and your credentials",
        ) from None
    with contextlib.suppress(PermissionError):  # of a place where one may write and not delete
        persistently(url, lambda: objects.delete(trial))


def stage(uri: str, what: str = "input") -> tuple[Path, Artifact]:
    """Bring an input to this machine: a remote one is copied into the cache once, then used from there.

    Parameters
    ----------
    uri
        Its address.
    what
        What it is, for messages.

    Returns
    -------
    tuple
        The local path, and the artifact: address, SHA-256, size.

    Raises
    ------
    InputError
        Where it does not exist, is empty or is a folder.
    """
    if is_local(uri):
        path = require_file(local_path(uri), what)
        uri = str(path.resolve())
        information = _information(uri)
    else:
        information = _information(uri)
        path = _staged_path(uri, information)
        if not path.exists() or not information.mark:
            _note_digest(uri, information, path, _download(uri, information, path))
    return path, Artifact(uri, _memoised_digest(uri, information, path), path.stat().st_size)


def _download(uri: str, information: Information, path: Path) -> str:
    address, md5, hosts = split_conditions(uri)
    objects, inside = objects_of(address, hosts)
    try:
        return download(Copy(objects, inside, address, information), path, cache_folder() / "transfers")
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
    """Tell whether :func:`stage` would copy nothing.

    Parameters
    ----------
    uri
        Address of an input.

    Returns
    -------
    bool
        Whether it is on this machine.
    """
    return is_local(uri) or _staged_path(uri, _information(uri)).exists()


def _staged_path(uri: str, information: Information) -> Path:
    place = hashlib.sha256(f"{uri}\n{information.size}\n{information.mark}".encode()).hexdigest()[:32]
    return cache_folder() / "staged" / place / (Path(redact(split_conditions(uri).address)).name or "object")


def _note(uri: str) -> Path:
    return cache_folder() / "digests" / hashlib.sha256(uri.encode()).hexdigest()


def _memoised_digest(uri: str, information: Information, path: Path) -> str:
    known = _noted(uri) if information.mark else []
    if known[:2] == _marks(information, path):
        return known[2]
    _let_the_clock_tick(path)
    before = state_of(path)
    digest = digest_of_file(path)
    if state_of(path) != before:
        raise InputError(f"{redact(uri)}: changed while it was read", remedy="start again when the file is complete")
    if not is_local(uri) and known[:1] == _marks(information, path)[:1] and known[2] != digest:
        log.warning("%s: this machine's copy is damaged, not used, copied again", redact(uri))
        path.unlink()
        digest = _download(uri, information, path)
    return _note_digest(uri, information if not is_local(uri) else _information(uri), path, digest)


def _noted(uri: str) -> list[str]:
    """Read the note of an address: two marks and the digest; nothing where there is none, or a damaged one."""
    try:
        *words, check = _note(uri).read_text(errors="replace").split()
    except (FileNotFoundError, ValueError):
        return []
    return words if len(words) == 3 and check == _check(words) else []


def _check(words: list[str]) -> str:
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


def _marks(information: Information, path: Path) -> list[str]:
    """Sum up what must be as it was when the digest was noted: of the address, and of this machine's copy."""
    told = f"{information.size} {information.mark}"
    return [hashlib.sha256(words.encode()).hexdigest() for words in (told, str(state_of(path)))]


def _note_digest(uri: str, information: Information, path: Path, digest: str) -> str:
    words = [*_marks(information, path), digest]
    write_whole(_note(uri), f"{' '.join([*words, _check(words)])}\n".encode())
    return digest


def _let_the_clock_tick(path: Path) -> None:
    """Wait until a change after this one would have another time: file systems count in ticks of some ms, old ones in s."""
    _, _, _, content, entry = state_of(path)
    tick = 0.02 if (content % 10**9 or entry % 10**9) else 2.0
    age = time.time() - max(content, entry) / 1e9
    if 0 <= age < tick:
        time.sleep(tick - age)
