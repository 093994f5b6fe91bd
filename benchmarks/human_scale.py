"""What a human data set would take, computed from the rates that one run of the benchmarks measured."""

from __future__ import annotations

import os
from collections.abc import Mapping

BASES = 3.1e9  # hg38, chromosomes 1 to 22, X and Y
FRAGMENTS = 100e6
PEAKS = 250e3
NONPEAKS = 2 * PEAKS  # at most: one a peak on test chromosomes
SPILLED = 4  # bytes a read, as reads.int32 has it
NEEDED = ("start s", "fragments s", "bam s", "large s", "index s", "shards/s")


def plan(found: Mapping[str, float], trial: bool = False) -> list[str]:
    """Lines of measured rates and of what follows from them; one line that says so where steps were left out.

    Parameters
    ----------
    found
        Seconds (``… s``), peak memory (``… MB``), sizes in bytes and numbers of things, as the steps noted them.
    trial
        Whether the data were small ones, whose rates are those of starting and ending.
    """
    if any(name not in found for name in NEEDED):
        return ["human scale: not computed, as not all steps ran"]
    begin = found["start s"]
    per_fragment = max(found["fragments s"] - begin, 0) / found["fragments"]
    per_read = max(found["bam s"] - begin, 0) / found["reads"]
    per_base = max(found["large s"] - begin, 0) / found["large bases"]
    rates = [
        ("start and end of a process", f"{begin:.2f} s"),
        ("fragments", f"{1 / max(per_fragment, 1e-12):,.0f}/s"),
        ("BAM reads", f"{1 / max(per_read, 1e-12):,.0f}/s"),
        ("bases of a bigWig without reads", f"{per_base * 1e9:.2f} s/Gb"),
        ("peak, reads over 3.1 Gb in random order", f"{found['large MB']:,.0f} MB"),
        ("fragments file", f"{found['fragments bytes'] / found['fragments']:.1f} bytes/fragment"),
        ("BAM", f"{found['bam bytes'] / found['reads']:.1f} bytes/read"),
        ("bigWig", f"{found['bigwig bytes'] / found['fragments'] / 2:.2f} bytes/insertion"),
        ("indexing a FASTA", f"{found['index s'] / found['bases'] * 1e9:.1f} s/Gb"),
        ("background, by bases", f"{found['by base s'] / found['bases'] * 1e9:.1f} s/Gb"),
        ("background, by peaks", f"{found['by peak s'] / found['peaks'] * 1e5:.2f} s/100,000 peaks"),
        ("background, peak", f"{found['background MB']:,.0f} MB"),
        ("shards", f"{found['shards/s']:,.0f} regions/s"),
        ("shards, size", f"{found['shard bytes']:,.0f} bytes/region"),
        ("shards, peak", f"{found['shards MB']:,.0f} MB"),
    ]
    lines = [
        f"human scale, measured in this {'TRIAL ' if trial else ''}run on {os.cpu_count()} cores:",
        *(f"  {name:42}{value}" for name, value in rates),
        f"human scale, computed from these: {BASES / 1e9:.1f} Gb, {FRAGMENTS:,.0f} fragments, {PEAKS:,.0f} peaks, "
        f"{NONPEAKS:,.0f} nonpeaks",
        f"  {'':32}{'time':>10}{'memory':>12}{'disk':>10}",
    ]
    stages = _stages(found, begin, per_fragment, per_read, per_base)
    lines += [
        f"  {name:32}{_clock(seconds):>10}{memory:>9,.0f} MB{disk / 1e9:>7.1f} GB" for name, seconds, memory, disk in stages
    ]
    whole = [stage for stage in stages if stage[0] != "BAM → bigWig"]
    lines.append(
        f"  {'all, from fragments':32}{_clock(sum(stage[1] for stage in whole)):>10}"
        f"{max(stage[2] for stage in whole):>9,.0f} MB{sum(stage[3] for stage in whole) / 1e9:>7.1f} GB"
    )
    guess = begin + found["unsorted fragments"] * per_fragment + found["large bases"] * per_base
    lines.append(
        f"  check of the rates: {found['unsorted fragments']:,.0f} unsorted fragments over "
        f"{found['large bases'] / 1e9:.1f} Gb: {guess:.1f} s computed, {found['unsorted s']:.1f} s measured"
    )
    return lines


def _stages(
    found: Mapping[str, float], begin: float, per_fragment: float, per_read: float, per_base: float
) -> list[tuple[str, float, float, float]]:
    """Name, seconds, MB of memory and bytes of disk of each stage."""
    counting = begin + BASES * per_base
    written = 2 * FRAGMENTS * (SPILLED + found["bigwig bytes"] / found["fragments"] / 2)
    # bins and candidates are tables: they grow with the genome, and everything else with the peaks
    grown = max(BASES / found["bases"], PEAKS / found["peaks"])
    table = found["import MB"] + max(found["background MB"] - found["import MB"], 0) * grown
    regions = PEAKS + NONPEAKS
    return [
        ("index of the FASTA", BASES * found["index s"] / found["bases"], found["import MB"], 0),
        ("fragments → bigWig", counting + FRAGMENTS * per_fragment, found["large MB"], written),
        ("BAM → bigWig", counting + 2 * FRAGMENTS * per_read, found["large MB"], written),
        (
            "nonpeaks",
            found["import s"] + BASES * found["by base s"] / found["bases"] + PEAKS * found["by peak s"] / found["peaks"],
            table,
            NONPEAKS * found["nonpeak bytes"],
        ),
        ("shards", regions / found["shards/s"], found["shards MB"], regions * found["shard bytes"]),
    ]


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
