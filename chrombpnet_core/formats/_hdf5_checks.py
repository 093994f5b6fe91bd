"""What an HDF5 file must be before anything is read of it: numbers and text that lie in this one file, once, whole.

HDF5 can name other files (external storage, virtual data sets, external links), lead in circles, declare more than it holds,
and ask for compressions that are loaded as code. A file from elsewhere may do none of this.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import h5py

from chrombpnet_core.errors import InputError

__all__ = ["check_objects", "check_signature", "shown_name"]

_DEEPEST, _MOST = 32, 200_000  # groups within groups, objects of a file
_BUILT_IN = frozenset({1, 2, 3, 4, 5, 6, 32000})  # deflate, shuffle, Fletcher-32, szip, nbit, scale-offset; h5py's lzf
_PLUGINS = frozenset({307, 32001, 32004, 32008, 32015, 32026})  # bzip2, Blosc, LZ4, bitshuffle, Zstandard, Blosc2
_SLACK, _RATIO = 64 << 20, 2000  # bytes that may be declared without any stored, and declared for each that is stored
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_OTHERS = (
    (rb"PK\x03\x04", "a zip archive, as .keras and PyTorch files are"),
    (rb"\x1f\x8b", "gzip"),
    (rb"BZh", "bzip2"),
    (rb"\xfd7zXZ", "xz"),
    (rb"\x28\xb5\x2f\xfd", "Zstandard"),
    (rb"\x80[\x02-\x05]", "a Python pickle, which is code"),
    (rb"(?s).{257}ustar", "a tar archive"),
    (rb"\x93NUMPY", "a NumPy array"),
    (rb"CDF[\x01\x02\x05]", "NetCDF"),
    (rb"[\t\n\r -~]{7}", "text"),
)


def shown_name(name: str, most: int = 80) -> str:
    """Escape a name for a message, and cut it."""
    escaped = ascii(name)[1:-1]
    return escaped if len(escaped) <= most else f"{escaped[:most]}…"


def check_signature(path: Path) -> None:
    """Refuse what does not begin as HDF5, saying what it seems to be; HDF5 behind other bytes is none either."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head.startswith(_SIGNATURE):
        raise InputError(
            f"{path}: not readable as HDF5 (file signature not found)",
            found=next((name for pattern, name in _OTHERS if re.match(pattern, head)), "something else"),
        )


def check_objects(file: h5py.File, plain: bool) -> None:
    """Look at all groups, links and data sets of an open file, and refuse it where one is not as it must be.

    Parameters
    ----------
    file
        Open for reading. Nothing is read but what describes its objects, and no other file is opened.
    plain
        Whether what is declared must be stored, too, uncompressed or nearly so, as in a file of weights.

    Raises
    ------
    InputError
        Naming the file, the object and what is wrong with it.
    """
    whole = os.path.getsize(file.filename)
    waiting: list[tuple[h5py.Group, int]] = [(file["/"], 0)]
    seen, declared = {_address(file["/"])}, 0
    while waiting:
        group, depth = waiting.pop()
        if depth > _DEEPEST or len(group) > _MOST - len(seen):
            raise _refused(group, f"more than {_DEEPEST} groups within groups, or {_MOST:,} objects")
        for name in group:
            item = _followed(group, name)
            if isinstance(item, h5py.Datatype):
                continue
            if (address := _address(item)) in seen:
                if plain or isinstance(item, h5py.Group):
                    raise _refused(item, "a link to what the file holds elsewhere")
                continue  # a data set of two names, as tables written for other programs have them
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            else:
                declared += _checked_size(item, whole, plain)
    if plain and declared > 16 * whole:
        raise InputError(
            f"{file.filename}: declares {declared:,} bytes of values", expected=f"what fits its {whole:,} bytes"
        )


def _address(item: h5py.Group | h5py.Dataset) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _refused(item: h5py.Group | h5py.Dataset, what: str) -> InputError:
    return InputError(
        f"{item.file.filename}: {shown_name(str(item.name))}: {what}",
        expected="values stored in the file itself",
        remedy="the file was not written by ChromBPNet or Keras; do not use it",
    )


def _followed(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | h5py.Datatype:
    """Open a member of a group where it is linked as usual."""
    try:
        link = group.get(name, getlink=True)
    except TypeError:
        link = None
    if not isinstance(link, h5py.HardLink):
        kinds = {h5py.SoftLink: "a soft link", h5py.ExternalLink: "a link to another file"}
        raise _refused(group, f"{shown_name(name)} is {kinds.get(type(link), 'a link of an unknown kind')}")
    return group[name]


def _checked_size(data: h5py.Dataset, whole: int, plain: bool) -> int:
    """Check one data set; tell the bytes that it declares. Its shape is asked last: a virtual one opens files for it."""
    properties = data.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL:
        raise _refused(data, "a virtual data set")
    if properties.get_external_count():
        raise _refused(data, "its values lie in another file")
    filters = {int(properties.get_filter(i)[0]) for i in range(properties.get_nfilters())}
    if unknown := filters - (_BUILT_IN if plain else _BUILT_IN | _PLUGINS):
        raise _refused(data, f"an unknown compression, number {min(unknown)}")
    try:
        size = data.id.get_type().get_size()
        _ = data.dtype
    except TypeError as error:
        raise _refused(data, "values of an unknown type") from error
    shape = data.shape or ()
    declared, stored = math.prod(shape) * size, min(data.id.get_storage_size(), whole)
    chunk = math.prod(data.chunks or ()) * size
    least = declared if plain and not filters else (declared - (0 if plain else _SLACK)) / (16 if plain else _RATIO)
    if stored < least or chunk > max(declared, 16 << 20) + _SLACK:
        raise _refused(data, f"{shape} values of {size} bytes are declared, {stored:,} bytes are stored")
    return int(declared)
