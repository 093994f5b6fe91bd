"""What a simulation plants: motifs, genome size, background, the sharpness of the enzyme's preference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import ASSAYS, OTHER_BASE, codes_of

__all__ = ["CHROMOSOME_SHARES", "DEMO", "PLANTED_MOTIFS", "TINY", "PlantedMotif", "SimulationSettings"]

CHROMOSOME_SHARES = {
    "chr1": 0.22,
    "chr2": 0.18,
    "chr3": 0.16,
    "chr4": 0.15,
    "chr5": 0.13,
    "chr6": 0.10,
    "chr7": 0.06,
}
"""Chromosome → its share of the genome's bases."""


@dataclass(frozen=True)
class PlantedMotif:
    """A planted motif: each site adds ``height`` × background to accessibility, in hills around a footprint.

    At ``d`` bp from the site's middle it adds height · exp(−|d|/reach) · (1 − depth · exp(−(d/width)⁸)): the footprint
    has sharp edges, and the hills are highest at them.

    Attributes
    ----------
    name
        Of the transcription factor.
    consensus
        Its preferred sequence.
    height
        Of the hills without a footprint, as a multiple of the background.
    reach
        bp over which the hills fall by a factor of e.
    depth
        Share of the hills that the footprint takes away at its middle.
    width
        bp from the middle of the footprint to its edges.
    fidelity
        Probability that a base of a planted site is the consensus letter.
    """

    name: str
    consensus: str
    height: float
    reach: float
    depth: float
    width: float
    fidelity: float = 0.98

    def accessibility_added(self, distance: Floats) -> Floats:
        """Compute what one site adds to accessibility, as a multiple of the background, at distances in bp."""
        hill = np.exp(-np.abs(distance) / self.reach)
        added: Floats = self.height * hill * (1 - self.depth * np.exp(-((distance / self.width) ** 8)))
        return added


# Palindromes with CpG in a genome where CpG is rare, and sharp footprints: what a small model learns soonest.
PLANTED_MOTIFS = (
    PlantedMotif("CREB1", "GGTGACGTCACC", height=36, reach=32, depth=0.85, width=9),
    PlantedMotif("NRF1", "TGCGCATGCGCA", height=44, reach=26, depth=0.75, width=8),
    PlantedMotif("ZBTB33", "TTCTCGCGAGAA", height=30, reach=42, depth=0.90, width=12),
)
"""The motifs of the demo."""


@dataclass(frozen=True)
class SimulationSettings:
    """What is planted.

    Parameters
    ----------
    assay
        ``ATAC`` or ``DNASE``: whose reference matrices, whose cut geometry.
    size
        Bases of the genome, split over seven chromosomes.
    spacing
        Bases of genome per open locus.
    background
        Insertions per base of closed chromatin.
    sharpness
        Factor on the enzyme's log preference; 1 gives back the base frequencies of the reference matrices.
    seed
        Of everything drawn.
    motifs
        The planted motifs.
    """

    assay: str = "ATAC"
    size: int = 2_400_000
    spacing: int = 5_000
    background: float = 0.1
    sharpness: float = 1.25
    seed: int = 1234
    motifs: tuple[PlantedMotif, ...] = PLANTED_MOTIFS

    def check(self) -> None:
        """Raise :class:`InputError` where nothing sensible can be drawn."""
        if self.assay not in ASSAYS:
            raise InputError("simulation: assay", expected=" or ".join(ASSAYS), found=repr(self.assay))
        if self.spacing < 2_000:
            raise InputError(
                "simulation: spacing of open loci",
                expected="2000 bp or more",
                found=str(self.spacing),
                remedy="room for background is needed between them",
            )
        if self.size * min(CHROMOSOME_SHARES.values()) < self.spacing:
            raise InputError(
                "simulation: genome size",
                found=f"{self.size:,} bp",
                expected=f"{int(np.ceil(self.spacing / min(CHROMOSOME_SHARES.values()))):,} bp or more, so that "
                "the smallest chromosome has an open locus",
            )
        if self.background <= 0 or self.sharpness < 0:
            raise InputError(
                "simulation",
                expected="a positive background and a sharpness of 0 or more",
                found=f"{self.background} and {self.sharpness}",
            )
        if not self.motifs or any(
            OTHER_BASE in codes_of(motif.consensus) or not 6 <= len(motif.consensus) <= 40 for motif in self.motifs
        ):
            raise InputError(
                "simulation: motifs",
                expected="at least one, each of 6 to 40 letters A, C, G and T",
                found=repr([motif.consensus for motif in self.motifs]),
            )


DEMO = SimulationSettings()
"""The genome of ``chrombpnet demo``: models that two cores train in two minutes pass its checks."""
TINY = SimulationSettings(size=350_000, spacing=7_000)
"""For tests of machinery: seconds to train, nothing promised of the result."""
