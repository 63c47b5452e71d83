"""Faults to plant in PyTensor: each one slip, and a question that it makes PyTensor answer wrongly.

A fault is a change of PyTensor's source text, made in this process alone and taken back after.
`python tests/faults.py` prints the kill table: for each fault the case that `refdot check` catches
it with.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from textwrap import dedent
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.op import Op
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor

from refdot import check
from refdot.check import Configuration
from refdot.pytensor import use_lowering
from refdot.pytensor.target import PyTensorTarget

LIMIT = 400  # No fault may need more cases.
SEED = 0

# The first-order gradient of an operation has had two names.
PULLBACK = "pullback" if hasattr(Op, "pullback") else "L_op"

FUNCTION = "pytensor.xtensor.math:dot"
MAKE_NODE = "pytensor.xtensor.math:Dot.make_node"
METHOD = "pytensor.xtensor.type:XTensorVariable.dot"
TYPE = "pytensor.xtensor.type:XTensorType.__init__"
LOWER = "pytensor.xtensor.rewriting.math:lower_dot.fn"
USELESS_CAST = "pytensor.xtensor.rewriting.basic:useless_tensor_from_xtensor.fn"
EINSUM = "pytensor.tensor.einsum:einsum"
GENERAL_DOT = "pytensor.tensor.einsum:_general_dot"
TENSORDOT = "pytensor.tensor.math:tensordot"
ASSERT = "pytensor.raise_op:CheckAndRaise.perform"
ELEMWISE = "pytensor.tensor.elemwise:Elemwise.perform"
REDUCE = "pytensor.tensor.elemwise:CAReduce.perform"
RESHAPE = "pytensor.tensor.shape:Reshape.perform"
SPECIFY_SHAPE = "pytensor.tensor.shape:SpecifyShape.perform"
DOT_GRADIENT = f"pytensor.tensor.math:Dot.{PULLBACK}"
SUM_GRADIENT = f"pytensor.tensor.math:Sum.{PULLBACK}"
MUL_GRADIENT = f"pytensor.scalar.basic:Mul.{PULLBACK}"
ELEMWISE_GRADIENT = f"pytensor.tensor.elemwise:Elemwise.{PULLBACK}"
TRANSPOSE_GRADIENT = f"pytensor.tensor.elemwise:DimShuffle.{PULLBACK}"
RESHAPE_GRADIENT = f"pytensor.tensor.shape:Reshape.{PULLBACK}"
INNER_GRAPH_GRADIENT = f"pytensor.compile.builders:OpFromGraph.{PULLBACK}"
GRADIENT = "pytensor.gradient:_populate_grad_dict"
INLINE = "refdot.pytensor.lowerings:inline_ofg_node"


@dataclass(frozen=True)
class Edit:
    """A change of the source text of one function.

    Attributes
    ----------
    where : str
        Module and path of the function.
    old, new : str
        What is replaced, wherever it is in the function, and by what.
    """

    where: str
    old: str
    new: str

    @cache  # noqa: B019: there are as many as are written here
    def compiled(self) -> tuple[FunctionType, CodeType]:
        """Give the function, and the code that it gets."""
        module, _, path = self.where.partition(":")
        function: Any = import_module(module)
        for name in path.split("."):
            function = getattr(function, name)
        source = dedent(inspect.getsource(function))
        assert self.old in source, f"{self.where} does not read {self.old!r}"
        tree = ast.parse(source.replace(self.old, self.new))
        tree.body[0].decorator_list = []
        # A method that says super() refers to its class from outside.
        outer = ast.parse(f"def outer({', '.join(function.__code__.co_freevars)}): pass")
        outer.body[0].body = tree.body
        [outer_code] = codes(compile(outer, inspect.getfile(function), "exec"))
        [code] = [code for code in codes(outer_code) if code.co_name == function.__name__]
        return function, code

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Let the function read as changed."""
        function, code = self.compiled()
        before, function.__code__ = function.__code__, code
        try:
            yield
        finally:
            function.__code__ = before


def codes(code: CodeType) -> list[CodeType]:
    """List the code of what a piece of code defines."""
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


