"""The simulated genome: random sequence, binding sites written into it, and the peaks around them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chrombpnet_core._types import Codes, Floats
from chrombpnet_core.genome import codes_of, reverse_complement
from chrombpnet_core.simulation.settings import PlantedMotif, SimulationSettings

__all__ = ["call_peaks", "draw_genome", "letters_of", "plant_sites"]

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
_PIECE = 2_000  # bp of one GC content
_FOLLOWS = np.array(  # how much more often a base (column) follows another (row) than by composition; CpG is rare
    [[1.15, 0.9, 1.1, 0.9], [1.15, 1.1, 0.35, 1.15], [1.0, 1.0, 1.1, 0.9], [0.8, 1.0, 1.15, 1.15]]
)
_SITES_OF_LOCUS, _SITE_CHANCES = [1, 2, 3, 4], [0.15, 0.3, 0.35, 0.2]


def letters_of(codes: Codes) -> bytes:
    """Spell base codes as letters."""
    return _LETTERS[codes].tobytes()


def draw_genome(sizes: dict[str, int], rng: np.random.Generator) -> dict[str, Codes]:
    """Draw first-order Markov sequence whose GC content drifts from piece to piece and in which CpG is rare."""
    count = -(-sum(sizes.values()) // _PIECE)
    drift = np.empty(count)
    level = 0.0
    for i, step in enumerate(rng.normal(size=count)):
        level = drift[i] = 0.7 * level + 0.7 * step
    gc = np.clip(0.51 + 0.045 * drift, 0.38, 0.64)[:, None]
    composition = np.hstack([(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
    chances = composition[:, None, :] * _FOLLOWS  # (piece, base before, base)
    cumulated = np.cumsum(chances / chances.sum(axis=2, keepdims=True), axis=2)[:, :, :3]
    codes = np.empty((_PIECE, count), dtype=np.uint8)
    rows, before = np.arange(count), np.zeros(count, dtype=np.int64)
    for i, draw in enumerate(rng.random((_PIECE, count), dtype=np.float32)):
        before = codes[i] = (draw[:, None] > cumulated[rows, before]).sum(axis=1)
    ends = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(codes.T.ravel()[: sum(sizes.values())].copy(), ends), strict=True))


def plant_sites(genome: dict[str, Codes], settings: SimulationSettings, rng: np.random.Generator) -> pd.DataFrame:
    """Write one to four sites per locus into the genome, and return a table of them."""
    sites = []
    for chrom, codes in genome.items():
        count = len(codes) // settings.spacing
        slot = len(codes) / count
        for locus in range(count):
            centre = int(slot * locus + slot / 2 + rng.uniform(-0.2, 0.2) * slot)
            offsets = np.cumsum(rng.integers(60, 150, rng.choice(_SITES_OF_LOCUS, p=_SITE_CHANCES)))
            for offset in offsets - offsets.mean():
                motif = settings.motifs[rng.integers(len(settings.motifs))]
                letters = _draw_site(motif, rng)
                strand = "+-"[rng.integers(2)]
                start = int(centre + offset) - letters.size // 2
                codes[start : start + letters.size] = letters if strand == "+" else reverse_complement(letters)
                spelt = letters_of(letters).decode()
                sites.append((chrom, start, start + letters.size, strand, motif.name, f"{chrom}_{locus}", spelt))
    return pd.DataFrame(sites, columns=["chrom", "start", "end", "strand", "motif", "locus", "sequence"])


def _draw_site(motif: PlantedMotif, rng: np.random.Generator) -> Codes:
    """Draw a site: the consensus with some letters replaced."""
    letters = codes_of(motif.consensus)
    changed = rng.random(letters.size) >= motif.fidelity
    return np.where(changed, (letters + rng.integers(1, 4, letters.size)) % 4, letters).astype(np.uint8)


def call_peaks(sites: pd.DataFrame, accessibility: dict[str, Floats], rng: np.random.Generator) -> pd.DataFrame:
    """Call one peak per locus, 150 bp beyond its outer sites; summits jitter around its middle as a peak caller's would."""
    loci = sites.groupby(["chrom", "locus"], sort=False).agg(first=("start", "min"), last=("end", "max")).reset_index()
    start, end = loci["first"] - 150, loci["last"] + 150
    signal = [float(accessibility[chrom][a:b].max()) for chrom, a, b in zip(loci["chrom"], start, end, strict=True)]
    summit = (end - start) // 2 + np.clip(rng.normal(0, 40, len(loci)), -100, 100).astype(int)
    return pd.DataFrame(
        {
            "chrom": loci["chrom"],
            "start": start,
            "end": end,
            "name": loci["locus"],
            "score": 1000,
            "strand": ".",
            "signal": np.round(signal, 3),
            "pvalue": -1,
            "qvalue": -1,
            "summit": summit,
        }
    )
