"""TODO."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import h5py

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats.text import require_file

__all__ = ["open_hdf5"]


@contextlib.contextmanager
def open_hdf5(path: str | os.PathLike, what: str) -> Iterator[h5py.File]:
    """Open HDF5 for reading, blosc (the reference's compression) included; damage found within the block is told.

    Raises
    ------
    InputError
        Where it is no HDF5, or what is read of it is damaged.
    """
    import hdf5plugin  # noqa: F401  registers the compressions of other programs

    require_file(path, what)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{path}: not readable as HDF5",
            expected=f"the {what}",
            found=str(error)[:120],
            remedy="make or copy the file again",
        ) from error
