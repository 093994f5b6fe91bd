"""Where motifs contribute: sites of TF-MoDISco's patterns in the contributions of every region.

A window of a region is compared with a pattern's contribution weights (CWM), unit length, both strands: their product is the
*strength* with which the window contributes as the pattern does, and divided by the window's own size it is their
*similarity*, the cosine. A window is a site where both are at least what all but 2 % of the pattern's own sites reach. Where
sites overlap the stronger stays. What only looks like a motif, and contributes nothing, is no site.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from chrombpnet_core._types import Codes, Floats, Ints
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.genome import centres
from chrombpnet_core.motifs.contribution_windows import contributions_shape, read_contribution_windows
from chrombpnet_core.motifs.patterns import informative_positions, pattern_names, read_pattern_data

__all__ = ["HIT_COLUMNS", "HitTemplate", "find_motif_hits", "read_hit_templates", "scan_regions", "write_motif_hits"]

HIT_COLUMNS = ["chrom", "start", "end", "name", "score", "strand", "pattern", "similarity", "contribution", "region"]
"""Columns of the BED of hits: ``score`` is 1000 × similarity, ``contribution`` the sum over the site's bases, ``region`` the
row of the contributions, from 0."""

_MISSED = 0.02  # share of a pattern's own sites that either threshold leaves out
_LEAST_SIMILARITY = 0.5
_CHROMOSOME = 1 << 40  # bp between the beginnings of chromosomes on one line


@dataclass(frozen=True)
class HitTemplate:
    """The weights and thresholds by which a pattern's sites are found.

    Attributes
    ----------
    pattern
        Such as ``pos_patterns.pattern_0``.
    weights
        Its trimmed CWM scaled to a sum of squares of 1, ``(n, 4)``.
    strength, similarity
        The least that a site must have.
    """

    pattern: str
    weights: Floats = field(repr=False)
    strength: float
    similarity: float


def read_hit_templates(patterns: str | os.PathLike[str]) -> list[HitTemplate]:
    """Make a template of each pattern in TF-MoDISco's HDF5, with thresholds from the pattern's own seqlets.

    Parameters
    ----------
    patterns
        The HDF5 file.

    Returns
    -------
    list of HitTemplate
        In the order of the file; a pattern without contributions has none.

    Raises
    ------
    InputError
        Where the file has another form.
    """
    templates = []
    with open_hdf5(patterns, "patterns of TF-MoDISco") as file:
        for name in pattern_names(file):
            cwm = read_pattern_data(file, name, "contrib_scores", (None, 4))
            sites = read_pattern_data(file, name, "seqlets/contrib_scores", (None, len(cwm), 4))
            core = informative_positions(cwm)
            size = np.linalg.norm(cwm[core])
            if not size or not len(sites):
                continue
            weights = cwm[core] / size
            strengths = (sites[:, core] * weights).sum(axis=(1, 2))
            sizes = np.linalg.norm(sites[:, core], axis=(1, 2))
            similarities = strengths / np.where(sizes > 0, sizes, 1)
            strength, similarity = (float(np.quantile(values, _MISSED)) for values in (strengths, similarities))
            least = float(np.min(strengths[strengths > 0], initial=np.inf))
            templates.append(HitTemplate(name, weights, max(strength, least), max(similarity, _LEAST_SIMILARITY)))
    return templates


def scan_regions(
    codes: Codes, scores: Floats, templates: Sequence[HitTemplate]
) -> tuple[Ints, Ints, Ints, Ints, Floats, Floats]:
    """Find all windows that reach a template's thresholds; of several that begin at one base the strongest.

    Parameters
    ----------
    codes
        Base codes, uint8 ``(k, L)``.
    scores
        Contribution of each base, float32 ``(k, L)``.
    templates
        At least one.

    Returns
    -------
    row, start, template, strand, strength, similarity : numpy.ndarray
        Each ``(m,)``: row, first base, number of the template, strand (0 forward, 1 reverse), strength and similarity.
    """
    from chrombpnet_core.motifs._hit_search import scan

    both = [weights for template in templates for weights in (template.weights, template.weights[::-1, ::-1])]
    lengths = np.array([len(weights) for weights in both])
    packed = np.zeros((lengths.sum(), 5), dtype=np.float32)  # the fifth base is any other, and weighs nothing
    packed[:, :4] = np.concatenate(both)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    floors = np.repeat([[template.strength, template.similarity] for template in templates], 2, axis=0).astype(np.float32)
    best = np.zeros(codes.shape, dtype=np.float32)
    which = np.full(codes.shape, -1, dtype=np.int32)
    similarity = np.zeros(codes.shape, dtype=np.float32)
    scan(codes, scores, packed, begins, floors, best, which, similarity)
    rows, starts = np.nonzero(which >= 0)
    oriented = which[rows, starts]
    return rows, starts, oriented // 2, oriented % 2, best[rows, starts], similarity[rows, starts]


def find_motif_hits(
    contributions: str | os.PathLike[str],
    regions: pd.DataFrame,
    templates: Sequence[HitTemplate],
    names: Mapping[str, str] | None = None,
    *,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> pd.DataFrame:
    """Find the sites of patterns in every region, on whole chromosomes without overlap.

    Parameters
    ----------
    contributions
        HDF5 with ``raw/seq`` and ``shap/seq``, each ``(N, 4, L)``.
    regions
        Region table, row by row those of the contributions, which are L bp around the regions' centres.
    templates
        Of :func:`read_hit_templates`.
    names
        Pattern → what the column ``name`` calls it; by default the pattern.
    on_rows
        Called with the number of regions of each finished batch, for progress.

    Returns
    -------
    pandas.DataFrame
        Table of :data:`HIT_COLUMNS`, by chromosome and place.

    Raises
    ------
    InputError
        Where the file does not hold contributions, or not those of the regions.
    """
    tables = [_no_hits()]
    with open_hdf5(contributions, "contributions") as file:
        rows, length = contributions_shape(file)
        if rows != len(regions):
            raise InputError(
                f"{contributions} holds {counted(rows, 'regions')}",
                expected="one line of the regions for each",
                found=f"{len(regions):,}",
                remedy="give the *.interpreted_regions.bed of the same run",
            )
        places = regions[["chrom"]].assign(start=centres(regions) - length // 2)
        for members, bases, hypothetical in read_contribution_windows(file, length):
            if templates:
                tables.append(_hits_in(places.iloc[members], members.start, bases, hypothetical, templates))
            on_rows(len(bases))
    hits = _without_overlap(pd.concat(tables[1:] or tables, ignore_index=True))
    if names:
        hits["name"] = hits["pattern"].map(lambda pattern: names.get(pattern, pattern))
    return hits[HIT_COLUMNS]


def _hits_in(
    places: pd.DataFrame, first: int, bases: Floats, hypothetical: Floats, templates: Sequence[HitTemplate]
) -> pd.DataFrame:
    """Sites in some regions, which may overlap; ``first`` is the row of the first region among all."""
    codes = np.where(bases.any(axis=2), bases.argmax(axis=2), 4).astype(np.uint8)
    scores = (bases * hypothetical).sum(axis=2)
    row, offset, template, strand, strength, similarity = scan_regions(codes, scores, templates)
    lengths = np.array([len(template.weights) for template in templates])
    total = np.pad(np.cumsum(scores, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    start = places["start"].to_numpy()[row] + offset
    patterns = np.array([template.pattern for template in templates], dtype=object)[template]
    rounded = similarity.astype(np.float64)
    return pd.DataFrame(
        {
            "chrom": places["chrom"].to_numpy()[row],
            "start": start,
            "end": start + lengths[template],
            "name": patterns,
            "score": np.clip(np.rint(1000 * rounded), 0, 1000).astype(int),
            "strand": np.array(["+", "-"], dtype=object)[strand],
            "pattern": patterns,
            "similarity": rounded,
            "contribution": total[row, offset + lengths[template]] - total[row, offset],
            "region": row + first,
            "strength": strength,
        }
    )


def _no_hits() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in [*HIT_COLUMNS, "strength"]})


def _without_overlap(hits: pd.DataFrame) -> pd.DataFrame:
    """Keep the strongest sites of those that overlap, in the order of the genome."""
    if hits.empty:
        return hits
    from chrombpnet_core.motifs._hit_search import block_overlapping

    hits = hits.sort_values(["chrom", "start", "end", "strand", "region"], kind="stable", ignore_index=True)
    line = hits["chrom"].ne(hits["chrom"].shift()).cumsum().to_numpy(dtype=np.int64) * _CHROMOSOME
    starts, ends = line + hits["start"].to_numpy(np.int64), line + hits["end"].to_numpy(np.int64)
    order = np.argsort(-hits["strength"].to_numpy(), kind="stable")
    strongest = block_overlapping(starts, ends, order, int((ends - starts).max()))
    return hits.iloc[np.flatnonzero(strongest)].reset_index(drop=True)


def write_motif_hits(hits: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write hits as BED6 and four columns more (:data:`HIT_COLUMNS`), without a header.

    Parameters
    ----------
    hits
        Of :func:`find_motif_hits`.
    path
        Where they go.
    """
    rounded = hits.assign(
        similarity=hits["similarity"].map("{:.3f}".format), contribution=hits["contribution"].map("{:.5g}".format)
    )
    rounded.to_csv(path, sep="\t", header=False, index=False)
