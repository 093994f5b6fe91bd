"""Pictures of the library: fragment sizes, insertions by chromosome, transcription starts, reads in regions; the fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chrombpnet_core._types import AnyArray
from chrombpnet_core.evaluation import NUCLEOSOME, TSS_BIN, TSS_EDGE, ChromosomeCounts, FragmentSizes, StartSites
from chrombpnet_core.plots import LIGHT, legend_above, one_panel, styled

__all__ = [
    "MOST_CHROMOSOMES",
    "SPLIT_COLOURS",
    "chromosomes_of_fold",
    "fragment_sizes",
    "insertions_by_chromosome",
    "reads_in_regions",
    "tss_profile",
]

SPLIT_COLOURS = {"training": "chance", "validation": "bias", "test": "full"}
"""Part of a fold → its colour."""

MOST_CHROMOSOMES = 30
"""That have a row of their own in a picture: the longest."""

_WIDTH = 3.28  # inches
_LADDER = 4  # nucleosomes


@styled
def fragment_sizes(fragments: FragmentSizes) -> Figure:
    """Draw the distribution of fragment lengths, and lines at whole numbers of nucleosomes.

    Parameters
    ----------
    fragments
        Numbers by length.

    Returns
    -------
    Figure
        One panel; fragments above 1,000 bp are not shown.
    """
    figure, axes = one_panel(_WIDTH, 2.4)
    shares = 100 * np.array(fragments.counts[:-1]) / fragments.total
    for number in range(1, _LADDER + 1):
        axes.axvline(number * NUCLEOSOME, color=LIGHT["muted"], lw=0.7, ls=(0, (3, 3)), zorder=0)
        place = (number * NUCLEOSOME, 1)
        axes.annotate(f"{place[0]}", place, (0, 2), ("data", "axes fraction"), "offset points", ha="center")
    axes.fill_between(np.arange(len(shares)), shares, color=LIGHT["full"], alpha=0.25, lw=0, step="mid")
    axes.plot(np.arange(len(shares)), shares, color=LIGHT["full"], lw=1.1)
    axes.set(xlim=(0, _last_shown(shares)), ylim=(0, None), xlabel="fragment length (bp)", ylabel="% of fragments")
    return figure


def _last_shown(shares: AnyArray) -> int:
    """Find the length that all but one in a thousand fragments are below, but five nucleosomes at least."""
    within = np.cumsum(shares) < 0.999 * shares.sum()
    return max(int(within.sum()), (_LADDER + 1) * NUCLEOSOME)


@styled
def insertions_by_chromosome(chromosomes: Mapping[str, ChromosomeCounts]) -> Figure:
    """Draw insertions per kilobase of each chromosome; of more than 30, the longest ones."""
    shown = _rows(chromosomes)
    densities = [1000 * chromosomes[name].insertions / chromosomes[name].length for name in shown]
    whole = 1000 * sum(row.insertions for row in chromosomes.values()) / sum(row.length for row in chromosomes.values())
    figure, axes = one_panel(_WIDTH, _height(shown))
    axes.barh(range(len(shown)), densities, color=LIGHT["observed"], height=0.7)
    axes.axvline(whole, color=LIGHT["muted"], lw=0.8, ls=(0, (3, 3)))
    axes.set(yticks=range(len(shown)), yticklabels=shown, xlabel="insertions per kb", ylim=(len(shown) - 0.4, -0.6))
    if densities and max(densities) > 20 * np.median(densities) > 0:  # such as of a mitochondrion
        axes.set_xscale("log")
    axes.tick_params(axis="y", length=0)
    return figure


@styled
def chromosomes_of_fold(chromosomes: Mapping[str, ChromosomeCounts], splits: Mapping[str, Sequence[str]]) -> Figure:
    """Draw the chromosomes by their length, coloured by the part of the fold; of more than 30, the longest ones."""
    shown = _rows(chromosomes)
    part_of = {name: part for part, names in splits.items() for name in names}
    figure, axes = one_panel(_WIDTH, _height(shown) + 0.25)
    axes.barh(
        range(len(shown)),
        [chromosomes[name].length / 1e6 for name in shown],
        color=[LIGHT[SPLIT_COLOURS.get(part_of.get(name, ""), "rule")] for name in shown],
        height=0.7,
    )
    axes.set(yticks=range(len(shown)), yticklabels=shown, xlabel="length (Mb)", ylim=(len(shown) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    parts = [part for part in SPLIT_COLOURS if splits.get(part)]
    patches = [Patch(color=LIGHT[SPLIT_COLOURS[part]], label=part) for part in parts]
    if any(name not in part_of for name in shown):
        patches.append(Patch(color=LIGHT["rule"], label="not in it"))
    legend_above(axes, columns=2, handles=patches)
    return figure


def _rows(chromosomes: Mapping[str, ChromosomeCounts]) -> list[str]:
    """Choose the chromosomes that are shown, in the genome's order."""
    longest = sorted(chromosomes, key=lambda name: -chromosomes[name].length)[:MOST_CHROMOSOMES]
    return [name for name in chromosomes if name in set(longest)]


def _height(shown: Sequence[str]) -> float:
    return 0.155 * len(shown) + 0.6


@styled
def tss_profile(sites: StartSites) -> Figure:
    """Draw the mean profile around transcription starts, as multiples of the background."""
    figure, axes = one_panel(_WIDTH, 2.4)
    middles = np.arange(len(sites.profile)) * TSS_BIN - TSS_EDGE + TSS_BIN / 2
    axes.axhline(1, color=LIGHT["muted"], lw=0.8, ls=(0, (3, 3)), zorder=0)
    axes.axvline(0, color=LIGHT["rule"], lw=1, zorder=0)
    axes.plot(middles, sites.profile, color=LIGHT["corrected"], lw=1.2)
    if sites.enrichment is not None and sites.position is not None:
        axes.plot(sites.position, sites.enrichment, "o", ms=5, mfc="none", mec=LIGHT["corrected"])
    axes.set(xlim=(-TSS_EDGE, TSS_EDGE), ylim=(0, None), xlabel="distance to the start (bp)", ylabel="enrichment")
    return figure


@styled
def reads_in_regions(counts: Mapping[str, AnyArray]) -> Figure:
    """Draw how many reads peaks and nonpeaks have, each distribution scaled to its own number of regions."""
    figure, axes = one_panel(_WIDTH, 2.4)
    logs = {name: np.log1p(values) for name, values in counts.items()}
    bins = np.linspace(0, max(float(values.max()) for values in logs.values()) or 1.0, 61).tolist()
    for name, values in logs.items():
        colour = LIGHT["full" if name == "peaks" else "chance"]
        weights = np.full(len(values), 100 / len(values))
        axes.hist(values, bins, weights=weights, color=colour, alpha=0.55, label=name, histtype="stepfilled", lw=0)
        axes.axvline(float(np.median(values)), color=colour, lw=1.4)
    axes.set(xlabel="ln(1 + reads)", ylabel="% of regions", xlim=(0, bins[-1]))
    legend_above(axes)
    return figure
