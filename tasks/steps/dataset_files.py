"""The files that a data set, or a part of it, is computed from; and what is known of them once they are checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chrombpnet_core.genome import SPLITS, Fold, Naming
from chrombpnet_core.reads import ReadFilters

__all__ = ["CheckedInputs", "DatasetFiles"]


@dataclass(frozen=True, kw_only=True)
class DatasetFiles:
    """What a data set, or a part of it, is computed from.

    Attributes
    ----------
    reads
        Files of reads, or bigWigs in place of them.
    kind
        ``bam``, ``fragments``, ``single_end``, ``tagalign`` or ``bigwig``.
    accept
        Whether reads and bigWigs are taken though they look like another kind.
    filters
        Which reads are left out.
    read_whole
        Files of reads up to this size in bytes are read to their end; of larger ones about two million reads. A run needs
        no more: its first step reads them all.
    regions
        What the regions are called in messages, such as ``peaks`` → file. Their windows must lie in their chromosomes.
    blacklist
        BED of regions to stay clear of.
    folds
        Paths of fold files, or chromosomes.
    splits
        Of each fold, those in which there must be regions.
    models
        What a model is, such as ``bias model`` → file.
    architecture
        Python file that builds the main model.
    input_length
        Of the models in bp; 0 where it is not known, as no model is used.
    places
        What is written there → folder or address.
    chromosomes
        The section of that name of a DatasetSpec.
    motifs
        ``jaspar:<taxon>``, or the address of a MEME file.
    matrices
        The enzyme's, where the user gives them.
    others
        What a file is → file that must be there.
    """

    reads: tuple[str, ...] = ()
    kind: str = "bam"
    accept: bool = False
    filters: ReadFilters = field(default_factory=ReadFilters)
    read_whole: int = 0
    genome: str | None = None
    chrom_sizes: str | None = None
    regions: Mapping[str, str | None] = field(default_factory=dict)
    blacklist: str | None = None
    folds: tuple[str | Fold, ...] = ()
    splits: tuple[str, ...] = SPLITS
    models: Mapping[str, str | None] = field(default_factory=dict)
    architecture: str | None = None
    input_length: int = 0
    places: Mapping[str, str] = field(default_factory=dict)
    chromosomes: dict[str, Any] | None = None
    motifs: str | None = None
    matrices: str | None = None
    others: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedInputs:
    """What later steps need of inputs that are in order.

    Attributes
    ----------
    folds
        Chromosomes of every fold.
    peaks, nonpeaks
        Number of regions; nonpeaks 0 where they are still to be drawn.
    genome_size
        Bases of the chromosomes in use.
    naming
        How other files than the genome name chromosomes.
    """

    folds: tuple[Fold, ...]
    peaks: int
    nonpeaks: int
    genome_size: int
    naming: Naming = field(default_factory=Naming)

    def to_json(self) -> str:
        """Write it for another process."""
        folds = [asdict(fold) for fold in self.folds]
        numbers = {"peaks": self.peaks, "nonpeaks": self.nonpeaks, "genome_size": self.genome_size}
        return json.dumps({"folds": folds, "naming": self.naming.to_json(), **numbers})

    @classmethod
    def from_json(cls, text: str) -> CheckedInputs:
        """Read what :meth:`to_json` wrote."""
        content = json.loads(text)
        folds = tuple(Fold(**{part: tuple(names) for part, names in fold.items()}) for fold in content.pop("folds"))
        return cls(folds=folds, naming=Naming.from_json(content.pop("naming")), **content)
