"""Trees of a bigWig: names of chromosomes (B+ tree) and places of sections (R tree), as their readers search them."""

from __future__ import annotations

import struct

import numpy as np

from chrombpnet_core._types import AnyArray

__all__ = ["SECTION_PLACE", "chromosome_tree", "section_tree"]

_TREE_MAGIC, _INDEX_MAGIC = 0x78CA8C91, 0x2468ACE0
_NODE = 256  # children of a node
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
