"""Motifs in contributions, and where they lie: TF-MoDISco, its patterns' matches and page, hits as BED."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from chrombpnet_core.concurrency import in_own_process
from chrombpnet_core.errors import counted
from chrombpnet_core.motifs import DEFAULT_DATABASE, is_jaspar, jaspar_release, read_database
from tasks.runner import At, Result, Source, Step, Work, published
from tasks.steps.contributions import HEADS

__all__ = [
    "HITS",
    "MOTIFS",
    "HitsInputs",
    "HitsParameters",
    "MotifsInputs",
    "MotifsParameters",
    "hit_files",
    "known_motifs",
    "motif_files",
]

log = logging.getLogger(__name__)

_HITS_FILE = "hits.bed"
_WORDS = {"tf": "of transcription factors", "enzyme": "of the enzyme", "unmatched": "like no known motif"}


@dataclass(frozen=True, kw_only=True)
class MotifsInputs(Generic[At]):
    """The step that made ``<head>_scores.h5``, or such a file; known motifs in MEME's format where they are not JASPAR's."""

    contributions: At
    motifs: At | None = None


@dataclass(frozen=True, kw_only=True)
class MotifsParameters:
    """What is sought and with what it is compared; see :func:`~chrombpnet_core.motifs.modisco.find_patterns`.

    Attributes
    ----------
    name
        What was explained: profile or counts.
    motifs
        ``jaspar:<taxon>`` and the release, or None where a file is given; see :func:`known_motifs`.
    verbose
        Whether TF-MoDISco says what it does; that changes no result.
    """

    name: str = "profile"
    max_seqlets: int = 50_000
    window: int = 500
    n_leiden: int = 2
    seed: int | None = 1234
    motifs: str | None
    verbose: bool = field(default=False, metadata={"json": None})


@functools.lru_cache(maxsize=16)  # of several folds and heads it is asked again and again
def known_motifs(database: str = DEFAULT_DATABASE) -> tuple[str | None, str | None]:
    """Return the input and the parameter ``motifs`` that stand for known motifs.

    Parameters
    ----------
    database
        ``jaspar:<taxon>``, or the address of a MEME file.

    Returns
    -------
    tuple
        The address and None, or None and taxon with release.

    Raises
    ------
    InputError
        Where JASPAR has no such taxon.
    """
    if not is_jaspar(database):
        return database, None
    read_database(database)  # an unknown taxon is told before anything runs
    return None, f"{database} {jaspar_release()}"


@dataclass(frozen=True, kw_only=True)
class HitsInputs(Generic[At]):
    """The step that made ``<head>_scores.h5`` and its regions, or such a file and its ``regions``.

    ``motifs`` is the step that found them, whose matches then name the sites, or TF-MoDISco's HDF5.
    """

    contributions: At
    motifs: At
    regions: At | None = None


@dataclass(frozen=True)
class HitsParameters:
    """What was explained: profile or counts."""

    name: str = "profile"


def hit_files(result: Result, name: str) -> dict[str, Path]:
    """Name the file of :data:`HITS` as the user gets it, ``NAME_hits.bed``, with its local path."""
    return {f"{name}_{_HITS_FILE}" if name else _HITS_FILE: result.file(_HITS_FILE)}


def _find_hits(work: Work[HitsInputs[Path], HitsParameters]) -> None:
    """Find the sites of found motifs in the contributions of every region and write them as BED."""
    from chrombpnet_core.genome import read_regions
    from chrombpnet_core.motifs import find_motif_hits as find
    from chrombpnet_core.motifs import read_discovered_motifs, read_hit_templates, write_motif_hits
    from chrombpnet_core.progress import bar
    from chrombpnet_core.report import MODISCO_FILE, MOTIF_ROWS_FILE

    source, motifs = work.inputs.contributions, work.inputs.motifs
    table = work.inputs.regions or source / "interpreted_regions.bed"
    if source.is_dir():
        source = source / f"{work.parameters.name}_scores.h5"
    names: dict[str, str] = {}
    if motifs.is_dir():
        names = {
            row.pattern: row.matches[0].name
            for row in read_discovered_motifs(motifs / MOTIF_ROWS_FILE)
            if row.kind != "unmatched"
        }
        motifs = motifs / MODISCO_FILE
    regions, templates = read_regions(table, "regions"), read_hit_templates(motifs)
    if not templates:
        log.warning("%s holds no motifs; the hits are empty", motifs.name)
    with bar("motif hits", len(regions), "regions") as progress:
        hits = find(source, regions, templates, names, on_rows=progress.update)
    write_motif_hits(hits, work.out / _HITS_FILE)
    work.facts |= {"regions": len(regions), "hits": len(hits), "by_pattern": hits["pattern"].value_counts().to_dict()}
    sizes = counted(len(hits), "hits"), counted(len(templates), "motifs"), counted(len(regions), "regions")
    log.info("%s of %s in %s", *sizes)


def motif_files(result: Result, name: str) -> dict[str, Path]:
    """Files of :data:`MOTIFS` as the user gets them, ``NAME_modisco.h5`` and ``NAME_reports/``, with local paths."""
    beginning = f"{name}_" if name else ""
    return {
        beginning + (file if file.endswith(".h5") else f"reports/{file}"): result.file(file)
        for file in result.manifest["files"]
    }


def _find_motifs(work: Work[MotifsInputs[Path], MotifsParameters]) -> None:
    """Find motifs in contributions with TF-MoDISco and compare them with known ones."""
    from chrombpnet_core.report import search_motifs

    source, parameters = work.inputs.contributions, work.parameters
    if source.is_dir():
        source = source / f"{parameters.name}_scores.h5"
    database = str(work.inputs.motifs) if work.inputs.motifs else str(parameters.motifs).split()[0]
    settings = parameters.name, parameters.max_seqlets, parameters.window, parameters.n_leiden, parameters.seed
    arguments = str(source), str(work.out), database, *settings, parameters.verbose
    work.facts |= in_own_process(search_motifs, *arguments, what="TF-MoDISco")
    kinds = [f"{count} {_WORDS[kind]}" for kind, count in work.facts["kinds"].items() if count]
    log.info("motifs: %s", ", ".join(kinds) or "none found")


MOTIFS = {
    head: Step(
        name=f"motifs_{head}",
        version=1,
        title=f"Find motifs, {head}",
        inputs=MotifsInputs[Source],
        parameters=MotifsParameters,
        body=_find_motifs,
        outputs=published(
            dict.fromkeys(("modisco.h5", "motifs.tsv", "motifs.json", "motifs.html"), f"evaluation/modisco_{head}/"),
            "bias",
            "main",
            "ensemble",
        ),
    )
    for head in HEADS
}
"""By what was explained."""

HITS = {
    head: Step(
        name=f"motif_hits_{head}",
        version=1,
        title=f"Find motif hits, {head}",
        inputs=HitsInputs[Source],
        parameters=HitsParameters,
        body=_find_hits,
        outputs=published({_HITS_FILE: f"evaluation/modisco_{head}/"}, "main", "ensemble"),
    )
    for head in HEADS
}
"""By what was explained."""
