"""HDF5 files of ours and of others, opened for reading with errors that a user understands."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import h5py

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats._hdf5_checks import check_objects, check_signature
from chrombpnet_core.formats.text import require_file

__all__ = ["open_hdf5"]


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
