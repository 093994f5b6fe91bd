"""Arrays in an ``.npz`` file with a checksum of all its bytes: a damaged file is known as such, whichever bit it is."""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
from typing import Any, BinaryIO

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats.atomic import written_whole

__all__ = ["check_seal", "load_sealed", "save_sealed"]

_MARK = b"sha256\n"
_SEAL = len(_MARK) + hashlib.sha256().digest_size  # bytes behind the archive, which readers of .npz files pass over
_ZIP_END = b"PK\5\6"
_ZIP_END_SIZE = 22


def save_sealed(path: str | os.PathLike[str], arrays: dict[str, AnyArray]) -> None:
    """Write arrays whole or not at all, with a checksum behind them.

    Parameters
    ----------
    path
        The file; ``numpy.load`` reads it, too.
    arrays
        By name, of any shapes; no objects.
    """
    with written_whole(path) as partial:
        with open(partial, "wb") as file:
            named: dict[str, Any] = arrays
            np.savez(file, **named)
        with open(partial, "r+b") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0, os.SEEK_END)
            file.write(_MARK + digest)


def load_sealed(path: str | os.PathLike[str]) -> dict[str, AnyArray]:
    """Read arrays whose checksum is right; files of earlier versions, which have none, by the checksums within the archive.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        Name → array.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    ValueError
        Where it is damaged.
    """
    check_seal(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, struct.error, EOFError, OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: {error}") from None


def check_seal(path: str | os.PathLike[str]) -> bool:
    """Check the checksum behind a file's arrays.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    bool
        Whether it has one; False for a file of an earlier version.

    Raises
    ------
    ValueError
        Where it is wrong, or the file's end is damaged.
    """
    with open(path, "rb") as file:
        sealed = os.fstat(file.fileno()).st_size - _SEAL
        end = _read_end(file)
        if not end.startswith(_MARK):
            if end[-_ZIP_END_SIZE:].startswith(_ZIP_END):
                return False
            raise ValueError(f"{path}: cut short, or damaged at its end")
        file.seek(0)
        digest = hashlib.sha256()
        while sealed and (block := file.read(min(sealed, 1 << 22))):
            digest.update(block)
            sealed -= len(block)
    if digest.digest() != end[len(_MARK) :]:
        raise ValueError(f"{path}: its checksum is wrong")
    return True


def _read_end(file: BinaryIO) -> bytes:
    file.seek(max(0, os.fstat(file.fileno()).st_size - _SEAL))
    return file.read()
