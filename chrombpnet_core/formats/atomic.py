"""Files that appear whole or not at all, and stay so when the power fails."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["UNFINISHED", "flush", "share_with_group", "shared_mode", "written_whole"]

UNFINISHED = ".*.partial*"
"""Pattern of the names of files that a killed process leaves behind."""


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str], writer: str = "") -> Iterator[Path]:
    """Give a path to write to, in the same folder, that takes the place of ``path`` when the block ends without error.

    After an error the file that was there before stays, and nothing else does. What was written is on the disk before it
    takes its name, and the name before the block is left: a crash of the machine leaves the old file or the new one. In a
    folder that a group shares it is for the group, too.

    Parameters
    ----------
    path
        Where the file is to appear; its folder exists.
    writer
        32 hexadecimal digits that tell the hidden name from those of others; by default random ones.

    Yields
    ------
    Path
        A hidden name with the suffix of ``path``, which nobody else uses.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(f"{folder}/numbers.txt") as partial:
    ...         _ = partial.write_text("1, 2, 3")
    ...     os.listdir(folder)
    ['numbers.txt']
    """
    target = Path(path)
    partial = target.with_name(f".{target.stem}.{writer or uuid.uuid4().hex}.partial{target.suffix}")
    try:
        yield partial
        share_with_group(partial)
        flush(partial)
        os.replace(partial, target)
        flush(target.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and error.filename is None:
            error.filename = os.fspath(target)  # a write that finds no space does not say of which file
        raise
    finally:
        partial.unlink(missing_ok=True)


def flush(path: str | os.PathLike[str]) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk.

    Parameters
    ----------
    path
        File or folder. A folder that the file system cannot flush is passed over.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        if not os.path.isdir(path):
            raise
    finally:
        os.close(descriptor)


def share_with_group(path: Path) -> None:
    """Give the group a right to read and write where the folder above gives it, whatever the umask; others nothing more.

    Parameters
    ----------
    path
        A file or folder; another user's is left alone.
    """
    mode = shared_mode(path)
    with contextlib.suppress(PermissionError):
        if mode != stat.S_IMODE(path.stat().st_mode):
            path.chmod(mode)


def shared_mode(path: Path) -> int:
    """Compute the mode that :func:`share_with_group` gives.

    Parameters
    ----------
    path
        A file or folder.

    Returns
    -------
    int
        Its mode, with more rights where the folder above is the group's.
    """
    mode, above = stat.S_IMODE(path.stat().st_mode), path.parent.stat().st_mode
    if not above & stat.S_IWGRP or above & stat.S_IWOTH:  # such as /tmp, which is everybody's
        return mode
    return (
        mode
        | stat.S_IRGRP
        | stat.S_IWGRP
        | (stat.S_IXGRP if path.is_dir() else 0)
        | (above & stat.S_ISGID if path.is_dir() else 0)
    )
