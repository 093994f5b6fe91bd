"""The page of a motif search: each pattern's logos beside those of the known motifs that are most like it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from chrombpnet_core._types import Floats
from chrombpnet_core.genome import information_content
from chrombpnet_core.motifs import MAX_MATCH_Q, MIN_MATCH_SIMILARITY, DiscoveredMotif, MotifMatch
from chrombpnet_core.plots import draw_logo, write_svg
from chrombpnet_core.report.content import format_q_value
from chrombpnet_core.report.html import render_page

__all__ = ["MOTIF_KINDS", "logo_svg", "render_motifs"]

MOTIF_KINDS = {"tf": "Transcription factor", "enzyme": "Enzyme", "unmatched": "No match"}
"""Kind of a motif, as :attr:`~chrombpnet_core.motifs.DiscoveredMotif.kind` names it → words."""

_LEAST = 0.02  # of the highest stack: letters that are lower would not be seen
_LETTER_WIDTH, _HEIGHT = 0.17, 0.72  # inches


def render_motifs(rows: Sequence[DiscoveredMotif], title: str, about: str) -> str:
    """Render the page.

    Parameters
    ----------
    rows
        Of :func:`~chrombpnet_core.motifs.match_patterns`; may be empty.
    title
        What was explained, such as ``Motifs of profile contributions``.
    about
        A sentence on what was searched and compared with.

    Returns
    -------
    str
        HTML that stands alone: logos are SVG within it.
    """
    counts = Counter(row.kind for row in rows)
    return render_page(
        "motifs.html.j2",
        title=title,
        about=about,
        patterns=[_pattern(row) for row in rows],
        threshold=MAX_MATCH_Q,
        similarity=MIN_MATCH_SIMILARITY,
        counts=[(words, counts[kind]) for kind, words in MOTIF_KINDS.items()],
    )


def logo_svg(heights: Floats, name: str, alt: str) -> Markup:
    """Draw a logo without axes, as an ``<svg>`` element.

    Parameters
    ----------
    heights
        Letter heights, ``(n, 4)``.
    name
        Unique in the page.
    alt
        What it shows, read out.

    Returns
    -------
    Markup
        The element.
    """
    shown = np.where(np.abs(heights) >= _LEAST * np.abs(heights).sum(axis=1).max(), heights, 0.0)
    figure = Figure(figsize=(_LETTER_WIDTH * len(heights), _HEIGHT), facecolor="none")
    axes = figure.add_axes((0, 0, 1, 1))
    draw_logo(axes, shown)
    axes.set_axis_off()
    return Markup(write_svg(figure, name.replace(".", "-"), alt))


def _pattern(row: DiscoveredMotif) -> dict[str, Any]:
    """Gather what the template shows of a pattern."""
    group, _, name = row.pattern.partition(".")
    effect = "raises" if group == "pos_patterns" else "lowers"
    return {
        "name": name.replace("_", " ").capitalize() + f" ({effect} the prediction)",
        "id": row.pattern,
        "kind": row.kind,
        "kind_words": MOTIF_KINDS[row.kind],
        "seqlets": f"{row.seqlets:,}",
        "contribution": f"{row.contribution:+.3g}".replace("-", "−"),
        "matches": [_match(match, f"{row.pattern}-{rank}") for rank, match in enumerate(row.matches)],
        "forward": logo_svg(row.cwm, f"{row.pattern}-forward", f"Contribution logo of {row.pattern}"),
        "reverse": logo_svg(
            row.reverse, f"{row.pattern}-reverse", f"Contribution logo of {row.pattern}, reverse complement"
        ),
    }


def _match(match: MotifMatch, name: str) -> dict[str, Any]:
    """Gather what the template shows of a known motif."""
    bits = match.pfm * information_content(match.pfm)[:, None]
    return {
        "name": match.name,
        "identifier": match.identifier if match.identifier != match.name else "",
        "q": format_q_value(match.q),
        "called": match.called,
        "logo": logo_svg(bits, name, f"Logo of {match.name}"),
    }
