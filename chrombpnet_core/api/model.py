"""A model as a notebook uses it: predictions and contributions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from chrombpnet_core._types import AnyArray, Codes
from chrombpnet_core.api.arguments import require_whole
from chrombpnet_core.errors import InputError

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from chrombpnet_core.api.regions import Regions
    from chrombpnet_core.api.results import Contributions, Prediction
    from chrombpnet_core.genome import Genome

__all__ = ["Model", "open_model"]

Sequences: TypeAlias = "str | Sequence[str] | npt.NDArray[np.generic]"
"""Letters, several of them, base codes uint8 ``(n, L)`` or one-hot ``(n, L, 4)``."""

_FORMS = "letters, base codes uint8 (n, L), or one-hot (n, L, 4)"

Head: TypeAlias = Literal["counts", "profile"]


@dataclass(frozen=True)
class Model:
    """A bias model, a full ChromBPNet model or its bias-corrected part; :func:`open_model` opens it.

    Attributes
    ----------
    path
        File of the model.
    kind
        ``bias``, ``chrombpnet`` (accessibility and bias) or ``chrombpnet_nobias`` (accessibility alone).
    input_length, output_length
        Length in bp of the input sequence and of the predicted profile.
    """

    path: Path
    kind: str
    input_length: int
    output_length: int

    @cached_property
    def keras(self) -> keras.Model:
        """The Keras model: one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``."""
        from chrombpnet_core.models import load_model

        return load_model(self.path)

    def predict(self, source: Genome | Sequences, regions: Regions | None = None, *, batch_size: int = 64) -> Prediction:
        """Predict the profile and the counts of regions or sequences.

        Parameters
        ----------
        source
            A genome from :func:`open_genome`; or sequences: a DNA string or several, base codes ``(n, L)`` or one-hot
            arrays ``(n, L, 4)``.
        regions
            Regions of the genome, as for :func:`locate`; not for sequences. The model gets the ``input_length`` bp around
            a region's centre and predicts the ``output_length`` bp around it, however wide the region itself is. Regions
            too close to a chromosome end are left out with a warning (an error if none is left); the index of the
            result's ``regions`` tells which rows remain.
        batch_size
            Number of regions predicted at a time.

        Returns
        -------
        Prediction
            Arrays ``profile``, ``counts`` and ``track``, in the order of the regions.

        Raises
        ------
        InputError
            If the input windows of all regions extend beyond their chromosomes, or a sequence is not ``input_length`` bp
            long.

        Examples
        --------
        >>> import chrombpnet_core as cbp
        >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
        >>> prediction = model.predict(genome, ["chrA:701", "chrB:301"])
        >>> prediction.profile.shape, prediction.counts.shape
        ((2, 80), (2,))
        >>> model.predict("ACGT" * 50).profile.shape
        (1, 80)
        """
        from chrombpnet_core.api.regions import output_windows
        from chrombpnet_core.api.results import Prediction
        from chrombpnet_core.models import predict

        require_whole("batch_size", batch_size)
        codes, table, sizes = self._codes(source, regions)
        predicted = predict(self.keras, codes, batch_size)
        if not (np.isfinite(predicted.logits).all() and np.isfinite(predicted.log_counts).all()):
            raise InputError(f"{self.path}: the model predicts values that are not finite", remedy="train it again")
        windows = None if table is None else output_windows(table, self.output_length)
        return Prediction(predicted.profiles, predicted.log_counts, windows, sizes)

    def contributions(
        self,
        source: Genome | Sequences,
        regions: Regions | None = None,
        *,
        head: Head = "profile",
        seed: int = 1234,
        references: int = 20,
    ) -> Contributions:
        """Compute how much each base adds to the predicted counts or profile (DeepSHAP).

        Parameters
        ----------
        source
            As for :meth:`predict`.
        regions
            As for :meth:`predict`.
        head
            Which prediction to explain: ``counts`` or ``profile``. A full model's counts cannot be explained.
        seed
            Random seed of the dinucleotide-shuffled sequences that each sequence is compared with.
        references
            Number of shuffled sequences.

        Returns
        -------
        Contributions
            Arrays ``actual`` and ``hypothetical``, ``(n, L, 4)``.

        Raises
        ------
        InputError
            As for :meth:`predict`; or if ``head`` is neither of the two, or DeepSHAP has no rule for a layer of the model.

        Examples
        --------
        >>> import chrombpnet_core as cbp
        >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
        >>> explained = model.contributions(genome, "chrA:701", head="counts", seed=1234)
        >>> explained.actual.shape
        (1, 200, 4)
        """
        from chrombpnet_core.api.regions import output_windows
        from chrombpnet_core.api.results import Contributions
        from chrombpnet_core.devices import find_device
        from chrombpnet_core.interpret import HEADS, Explainer, explain_codes
        from chrombpnet_core.models import load_model

        if head not in HEADS:
            raise InputError(f"head {head!r}", expected="counts or profile")
        require_whole("references", references)
        codes, table, sizes = self._codes(source, regions)
        explainer = Explainer(load_model(self.path), [head], references, find_device())  # it changes the model that it gets
        hypothetical = np.empty((*codes.shape, 4), np.float32)
        for rows, scores in explain_codes(explainer, codes, references, seed):
            hypothetical[rows] = scores[head]
        windows = None if table is None else output_windows(table, self.input_length)
        return Contributions(head, codes, hypothetical, windows, sizes)

    def _codes(
        self, source: Genome | Sequences, regions: Regions | None
    ) -> tuple[Codes, pd.DataFrame | None, dict[str, int] | None]:
        """Return base codes ``(n, L)``, and of a genome the regions and its chromosomes' sizes."""
        from chrombpnet_core.genome import Genome

        if not isinstance(source, Genome):
            if regions is not None:
                raise InputError("regions without a genome", expected="a genome from open_genome, then the regions")
            return self._sequence_codes(source), None, None
        if regions is None:
            raise InputError("a genome without regions", expected="a place such as 'chrI:50,000', or a table")
        from chrombpnet_core.api.regions import locate, region_text
        from chrombpnet_core.genome import centres, windows_fit

        table = locate(regions, source.sizes)
        fits = windows_fit(table, dict(source.sizes), self.input_length)
        if not fits.all():
            row = table[~fits].iloc[0]
            place = region_text(str(row["chrom"]), int(row["start"]), int(row["end"]))
            problem = f"{(~fits).sum():,} of {len(table):,} regions, such as {place}, are too near a chromosome end"
            if not fits.any():
                raise InputError(problem, expected=f"{self.input_length:,} bp around the centre in the chromosome")
            warnings.warn(f"{problem} for the model's {self.input_length:,} bp and are left out", stacklevel=3)
            table = table[fits]
        starts = centres(table) - self.input_length // 2
        return source.windows(table["chrom"].to_numpy(), starts, self.input_length), table, dict(source.sizes)

    def _sequence_codes(self, sequences: Sequences) -> Codes:
        from chrombpnet_core.genome import codes_of

        if isinstance(sequences, np.ndarray) and sequences.dtype.kind != "U":
            codes = _codes_of_array(sequences)
        else:
            letters = _letters(sequences)
            wrong = [text for text in letters if len(text) != self.input_length]
            if wrong or not letters:
                raise self._wrong_length(len(wrong[0]) if wrong else 0)
            codes = np.stack([codes_of(text) for text in letters])
        if codes.shape[1] != self.input_length:
            raise self._wrong_length(codes.shape[1])
        return codes

    def _wrong_length(self, length: int) -> InputError:
        return InputError("sequences", expected=f"{self.input_length:,} bp, the model's input", found=f"{length:,} bp")


