"""A motif search from contributions to its table and page.

The page needs nothing else: logos are inline SVG that follows the reader's light or dark theme.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from chrombpnet_core.motifs.database import JASPAR, LEAST_SIMILARITY, MATCH_BELOW, is_jaspar, jaspar_release, read_database
from chrombpnet_core.motifs.modisco import find_patterns
from chrombpnet_core.motifs.patterns import MotifRow, motif_table, read_motifs, write_rows
from chrombpnet_core.plots.logo import draw_logo, information_content

__all__ = ["MODISCO", "PAGE", "ROWS", "TABLE", "logo_svg", "render_motifs", "search_motifs"]

MODISCO, TABLE, ROWS, PAGE = "modisco.h5", "motifs.tsv", "motifs.json", "motifs.html"
"""Files of a search."""

_KINDS = {"tf": "Transcription factor", "enzyme": "Enzyme", "unmatched": "No match"}
_LEAST = 0.02  # of the highest stack: letters that are lower would not be seen
_BASES_WIDE, _HIGH = 0.17, 0.72  # inches


def search_motifs(
    contributions: str | os.PathLike,
    folder: str | os.PathLike,
    database: str,
    name: str,
    max_seqlets: int,
    window: int,
    n_leiden: int,
    seed: int | None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Find patterns, match them, and write TF-MoDISco's HDF5 and the table as TSV, JSON and HTML page into ``folder``.

    ``database`` is as in :func:`~chrombpnet_core.motifs.database.read_database`, ``name`` says what was explained (profile,
    counts); other arguments are as in :func:`~chrombpnet_core.motifs.modisco.find_patterns`.

    Returns
    -------
    Numbers of the search: what ``find_patterns`` returns, patterns by kind, the database, peak memory in bytes.
    """
    folder, known = Path(folder), read_database(database)
    facts: dict[str, Any] = find_patterns(contributions, folder / MODISCO, max_seqlets, window, n_leiden, seed, verbose)
    rows = read_motifs(folder / MODISCO, known)
    source = f"{jaspar_release()}, {database.removeprefix(JASPAR)}" if is_jaspar(database) else os.path.basename(database)
    facts |= {
        "kinds": {kind: sum(row.kind == kind for row in rows) for kind in _KINDS},
        "database": source,
        "known_motifs": len(known),
        "modisco_lite": version("modisco-lite"),
        "peak_memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    settings = {"name": name, "max_seqlets": max_seqlets, "window": window, "n_leiden": n_leiden, "seed": seed}
    write_rows(rows, folder / ROWS, **settings, **facts)
    (folder / TABLE).write_text("".join("\t".join(row) + "\n" for row in motif_table(rows)), encoding="utf-8")
    about = (
        f"TF-MoDISco looked at {window:,} bp of {facts['regions']:,} regions. Patterns were compared with "
        f"{len(known):,} known motifs: {source}, and those of the enzymes."
    )
    page = render_motifs(rows, f"Motifs of {name} contributions", about)
    (folder / PAGE).write_text(page, encoding="utf-8")
    return facts


def render_motifs(rows: Sequence[MotifRow], title: str, about: str) -> str:
    """The page.

    Parameters
    ----------
    rows
        Of :func:`~chrombpnet_core.motifs.patterns.read_motifs`; may be empty.
    title
        What was explained, such as ``Motifs of profile contributions``.
    about
        A sentence on what was looked at and compared with.
    """
    from chrombpnet_core.plots.style import PALETTE

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    source = resources.files(__package__).joinpath("templates", "motifs.html.j2").read_text(encoding="utf-8")
    counts = Counter(row.kind for row in rows)
    return environment.from_string(source).render(
        title=title,
        about=about,
        palette=PALETTE,
        patterns=[_pattern(row) for row in rows],
        threshold=MATCH_BELOW,
        similarity=LEAST_SIMILARITY,
        counts=[(_KINDS[kind], counts[kind]) for kind in _KINDS],
    )


def _pattern(row: MotifRow) -> dict[str, Any]:
    """What the template shows of a row."""
    group, _, name = row.pattern.partition(".")
    effect = "raises" if group == "pos_patterns" else "lowers"
    matches = [
        {
            "name": match.name,
            "identifier": match.identifier if match.identifier != match.name else "",
            "q": f"{match.q:.1e}" if match.q < 0.001 else f"{match.q:.2g}",
            "called": match.called,
            "logo": _bits_svg(match.pfm, f"{row.pattern}-{k}", f"Logo of {match.name}"),
        }
        for k, match in enumerate(row.matches)
    ]
    return {
        "name": name.replace("_", " ").capitalize() + f" ({effect} the prediction)",
        "id": row.pattern,
        "kind": row.kind,
        "kind_words": _KINDS[row.kind],
        "seqlets": f"{row.seqlets:,}",
        "contribution": f"{row.contribution:+.3g}",
        "matches": matches,
        "forward": logo_svg(row.cwm, f"{row.pattern}-forward", f"Contribution logo of {row.pattern}"),
        "reverse": logo_svg(row.reverse, f"{row.pattern}-reverse", f"The same from the other strand: {row.pattern}"),
    }


def _bits_svg(pfm: np.ndarray, name: str, alt: str) -> Markup:
    return logo_svg(pfm * information_content(pfm)[:, None], name, alt)


def logo_svg(heights: np.ndarray, name: str, alt: str) -> Markup:
    """A logo without axes as an ``<svg>`` element.

    Parameters
    ----------
    heights
        Letter heights, ``(n, 4)``.
    name
        Unique in the page.
    alt
        What it shows, read out.
    """
    from matplotlib.figure import Figure

    from chrombpnet_core.plots.style import PALETTE, write_svg

    seen = np.where(np.abs(heights) >= _LEAST * np.abs(heights).sum(axis=1).max(), heights, 0.0)
    figure = Figure(figsize=(_BASES_WIDE * len(heights), _HIGH), facecolor="none")
    axes = figure.add_axes((0, 0, 1, 1))
    draw_logo(axes, seen)
    axes.set_axis_off()
    for line in axes.get_lines():
        line.set_color(PALETTE["muted"][0])
    return Markup(write_svg(figure, name.replace(".", "-"), alt))
