"""Pages from the templates in ``templates/``: each stands alone, in one style, light or dark as the reader has it."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from chrombpnet_core.plots import PALETTE

__all__ = ["read_template", "render_page"]


def render_page(template: str, **values: Any) -> str:
    """Render a page.

    Parameters
    ----------
    template
        Name of its file.
    **values
        What it shows: as text, never taken as markup, unless it is :class:`markupsafe.Markup`.

    Returns
    -------
    str
        The text of the page.
    """
    return _environment().get_template(template).render(palette=PALETTE, **values)


def read_template(name: str) -> str:
    """Read the text of a template that something else than jinja fills in."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("chrombpnet_core.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
