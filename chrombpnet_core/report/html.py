"""Pages from the templates in ``data/``: each stands alone, in one style, light or dark as the reader has it."""

from __future__ import annotations

from typing import Any

import jinja2

__all__ = ["render_page"]


def render_page(template: str, **values: Any) -> str:
    """The text of a page; what values hold is shown as text, never taken as markup, unless it is ``markupsafe.Markup``."""
    from chrombpnet_core.plots.style import PALETTE

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("chrombpnet_core.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(palette=PALETTE, **values)
