"""First come, first served in a folder that several machines see, without locks."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from pathlib import Path

from chrombpnet_core.formats import flush, share_with_group
from tasks.storage.folders import make_folder

__all__ = ["claim", "mark_of"]

_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV)


def mark_of(path: Path) -> str:
    """Name what a file holds now; empty where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def claim(path: Path, content: bytes, replacing: str = "") -> bool:
    """Write a file where none is, and tell whether it is ours that stands.

    A second name for a finished file is given to one alone on every file system that has such names, those of networks too.
    Where they have none, the last of several writers at the same moment wins, which does no harm where each has a place of
    its own.

    Parameters
    ----------
    path
        The file.
    content
        What it is to hold, unlike that of anybody else.
    replacing
        :func:`mark_of` of what may be replaced: a damaged file.

    Returns
    -------
    bool
        Whether it is ours.
    """
    make_folder(path.parent)
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        own.write_bytes(content)
        share_with_group(own)
        flush(own)
        if (replacing and mark_of(path) == replacing) or not _linked(own, path):
            os.replace(own, path)
        flush(path.parent)
    except FileExistsError:
        return False
    finally:
        own.unlink(missing_ok=True)
    return path.read_bytes() == content


def _linked(own: Path, path: Path) -> bool:
    """Give a file its second name; False where the file system knows none, FileExistsError where the name is taken."""
    try:
        os.link(own, path)
    except OSError as error:
        if os.stat(own).st_nlink == 2:  # done, and the answer was lost on its way, as may be on NFS
            return True
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(path) from None
        return False
    return True
