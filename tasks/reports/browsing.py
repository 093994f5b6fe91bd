"""What opens a run's tracks in genome browsers: sessions, hubs, and a page of their own beside the results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyBigWig

from chrombpnet_core.genome import Transcript, read_genes
from chrombpnet_core.report import (
    IGV_JS,
    BrowserGenome,
    BrowserPage,
    BrowserPlace,
    browser_tracks,
    igv_json,
    igv_xml,
    known_assembly,
    packed_igv_js,
    render_browser_page,
    ucsc_hub,
    washu_hub,
)
from tasks.runner import Result
from tasks.storage import Store, prefixed_path, stage

__all__ = ["BrowserFiles", "browser_files"]

_SESSION, _SESSION_XML, _HUB, _WASHU = "igv_session.json", "igv_session.xml", "hub.txt", "washu_hub.json"
_PAGE, _GENES, _REPORT = "browser/index.html", "browser/genes.bed", "evaluation/overall_report.html"


@dataclass(frozen=True)
class BrowserFiles:
    """Name in the results → text, and → local file."""

    texts: dict[str, str]
    files: dict[str, Path]


def browser_files(
    files: Mapping[str, Path],
    done: Mapping[str, Result],
    asked: dict[str, Any],
    output: str,
    prefix: str = "",
    assembly: str | None = None,
) -> BrowserFiles:
    """Make what opens the tracks among a run's files.

    Parameters
    ----------
    files
        Path in the results → local path.
    done
        The run's steps by name.
    asked
        What was asked for.
    output
        Folder or address of the results.
    prefix
        Begins the names of all files there.
    assembly
        UCSC's name of the genome; without it those that are common are known by their chromosomes' lengths.

    Returns
    -------
    BrowserFiles
        Nothing where there are no tracks, or no genome.
    """
    sizes = _sizes(files)
    genome = _genome(asked, assembly or known_assembly(sizes))
    genes = {_GENES: _genes(str(asked["genes"]), sizes)} if asked.get("genes") and sizes else {}
    others = [_PAGE, _REPORT, f"browser/{IGV_JS}"]
    paths = {name: "/".join(prefixed_path(name, prefix)) for name in [*files, *genes, *others]}
    tracks = browser_tracks(paths[name] for name in [*files, *genes])
    if not any(path.suffix == ".bw" for path in files.values()) or not (genome.assembly or genome.fasta):
        return BrowserFiles({}, {})
    target, places, title = Store(output), _places(done), str(asked.get("id", ""))
    locus = places[0].locus if places else ""
    texts = genes | {
        _SESSION: igv_json(tracks, genome, locus, "" if target.local else _web_address(target, for_igv=True)),
        _SESSION_XML: igv_xml(tracks, genome, locus),
    }
    if genome.assembly:
        texts[_HUB] = ucsc_hub(tracks, genome.assembly, title)
        texts[_WASHU] = washu_hub(tracks, "" if target.local else _web_address(target))
    igv = {f"browser/{name}": path for name, path in packed_igv_js().items()}
    page = BrowserPage(
        title=title or "ChromBPNet",
        tracks=tracks,
        genome=genome,
        sizes=sizes,
        places=places,
        links={"Report": f"../{quote(paths[_REPORT])}"} if "report" in done else {},
        base="../",
        script=quote(paths[f"browser/{IGV_JS}"].rsplit("/", 1)[-1]) if igv else "",
    )
    return BrowserFiles(texts | {_PAGE: render_browser_page(page)}, igv)


def _web_address(target: Store, for_igv: bool = False) -> str:
    """Write a bucket's address as browsers read it; IGV knows Google's own, and can sign in there."""
    address = target.uri("")
    scheme, _, rest = address.partition("://")
    bucket, _, path = rest.partition("/")
    if scheme == "s3":
        return f"https://{bucket}.s3.amazonaws.com/{quote(path)}"
    if scheme == "gs" and not for_igv:
        return f"https://storage.googleapis.com/{bucket}/{quote(path)}"
    return address


def _genome(asked: dict[str, Any], assembly: str) -> BrowserGenome:
    """Describe the genome for browsers: by name, else the FASTA that was given; a local one's index where it is there."""
    fasta = str(asked.get("genome") or "")
    if assembly or not fasta:
        return BrowserGenome(assembly)
    if "://" in fasta and not fasta.startswith("file://"):
        return BrowserGenome(fasta=fasta, index=f"{fasta}.fai")
    path = Path(fasta.removeprefix("file://")).expanduser().resolve()
    indexes = [f"{path}.fai", *([f"{path}.gzi"] if path.suffix == ".gz" else [])]
    return BrowserGenome(fasta=str(path), index=indexes[0] if all(map(os.path.exists, indexes)) else "")


def _genes(path: str, sizes: Mapping[str, int]) -> str:
    """Write genes as BED12 for browsers, which would take minutes over a whole GTF: of each the transcript of most bases."""
    best: dict[tuple[str, str, str], Transcript] = {}
    for transcript in read_genes(stage(path, "genes")[0], sizes):
        key = transcript.chrom, transcript.strand, transcript.gene
        if key not in best or _bases(transcript) > _bases(best[key]):
            best[key] = transcript
    lines = []
    for gene in sorted(best.values(), key=lambda gene: (gene.chrom, gene.start)):
        starts = ",".join(str(start - gene.start) for start, _ in gene.exons)
        lengths = ",".join(str(end - start) for start, end in gene.exons)
        place = (gene.chrom, gene.start, gene.end, gene.gene, 0, gene.strand, gene.start, gene.start, 0)
        lines.append("\t".join(map(str, (*place, len(gene.exons), lengths, starts))) + "\n")
    return "".join(lines)


def _bases(transcript: Transcript) -> int:
    return sum(end - start for start, end in transcript.exons)


def _sizes(files: Mapping[str, Path]) -> dict[str, int]:
    """Chromosome → length, as the first track has them."""
    for path in files.values():
        if path.suffix == ".bw":
            try:
                with pyBigWig.open(str(path)) as track:
                    return {str(name): int(length) for name, length in track.chroms().items()}
            except RuntimeError:  # not a bigWig
                return {}
    return {}


def _places(done: Mapping[str, Result]) -> list[BrowserPlace]:
    """Find the examples of the report, the best one first; none where nothing was evaluated."""
    for step in ("evaluate_main", "evaluate_bias"):
        if step in done and "examples.npz" in done[step].manifest["files"]:
            with np.load(done[step].file("examples.npz"), allow_pickle=False) as file:
                width = file["observed"].shape[1]
                labels = file["labels"] if "labels" in file else [""] * len(file["starts"])
                return [
                    BrowserPlace(f"{label} peak".strip().capitalize(), str(chrom), int(start), int(start) + width)
                    for label, chrom, start in zip(labels, file["chroms"], file["starts"], strict=True)
                ]
    return []
