"""A test case for a dot as plain data, which can be stored, printed and run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from keyword import iskeyword
from typing import Any, TypeAlias

import numpy as np

from refdot.cases.dim_argument import DimArgument
from refdot.cases.layouts import LAYOUTS, with_layout
from refdot.cases.values import CONTENTS, content_values, random_values
from refdot.lowering import Lowering, lower_dot
from refdot.tensor import Array, NamedTensor
from refdot.text import printable

__all__ = [
    "CALLS",
    "CONTENTS",
    "DTYPES",
    "FLOATS",
    "LAYOUTS",
    "ORIGINS",
    "REGIMES",
    "DimArgument",
    "DotCase",
    "Operand",
]

FLOATS = ("float64", "float32", "float16")
_INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *_INTEGERS, "bool", "complex128", "complex64")
CALLS = {
    "function": "dot(x, y, dim=dim)",
    "method": "x.dot(y, dim=dim)",
    "operator": "x @ y (always dim=None)",
}
ORIGINS = ("input", "constant", "shared")
REGIMES = {
    "exact": "small integers: every order of summation gives the same bits",
    "rounding": "ordinary numbers of several magnitudes; for integers, the whole range",
    "special": "NaN, infinities, -0.0, subnormals and huge numbers among small integers",
}
# The properties of an operand that its notation lacks, and the parameters of `dot_case` for them.
_OPERAND_OPTIONS = {"dtype": "dtypes", "layout": "layout", "origin": "origin", "content": "content"}
_Dim: TypeAlias = Any  # a str, except in cases that break R1


@dataclass(frozen=True)
class Operand:
    """One operand of a case, without its values.

    Attributes
    ----------
    dims : tuple
        The name of each axis. In an invalid case, a name may be repeated, empty or not a `str`.
    static : tuple of bool
        For each axis, whether the size is known when a target builds its graph; by default none is.
        All sizes of a constant are.
    layout : str
        The memory layout of the array, one of `LAYOUTS`.
    origin : str
        Where a graph has the operand from: it is an "input", a "constant" with the same numbers in
        every replicate, or the value of a "shared" variable.
    content : str
        The values: "drawn" at random, or those of `refdot.cases.values.content_values`, such as
        "zeros" or the "identity". Some layouts repeat a part of these values.
    """

    dims: tuple[_Dim, ...]
    shape: tuple[int, ...]
    dtype: str = "float64"
    static: tuple[bool, ...] = ()
    layout: str = "c"
    origin: str = "input"
    content: str = "drawn"

    def __post_init__(self) -> None:
        is_constant = self.origin == "constant"
        if is_constant or not self.static:
            object.__setattr__(self, "static", (is_constant,) * len(self.dims))

    @property
    def sizes(self) -> dict[_Dim, int]:
        """The size of each dim."""
        return dict(zip(self.dims, self.shape, strict=True))

    @property
    def static_shape(self) -> tuple[int | None, ...]:
        """The static size of each axis, None where the size is not static."""
        pairs = zip(self.shape, self.static, strict=True)
        return tuple(size if is_static else None for size, is_static in pairs)

    @property
    def static_sizes(self) -> dict[_Dim, int | None]:
        """The static size of each dim, None where the size is not static."""
        return dict(zip(self.dims, self.static_shape, strict=True))

    @property
    def notation(self) -> str:
        """The operand as an expression for `dot_case`: a text, a list of texts, or an `Operand`."""
        if not self.has_notation:
            return repr(self)
        axes = zip(self.dims, self.shape, self.static, strict=True)
        words = [f"{dim}:{size}{'' if is_static else '?'}" for dim, size, is_static in axes]
        text = " ".join(words)
        return _quoted(text) if text.split() == words else repr(words)

    @property
    def has_notation(self) -> bool:
        """Whether every dim is a str, as all are but in a case that breaks R1."""
        return all(type(dim) is str for dim in self.dims)

    def values(self, regime: str, seed: int, replicate: int, number: int) -> Array:
        """Return the values of the operand with a number in a case; see `DotCase.arrays`."""
        if self.content == "drawn":
            if self.origin == "constant":
                replicate = 0
            if regime == "rounding" and replicate > 0:
                regime = "short"  # sums of integers that overflow do not show what is rounded
            array = random_values(self.shape, self.dtype, regime, (seed, replicate, number))
        else:
            array = content_values(self.content, self.shape, self.dtype)
        return with_layout(array, self.layout)

    def __str__(self) -> str:
        axes = zip(self.dims, self.shape, self.static, strict=True)
        sizes = (f"{dim}: {size}{'' if static else '?'}" for dim, size, static in axes)
        shape = printable(", ".join(sizes))
        usual = ("c", "input", "drawn")
        words = [word for word in (self.layout, self.origin, self.content) if word not in usual]
        return f"{' '.join([self.dtype, *words])}({shape})"


@dataclass(frozen=True, repr=False)
class DotCase:
    """A test case: a call `dot(x, y, dim)` and which of its derivatives to compute.

    Attributes
    ----------
    regime : str
        The kind of numbers in the operands: "exact", "rounding" or "special".
    seed : int
        The seed of these numbers.
    same_variable : bool
        Whether both operands are the same variable. Then `y` equals `x`, but may have other dims:
        `x.dot(x.rename(a="b"))`.
    same_array : bool
        Whether both operands are inputs of a graph that get the same array. Then `y` may differ
        from `x` only in its dims and in which sizes are static.
    gradient_order : int
        The highest order of derivatives to compute: 0, 1 or 2.
    call : str
        How the call is written: as a "function", a "method" or an "operator".

    Examples
    --------
    >>> case = DotCase(Operand(("a", "b"), (2, 3)), Operand(("b",), (3,)))
    >>> print(case)
    dot(float64(a: 2?, b: 3?), float64(b: 3?), dim=None)
    """

    x: Operand
    y: Operand
    dim: DimArgument = field(default_factory=DimArgument)
    regime: str = "exact"
    seed: int = 0
    same_variable: bool = False
    gradient_order: int = 0
    call: str = "function"
    same_array: bool = False

    def __repr__(self) -> str:
        """Return the case as an expression, with names that `refdot.testing` exports.

        A counterexample that Hypothesis prints can be pasted into the test as an `@example`.
        """
        words = [self.x.notation, self.y.notation]
        if self.dim != DimArgument():
            words.append(f"dim={self.dim.notation}")
        for name, option in _OPERAND_OPTIONS.items():
            values = [getattr(each, name) for each in (self.x, self.y) if each.has_notation]
            value = values[0] if len({*values}) == 1 else tuple(values)
            if value not in ((), getattr(Operand, name)):
                words.append(f"{option}={value!r}")
        for each in fields(self)[3:]:
            if (value := getattr(self, each.name)) != each.default:
                words.append(f"{each.name}={value!r}")
        return f"dot_case({', '.join(words)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print the fields of a dataclass instead.
        printer.text(repr(self))

    def __str__(self) -> str:
        y = str(self.y)
        if self.same_variable:
            y = f"x.{self.rename_call}" if self.new_names else "x"
        notes = [
            "same array" if self.same_array else "",
            "" if self.regime == "exact" else self.regime,
            f"seed {self.seed}" if self.seed else "",
            ["", "gradient", "second gradient"][self.gradient_order],
            {"method": "as a method", "operator": "as x @ y"}.get(self.call, ""),
        ]
        suffix = f"  [{', '.join(filter(None, notes))}]" if any(notes) else ""
        return f"dot({self.x}, {y}, dim={self.dim}){suffix}"

    @property
    def new_names(self) -> dict[_Dim, _Dim]:
        """The dims of x that have another name in y, if both operands are the same variable."""
        pairs = zip(self.x.dims, self.y.dims, strict=True)
        return {old: new for old, new in pairs if old != new}

    @property
    def rename_call(self) -> str:
        """The call that gives x the dims of y, such as "rename(b='c')", or "" if it has them."""
        names = self.new_names
        if all(map(_is_keyword_argument, names)):
            arguments = ", ".join(f"{old}={new!r}" for old, new in names.items())
            return arguments and f"rename({arguments})"
        return f"rename({names!r})"

    @property
    def share_memory(self) -> bool:
        """Whether both operands are the same variable or the same array."""
        return self.same_variable or self.same_array

    @property
    def dims(self) -> tuple[_Dim, ...]:
        """The distinct dims, those of x first."""
        return tuple(dict.fromkeys(self.x.dims + self.y.dims))

    @property
    def result_dtype(self) -> np.dtype[Any]:
        """The dtype of the answer (R7)."""
        return np.result_type(np.dtype(self.x.dtype), np.dtype(self.y.dtype))

    @property
    def lowering(self) -> Lowering:
        """The lowering of the call.

        Raises
        ------
        DotError
            The case breaks R1, R2 or R3.
        """
        return lower_dot(self.x.dims, self.y.dims, self.dim.value)

    @property
    def out_sizes(self) -> dict[str, int]:
        """The size of each dim of the answer, for a valid case."""
        sizes = self.x.sizes | self.y.sizes
        return {dim: sizes[dim] for dim in self.lowering.out_dims}

    def arrays(self, replicate: int = 0) -> tuple[Array, Array]:
        """Return the values of the operands.

        Each replicate of a case has different numbers, except in constants.
        """
        x = self._values(self.x, replicate, 0)
        return x, x if self.share_memory else self._values(self.y, replicate, 1)

    def _values(self, operand: Operand, replicate: int, number: int) -> Array:
        return operand.values(self.regime, self.seed, replicate, number)

    def tensors(self, replicate: int = 0) -> tuple[NamedTensor, NamedTensor]:
        """Return the operands as named tensors, for a case that obeys R1."""
        x, y = self.arrays(replicate)
        return NamedTensor(x, self.x.dims), NamedTensor(y, self.y.dims)

    def cotangents(self, replicate: int = 0) -> tuple[NamedTensor, NamedTensor, NamedTensor]:
        """Return a cotangent of the answer, and tangents of x and y, for a valid case.

        To differentiate the first gradients again, a target pairs them with the tangents.
        """
        regime = "exact" if self.regime == "special" else self.regime

        def tensor(sizes: Mapping[str, int], dtype: str, number: int) -> NamedTensor:
            seed = (self.seed, replicate, number)
            return NamedTensor(random_values(tuple(sizes.values()), dtype, regime, seed), sizes)

        cotangent = tensor(self.out_sizes, str(self.result_dtype), 2)
        x_tangent = tensor(self.x.sizes, self.x.dtype, 3)
        if self.same_variable:
            return cotangent, x_tangent, NamedTensor(x_tangent.data, self.y.dims)
        return cotangent, x_tangent, tensor(self.y.sizes, self.y.dtype, 4)

    def renamed(self, names: Mapping[_Dim, _Dim]) -> DotCase:
        """Return the case with its dims renamed according to a mapping."""

        def rename(operand: Operand) -> Operand:
            return replace(operand, dims=tuple(names.get(dim, dim) for dim in operand.dims))

        return replace(self, x=rename(self.x), y=rename(self.y), dim=self.dim.renamed(names))


def _quoted(text: str) -> str:
    """Return a string literal, in double quotes if possible."""
    literal = repr(text)
    return literal if '"' in literal else f'"{literal[1:-1]}"'


def _is_keyword_argument(dim: _Dim) -> bool:
    """Whether `rename` can be given a dim's new name as a keyword argument."""
    # Python normalizes other identifiers, and `self` is a parameter of every method.
    is_name = isinstance(dim, str) and dim.isascii() and dim.isidentifier()
    return is_name and not iskeyword(dim) and dim not in ("self", "__debug__")
