"""Motifs in contributions, and where they lie: TF-MoDISco, its patterns' matches and page, hits as BED."""

from __future__ import annotations

import logging
from pathlib import Path

from chrombpnet_core.concurrency import in_own_process
from chrombpnet_core.motifs import DEFAULT_DATABASE, is_jaspar, jaspar_release, read_database
from tasks.runner import Result, Work, run_step, step_task

__all__ = ["find_hits", "find_motifs", "hit_files", "motif_files"]

log = logging.getLogger(__name__)

HITS = "hits.bed"
_WORDS = {"tf": "of transcription factors", "enzyme": "of the enzyme", "unmatched": "like no known motif"}


@step_task("Find motifs")
def find_motifs(
    store: str,
    contributions: Result | str,
    name: str = "profile",
    max_seqlets: int = 50_000,
    window: int = 500,
    n_leiden: int = 2,
    motifs: str = DEFAULT_DATABASE,
    seed: int | None = 1234,
    verbose: bool = False,
) -> Result:
    """Find motifs in contributions with TF-MoDISco and compare them with known ones.

    The result holds TF-MoDISco's HDF5, and the table of patterns as TSV, JSON and HTML page. ``contributions`` is the step
    that made ``<name>_scores.h5``, or the address of such a file; ``name``, profile or counts, is what was explained.
    ``motifs`` is ``jaspar:<taxon>`` or the address of a MEME file. Other arguments are as in
    :func:`~chrombpnet_core.motifs.find_patterns`.
    """
    from_jaspar = is_jaspar(motifs)
    if from_jaspar:
        read_database(motifs)  # an unknown taxon is told before anything runs
    return run_step(
        store,
        f"motifs_{name}",
        1,
        {"contributions": contributions, "motifs": None if from_jaspar else motifs},
        {
            "name": name,
            "max_seqlets": max_seqlets,
            "window": window,
            "n_leiden": n_leiden,
            "seed": seed,
            "motifs": f"{motifs} {jaspar_release()}" if from_jaspar else None,
        },
        lambda work: _find(work, verbose),
    )


@step_task("Find motif hits")
def find_hits(
    store: str, contributions: Result | str, regions: str | None, motifs: Result | str, name: str = "profile"
) -> Result:
    """Find the sites of found motifs in the contributions of every region and write them as BED.

    ``contributions`` is the step that made ``<name>_scores.h5`` and ``interpreted_regions.bed``, or the address of such a
    file with that of its ``regions``. ``motifs`` is the step :func:`find_motifs`, whose matches then name the sites, or the
    address of TF-MoDISco's HDF5. The BED's columns are :data:`~chrombpnet_core.motifs.HIT_COLUMNS`.
    """
    return run_step(
        store,
        f"motif_hits_{name}",
        1,
        {"contributions": contributions, "regions": regions, "motifs": motifs},
        {"name": name},
        _find_hits,
    )


def hit_files(result: Result, name: str) -> dict[str, Path]:
    """The file of :func:`find_hits` as the user gets it, ``NAME_hits.bed``, with its local path."""
    return {f"{name}_{HITS}" if name else HITS: result.file(HITS)}


def _find_hits(work: Work) -> None:
    from chrombpnet_core.genome import read_regions
    from chrombpnet_core.motifs import find_motif_hits as find
    from chrombpnet_core.motifs import read_discovered_motifs, read_hit_templates, write_motif_hits
    from chrombpnet_core.progress import bar
    from chrombpnet_core.report import MODISCO_FILE, MOTIF_ROWS_FILE

    source, motifs = Path(work.inputs["contributions"]), Path(work.inputs["motifs"])
    table = work.inputs.get("regions", source / "interpreted_regions.bed")
    if source.is_dir():
        source = source / f"{work.parameters['name']}_scores.h5"
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
    write_motif_hits(hits, work.out / HITS)
    work.facts |= {"regions": len(regions), "hits": len(hits), "by_pattern": hits["pattern"].value_counts().to_dict()}
    log.info("%s hits of %s motifs in %s regions", f"{len(hits):,}", len(templates), f"{len(regions):,}")


def motif_files(result: Result, name: str) -> dict[str, Path]:
    """Files of :func:`find_motifs` as the user gets them, ``NAME_modisco.h5`` and ``NAME_reports/``, with local paths."""
    beginning = f"{name}_" if name else ""
    return {
        beginning + (file if file.endswith(".h5") else f"reports/{file}"): result.file(file)
        for file in result.manifest["files"]
    }


def _find(work: Work, verbose: bool) -> None:
    from chrombpnet_core.report import search_motifs

    source, parameters = Path(work.inputs["contributions"]), work.parameters
    if source.is_dir():
        source = source / f"{parameters['name']}_scores.h5"
    database = str(work.inputs["motifs"]) if "motifs" in work.inputs else parameters["motifs"].split()[0]
    settings = [parameters[key] for key in ("name", "max_seqlets", "window", "n_leiden", "seed")]
    work.facts |= in_own_process(search_motifs, str(source), str(work.out), database, *settings, verbose, what="TF-MoDISco")
    kinds = [f"{count} {_WORDS[kind]}" for kind, count in work.facts["kinds"].items() if count]
    log.info("motifs: %s", ", ".join(kinds) or "none found")
