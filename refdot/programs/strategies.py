"""Hypothesis strategies for test cases of programs.

A drawn program is valid by construction: a dim has one size in the whole program, also under
another name, so that any two values can be combined. Each step is drawn by the same number of
draws, and what they mean depends on the values before it; a step that is impossible becomes a
simpler one. So Hypothesis can remove steps. Every choice lists its simplest option first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from refdot.cases.case import CONTENTS, LAYOUTS, ORIGINS, Operand
from refdot.cases.names import NAME_POOLS
from refdot.cases.strategies import choices
from refdot.programs.case import BUILDS, FORWARD_BUILDS, VECTORIZED_BUILDS, ProgramCase
from refdot.programs.operations import OPERATIONS, Parameter, result_type
from refdot.programs.program import Program, Step

__all__ = ["program_cases"]

_SIZES = (1, 2, 3, 0, 4, 5, 2, 3, 4, 5, 2, 3, 4, 5, 2, 3)
_MOST_STEPS = 6
_MOST_DIMS = 4
_MOST_ELEMENTS = 1000  # of a value
_OPERATIONS = (
    *("dot",) * 8,
    *("gram",) * 2,  # a dot of a value with itself, in which some dims have another name
    *("add", "multiply", "softmax", "rename", "isel", "sum") * 2,
    *("subtract", "negative", "exp", "scale", "transpose", "divide", "power"),
)
_CHANGE_SIGN = ("scale", "negative", "subtract")
_FACTORS = (2, 0.5, 3.0, -0.25, 0.1, -1.0)
_EXPONENTS = (2, 3, 2, 2)
# Of values that are positive.
_ANY_EXPONENTS = (2, -0.5, 0.5, -1, 1.5)
_DTYPES = (
    *(("float64",),) * 12,
    *(("float32",),) * 3,
    *(("float64", "float32"),) * 2,
    ("int64", "float64"),
    ("int64", "float32"),
    ("int64",),
)
_REGIMES = (
    *("unit",) * 7,
    *("exact",) * 5,
    *("rounding",) * 3,
    *("large",) * 4,
    *("special",) * 2,
)
# These builds are in the first programs of a run only.
_NOT_DRAWN = ("vectorized-after-lowering", "intermediates")
_BUILDS = ("plain",) * 9 + tuple(built for built in BUILDS if built not in _NOT_DRAWN)
_ORIGINS = ("input",) * 8 + ORIGINS
_CONTENTS = ("drawn",) * 12 + CONTENTS


class _DrawnInput(NamedTuple):
    """The properties of an input, before its dims have names and sizes."""

    dims: int  # bits: which of the names of the program it has
    order: int
    static: int  # bits
    dtype: int
    layout: str
    origin: str
    content: str


class _DrawnStep(NamedTuple):
    """A step, before its arguments are known."""

    operation: str
    first: int  # how far back the first argument is: 0 is the latest value
    second: int
    choice: int  # of the parameter


_INPUTS = st.lists(
    st.builds(
        _DrawnInput,
        dims=choices((1, 3, 2, 5, 6, 3, 7, 0, 9, 10, 12, 14)),
        order=choices(range(6)),
        static=choices(range(16)),
        dtype=choices(range(2)),
        layout=choices(("c",) * 30 + LAYOUTS),
        origin=choices(_ORIGINS),
        content=choices(_CONTENTS),
    ),
    min_size=1,
    max_size=3,
)
_STEPS = st.lists(
    st.builds(
        _DrawnStep,
        operation=choices(_OPERATIONS),
        first=choices((0, 0, 0, 0, 1, 2)),
        second=choices((1, 0, 2, 1, 3, 4, 5)),
        choice=choices(range(64)),
    ),
    min_size=2,
    max_size=5,
)


@st.composite
def program_cases(draw: DrawFn) -> ProgramCase:
    """Draw a test case of a program with 2 to 6 steps.

    It shrinks towards a short program of dots of float64 inputs with few dims of size 1, numbers
    between -1 and 1, seed 0, no static sizes and no gradient.
    """
    names = draw(choices((NAME_POOLS[0], *NAME_POOLS)))
    sizes = dict(zip(names, draw(st.tuples(*[choices(_SIZES)] * 4)), strict=False))
    dtypes, static = draw(choices(_DTYPES)), draw(choices(("none", "all", "mixed")))
    inputs = tuple(
        (f"x{number}", _input(drawn, sizes, dtypes, static))
        for number, drawn in enumerate(draw(_INPUTS))
    )
    writer = _Composer(inputs, names, sizes)
    for step in draw(_STEPS):
        writer.add(step)
    program = Program(inputs, tuple(writer.steps), writer.unused()).pruned()
    order = draw(choices((0, 1, 1, 2)))
    case = ProgramCase(program, draw(choices(_REGIMES)), draw(choices(range(100))))
    is_smooth = len(dtypes) == 1 and bool(case.differentiable)
    order = order if is_smooth else 0
    built = draw(choices(_BUILDS))
    # Without a gradient, most are equal.
    built = built if order or built in (*VECTORIZED_BUILDS, "xtensors") else "plain"
    order = min(order, 1) if built in FORWARD_BUILDS else order
    return ProgramCase(program, case.regime, case.seed, order, built)


def _input(
    drawn: _DrawnInput, sizes: dict[str, int], dtypes: Sequence[str], static: str
) -> Operand:
    """Return an input with some of the dims in `sizes`, in a drawn order."""
    dims = [dim for number, dim in enumerate(sizes) if drawn.dims >> number & 1]
    if dims:
        turn = drawn.order % len(dims)
        dims = dims[turn:] + dims[:turn]
    if drawn.order >= 3:
        dims.reverse()
    bits = {"none": 0, "all": -1, "mixed": drawn.static}[static]
    return Operand(
        tuple(dims),
        tuple(sizes[dim] for dim in dims),
        dtypes[drawn.dtype % len(dtypes)],
        tuple(bool(bits >> number & 1) for number in range(len(dims))),
        drawn.layout,
        drawn.origin,
        drawn.content,
    )


class _Composer:
    """Makes steps of drawn ones, and keeps track of the values so far."""

    def __init__(
        self,
        inputs: Sequence[tuple[str, Operand]],
        names: Sequence[str],
        sizes: dict[str, int],
    ) -> None:
        self.types = dict(inputs)
        self.names, self.sizes = names, dict(sizes)
        self.steps: list[Step] = []
        self.positive: set[str] = set()

    def add(self, drawn: _DrawnStep) -> None:
        """Append a step, or two for a Gram matrix, if there are not too many."""
        if len(self.steps) == _MOST_STEPS:
            return
        values = list(reversed(self.types))
        first, second = (values[back % len(values)] for back in (drawn.first, drawn.second))
        operation = drawn.operation
        if operation == "gram":
            operation, names = "dot", self._new_names(first, drawn.choice, 1)
            fits = names and len(self.steps) + 1 < _MOST_STEPS
            second = self._append("rename", (first,), names) if fits else first
        arguments = (first, second)[: OPERATIONS[operation].arity]
        parameter = self._parameter(operation, arguments, drawn.choice)
        if parameter == () and operation in ("isel", "rename", "transpose"):
            operation, parameter = "scale", _FACTORS[drawn.choice % len(_FACTORS)]
        if not self._fits(operation, arguments, parameter):
            operation, arguments, parameter = "sum", (first,), None
        self._append(operation, arguments, parameter)

    def _append(self, operation: str, arguments: tuple[str, ...], parameter: Parameter) -> str:
        name = f"v{len(self.steps)}"
        operands = [self.types[argument] for argument in arguments]
        self.types[name] = result_type(operation, operands, parameter)
        self.steps.append(Step(name, operation, arguments, parameter))
        is_positive = operation not in _CHANGE_SIGN and self.positive.issuperset(arguments)
        if is_positive or operation in ("exp", "softmax") or parameter == 2:
            self.positive.add(name)
        return name

    def _fits(self, operation: str, arguments: Sequence[str], parameter: Parameter) -> bool:
        out = result_type(operation, [self.types[name] for name in arguments], parameter)
        return len(out.dims) <= _MOST_DIMS and prod(out.shape) <= _MOST_ELEMENTS

    def _parameter(self, operation: str, arguments: Sequence[str], choice: int) -> Parameter:
        dims = self.types[arguments[0]].dims
        match operation:
            case "dot":
                every = dict.fromkeys(dims + self.types[arguments[1]].dims)
                return self._some(tuple(every), choice) if choice % 3 == 2 else None
            case "sum" | "softmax":
                return self._some(dims, choice) if choice % 4 else None
            case "transpose":
                turn = choice % max(len(dims), 1)
                return dims[turn:] + dims[:turn]
            case "rename":
                return self._new_names(arguments[0], choice, choice % 3)
            case "isel":
                chosen = [dim for dim in dims if self.sizes[dim]][choice % 2 :][:1]
                indices = (0, -1, self.sizes[chosen[0]] - 1) if chosen else (0,)
                return tuple((dim, indices[choice % len(indices)]) for dim in chosen)
            case "scale":
                return _FACTORS[choice % len(_FACTORS)]
            case "power":
                known = _ANY_EXPONENTS if arguments[0] in self.positive else _EXPONENTS
                return known[choice % len(known)]
            case _:
                return None

    def _some(self, dims: tuple[str, ...], choice: int) -> tuple[str, ...]:
        return tuple(dim for number, dim in enumerate(dims) if choice >> 2 >> number & 1)

    def _new_names(self, name: str, choice: int, kept: int) -> tuple[tuple[str, str], ...]:
        """Return new names for the dims of a value, except for the first `kept` ones.

        A new name is one that no value has, or one that has the same size anyway.
        """
        dims = self.types[name].dims
        pairs: list[tuple[str, str]] = []
        for dim in dims[kept % max(len(dims), 1) :][:2]:
            size = self.sizes[dim]
            taken = {*dims, *(new for _, new in pairs)}
            free = [new for new in self.names if self.sizes.get(new, size) == size]
            new = next((new for new in free[choice % 2 :] if new not in taken), None)
            if new is not None:
                pairs.append((dim, new))
                self.sizes[new] = size
        return tuple(pairs)

    def unused(self) -> tuple[str, ...]:
        """Return the results that no step uses, which a program returns."""
        used = {name for step in self.steps for name in step.arguments}
        return tuple(step.name for step in self.steps if step.name not in used)
