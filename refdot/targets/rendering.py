"""Rendering of Jinja templates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render"]


def render(template: str, **values: Any) -> str:
    """Return the text of a template of this package with values filled in.

    HTML templates escape their values. In Python templates, the filter `literal` turns a value
    into Python code.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    # Imported here because importing a target does not need Jinja, which is in an extra.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("refdot.targets"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=select_autoescape(["html.jinja"]),
    )
    environment.filters["literal"] = repr
    return environment