@dataclass(frozen=True)
class Question:
    """Something to ask PyTensor, without any of refdot but its lowerings.

    Attributes
    ----------
    x, y : str
        Their dims; `a:5` is a dim of another than its usual size.
    dim : object
    dtypes : tuple of str
    static : bool
        Whether sizes are known beforehand.
    gradient : int
        How often to differentiate.
    method : bool
        Whether to write `x.dot(y)`.
    same : bool
        Whether both operands are the variable x.
    x_values : tuple of float
        What x is made of, over and over; small integers by default.
    layout : str
        "C" or "F".
    lowering : str
    """

    x: str = "a b"
    y: str = "b c"
    dim: Any = None
    dtypes: tuple[str, str] = ("float64", "float64")
    static: bool = False
    gradient: int = 0
    method: bool = False
    same: bool = False
    x_values: tuple[float, ...] = (1, 2, -3, 5, 4)
    layout: str = "C"
    lowering: str = "stock"

    USUAL_SIZES = {"a": 2, "b": 3, "c": 4, "d": 2, "e": 2}  # noqa: RUF012

    def answer(self) -> str:
        """Say all that PyTensor answers: types, values, and what happened to the inputs."""
        mode = Mode(linker="py", optimizer="fast_run")
        flags = {"cxx": "", "mode": mode, "on_opt_error": "raise"}
        try:
            with pytensor.config.change_flags(**flags), use_lowering(self.lowering):
                return "; ".join(self.facts(mode))
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0]}"

    def facts(self, mode: Mode) -> Iterator[str]:
        """Go through the stages, one fact after the other."""
        arrays = [self.array(self.x, 0)] if self.same else [self.array(self.x, 0)]
        if not self.same:
            arrays.append(self.array(self.y, 1))
        inputs = [
            pt.tensor(name, dtype=array.dtype, shape=array.shape if self.static else None)
            if self.static
            else pt.tensor(name, dtype=array.dtype, shape=(None,) * array.ndim)
            for name, array in zip("xy", arrays, strict=False)
        ]
        dims = [names(text) for text in (self.x, self.y)]
        x = as_xtensor(inputs[0], dims=dims[0])
        y = x if self.same else as_xtensor(inputs[1], dims=dims[1])
        dim = self.dim() if callable(self.dim) else self.dim
        out = x.dot(y, dim=dim) if self.method else import_module("pytensor.xtensor").dot(x, y, dim)
        yield f"{out.type}"
        lowered = rewrite_graph(out.values, include=("lower_xtensor",), clone=True)
        outputs = [lowered]
        for _ in range(self.gradient):
            cost = sum((output**2).sum() for output in outputs)
            outputs = outputs + pytensor.grad(cost, inputs)
        yield f"{sorted({type(v.owner.op).__name__ for v in ancestors(outputs) if v.owner})}"
        function = pytensor.function(inputs, outputs, mode=mode)
        before = [array.copy() for array in arrays]
        answers = [np.asarray(answer) for answer in function(*arrays)]
        first = [answer.copy() for answer in answers]
        function(*[array[::-1] if array.ndim else array for array in arrays])
        for answer, copy in zip(answers, first, strict=True):
            yield f"{copy.dtype}{copy.shape} {[value.hex() if isinstance(value, float) else value for value in copy.ravel().tolist()]}"
            yield f"kept {np.array_equal(answer, copy, equal_nan=True)}"
        for array, copy in zip(arrays, before, strict=True):
            yield f"written to {not np.array_equal(array, copy, equal_nan=True)}"

    def array(self, text: str, which: int) -> Any:
        """Make the values of one operand."""
        sizes = [int(size or self.USUAL_SIZES[name[0]]) for name, _, size in split(text)]
        values = self.x_values if which == 0 else (3, -1, 2, 4)
        dtype = np.dtype(self.dtypes[which])
        flat = np.resize(np.array(values, dtype=dtype), int(np.prod(sizes)))
        return np.array(flat.reshape(sizes), order=self.layout)


def split(text: str) -> list[tuple[str, str, str]]:
    """Read dims, with or without sizes."""
    return [dim.partition(":") for dim in text.split()]


def names(text: str) -> tuple[str, ...]:
    """Read the names of dims alone."""
    return tuple(name for name, _, _ in split(text))
