"""A model file opened: the Keras model with its kind and lengths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from keras import Model as KerasModel

from chrombpnet_core.models.architecture import kind_of, lengths_of
from chrombpnet_core.models.files import load_model

__all__ = ["Model", "open_model"]


@dataclass(frozen=True)
class Model:
    """An opened model.

    Attributes
    ----------
    keras
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.
    kind
        ``bias``, ``chrombpnet`` (accessibility and bias together) or ``chrombpnet_nobias`` (accessibility alone), as the
        file's layers tell; an ensemble is of its members' kind.
    input_length, output_length
        L and W in bp.
    path
        The file.
    """

    keras: KerasModel
    kind: str
    input_length: int
    output_length: int
    path: Path


def open_model(path: str | os.PathLike[str]) -> Model:
    """Open a model file: ``bias.h5``, ``chrombpnet.h5``, ``chrombpnet_nobias.h5`` or an ensemble, ours or the reference's.

    Parameters
    ----------
    path
        HDF5 in the Keras 2 form; code in it is never run.

    Returns
    -------
    Model
        Ready to predict with (:func:`~chrombpnet_core.models.prediction`).

    Raises
    ------
    ModelFileError
        Where the file is not a model that ChromBPNet can use.
    """
    model = load_model(path)
    return Model(model, kind_of(model), *lengths_of(model), Path(path))
