"""What chromosome names and lengths give away: which are an organelle's, and to what taxon a genome belongs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chrombpnet_core.genome.chromosome_names import is_mitochondrial

__all__ = ["is_organelle", "likely_taxon"]

_PLASTIDS = {"pt", "pltd", "plastid", "chloroplast"}
_ROMAN = {"i", "ii", "iii", "iv", "v"}
_FLY_ARMS = {"2l", "2r", "3l", "3r"}
_CRESS = {"1", "2", "3", "4", "5"}
_LARGEST_YEAST, _LARGEST_WORM, _CRESS_SIZE = 20e6, 150e6, (90e6, 150e6)  # bp


def _plain(name: str) -> str:
    return re.sub(r"^(chromosome|chr)_?", "", name.lower())


def is_organelle(name: str) -> bool:
    """Tell by its name whether a chromosome is a mitochondrion's or a plastid's.

    Parameters
    ----------
    name
        Of the chromosome.

    Returns
    -------
    bool
        Whether it is called as mitochondria and chloroplasts are.

    Examples
    --------
    >>> [name for name in ("chrI", "chrM", "MT", "Pt", "chrMT", "chrX") if is_organelle(name)]
    ['chrM', 'MT', 'Pt', 'chrMT']
    """
    return is_mitochondrial(name) or _plain(name) in _PLASTIDS


def likely_taxon(sizes: Mapping[str, int]) -> str | None:
    """Guess the taxon of a genome: yeasts, nematodes, flies and plants name their chromosomes in ways of their own.

    Parameters
    ----------
    sizes
        Chromosome → length in bp, of the whole genome or of those in use.

    Returns
    -------
    str or None
        ``fungi``, ``nematodes``, ``insects`` or ``plants``, as JASPAR calls them; None where nothing speaks for one of
        these, as of vertebrates.

    Examples
    --------
    >>> likely_taxon({"chrI": 230_218, "chrII": 813_184, "chrIII": 316_620, "chrIV": 1_531_933, "chrV": 576_874})
    'fungi'
    >>> likely_taxon({"chr1": 248_956_422, "chr2": 242_193_529, "chrM": 16_569}) is None
    True
    """
    nuclear = {_plain(name): size for name, size in sizes.items() if not is_organelle(name)}
    total = sum(nuclear.values())
    if {*nuclear} >= _ROMAN:
        return "fungi" if total < _LARGEST_YEAST else "nematodes" if total < _LARGEST_WORM else None
    if {*nuclear} >= _FLY_ARMS:
        return "insects"
    if any(_plain(name) in _PLASTIDS for name in sizes):
        return "plants"
    return "plants" if {*nuclear} == _CRESS and _CRESS_SIZE[0] < total < _CRESS_SIZE[1] else None
