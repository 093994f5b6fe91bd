"""Open a genome; its index is kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from chrombpnet_core.genome import Genome
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
        Folder for the index; by default one in the user's cache (``$CHROMBPNET_CACHE``, else ``~/.cache/chrombpnet``), which
        depends on the file's path, size and modification time.

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
    return open_indexed(fasta, cache if cache is not None else _cache_of(Path(fasta)))


def _cache_of(fasta: Path) -> Path:
    root = Path(os.environ.get("CHROMBPNET_CACHE") or Path.home() / ".cache" / "chrombpnet")
    try:
        status = fasta.stat()
    except OSError:
        return root  # open_indexed says what is wrong with the file
    identity = f"{fasta.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    return root / "genomes" / hashlib.sha256(identity.encode()).hexdigest()
