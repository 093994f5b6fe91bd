"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["UNFINISHED", "written_whole"]

UNFINISHED = ".*.partial*"
"""Pattern of the names of files that a killed process leaves behind."""


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to, in the same folder, that takes the place of ``path`` when the block ends without error.

    After an error the file that was there before stays, and nothing else does.

    Parameters
    ----------
    path
        Where the file is to appear; its folder exists.

    Yields
    ------
    Path
        A hidden name with the suffix of ``path``, told apart by process and thread.

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
    partial = target.with_name(f".{target.stem}.{os.getpid()}-{threading.get_ident()}.partial{target.suffix}")
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
