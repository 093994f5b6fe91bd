"""The numbers of a library's quality, and ``library_quality.json``, which holds them.

``library_quality.schema.json`` beside this module is its JSON schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "LIBRARY_FORMAT",
    "NUCLEOSOME",
    "ChromosomeCounts",
    "Duplicates",
    "FragmentSizes",
    "LibraryQuality",
    "PeakShare",
    "ReadNumbers",
    "StartSites",
]

LIBRARY_FORMAT = 1
"""Of ``library_quality.json``; it is raised where a key changes its meaning."""

NUCLEOSOME = 147
"""DNA that is wound around a nucleosome, bp: fragments are about as long as a whole number of these, or shorter than one."""


@dataclass(frozen=True)
class ChromosomeCounts:
    """Hold the length of a chromosome in bp, its insertions, and its reads; None where insertions came without reads."""

    length: int
    insertions: float
    reads: int | None = None


@dataclass(frozen=True)
class ReadNumbers:
    """Hold how many reads were used, and how many were not.

    Attributes
    ----------
    used
        Reads on the chromosomes in use; every one is an insertion but for those ``outside``.
    outside
        Of these, insertions that fell off the end of their chromosome.
    elsewhere
        Reads on chromosomes that the genome or the sizes lack.
    left_out
        Reads on chromosomes that the user left out.
    filtered
        Alignments below the mapping quality or with the flags that the user excludes.
    duplicates_dropped
        Duplicates dropped because the user asks for it.
    """

    used: int
    outside: int = 0
    elsewhere: int = 0
    left_out: int = 0
    filtered: int = 0
    duplicates_dropped: int = 0


@dataclass(frozen=True)
class FragmentSizes:
    """Hold the lengths of fragments: numbers by length in bp from 0 to 1,000, and last that of longer ones."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Number of fragments."""
        return sum(self.counts)

    @property
    def median(self) -> int:
        """Their median length in bp, 1,001 where that is above 1,000."""
        passed = 0
        for length, count in enumerate(self.counts):
            passed += count
            if 2 * passed >= self.total:
                return length
        raise ValueError("there are no fragments")

    @property
    def shares(self) -> dict[str, float]:
        """Share of fragments below one nucleosome's length, from one to two, two to three, and longer."""
        borders = [0, *(number * NUCLEOSOME for number in (1, 2, 3)), len(self.counts)]
        names = ("nucleosome_free", "mononucleosome", "dinucleosome", "longer")
        return {
            name: sum(self.counts[first:last]) / self.total
            for name, first, last in zip(names, borders, borders[1:], strict=False)
        }


@dataclass(frozen=True)
class Duplicates:
    """Hold how many of the reads or fragments are duplicates, by their SAM ``flag`` or the ``count`` of their line."""

    told_by: str
    of: int
    duplicates: int

    @property
    def share(self) -> float:
        """Share of the duplicates."""
        return self.duplicates / self.of


@dataclass(frozen=True)
class PeakShare:
    """Hold peaks, the bases in them and their share of the genome, the insertions in them and their share: the FRiP."""

    regions: int
    bases: int
    genome_share: float
    insertions: float
    frip: float


@dataclass(frozen=True)
class StartSites:
    """Hold the profile around transcription starts.

    Attributes
    ----------
    sites
        Starts whose window lies in its chromosome.
    enrichment, position
        The TSS enrichment, and where it is reached, in bp from the start; None where it cannot be computed.
    profile
        Multiples of the background in bins of 10 bp, from 2,000 bp before the starts on.
    """

    sites: int
    enrichment: float | None
    position: int | None
    profile: tuple[float, ...]


@dataclass(frozen=True)
class LibraryQuality:
    """Hold the quality of a library; what is None is not known.

    Attributes
    ----------
    assembly
        Of the human or mouse genome, such as ``GRCh38``; None for other genomes.
    chromosomes
        Chromosomes in use, in order.
    reads
        How many were used.
    mitochondrial_share
        Share of the mitochondrion in all reads, or in all insertions where there are no reads.
    fragments
        Lengths of fragments; None where reads are not paired.
    duplicates
        Duplicates among them, as far as the input tells.
    peaks
        Insertions in peaks.
    start_sites
        Insertions around transcription starts; None without genes.
    """

    assembly: str | None
    chromosomes: Mapping[str, ChromosomeCounts]
    reads: ReadNumbers | None = None
    mitochondrial_share: float | None = None
    fragments: FragmentSizes | None = None
    duplicates: Duplicates | None = None
    peaks: PeakShare | None = None
    start_sites: StartSites | None = None

    @property
    def insertions(self) -> float:
        """All insertions on the chromosomes in use."""
        return sum(chromosome.insertions for chromosome in self.chromosomes.values())

    def to_json(self) -> dict[str, Any]:
        """Give the numbers as JSON types, those that follow from others too."""
        content = {"format": LIBRARY_FORMAT, "insertions": self.insertions, **asdict(self)}
        if self.fragments is not None:
            content["fragments"] = {
                "total": self.fragments.total,
                "median": self.fragments.median,
                "shares": self.fragments.shares,
                "counts": list(self.fragments.counts),
            }
        if self.duplicates is not None:
            content["duplicates"]["share"] = self.duplicates.share
        if self.start_sites is not None:
            content["start_sites"]["profile"] = list(self.start_sites.profile)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LibraryQuality:
        """Make of JSON types what :meth:`to_json` gave."""
        fragments, duplicates, sites = (content.get(key) for key in ("fragments", "duplicates", "start_sites"))
        return cls(
            assembly=content["assembly"],
            chromosomes={name: ChromosomeCounts(**counts) for name, counts in content["chromosomes"].items()},
            reads=ReadNumbers(**content["reads"]) if content.get("reads") else None,
            mitochondrial_share=content.get("mitochondrial_share"),
            fragments=FragmentSizes(tuple(fragments["counts"])) if fragments else None,
            duplicates=Duplicates(duplicates["told_by"], duplicates["of"], duplicates["duplicates"]) if duplicates else None,
            peaks=PeakShare(**content["peaks"]) if content.get("peaks") else None,
            start_sites=StartSites(**sites | {"profile": tuple(sites["profile"])}) if sites else None,
        )
