"""Pictures of what the front door's functions return; ``cbp.plot``."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from chrombpnet_core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chrombpnet_core.api.coverage import ObservedCoverage
    from chrombpnet_core.api.footprints import MarginalFootprint
    from chrombpnet_core.api.results import Contributions, Prediction


Shown: TypeAlias = "Prediction | Contributions | ObservedCoverage | MarginalFootprint"

__all__ = ["footprint", "html_of", "locus"]

_SHOWN_ROWS = 20


def locus(
    predicted: Prediction | None = None,
    observed: ObservedCoverage | None = None,
    contributions: Contributions | None = None,
    *,
    row: int = 0,
) -> Figure:
    """Draw predicted and observed insertions of one region, and contributions of its bases.

    Parameters
    ----------
    predicted
        Of :meth:`Model.predict`; may be left out, as the other two.
    observed
        Of :func:`read_coverage`, for the same region.
    contributions
        Of :meth:`Model.contributions`, for the same region.
    row
        Which region, where they hold several.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each that is given.

    Raises
    ------
    InputError
        Where all are left out, or they are of different regions.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
    >>> predicted = model.predict(genome, "chrA:701")
    >>> observed = cbp.read_coverage("data_unstranded.bw", predicted.region)
    >>> figure = cbp.plot.locus(predicted, observed, model.contributions(genome, "chrA:701"))
    >>> len(figure.axes)
    3
    """
    from chrombpnet_core import plots

    if predicted is None and observed is None and contributions is None:
        raise InputError("nothing to draw", expected="a prediction, observed coverage or contributions")
    chrom, start = "", 0
    middles = set()
    for result in (contributions, observed, predicted):
        if result is not None and result.regions is not None:
            region = result.regions.iloc[row]
            chrom, start = str(region["chrom"]), int(region["start"])
            middles.add((chrom, (start + int(region["end"])) // 2))
    if len(middles) > 1:
        raise InputError(
            "what is to be drawn lies in different places",
            expected="results of one region",
            found=" and ".join(f"{name}:{middle + 1:,}" for name, middle in sorted(middles)),
        )
    return plots.locus(
        None if predicted is None else predicted.track[row],
        None if observed is None else observed.track[row],
        None if contributions is None else contributions.actual[row],
        chrom,
        start,
    )


def footprint(result: MarginalFootprint) -> Figure:
    """Draw a footprint with its motif and without.

    Parameters
    ----------
    result
        Of :func:`marginal_footprint`.

    Returns
    -------
    matplotlib.figure.Figure
        Both curves with their 95 % intervals.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
    >>> figure = cbp.plot.footprint(cbp.marginal_footprint(model, genome, ["chrA:701", "chrB:301"], "TTACCCG"))
    >>> len(figure.axes)
    1
    """
    from chrombpnet_core import plots

    errors = (result.error, result.control_error)
    return plots.motif_footprint(result.motif, result.motif, result.profile, result.control, errors=errors)


def html_of(result: Shown, table: pd.DataFrame) -> str:
    """Return a picture of the first region, and a table, for notebooks."""
    from chrombpnet_core.plots import write_png

    buffer = io.BytesIO()
    write_png(_picture(result), buffer)
    picture = base64.b64encode(buffer.getvalue()).decode()
    more = f"<p>… {len(table) - _SHOWN_ROWS:,} more</p>" if len(table) > _SHOWN_ROWS else ""
    name = html.escape(type(result).__name__)
    image = f'<img alt="{name}" style="max-width: 100%" src="data:image/png;base64,{picture}">'
    return f"{image}{table.head(_SHOWN_ROWS).to_html()}{more}"


def _picture(result: Shown) -> Figure:
    from chrombpnet_core.api.coverage import ObservedCoverage
    from chrombpnet_core.api.results import Contributions, Prediction

    if isinstance(result, Prediction):
        return locus(result)
    if isinstance(result, Contributions):
        return locus(contributions=result)
    if isinstance(result, ObservedCoverage):
        return locus(observed=result)
    return footprint(result)
