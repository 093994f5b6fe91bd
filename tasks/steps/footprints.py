"""What a model predicts around motifs put into background: footprints, their pictures, verdicts on enzyme motifs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import counted
from chrombpnet_core.evaluation import (
    CONTROL,
    FOOTPRINT_TAXA,
    Footprint,
    background_sequences,
    bias_response,
    bias_verdict,
    enzyme_footprint_motifs,
    marginal_footprints,
    motif_file_name,
    motifs_by_enzyme,
    name_motifs,
    read_footprint_motifs,
    tf_footprint_motifs,
    write_footprints,
)
from chrombpnet_core.genome import ASSAYS, likely_taxon, read_fold, read_regions
from chrombpnet_core.progress import bar
from tasks.runner import At, Result, Source, Step, Work
from tasks.steps.genome import GenomeInputs, GenomeParameters, reference

__all__ = ["FOOTPRINTS", "FootprintsInputs", "FootprintsParameters", "footprint_files"]

log = logging.getLogger(__name__)

_FOOTPRINTS, _PICTURE, _RESPONSE, _PAGE = "footprints.h5", ".footprint.png", "max_bias_response.txt", "footprints.html"


@dataclass(frozen=True, kw_only=True)
class FootprintsInputs(GenomeInputs[At]):
    """A model, regions, and the fold whose test chromosomes' regions are taken as background.

    Without ``motifs``, a table of names and sequences, those of both enzymes and of transcription factors are taken.
    """

    model: At
    regions: At
    fold: At
    motifs: At | None = None


@dataclass(frozen=True, kw_only=True)
class FootprintsParameters(GenomeParameters):
    """``ylim`` as :func:`~chrombpnet_core.plots.read_limits` gives it; ``taxon`` of :data:`FOOTPRINT_TAXA`.

    Without a taxon it is guessed from the genome's chromosomes.
    """

    batch_size: int = 64
    ylim: Any = None
    taxon: str | None = None


_Drawing = Work[FootprintsInputs[Path], FootprintsParameters]


def _draw(work: _Drawing) -> None:
    """Put motifs into every region on the fold's test chromosomes and average what a model predicts around them."""
    naming = work.parameters.naming
    with reference(work.inputs, naming) as (genome, sizes):
        motifs = name_motifs(read_footprint_motifs(work.inputs.motifs) if work.inputs.motifs else _built_in(work, sizes))
        regions = read_regions(work.inputs.regions, "regions", sizes, naming)
        chroms = read_fold(work.inputs.fold, sizes, naming).test
        device = find_device()
        from chrombpnet_core.models import Predictor, lengths_of, load_model

        model = load_model(work.inputs.model)
        codes, left_out = background_sequences(genome, regions, chroms, lengths_of(model)[0])
    if left_out:
        log.info("left out, too near a chromosome end for the model's input: %s", counted(left_out, "regions"))
    log.info("footprints of %s over %s on %s", counted(len(motifs), "motifs"), counted(len(codes), "sequences"), device)
    batch_size = work.parameters.batch_size
    with bar("footprints", len(codes) * (len(motifs) + 1), "sequences") as progress:
        footprints = marginal_footprints(Predictor(model, batch_size), codes, motifs, batch_size, on_batch=progress.update)
    write_footprints(footprints, work.out / _FOOTPRINTS)
    work.facts |= {"sequences": len(codes), "at_edges": left_out, "maxima": bias_response(footprints)}
    _judge(work, footprints)
    pictures = _draw_pictures(work, motifs, footprints)
    _write_page(work, motifs, footprints, pictures)


def _built_in(work: _Drawing, sizes: dict[str, int]) -> list[tuple[str, str]]:
    """Names and sequences of both enzymes' motifs and of the transcription factors', of the taxon asked for or likely."""
    told = work.parameters.taxon
    taxon = told or likely_taxon(sizes) or FOOTPRINT_TAXA[0]
    why = "as asked for" if told else "by the names of the chromosomes; another `taxon` can be given"
    log.info("motifs of transcription factors: those of %s, %s", taxon, why)
    work.facts["taxon"] = taxon
    enzymes = [motif for assay in ASSAYS for motif in enzyme_footprint_motifs(assay).items()]
    return [*enzymes, *tf_footprint_motifs(taxon)]


def _draw_pictures(work: _Drawing, motifs: dict[str, str], footprints: dict[str, Footprint]) -> dict[str, str]:
    """Write a picture of each motif; the same as SVG for the page."""
    from chrombpnet_core.plots import motif_footprint, write_png, write_svg

    control = footprints[CONTROL]
    pictures: dict[str, str] = {}
    for name, letters in motifs.items():
        found = footprints[name]
        figure = motif_footprint(
            name, letters, found.profile, control.profile, work.parameters.ylim, errors=(found.error, control.error)
        )
        write_png(figure, work.out / f"{motif_file_name(name)}{_PICTURE}")
        pictures[name] = write_svg(figure, f"footprint-{len(pictures)}", f"Footprint of {name}")
    return pictures


def _write_page(work: _Drawing, motifs: dict[str, str], footprints: dict[str, Footprint], pictures: dict[str, str]) -> None:
    from chrombpnet_core.report import render_footprints

    taxon = work.facts.get("taxon")
    about = (
        f"The model's predictions, averaged over {work.facts['sequences']:,} sequences of the regions on the fold's test "
        "chromosomes, with each motif put into their middle and without it. Motifs: "
        + (f"those that Tn5 and DNase I prefer, and transcription factors of {taxon}." if taxon else "your own.")
    )
    responses = {enzyme: bias_response(footprints, names) for enzyme, names in motifs_by_enzyme(motifs).items()}
    (work.out / _PAGE).write_text(render_footprints(about, motifs, footprints, pictures, responses), encoding="utf-8")


def _judge(work: _Drawing, footprints: dict[str, Footprint]) -> None:
    """Write a verdict for each enzyme whose motifs are there; its name begins the file's where there are two."""
    found = motifs_by_enzyme(name for name in footprints if name != CONTROL)
    for enzyme, names in found.items():
        verdict = bias_verdict(bias_response(footprints, names))
        (work.out / (f"{enzyme}_{_RESPONSE}" if len(found) > 1 else _RESPONSE)).write_text(verdict.text + "\n")
        work.facts[f"{enzyme}_response"] = verdict.text
        log.info(
            "bias of %s: %scorrected (highest footprint %.3f)",
            enzyme,
            "" if verdict.corrected else "not ",
            max(verdict.responses.values()),
        )


def footprint_files(result: Result, name: str) -> dict[str, Path]:
    """Name the files of :data:`FOOTPRINTS` as the user gets them.

    Parameters
    ----------
    result
        Of the step.
    name
        Begins the names, such as ``NAME_footprints.h5``, ``NAME_footprints.html``, ``NAME.<motif>.footprint.png`` and
        ``NAME_max_bias_response.txt``, unless it is empty.

    Returns
    -------
    dict
        Name → local path.
    """

    def named(file: str) -> str:
        return f"{name}{'.' if file.endswith(_PICTURE) else '_'}{file}" if name else file

    return {named(file): result.file(file) for file in result.manifest["files"]}


FOOTPRINTS = Step(
    name="footprints",
    version=3,
    title="Draw footprints",
    inputs=FootprintsInputs[Source],
    parameters=FootprintsParameters,
    body=_draw,
)
