"""Marginal footprints: what a model predicts, on average, around a motif put into background sequence.

A model that still answers to the enzyme's own motifs has not been freed of the enzyme's bias.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.special import softmax

from chrombpnet_core._types import AnyArray, Codes, Floats
from chrombpnet_core.errors import DivergedError, InputError
from chrombpnet_core.evaluation.footprint_motifs import CONTROL, motif_file_name
from chrombpnet_core.formats import open_hdf5, open_hdf5_to_write
from chrombpnet_core.genome import Genome, centres, codes_of, on_chromosomes, reverse_complement, windows_fit
from chrombpnet_core.models import counts_from_log
from chrombpnet_core.progress import track

__all__ = [
    "STANDARD_ERRORS_95",
    "Footprint",
    "PredictFunction",
    "background_sequences",
    "insert_motif",
    "marginal_footprint",
    "marginal_footprints",
    "read_footprints",
    "write_footprints",
]

PredictFunction: TypeAlias = Callable[[Codes], tuple[AnyArray, AnyArray]]
"""Base codes uint8 ``(n, L)`` to profile logits ``(n, W)`` and log counts ``(n,)`` or ``(n, 1)``."""

STANDARD_ERRORS_95 = 1.96
"""Standard errors on either side of a mean that hold its 95 % confidence interval."""

_READ_AT_ONCE = 1024  # sequences between two looks at the progress


@dataclass(frozen=True)
class Footprint:
    """A marginal footprint.

    Attributes
    ----------
    profile
        float64 ``(W,)``: mean over sequences of the share of cuts at each base, both strands together; its sum is 1.
    counts
        Predicted cuts of a sequence, forward plus reverse complement, mean over sequences.
    error
        float64 ``(W,)``: standard error of ``profile`` over the sequences; None where there are fewer than two.
    """

    profile: Floats
    counts: float
    error: Floats | None = None


def background_sequences(
    genome: Genome, regions: pd.DataFrame, chroms: Sequence[str] | None, width: int
) -> tuple[Codes, int]:
    """Read the sequences that motifs are put into: those of the regions on some chromosomes, at their centres.

    Parameters
    ----------
    genome
        The genome.
    regions
        Region table, usually of nonpeaks.
    chroms
        The fold's test chromosomes; None: all.
    width
        Input length of the model in bp.

    Returns
    -------
    codes : numpy.ndarray
        Base codes, uint8 ``(n, width)``, in the order of ``regions`` (211 MB for 100,000 of 2,114 bp).
    left_out : int
        How many regions on these chromosomes were left out, as their window leaves the chromosome.

    Raises
    ------
    InputError
        Where no region is left.
    """
    tested = regions if chroms is None else regions[on_chromosomes(regions, list(chroms))]
    whole = tested[windows_fit(tested, genome.sizes, width)]
    if whole.empty:
        why = (
            f"all {len(tested):,} of them lie too near a chromosome end for the model's {width:,} bp"
            if len(tested)
            else f"they are on other chromosomes than {', '.join(chroms or ())}"
        )
        raise InputError(
            f"none of the {len(regions):,} regions can be used as background for footprints: {why}",
            remedy="give `regions` on the test chromosomes of the `fold`",
        )
    names, starts = whole["chrom"].to_numpy(dtype=object), centres(whole) - width // 2
    codes = np.empty((len(whole), width), dtype=np.uint8)
    firsts = range(0, len(whole), _READ_AT_ONCE)
    for first in track(firsts, "reading background sequences", unit=f"x {_READ_AT_ONCE:,} regions"):
        rows = slice(first, first + _READ_AT_ONCE)
        codes[rows] = genome.windows(names[rows], starts[rows], width)
    return codes, len(tested) - len(whole)


def insert_motif(codes: Codes, motif: str) -> Codes:
    """Copy sequences with a motif written over their centre, from ``L // 2 - len(motif) // 2``.

    Parameters
    ----------
    codes
        Base codes, uint8 ``(n, L)``.
    motif
        Letters; one that is not A, C, G or T masks the base. Empty: no motif.

    Returns
    -------
    numpy.ndarray
        Base codes, uint8 ``(n, L)``.

    Raises
    ------
    InputError
        Where the motif is longer than the sequences.

    Examples
    --------
    >>> import numpy as np
    >>> insert_motif(np.zeros((1, 8), dtype=np.uint8), "CGT")
    array([[0, 0, 0, 1, 2, 3, 0, 0]], dtype=uint8)
    """
    length = codes.shape[-1]
    if len(motif) > length:
        raise InputError(
            f"motif {motif}: longer than the model's input", expected=f"at most {length} bp", found=f"{len(motif)} bp"
        )
    inserted = np.array(codes, dtype=np.uint8)
    start = length // 2 - len(motif) // 2
    inserted[..., start : start + len(motif)] = codes_of(motif)
    return inserted


def marginal_footprint(
    predict: PredictFunction,
    codes: Codes,
    motif: str = "",
    batch_size: int = 64,
    *,
    on_batch: Callable[[int], object] = lambda sequences: None,
) -> Footprint:
    """Compute the footprint of one motif over background sequences; without a motif, the control.

    Track = softmax(logits) × (exp(log counts) − 1), forward plus the flipped one of the reverse complement, scaled to a
    sum of 1 per sequence, then the mean over sequences, those without a predicted cut left out.

    Parameters
    ----------
    predict
        See :data:`PredictFunction`.
    codes
        Base codes of the background, uint8 ``(n, L)``.
    motif
        Letters of the motif.
    batch_size
        Sequences predicted at a time.
    on_batch
        Called with the number of sequences of each finished batch, for progress.

    Returns
    -------
    Footprint
        Profile, counts and standard error.

    Raises
    ------
    InputError
        Where there are no sequences, none with a footprint, or predictions are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> def predict(codes):
    ...     return np.log(1.0 + (codes == 2)), np.full(len(codes), np.log(11))
    >>> marginal_footprint(predict, np.zeros((1, 4), dtype=np.uint8), "GC").profile.round(3)
    array([0.2, 0.3, 0.3, 0.2])
    """
    if len(codes) == 0:
        raise InputError("no background sequences for the footprints", remedy="give nonpeaks on the test chromosomes")
    profile_sum, square_sum, counts, used = 0.0, 0.0, 0.0, 0
    for start in range(0, len(codes), batch_size):
        batch = insert_motif(codes[start : start + batch_size], motif)
        shares, totals = _shares_of_cuts(predict, batch)
        profile_sum = profile_sum + shares.sum(axis=0)
        square_sum = square_sum + np.square(shares).sum(axis=0)
        counts += float(totals.sum())
        used += len(shares)
        on_batch(len(batch))
    if not used:
        raise InputError("the model predicts no cuts on any background sequence", remedy="check that the model is trained")
    mean: Floats = np.asarray(profile_sum) / used
    variance = np.maximum(square_sum / used - np.square(mean), 0) / (used - 1) if used > 1 else None
    return Footprint(mean, counts / len(codes), None if variance is None else np.sqrt(variance))


def _shares_of_cuts(predict: PredictFunction, codes: Codes) -> tuple[Floats, Floats]:
    """Shares of both strands' cuts at each base, ``(m, W)``, of sequences that have any; predicted cuts of all, ``(n,)``."""
    forward, backward = _cuts(predict, codes), _cuts(predict, reverse_complement(codes))
    both = forward + backward[:, ::-1]
    totals = both.sum(axis=1)
    if not np.isfinite(totals).all():
        raise DivergedError
    cut = totals != 0
    return both[cut] / totals[cut, None], totals


