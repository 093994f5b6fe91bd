"""Contributions of regions: computed in batches, kept in parts that outlive a crash, written as HDF5."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chrombpnet_core._types import AnyArray, Floats
from chrombpnet_core.devices import in_fitting_batches
from chrombpnet_core.errors import DivergedError
from chrombpnet_core.formats import GrowingTable, TableColumn, load_sealed, save_sealed
from chrombpnet_core.genome import dinucleotide_shuffles, one_hot
from chrombpnet_core.interpret.across_folds import row_correlations
from chrombpnet_core.interpret.deepshap import Explainer
from chrombpnet_core.progress import bar

if TYPE_CHECKING:
    from chrombpnet_core.genome import Genome

__all__ = ["ContributionsFile", "ExplainedRegions", "explain_codes", "explain_regions", "noise_floor"]

log = logging.getLogger(__name__)

_ROWS_OF_PART = 256
_CHUNK = 8  # regions: what a reader of some takes in at least


class ExplainedRegions(NamedTuple):
    """Regions explained: rows of the table, base codes uint8 ``(m, L)``, head → hypothetical float32 ``(m, L, 4)``."""

    rows: slice
    codes: AnyArray
    scores: dict[str, AnyArray]


def explain_codes(
    explainer: Explainer,
    codes: AnyArray,
    references: int,
    seed: int,
) -> Iterator[tuple[slice, dict[str, AnyArray]]]:
    """Explain sequences in batches; the last one is filled up, so that one size is compiled.

    Where the device's memory turns out too small, smaller batches are tried.

    Parameters
    ----------
    explainer
        Of the model.
    codes
        Base codes uint8 ``(n, L)``.
    references
        Shuffles of each sequence.
    seed
        Of the shuffles, with the sequence's own letters: scores do not depend on batches.

    Yields
    ------
    Rows, and head → hypothetical contributions float32 ``(m, L, 4)``.
    """

    def explain(rows: slice) -> dict[str, Floats]:
        batch, size = codes[rows], explainer.batch.size
        filled = np.concatenate([batch, np.repeat(batch[:1], size - len(batch), axis=0)])
        hypothetical = explainer(filled, dinucleotide_shuffles(filled, references, seed))
        scores = {head: values[: len(batch)] for head, values in hypothetical.items()}
        if not all(np.isfinite(values).all() for values in scores.values()):
            raise DivergedError("the model's contributions are not finite")
        return scores

    yield from in_fitting_batches(len(codes), explainer.batch, explain)


def explain_regions(
    explainer: Explainer,
    genome: Genome,
    chroms: AnyArray,
    starts: AnyArray,
    references: int,
    seed: int,
    folder: str | os.PathLike[str],
    keep: Callable[[], None] = lambda: None,
) -> Iterator[ExplainedRegions]:
    """Explain windows of the genome in parts of some hundred; parts that ``folder`` holds are read, not computed.

    Parameters
    ----------
    explainer
        Of the model.
    genome
        The genome.
    chroms
        Of the windows, ``(n,)``.
    starts
        Of the windows, ``(n,)``, each of the model's input length.
    references
        Shuffles of each sequence.
    seed
        As for :func:`explain_codes`.
    folder
        Where finished parts are kept; those of an earlier attempt must be of the same model, windows and seed.
    keep
        Called after a part was written.

    Yields
    ------
    ExplainedRegions
        Part by part.
    """
    with bar("explaining", len(chroms), "regions") as progress:
        for number, first in enumerate(range(0, len(chroms), _ROWS_OF_PART)):
            rows = slice(first, min(first + _ROWS_OF_PART, len(chroms)))
            codes = genome.windows(chroms[rows], starts[rows], explainer.length)
            path = Path(folder) / f"part-{number:05d}.npz"
            scores = _read_part(path, explainer, len(codes))
            if scores is None:
                scores = {head: np.empty((*codes.shape, 4), np.float32) for head in explainer.heads}
                for batch, batch_scores in explain_codes(explainer, codes, references, seed):
                    for head, values in batch_scores.items():
                        scores[head][batch] = values
                    progress.update(batch.stop - batch.start)
                save_sealed(path, scores)
                keep()
            else:
                progress.update(len(codes))
            yield ExplainedRegions(rows, codes, scores)


def _read_part(path: Path, explainer: Explainer, regions: int) -> dict[str, AnyArray] | None:
    try:
        scores = load_sealed(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        log.warning("damaged part of the contributions, not used, computed again: %s", error)
        return None
    fits = set(scores) == set(explainer.heads) and all(
        values.shape == (regions, explainer.length, 4) for values in scores.values()
    )
    return scores if fits else None


def noise_floor(
    explainer: Explainer, codes: AnyArray, scores: dict[str, AnyArray], references: int, seed: int
) -> dict[str, float]:
    """Measure how well contributions agree with those of other shuffles.

    Parameters
    ----------
    explainer
        Of the model.
    codes
        Base codes uint8 ``(n, L)``.
    scores
        Their hypothetical contributions, ``(n, L, 4)``, of ``seed``.
    references
        Shuffles of each sequence.
    seed
        As for :func:`explain_codes`; the other shuffles are those of ``seed + 1``.

    Returns
    -------
    dict of str to float
        Head → median over regions of Pearson r of the contributions of the bases that are there.
    """
    present = one_hot(codes)
    agreement: dict[str, list[float]] = {head: [] for head in explainer.heads}
    for rows, others in explain_codes(explainer, codes, references, seed + 1):
        for head, values in others.items():
            both = np.stack([scores[head][rows], values])
            actual = (present[rows] * both).sum(axis=-1, dtype=np.float64)
            agreement[head].extend(row_correlations(actual)[0].tolist())
    return {head: float(np.nanmedian(values)) for head, values in agreement.items() if np.isfinite(values).any()}


class ContributionsFile:
    """Write contributions as HDF5: ``raw/seq``, ``shap/seq`` and ``projected_shap/seq``, each ``(N, 4, L)``, compressed.

    Parameters
    ----------
    path
        Where it goes.
    length
        L in bp.
    exact
        Whether scores are float32; else float16, as the reference's.
    """

    def __init__(self, path: str | os.PathLike[str], length: int, exact: bool = False) -> None:
        scores = np.float32 if exact else np.float16
        kinds = {"raw/seq": np.int8, "shap/seq": scores, "projected_shap/seq": scores}
        filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        self._table = GrowingTable(
            path, {name: TableColumn(kind, (4, length), _CHUNK, filters) for name, kind in kinds.items()}
        )

    def append(self, codes: AnyArray, hypothetical: AnyArray) -> None:
        """Add regions: base codes uint8 ``(m, L)`` and hypothetical contributions ``(m, L, 4)``."""
        present = one_hot(codes)
        rows = {"raw/seq": present, "shap/seq": hypothetical, "projected_shap/seq": present * hypothetical}
        self._table.append({name: values.swapaxes(1, 2) for name, values in rows.items()})

    def close(self) -> None:
        """Write what is left and close the file."""
        self._table.close()
