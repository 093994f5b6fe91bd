"""Which models variants are scored with: of accessibility, not of the enzyme alone, and of one data set."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError, ModelFileError

if TYPE_CHECKING:
    import keras

__all__ = ["require_accessibility_model", "require_one_data_set"]

log = logging.getLogger(__name__)

_RELEASED = re.compile(r"model\.[a-z_]+\.(?:fold_[0-9]+|fold_mean)\.(.+)\.h5")
"""Files as the ENCODE portal, Hugging Face and our bundles name them; the data set's name is in them."""

_FOLD = re.compile(r"(?i)fold[_.-]?[0-9]{1,2}(?![0-9])|(?<=[_./-])[0-9]{1,2}(?=[_./-])")
"""What differs between the addresses of the folds of one data set."""


def require_one_data_set(models: Sequence[str], insisted: bool = False) -> None:
    """Refuse models of several data sets, whose mean would be that of nothing; log what is assumed.

    Parameters
    ----------
    models
        Paths or addresses, as they may be shown.
    insisted
        Whether the user says that they are of one data set.

    Raises
    ------
    InputError
        Where names or folders differ by more than the number of the fold.
    """
    data_sets = {_data_set(model): model for model in reversed(models)}  # the first model of each
    if len(models) < 2:
        return
    if len(data_sets) == 1:
        log.info("%s models are taken for the folds of one data set, by their names; the mean is over them", len(models))
    elif insisted:
        log.warning("%s models are averaged as folds of one data set, though their names differ", len(models))
    else:
        shown = [*data_sets.values()][::-1]
        raise InputError(
            "the models are of several data sets, as their names or folders tell",
            expected="folds of one data set, whose scores are averaged",
            found=", ".join(shown[:3]) + (f" and {len(shown) - 3:,} more" if len(shown) > 3 else ""),
            remedy="score each data set's models by themselves; if they are of one, give `one_data_set=True`",
        )


def _data_set(model: str) -> str:
    """Tell what of a path or address is the data set's."""
    released = _RELEASED.fullmatch(model.rpartition("/")[2])
    return released[1] if released else _FOLD.sub("#", model)


def require_accessibility_model(model: keras.Model, path: Path, shown: str = "") -> None:
    """Refuse a bias model, and warn where the enzyme's bias is in a model beside accessibility.

    Parameters
    ----------
    model
        As loaded.
    path
        Its file.
    shown
        What messages call the file; by default its path.

    Raises
    ------
    ModelFileError
        Where it knows the enzyme alone.
    """
    from chrombpnet_core.models import BIAS, FULL, kind_of, read_stored_model

    kind, shown = kind_of(model), shown or str(path)
    if kind == BIAS and read_stored_model(path).kind == BIAS:  # a model of one's own may have layers of any name
        raise ModelFileError(
            f"{shown}: a bias model, which knows the enzyme alone",
            expected="chrombpnet_nobias.h5 in `models`",
            remedy="variants are scored with models of accessibility",
        )
    if kind == FULL:
        log.warning("%s: the enzyme's bias is in this model, and in its scores; chrombpnet_nobias.h5 is without", shown)
