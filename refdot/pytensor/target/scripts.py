"""What the standalone scripts for bug reports have in common."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from refdot.cases.case import Operand
from refdot.cases.layouts import layout_function
from refdot.pytensor.lowerings.install import without_inner_graphs
from refdot.pytensor.target.structure import (
    is_inner_graph,
    unlowered_nodes,
    with_inner_operations,
)
from refdot.targets.mismatch import as_comment
from refdot.targets.rendering import environment
from refdot.tensor import Array

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["complete_script", "layout_sources", "script_templates", "sources"]


def script_templates() -> Environment:
    """Return a new environment for the templates of scripts.

    Whatever comes from a case or a message enters a script through one of its filters.
    """
    jinja = environment("refdot.pytensor.target")
    jinja.filters.update(array_literal=_array_literal, layout_name=_layout_name)
    return jinja


@cache
def _templates() -> Environment:
    return script_templates()


def complete_script(body: str, description: str, needs_refdot: bool) -> str:
    """Return a script: a description as a comment, the imports that the body needs, and the body.

    It imports refdot only for a lowering that is refdot's own.
    """
    return (
        _templates()
        .get_template("script.py.jinja")
        .render(
            comment=as_comment(description),
            needs="PyTensor, NumPy and refdot" if needs_refdot else "only PyTensor and NumPy",
            imports=_imports_of(body),
            body=body,
        )
    )


def _imports_of(code: str) -> str:
    """Return the lines of the template "imports" that import a name used in some code."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}

    def is_used(line: str) -> bool:
        return not used.isdisjoint(re.findall(r"\w+", re.split("import | as ", line)[-1]))

    lines = _templates().get_template("imports.py.jinja").render().splitlines()
    return "\n".join(line for line in lines if not line or is_used(line))


def sources() -> dict[str, str]:
    """Return the source of each function of refdot that scripts contain, by its name there."""
    functions = (is_inner_graph, unlowered_nodes, with_inner_operations, without_inner_graphs)
    return {f"source_of_{each.__name__}": inspect.getsource(each) for each in functions}


def layout_sources(operands: Iterable[Operand]) -> list[str]:
    """Return the sources of the functions that give operands their layouts."""
    layouts = dict.fromkeys(operand.layout for operand in operands)
    return [inspect.getsource(each) for each in filter(None, map(layout_function, layouts))]


def _array_literal(array: Array) -> str:
    """Write an array as a flat list with a reshape, which suits many dims."""
    if array.size == 0:  # a reshape of an empty list has other strides
        return f'np.zeros({array.shape}, dtype="{array.dtype.name}")'
    if array.dtype.kind == "c":
        parts = array.ravel().view(array.real.dtype)
        return f'{_array_literal(parts)}.view("{array.dtype.name}").reshape({array.shape})'
    code = f'np.array({array.ravel().tolist()!r}, dtype="{array.dtype.name}")'
    return code if array.ndim == 1 else f"{code}.reshape({array.shape})"


def _layout_name(layout: str) -> str:
    """Return the name of the function that gives an array a layout; empty for C order."""
    function = layout_function(layout)
    return function.__name__ if function else ""
