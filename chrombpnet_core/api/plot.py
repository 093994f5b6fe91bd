"""Plots of predictions, coverage, contributions and footprints; ``cbp.plot``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chrombpnet_core.api.coverage import ObservedCoverage
    from chrombpnet_core.api.footprints import MarginalFootprint
    from chrombpnet_core.api.results import Contributions, Prediction
    from chrombpnet_core.genome import Transcript


__all__ = ["footprint", "locus", "use_logo_colours"]


def locus(
    predicted: Prediction | None = None,
    observed: ObservedCoverage | None = None,
    contributions: Contributions | None = None,
    *,
    row: int = 0,
    genes: Sequence[Transcript] | None = None,
) -> Figure:
    """Plot predicted and observed insertions of one region, and the contributions of its bases.

    Parameters
    ----------
    predicted
        Result of :meth:`Model.predict`. Any of the three results may be left out.
    observed
        Result of :func:`read_coverage` for the same region.
    contributions
        Result of :meth:`Model.contributions` for the same region.
    row
        Which region to plot if the results have several; the first is 0.
    genes
        Result of :func:`read_genes`: exons, introns, strand and names of the region's genes are drawn below the insertions.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each result given, and one for the genes.

    Raises
    ------
    InputError
        If no result is given, one is given in place of another, or the results are of different regions.

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

    _require_kinds(predicted, observed, contributions)
    if predicted is None and observed is None and contributions is None:
        raise InputError("nothing to draw", expected="a prediction, observed coverage or contributions")
    chrom, start = _place([contributions, observed, predicted], row)
    return plots.locus(
        None if predicted is None else predicted.track[row],
        None if observed is None else observed.track[row],
        None if contributions is None else contributions.actual[row],
        chrom,
        start,
        unit="" if contributions is None else plots.CONTRIBUTION_UNITS[contributions.head],
        genes=genes,
    )


def use_logo_colours(name: str) -> None:
    """Choose the colours of A, C, G and T in all plots from now on.

    ``$CHROMBPNET_LOGO_COLOURS`` chooses them for commands.

    Parameters
    ----------
    name
        ``classic``, or ``okabe-ito``, which the colour blind can tell apart.

    Raises
    ------
    InputError
        If there are none of that name.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> cbp.plot.use_logo_colours("okabe-ito")
    >>> cbp.plot.use_logo_colours("classic")
    """
    from chrombpnet_core import plots

    plots.use_logo_colours(name)


def footprint(result: MarginalFootprint) -> Figure:
    """Plot the mean predicted profile with and without the motif.

    Parameters
    ----------
    result
        Result of :func:`marginal_footprint`.

    Returns
    -------
    matplotlib.figure.Figure
        Both curves with their 95 % confidence intervals.

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


def _require_kinds(*given: object) -> None:
    """Refuse what is given in place of another, such as contributions as the second."""
    kinds = {"predicted": "Prediction", "observed": "ObservedCoverage", "contributions": "Contributions"}
    for (name, kind), value in zip(kinds.items(), given, strict=True):
        if value is not None and type(value).__name__ != kind:
            raise InputError(f"`{name}` is of type {type(value).__name__}", expected=kind)


def _place(results: Sequence[Prediction | ObservedCoverage | Contributions | None], row: int) -> tuple[str, int]:
    """Return where the last of the results begins, which must have one middle; nowhere for bare sequences."""
    chrom, start, middles = "", 0, set()
    for result in results:
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
    return chrom, start
