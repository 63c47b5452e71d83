"""Rendering of Jinja templates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from refdot.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment", "render"]


def environment(package: str) -> Environment:
    """Return a new environment for the templates of a package.

    All templates escape values for HTML, except those of Python code: these have the filter
    `literal`, which turns a value into Python code. No value brings in a character that cannot be
    printed, other than line breaks.
    """
    # Imported here because importing a target does not need Jinja, which is in an extra.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_printable_lines,
        autoescape=lambda template: not (template or "").endswith(".py.jinja"),
    )
    jinja.filters |= {"literal": repr, "printable": printable}
    return jinja


def _printable_lines(value: object) -> object:
    """Return a value as printable lines, or unchanged if it is HTML."""
    if hasattr(value, "__html__"):
        return value
    return "\n".join(map(printable, str(value).split("\n")))


def render(template: str, **values: Any) -> str:
    """Return the text of a template of this package with values filled in."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    return environment("refdot.targets")
