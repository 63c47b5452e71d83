"""Plant a fault in PyTensor.

A fault edits the source text of PyTensor's functions, and of the C code that it holds as text, in
this process only, and is undone at the end of a `with` block. The faults themselves are in the
package `planted`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from textwrap import dedent
from types import CodeType
from typing import Any

import pytensor
from packaging.specifiers import SpecifierSet

from refdot.cases.case import DotCase

__all__ = ["Edit", "Fault", "planted"]


@dataclass(frozen=True)
class Edit:
    """Replace `old` by `new` in the source of a function, or in a text.

    Attributes
    ----------
    where : str
        The function, such as "pytensor.xtensor.math:Dot.make_node", or the text.
    old, new : str
    versions : str
        The versions of PyTensor whose source has the old text, as a specifier; by default all.
    """

    where: str
    old: str
    new: str
    versions: str = ""

    @property
    def applies(self) -> bool:
        """Whether it is an edit of the installed version."""
        return SpecifierSet(self.versions).contains(pytensor.__version__, prereleases=True)


@cache
def _edited(edits: tuple[Edit, ...]) -> tuple[Any, str, Any]:
    """Return the object that edits of one place change, its attribute, and the new value."""
    where = edits[0].where
    module, _, path = where.partition(":")
    *parents, name = path.split(".")
    owner: Any = import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    before = getattr(owner, name)
    source = before if isinstance(before, str) else inspect.getsource(before)
    for edit in edits:
        assert edit.old in source, f"the source of {where} does not contain {edit.old!r}"
        source = source.replace(edit.old, edit.new)
    if isinstance(before, str):
        return owner, name, source
    return before, "__code__", _code(before, dedent(source))


def _code(function: Any, source: str) -> CodeType:
    """Return the code of a function from its new source."""
    tree = ast.parse(source)
    tree.body[0].decorator_list = []
    # An outer function provides the variables that a method closes over, such as its class.
    free, name = ", ".join(function.__code__.co_freevars), function.__name__
    # Its name is global, also in a function that calls itself.
    outer = ast.parse(f"def outer({free}): global {name}")
    outer.body[0].body += tree.body
    module_code = compile(outer, inspect.getfile(function), "exec")
    return _inner_code(_inner_code(module_code, "outer"), function.__name__)


def _inner_code(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)


@dataclass(frozen=True)
class Fault:
    """A mistake in PyTensor.

    Attributes
    ----------
    name : str
        What PyTensor does wrong.
    aspect : str
        The aspect of `refdot check --only` that must catch it.
    edits : tuple of Edit
    example : DotCase
        A case that PyTensor answers differently with the fault.
    lowering, backend : str
        The lowering and the backend with which it does.
    """

    name: str
    aspect: str
    edits: tuple[Edit, ...]
    example: DotCase
    lowering: str = "stock"
    backend: str = "python"


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Plant a fault until the `with` block ends."""
    places = dict.fromkeys(edit.where for edit in fault.edits)
    values = [_edited(tuple(e for e in fault.edits if e.where == place)) for place in places]
    with ExitStack() as restore:
        for owner, name, value in values:
            restore.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield
