"""Tables of chromosome sizes: two columns, name and length in bp."""

from __future__ import annotations

import os

from chrombpnet_core.errors import Faults, InputError
from chrombpnet_core.formats import numbered_lines, whole_number

__all__ = ["read_chrom_sizes"]


def read_chrom_sizes(path: str | os.PathLike[str]) -> dict[str, int]:
    r"""Read a table of chromosome sizes.

    Parameters
    ----------
    path
        Lines of name, tab, length in bp; further columns are not read.

    Returns
    -------
    dict
        Chromosome → length in bp, in file order.

    Raises
    ------
    InputError
        For a line without two columns, a length that is no positive integer, a name given twice, an empty file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "chrom.sizes")
    ...     _ = path.write_text("chrI\t230218\nchrII\t813184\n")
    ...     read_chrom_sizes(path)
    {'chrI': 230218, 'chrII': 813184}
    """
    sizes, faults = dict[str, int](), Faults(str(path))
    for number, line in numbered_lines(path, "chromosome sizes"):
        fields = line.split("\t") if "\t" in line else line.split()
        where = f"{path}, line {number}"
        if len(fields) < 2:
            faults.add(InputError(where, expected="a chromosome name and its length", found=repr(line)))
            continue
        name, length = fields[0], whole_number(fields[1].strip())
        if not length:
            faults.add(InputError(where, expected="a length in bp", found=repr(fields[1])))
        elif name in sizes:
            faults.add(InputError(f"{where}: chromosome {name} is given twice", remedy="keep one line for it"))
        else:
            sizes[name] = length
    faults.refuse()
    if not sizes:
        raise InputError(f"{path}: no chromosomes", expected="lines of name and length")
    return sizes
