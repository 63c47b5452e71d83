"""PyTensor graphs of a case: the dot, its lowering and their gradients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytensor
import pytensor.tensor as pt
import pytensor.xtensor
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.rewriting.utils import rewrite_graph

from refdot.cases.case import DotCase, Operand
from refdot.tensor import Array

__all__ = [
    "Graph",
    "array_read",
    "build",
    "gradients",
    "graph_key",
    "is_input",
    "lower",
    "operands",
    "variable_of",
]


@dataclass(frozen=True)
class Graph:
    """The graph of a case.

    Attributes
    ----------
    variables : dict
        For x and y, or only for x if both are the same variable: its constant, its shared variable
        or the tensor variable that is its input.
    out : xtensor variable
        What `dot` returned.
    """

    variables: dict[str, Any]
    out: Any

    @property
    def inputs(self) -> list[Any]:
        """The variables that get their values from the arguments of a call."""
        return [variable for variable in self.variables.values() if is_input(variable)]

    @property
    def differentiable(self) -> dict[str, Any]:
        """The variables that are not constants."""
        return {
            name: variable
            for name, variable in self.variables.items()
            if not isinstance(variable, Constant)
        }

    def memory(self, case: DotCase, replicate: int) -> tuple[Array, ...]:
        """Return the array that PyTensor reads for each operand, and give it to shared variables.

        The case has this graph, but its values may be others than those of the case that was built.
        """
        arrays = zip(self.variables.values(), case.arrays(replicate), strict=False)
        return tuple(array_read(variable, array) for variable, array in arrays)

    def arguments(self, memory: Sequence[Array]) -> list[Array]:
        """Return the arrays among those of the operands that are the arguments of a call."""
        pairs = zip(self.variables.values(), memory, strict=True)
        return [array for variable, array in pairs if is_input(variable)]


def is_input(variable: Any) -> bool:
    """Whether a variable gets its value from an argument of a call."""
    return not isinstance(variable, Constant | SharedVariable)


def array_read(variable: Any, array: Array) -> Array:
    """Return the array that PyTensor reads for an operand, and give it to a shared variable."""
    if isinstance(variable, SharedVariable):
        variable.set_value(array, borrow=True)
        array = variable.get_value(borrow=True)
    return variable.data if isinstance(variable, Constant) else array


def operands(case: DotCase) -> dict[str, Operand]:
    """Return the operands by name; only x if both are the same variable."""
    return {"x": case.x} if case.same_variable else {"x": case.x, "y": case.y}


def build(case: DotCase) -> Graph:
    """Build the graph of a case; only the sizes that the case marks as static are static."""
    named = operands(case)

    def variable(number: int, name: str) -> Any:
        return variable_of(name, named[name], lambda: case.arrays()[number])

    variables = {name: variable(number, name) for number, name in enumerate(named)}
    tensors = [
        pytensor.xtensor.as_xtensor(variables[name], dims=named[name].dims) for name in named
    ]
    x, y = tensors[0], tensors[-1]
    if case.same_variable and case.new_names:
        y = x.rename(case.new_names)
    if case.call == "operator":
        return Graph(variables, x @ y)
    if case.call == "method":
        return Graph(variables, x.dot(y, dim=case.dim.value))
    return Graph(variables, pytensor.xtensor.dot(x, y, dim=case.dim.value))


def variable_of(name: str, operand: Operand, values: Callable[[], Array]) -> Any:
    """Return an operand's tensor variable; `values` gives the numbers that it may need."""
    if operand.origin == "input":
        return pt.tensor(name, dtype=operand.dtype, shape=operand.static_shape)
    if operand.origin == "constant":
        return pt.constant(values(), name)
    return pytensor.shared(values(), name, shape=operand.static_shape, borrow=True)


def lower(graph: Graph) -> Any:
    """Lower the output of a graph to a tensor, with the lowering that is installed."""
    return rewrite_graph(graph.out.values, include=("lower_xtensor",), clone=True)


def gradients(cotangents: Mapping[Any, Any], operands: Sequence[Any]) -> list[Any]:
    """Pull cotangents, each given with its variable, back to some operands."""
    return list(pytensor.grad(None, operands, known_grads=cotangents, disconnected_inputs="ignore"))


def graph_key(case: DotCase) -> DotCase:
    """Return a case that is equal for all cases with the same graph.

    The numbers of a constant are a part of the graph.
    """

    def reduced(operand: Operand) -> Operand:
        if operand.origin == "constant":
            return operand
        shape = tuple(-1 if size is None else size for size in operand.static_shape)
        return replace(operand, shape=shape, layout="c", content="drawn")

    key = replace(case, x=reduced(case.x), y=reduced(case.y), same_array=False)
    has_drawn_constant = any(
        (operand.origin, operand.content) == ("constant", "drawn") for operand in (case.x, case.y)
    )
    return key if has_drawn_constant else replace(key, regime="exact", seed=0)