def _letters(sequences: object) -> list[str]:
    found = list(sequences) if isinstance(sequences, Iterable) and not isinstance(sequences, str) else [sequences]
    letters = [sequence for sequence in found if isinstance(sequence, str)]
    if len(letters) < len(found):
        wrong = next(sequence for sequence in found if not isinstance(sequence, str))
        raise InputError("sequences", expected=_FORMS, found=f"type {type(wrong).__name__}")
    return letters


def _codes_of_array(array: AnyArray) -> Codes:
    if not array.size:
        raise InputError("sequences: there are none", expected=_FORMS)
    if array.ndim == 2 and array.dtype == np.uint8:
        return np.minimum(array, 4).astype(np.uint8)
    if array.ndim == 3 and array.shape[2] == 4:
        is_base = array.sum(axis=-1) == 1
        if not (((array == 0) | (array == 1)).all() and (is_base | (array.sum(axis=-1) == 0)).all()):
            raise InputError("one-hot sequences", expected="at most one 1 a position, else 0")
        return np.where(is_base, array.argmax(axis=-1), 4).astype(np.uint8)
    raise InputError(
        f"sequences of shape {array.shape} and type {array.dtype}",
        expected=_FORMS,
    )


def open_model(path: str | os.PathLike[str]) -> Model:
    """Open a model file of this program, of the reference program, or in the layout of bpnet-lite.

    Only weights and settings are read: no code in the file is run.

    Parameters
    ----------
    path
        Model file, such as ``chrombpnet_nobias.h5``.

    Returns
    -------
    Model
        Model with the methods ``predict`` and ``contributions``.

    Raises
    ------
    InputError
        If the file is missing or not such a model.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> model = cbp.open_model("chrombpnet_nobias.h5")
    >>> model.kind, model.input_length, model.output_length
    ('chrombpnet_nobias', 200, 80)
    """
    from chrombpnet_core.devices import configure, find_device

    configure()
    find_device()  # imports Keras, and hides what TensorFlow prints on import
    from chrombpnet_core import models

    opened = models.open_model(path)
    model = Model(Path(path), opened.kind, opened.input_length, opened.output_length)
    model.__dict__["keras"] = opened.keras
    return model