def _cuts(predict: PredictFunction, codes: Codes) -> Floats:
    """Predicted cuts per base, float64 ``(n, W)``."""
    logits, logcounts = predict(np.ascontiguousarray(codes))
    totals = counts_from_log(np.asarray(logcounts, dtype=np.float64).reshape(-1, 1))
    cuts: Floats = softmax(np.asarray(logits, dtype=np.float64), axis=-1) * totals
    return cuts


def marginal_footprints(
    predict: PredictFunction,
    codes: Codes,
    motifs: Mapping[str, str],
    batch_size: int = 64,
    *,
    on_done: Callable[[str], object] = lambda name: None,
    on_batch: Callable[[int], object] = lambda sequences: None,
) -> dict[str, Footprint]:
    """Compute footprints of several motifs, the control first.

    Parameters
    ----------
    predict
        See :data:`PredictFunction`.
    codes
        Base codes of the background, uint8 ``(n, L)``.
    motifs
        Name → letters; one that is longer than the sequences is refused before any is computed.
    batch_size
        Sequences predicted at a time.
    on_done
        Called with the name of each finished footprint, for progress.
    on_batch
        Called with the number of sequences of each finished batch, for progress.

    Returns
    -------
    dict of str to Footprint
        By name; the control's is :data:`CONTROL`.
    """
    for name, motif in motifs.items():
        if len(motif) > codes.shape[-1]:
            raise InputError(
                f"motif {name}: longer than the model's input",
                expected=f"at most {codes.shape[-1]:,} bp",
                found=f"{len(motif):,} bp",
            )
    footprints = {}
    for name, motif in {CONTROL: "", **motifs}.items():
        footprints[name] = marginal_footprint(predict, codes, motif, batch_size, on_batch=on_batch)
        on_done(name)
    return footprints


def write_footprints(footprints: Mapping[str, Footprint], path: str | os.PathLike[str]) -> None:
    """Write footprints as HDF5: a group for each name with ``footprint``, float32 ``(W,)``, and ``counts``, ``(1,)``.

    Both have a second name, ``i0`` and ``i1``, under which programs made for the reference's files look them up;
    deepdish loads each group as a list of the two. ``standard_error``, float32 ``(W,)``, is there where it is known, and
    those programs do not look at it.

    Parameters
    ----------
    footprints
        By name, of which :func:`motif_file_name` becomes the group's.
    path
        Where the file goes.
    """
    with open_hdf5_to_write(path) as file:
        for name, footprint in footprints.items():
            group = file.create_group(motif_file_name(name))
            group.attrs["TITLE"] = np.bytes_("list:2")
            group["i0"] = group.create_dataset("footprint", data=footprint.profile.astype(np.float32))
            group["i1"] = group.create_dataset("counts", data=np.array([footprint.counts], dtype=np.float32))
            if footprint.error is not None:
                group.create_dataset("standard_error", data=footprint.error.astype(np.float32))


def read_footprints(path: str | os.PathLike[str]) -> dict[str, Footprint]:
    """Read what :func:`write_footprints` wrote.

    Parameters
    ----------
    path
        The HDF5 file.

    Returns
    -------
    dict of str to Footprint
        By the name of the group, see :func:`motif_file_name`.
    """
    with open_hdf5(path, "footprints") as file:
        return {
            name: Footprint(
                group["footprint"][()].astype(np.float64),
                float(group["counts"][()].item()),
                group["standard_error"][()].astype(np.float64) if "standard_error" in group else None,
            )
            for name, group in file.items()
        }
