"""Which models variants are scored with: of one data set, without the enzyme's bias alone, of one size."""

from __future__ import annotations

from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from tasks.storage import redact, split_conditions, stage

__all__ = ["check_data_set", "model_lengths"]


def check_data_set(models: list[str], insisted: bool = False) -> None:
    """Refuse models of several data sets, as :func:`~chrombpnet_core.variants.require_one_data_set`.

    Parameters
    ----------
    models
        Paths or addresses.
    insisted
        Whether the user says that they are of one data set.
    """
    from chrombpnet_core.variants import require_one_data_set

    require_one_data_set([redact(split_conditions(model).address) for model in models], insisted)


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
    find_device()
    from chrombpnet_core.models import lengths_of, load_model, require_lengths
    from chrombpnet_core.variants import require_accessibility_model

    lengths: tuple[int, int] | None = None
    for address in models:
        path = stage(address, "model")[0]
        model = load_model(path)
        require_accessibility_model(model, path, redact(address))
        lengths = lengths or lengths_of(model)
        require_lengths(model, lengths, redact(address))
    if lengths is None:
        raise InputError("no model given", expected="chrombpnet_nobias.h5 in `models`")
    return lengths
