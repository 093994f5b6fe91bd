"""HDF5 files: opened for reading with errors that users understand, for writing with space left to close them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import h5py

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats._hdf5_checks import check_objects, check_signature
from chrombpnet_core.formats.text import require_file

__all__ = ["open_hdf5", "open_hdf5_to_write"]

_RESERVED = 8 << 20
"""Bytes: more than HDF5 holds back, a megabyte for each data set, until it closes a file."""


@contextlib.contextmanager
def open_hdf5(path: str | os.PathLike[str], what: str, plain: bool = False) -> Iterator[h5py.File]:
    """Open HDF5 for reading, blosc (the reference's compression) included; errors of reads within the block are told.

    Before anything is read, all that the file holds is looked at: values in other files, links that lead elsewhere or in
    circles, sizes far from what is stored, and compressions that nobody knows are refused.

    Parameters
    ----------
    path
        An HDF5 file.
    what
        What it holds, for messages.
    plain
        Whether values must be stored as they are declared, without compressions of other programs, as Keras stores weights.

    Yields
    ------
    h5py.File
        The open file.

    Raises
    ------
    InputError
        Where it is no HDF5, holds what it may not, or what is read of it is damaged.
    """
    if not plain:
        import hdf5plugin  # noqa: F401  registers the compressions of other programs

    try:
        check_signature(require_file(path, what))
        with h5py.File(path, "r") as file:
            check_objects(file, plain)
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{path}: not readable as HDF5",
            expected=f"the {what}",
            found=str(error)[:120],
            remedy="make or copy the file again",
        ) from error


@contextlib.contextmanager
def open_hdf5_to_write(path: str | os.PathLike[str], mode: Literal["w", "a", "r+"] = "w") -> Iterator[h5py.File]:
    """Open HDF5 for writing; a disk that fills up is an OSError.

    Until the file is closed 8 MB beside it are held back, for what HDF5 writes then.

    Parameters
    ----------
    path
        The file.
    mode
        Of h5py.

    Yields
    ------
    h5py.File
        The open file.
    """
    with contextlib.ExitStack() as stack:
        reserve = stack.enter_context(_reserved_space(path))
        file = stack.enter_context(h5py.File(path, mode))
        stack.callback(reserve.close)
        yield file


@contextlib.contextmanager
def _reserved_space(path: str | os.PathLike[str]) -> Iterator[contextlib.ExitStack]:
    """Take space on the disk of an HDF5 file, which is given back by what is yielded, just before the file is closed.

    HDF5 writes what it has held back when it closes a file; where the disk is full then, it crashes the process at its end.
    """
    target = Path(path)
    reserve = target.with_name(f".{target.stem}.reserve")
    with contextlib.ExitStack() as stack:
        stack.callback(reserve.unlink, missing_ok=True)
        reserve.write_bytes(bytes(_RESERVED))
        yield stack
