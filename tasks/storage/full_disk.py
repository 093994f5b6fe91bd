"""Disks that take no more: which one it is, what is free on it, and what was needed."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chrombpnet_core.errors import InputError, Stopped
from tasks.storage.folders import cache_folder

__all__ = ["FullDisk", "fault_in_words", "require_space", "telling_full_disk"]

_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|database or disk is full"
    rf"|errno = ({errno.ENOSPC}|{errno.EDQUOT}|{errno.EFBIG})\b|\d+ requested and \d+ written"
)
"""Of errors without a number: HDF5's, NumPy's, SQLite's."""

_BLOCK = 4096  # bytes: where less is free, whatever else an error says comes of it


class FullDisk(OSError):
    """A disk takes no more: one line that names it, what is free and what was needed."""


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if (isinstance(error, OSError) and error.errno in _NUMBERS) or _WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _free(folder: Path) -> tuple[int, Path]:
    """Free bytes of the disk that a folder, which need not be there, lies on."""
    return shutil.disk_usage(_existing(folder)).free, folder


def _full(error: BaseException, folders: list[Path], needed: str) -> FullDisk:
    """Name the fullest of the disks that the folders lie on, or the place that the error names."""
    named = getattr(error, "filename2", None) or getattr(error, "filename", None)
    free, place = _free(Path(named)) if isinstance(named, str) else min(map(_free, folders))
    limit = isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.EDQUOT)
    what = f"{error.strerror}, by a quota or limit" if limit and isinstance(error, OSError) else "the disk is full"
    total = shutil.disk_usage(_existing(place)).total
    return FullDisk(
        f"{place}: {what}: {_size(free)} of {_size(total)} are free{needed}; make space there, or give another `store`, "
        "output, CHROMBPNET_CACHE or TMPDIR, whichever lies there"
    )


def _existing(place: Path) -> Path:
    return next(path for path in (place, *place.absolute().parents) if path.exists())


@contextlib.contextmanager
def telling_full_disk(folder: Path, what: str) -> Iterator[None]:
    """Turn errors of a full disk, in whichever words, into :class:`FullDisk`.

    Parameters
    ----------
    folder
        Scratch folder of what the block writes.
    what
        That writes, such as "the step shards".
    """
    folders = [folder.parent, cache_folder(), Path(tempfile.gettempdir())]
    try:
        yield
    except (FullDisk, InputError, Stopped):
        raise
    except Exception as error:
        if not _is_full(error) and _free(folder)[0] >= _BLOCK:
            raise
        written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        raise _full(error, folders, f", and {what} needs more than the {_size(written)} that it had written") from error


def require_space(folder: Path, files: dict[Path, int]) -> None:
    """Raise :class:`FullDisk`, before anything is written, where files do not fit.

    Parameters
    ----------
    folder
        That they go to.
    files
        Size in bytes by path; what lies there is replaced.
    """
    needed = sum(max(0, size - (path.stat().st_size if path.is_file() else 0)) for path, size in files.items())
    free, _ = _free(folder)
    if needed > free:
        error = OSError(errno.ENOSPC, "No space left on device", str(folder))
        raise _full(error, [folder], f", {_size(needed)} are needed")


def fault_in_words(error: OSError) -> str:
    """Say an error of disk or network in a line: the path first, where it has one."""
    if not isinstance(error, FullDisk) and _is_full(error):
        error = _full(error, [cache_folder(), Path(tempfile.gettempdir())], "")
    if isinstance(error, FullDisk):
        return str(error)
    path = error.filename2 or error.filename
    return f"{path}: {error.strerror}" if path and error.strerror else f"{type(error).__name__}: {error}"


def _size(number: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 2**10:,.1f} KiB"
