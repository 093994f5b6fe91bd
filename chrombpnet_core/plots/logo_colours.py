"""Colours of A, C, G and T in logos: the ones that are usual, and ones that the colour blind can tell apart."""

from __future__ import annotations

import os

from chrombpnet_core.errors import InputError

__all__ = ["BASE_COLOURS", "LOGO_COLOURS", "configured_logo_colours", "require_logo_colours"]

LOGO_COLOURS = {
    "classic": {
        "A": ("#109648", "#3fc47c"),
        "C": ("#255C99", "#6ba3e0"),
        "G": ("#F2A517", "#f5b942"),
        "T": ("#D62839", "#ff7384"),
    },
    "okabe-ito": {
        "A": ("#009E73", "#2cc79b"),
        "C": ("#0072B2", "#56b4e9"),
        "G": ("#E69F00", "#f0c24b"),
        "T": ("#D55E00", "#f07f3c"),
    },
}
"""Name → base → colour on a light and on a dark page. The second are of the palette of Okabe and Ito (2008)."""

BASE_COLOURS = {base: light for base, (light, _) in LOGO_COLOURS["classic"].items()}
"""Colour of each base in logos where nothing else is chosen."""

_VARIABLE = "CHROMBPNET_LOGO_COLOURS"


def configured_logo_colours() -> str:
    """Return the name of the colours that ``$CHROMBPNET_LOGO_COLOURS`` chooses, ``classic`` where it is not set.

    Returns
    -------
    str
        One of :data:`LOGO_COLOURS`.

    Raises
    ------
    InputError
        Where there are none of that name.
    """
    return require_logo_colours(os.environ.get(_VARIABLE) or "classic", f"${_VARIABLE}")


def require_logo_colours(name: str, what: str = "`name` of the colours of logos") -> str:
    """Return the name of colours of logos, or refuse one that there is not.

    Parameters
    ----------
    name
        One of :data:`LOGO_COLOURS`.
    what
        What it was given as, for the message.

    Returns
    -------
    str
        The name.

    Raises
    ------
    InputError
        Where there are none of that name.
    """
    if name not in LOGO_COLOURS:
        raise InputError(what, expected=" or ".join(LOGO_COLOURS), found=repr(name))
    return name
