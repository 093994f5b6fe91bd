"""What a simulation planted, as it stands in ``truth.json`` and ``truth.npz``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray, Codes, Floats, Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import OTHER_BASE, codes_of, reverse_complement
from chrombpnet_core.simulation.genome import letters_of
from chrombpnet_core.simulation.settings import PlantedMotif, SimulationSettings

__all__ = ["GroundTruth", "read_ground_truth", "write_ground_truth"]

_SHUFFLES = 200  # of a consensus, of which the control is one


@dataclass(frozen=True)
class GroundTruth:
    """What was planted.

    Attributes
    ----------
    settings
        Of the simulation, as ``truth.json`` holds them.
    motifs, controls
        Consensus, and a shuffle of it that resembles no planted motif, by name.
    enzyme
        The sequence that the enzyme prefers to all others.
    scores
        The enzyme's log preferences ``(positions, 4)``, see :func:`~chrombpnet_core.simulation.log_preference`.
    sites
        Table of chrom, start, end, strand, motif, locus, sequence.
    accessibility, bias
        Each chromosome's values per base, float32; expected insertions are their product.
    """

    settings: dict[str, Any]
    motifs: dict[str, str]
    controls: dict[str, str]
    enzyme: str
    scores: Floats
    sites: pd.DataFrame
    accessibility: dict[str, Floats] = field(repr=False)
    bias: dict[str, Floats] = field(repr=False)

    def accessibility_around(self, chroms: AnyArray, centres: Ints, width: int) -> Floats:
        """Cut planted accessibility, float32 ``(n, width)``, around places, ``(n,)`` each."""
        starts = np.asarray(centres) - width // 2
        return np.stack(
            [self.accessibility[chrom][start : start + width] for chrom, start in zip(chroms, starts, strict=True)]
        )


def read_ground_truth(path: str | os.PathLike[str], tracks_path: str | os.PathLike[str] | None = None) -> GroundTruth:
    """Read the truth of a simulation.

    Parameters
    ----------
    path
        truth.json.
    tracks_path
        truth.npz; beside it by default.

    Returns
    -------
    GroundTruth
        What was planted.

    Raises
    ------
    InputError
        Where one of the two is absent.
    """
    path = Path(path)
    tracks_path = path.with_suffix(".npz") if tracks_path is None else Path(tracks_path)
    for file in (path, tracks_path):
        if not file.is_file():
            raise InputError(f"{file}: no such file", expected="truth.json and truth.npz, as simulate writes them")
    content = json.loads(path.read_text())
    tracks: dict[str, dict[str, Floats]] = {"accessibility": {}, "bias": {}}
    with np.load(tracks_path, allow_pickle=False) as archive:
        for key in archive.files:
            name, chrom = key.split("/", 1)
            tracks[name][chrom] = archive[key]
    return GroundTruth(
        content["settings"],
        content["motifs"],
        content["controls"],
        content["enzyme"],
        np.array(content["scores"]),
        pd.DataFrame(content["sites"]),
        **tracks,
    )


def write_ground_truth(
    path: Path,
    settings: SimulationSettings,
    shift: tuple[int, int],
    scores: Floats,
    sites: pd.DataFrame,
    tracks: dict[str, dict[str, Floats]],
    rng: np.random.Generator,
) -> None:
    """Write ``truth.json`` and, beside it, the tracks ``accessibility`` and ``bias`` of each chromosome."""
    content = {
        "settings": asdict(settings) | {"shift": list(shift)},
        "motifs": {motif.name: motif.consensus for motif in settings.motifs},
        "controls": {motif.name: _draw_control(motif, settings.motifs, rng) for motif in settings.motifs},
        "enzyme": letters_of(scores.argmax(axis=1).astype(np.uint8)).decode(),
        "scores": scores.round(5).tolist(),
        "sites": sites.to_dict("list"),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    arrays = {f"{name}/{chrom}": track for name, by_chrom in tracks.items() for chrom, track in by_chrom.items()}
    np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **arrays)


def _draw_control(motif: PlantedMotif, motifs: tuple[PlantedMotif, ...], rng: np.random.Generator) -> str:
    """Draw 200 shuffles of a consensus and choose the one that resembles the planted motifs least."""
    shuffles = [rng.permutation(codes_of(motif.consensus)) for _ in range(_SHUFFLES)]
    likeness = [sum(_most_matches(shuffle, codes_of(other.consensus)) ** 4 for other in motifs) for shuffle in shuffles]
    return letters_of(shuffles[int(np.argmin(likeness))]).decode()


def _most_matches(sequence: Codes, motif: Codes) -> int:
    """Most letters of ``motif``, on either strand, that ``sequence`` holds in a row of positions."""
    padded = np.pad(sequence, motif.size, constant_values=OTHER_BASE)
    views = np.lib.stride_tricks.sliding_window_view(padded, motif.size)
    return int(max((views == strand).sum(axis=1).max() for strand in (motif, reverse_complement(motif))))
