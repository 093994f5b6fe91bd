"""The page of marginal footprints: what a model predicts around each motif, as pictures and as a table."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from chrombpnet_core.evaluation import CONTROL, MAX_BIAS_RESPONSE, Footprint, bias_verdict
from chrombpnet_core.report.html import render_page

__all__ = ["render_footprints"]

_ENZYMES = {"tn5": "Tn5", "dnase": "DNase I"}


def render_footprints(
    about: str,
    motifs: Mapping[str, str],
    footprints: Mapping[str, Footprint],
    pictures: Mapping[str, str],
    responses: Mapping[str, Mapping[str, float]],
) -> str:
    """Render the page.

    Parameters
    ----------
    about
        A sentence or two on the model, the sequences and the motifs.
    motifs
        Name → sequence, in the order shown.
    footprints
        Name → footprint; that of ``control`` has no motif.
    pictures
        Name → ``<svg>`` element.
    responses
        Enzyme → motif → the highest point of its footprint, of the enzymes whose motifs are there.

    Returns
    -------
    str
        HTML that stands alone.
    """
    control = footprints[CONTROL]
    rows = [
        {
            "name": name,
            "letters": letters,
            "highest": f"{footprints[name].profile.max():.4f}",
            "counts": _change(footprints[name].counts, control.counts),
            "picture": Markup(pictures[name]),
        }
        for name, letters in motifs.items()
    ]
    verdicts = [(_ENZYMES[enzyme], bias_verdict(maxima).corrected) for enzyme, maxima in responses.items()]
    return render_page(
        "footprints.html.j2",
        title="Marginal footprints",
        about=about,
        rows=rows,
        without=f"{control.profile.max():.4f}",
        verdicts=verdicts,
        threshold=MAX_BIAS_RESPONSE,
    )


def _change(counts: float, before: float) -> str:
    """Put in words by how much a motif changes the predicted insertions."""
    if before <= 0:
        return "–"
    return f"{100 * (counts / before - 1):+.0f} %".replace("-", "−").replace("+0 %", "0 %").replace("−0 %", "0 %")
