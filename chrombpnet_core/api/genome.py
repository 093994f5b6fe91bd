"""Open a genome; its index is kept in the user's cache."""

from __future__ import annotations

import os

from chrombpnet_core.genome import Genome, index_folder
from chrombpnet_core.genome import open_genome as open_indexed

__all__ = ["open_genome"]


def open_genome(fasta: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None) -> Genome:
    r"""Open a FASTA file, plain, gzip or bgzip.

    The index is built in a cache folder: nothing is written next to the file, and an existing ``.fai`` there is not used.

    Parameters
    ----------
    fasta
        FASTA file of the genome.
    cache
        Folder for the indexes of any number of genomes: each has its own in there, which depends on the file's path, size
        and modification time. By default in the user's cache (``$CHROMBPNET_CACHE``, else ``~/.cache/chrombpnet``).

    Returns
    -------
    Genome
        Genome with ``sizes`` (chromosome → length in bp) and the methods ``codes`` and ``windows``.

    Raises
    ------
    InputError
        If the file is missing, damaged or not FASTA.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chrombpnet_core as cbp
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(">chr1\nACGTN\n")
    >>> cbp.open_genome(folder / "genome.fa", cache=folder / "cache").codes("chr1").tolist()
    [0, 1, 2, 3, 4]
    """
    return open_indexed(fasta, index_folder(fasta, cache))
