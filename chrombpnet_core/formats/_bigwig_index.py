"""Trees of a bigWig: names of chromosomes (B+ tree) and places of sections (R tree), as their readers search them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import DamagedError

__all__ = ["SECTION_PLACE", "chromosome_tree", "read_chromosome_tree", "read_exactly", "read_section_tree", "section_tree"]

_TREE_MAGIC, _INDEX_MAGIC = 0x78CA8C91, 0x2468ACE0
_NODE = 256  # children of a node
_LONGEST_NAME = 4096
_GENOMIC = ["first_chrom", "first", "last_chrom", "last"]

SECTION_PLACE = np.dtype([*((name, "<u4") for name in _GENOMIC), ("offset", "<u8"), ("size", "<u8")])
"""Where a compressed section lies in the genome, and in the file."""


def chromosome_tree(sizes: dict[str, int], position: int) -> bytes:
    """Build the tree of chromosome names, sorted as its readers search it, to be written at byte ``position``."""
    keys = sorted((name.encode(), number, size) for number, (name, size) in enumerate(sizes.items()))
    width = max(len(name) for name, _, _ in keys)
    levels: list[AnyArray] = [np.array(keys, dtype=[("key", f"S{width}"), ("number", "<u4"), ("size", "<u4")])]
    while len(levels[0]) > _NODE:
        levels.insert(0, levels[0][::_NODE])
    header = struct.pack("<IIIIQQ", _TREE_MAGIC, _NODE, width, 8, len(keys), 0)
    return header + _nodes(levels, position + len(header), ["key"])


def section_tree(places: AnyArray, position: int, items: int) -> bytes:
    """Build the tree over sections, of ``items`` records each, to be written at byte ``position``.

    Parameters
    ----------
    places
        Of all sections, :data:`SECTION_PLACE` ``(n,)``, in the order of the genome.
    position
        Where the tree goes in the file.
    items
        Records of a section.

    Returns
    -------
    bytes
        Header and nodes.
    """
    levels = [places]
    while len(levels[0]) > _NODE:
        groups = np.arange(0, len(levels[0]), _NODE)
        above = levels[0][groups].copy()
        lasts = levels[0][np.minimum(groups + _NODE, len(levels[0])) - 1]
        above["last_chrom"], above["last"] = lasts["last_chrom"], lasts["last"]
        levels.insert(0, above)
    bounds = (0, 0, 0, 0)
    if len(places):
        bounds = (*places[0].tolist()[:2], *places[-1].tolist()[2:4])
    header = struct.pack("<IIQIIIIQII", _INDEX_MAGIC, _NODE, len(places), *bounds, position, items, 0)
    return header + _nodes(levels, position + len(header), _GENOMIC)


def _nodes(levels: list[AnyArray], position: int, inner: list[str]) -> bytes:
    """Pack the nodes of a tree, level by level from the root.

    Parameters
    ----------
    levels
        Items of each level; that of the leaves is written as it is.
    position
        Byte of the file at which the root goes.
    inner
        Fields that an item above the leaves has before the place of its child.

    Returns
    -------
    bytes
        All nodes.
    """
    packed = []
    for depth, items in enumerate(levels):
        leaf = depth == len(levels) - 1
        if not leaf:
            fields = [(name, items.dtype[name]) for name in inner]
            rows = np.empty(len(items), dtype=[*fields, ("child", "<u8")])
            for name in inner:
                rows[name] = items[name]
            items = rows
        nodes = [items[first : first + _NODE] for first in range(0, max(len(items), 1), _NODE)]
        position += 4 * len(nodes) + items.nbytes
        if not leaf:
            below = levels[depth + 1]
            size = below.itemsize if depth + 1 == len(levels) - 1 else items.itemsize
            items["child"] = position + np.arange(len(items)) * (4 + _NODE * size)
        for node in nodes:
            packed += [struct.pack("<BBH", leaf, 0, len(node)), node.tobytes()]
    return b"".join(packed)


def read_chromosome_tree(file: BinaryIO, position: int, size: int) -> list[tuple[str, int, int]]:
    """Read the tree of chromosome names.

    Parameters
    ----------
    file
        The bigWig.
    position
        Byte at which the tree begins.
    size
        Bytes of the file.

    Returns
    -------
    list of tuple
        Name, number and length in bp of every chromosome, by number.

    Raises
    ------
    DamagedError
        Where the tree is not whole, or contradicts itself.
    """
    magic, _, width, values, count, _ = struct.unpack("<IIIIQQ", read_exactly(file, position, 32, size))
    if magic != _TREE_MAGIC or not 1 <= width <= _LONGEST_NAME or values != 8:
        raise DamagedError(f"there are no chromosome names at byte {position:,}")
    item = np.dtype([("key", f"S{width}"), ("number", "<u4"), ("size", "<u4")])
    items = [row for leaf in _leaves(file, position + 32, size, item, width) for row in leaf.tolist()]
    try:
        names = sorted(((key.decode(), number, length) for key, number, length in items), key=lambda name: name[1])
    except UnicodeDecodeError as error:
        raise DamagedError("a chromosome name is no text") from error
    if len({name for name, _, _ in names}) != count or [number for _, number, _ in names] != list(range(len(names))):
        raise DamagedError("its chromosome names are not whole")
    if any(not name.isprintable() or not name or not length for name, _, length in names):
        raise DamagedError("a chromosome has no name or no length")
    return names


def read_section_tree(file: BinaryIO, position: int, size: int) -> tuple[int, AnyArray]:
    """Read the tree over the sections.

    Parameters
    ----------
    file
        The bigWig.
    position
        Byte at which the tree begins.
    size
        Bytes of the file.

    Returns
    -------
    tuple
        How many sections its header gives, and all of them, :data:`SECTION_PLACE` ``(n,)``, in the order of the tree.

    Raises
    ------
    DamagedError
        Where the tree is not whole, or a section lies outside the file.
    """
    magic, _, promised = struct.unpack_from("<IIQ", read_exactly(file, position, 48, size))
    if magic != _INDEX_MAGIC:
        raise DamagedError(f"there is no index at byte {position:,}")
    leaves = list(_leaves(file, position + 48, size, SECTION_PLACE, 16))
    places = np.concatenate([np.empty(0, dtype=SECTION_PLACE), *leaves])
    outside = (places["size"] > size) | (places["offset"] > size - np.minimum(places["size"], size))
    backwards = (places["first_chrom"] > places["last_chrom"]) | (
        (places["first_chrom"] == places["last_chrom"]) & (places["first"] > places["last"])
    )
    if outside.any() or backwards.any():
        raise DamagedError("its index names sections that cannot be")
    return promised, places


def read_exactly(file: BinaryIO, position: int, length: int, size: int) -> bytes:
    """Read bytes of a file of ``size`` bytes that must be there, or raise :class:`DamagedError`."""
    if position + length > size:
        raise DamagedError(f"it ends before byte {position + length:,}")
    file.seek(position)
    return file.read(length)


def _leaves(file: BinaryIO, root: int, size: int, item: np.dtype[np.void], inner: int) -> Iterator[AnyArray]:
    """Read the leaves of a tree from left to right.

    Parameters
    ----------
    file
        The bigWig.
    root
        Byte at which the root begins.
    size
        Bytes of the file.
    item
        What a leaf consists of.
    inner
        Bytes that an item above the leaves has before the place of its child.

    Yields
    ------
    ndarray
        Items of a leaf.
    """
    waiting, seen, left = [root], {root}, size
    while waiting:
        position = waiting.pop()
        leaf, _, count = struct.unpack("<BBH", read_exactly(file, position, 4, size))
        width = item.itemsize if leaf else inner + 8
        left -= 4 + count * width
        data = read_exactly(file, position + 4, count * width, size)
        if leaf > 1 or left < 0:
            raise DamagedError(f"the tree at byte {root:,} is damaged at byte {position:,}")
        if leaf:
            yield np.frombuffer(data, dtype=item)
            continue
        children = np.frombuffer(
            data, dtype=np.dtype({"names": ["child"], "formats": ["<u8"], "offsets": [inner], "itemsize": width})
        )
        below = children["child"].tolist()
        if not seen.isdisjoint(below) or len(set(below)) < len(below):
            raise DamagedError(f"the tree at byte {root:,} leads back to itself at byte {position:,}")
        seen.update(below)
        waiting += reversed(below)
