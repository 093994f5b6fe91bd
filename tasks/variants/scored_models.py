"""Which models variants are scored with: of one data set, without the enzyme's bias alone, of one size."""

from __future__ import annotations

import logging
import re

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError, ModelFileError
from tasks.storage import redact, split_conditions, stage

__all__ = ["check_data_set", "model_lengths"]

log = logging.getLogger(__name__)

_RELEASED = re.compile(r"model\.[a-z_]+\.(?:fold_[0-9]+|fold_mean)\.(.+)\.h5")
"""Files as the ENCODE portal, Hugging Face and our bundles name them; the data set's name is in them."""

_FOLD = re.compile(r"(?i)fold[_.-]?[0-9]{1,2}(?![0-9])|(?<=[_./-])[0-9]{1,2}(?=[_./-])")
"""What differs between the addresses of the folds of one data set."""


def check_data_set(models: list[str], insisted: bool = False) -> None:
    """Refuse models of several data sets, whose mean would be that of nothing; tell what is assumed.

    Parameters
    ----------
    models
        Paths or addresses.
    insisted
        Whether the user says that they are of one data set.

    Raises
    ------
    InputError
        Where names or folders differ by more than the number of the fold.
    """
    of = {model: _data_set(model) for model in models}
    if len(of) < 2:
        return
    if len(set(of.values())) == 1:
        log.info("%s models are taken for the folds of one data set, by their names; the mean is over them", f"{len(of):,}")
    elif insisted:
        log.warning("%s models are averaged as folds of one data set, though their names differ", f"{len(of):,}")
    else:
        shown = list({name: redact(model) for model, name in of.items()}.values())
        raise InputError(
            "the models are of several data sets, as their names or folders tell",
            expected="folds of one data set, whose scores are averaged",
            found=", ".join(shown[:3]) + (f" and {len(shown) - 3:,} more" if len(shown) > 3 else ""),
            remedy="score each data set's models by themselves; if they are of one, give `one_data_set=True`",
        )


def _data_set(model: str) -> str:
    """Tell what of an address is the data set's."""
    address = redact(split_conditions(model).address)
    released = _RELEASED.fullmatch(address.rpartition("/")[2])
    return released[1] if released else _FOLD.sub("#", address)


def model_lengths(models: list[str]) -> tuple[int, int]:
    """Read the input and output length that all models have; warn where the enzyme's bias is in one.

    Parameters
    ----------
    models
        Paths or addresses.

    Returns
    -------
    tuple of int
        Input and output length in bp.

    Raises
    ------
    InputError
        Where they differ, or a file is no model, or one of the enzyme's bias alone.
    """
    from chrombpnet_core.models import BIAS, read_stored_model

    for path in models:
        if read_stored_model(stage(path, "model")[0]).kind == BIAS:
            raise ModelFileError(
                f"{redact(path)}: a bias model, which knows the enzyme alone",
                expected="chrombpnet_nobias.h5 in `models`",
                remedy="variants are scored with models of accessibility",
            )
    find_device()
    from chrombpnet_core.models import FULL, kind_of, lengths_of, load_model, require_lengths

    lengths: tuple[int, int] | None = None
    for path in models:
        model = load_model(stage(path, "model")[0])
        lengths = lengths or lengths_of(model)
        require_lengths(model, lengths, redact(path))
        if kind_of(model) == FULL:
            log.warning(
                "%s: the enzyme's bias is in this model, and in its scores; chrombpnet_nobias.h5 is without", redact(path)
            )
    if lengths is None:
        raise InputError("no model given", expected="chrombpnet_nobias.h5 in `models`")
    return lengths
