"""One problem for a dot, as plain data that can be stored, printed and run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import EllipsisType
from typing import Any, ClassVar, TypeAlias

import numpy as np

from refdot.cases.values import random_values, with_layout
from refdot.lowering import Lowering, lower_dot
from refdot.tensor import Array, NamedTensor

__all__ = ["CALLS", "DTYPES", "FLOATS", "LAYOUTS", "REGIMES", "DimArgument", "DotCase", "Operand"]


FLOATS = ("float64", "float32", "float16")
_INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *_INTEGERS, "bool", "complex128", "complex64")
CALLS = {
    "function": "dot(x, y, dim=dim)",
    "method": "x.dot(y, dim=dim)",
    "operator": "x @ y, which is dim=None",
}
LAYOUTS = ("c", "fortran", "reversed", "strided", "read-only")
REGIMES = {
    "exact": "small integers: every order of summation gives the same bits",
    "rounding": "ordinary numbers of several magnitudes; for integers, the whole range",
    "special": "NaN, infinities, -0.0, subnormals and huge numbers among small integers",
}
_Name: TypeAlias = Any  # a dim as given: a str, unless the case is about dims that are not


@dataclass(frozen=True)
class Operand:
    """One operand of a case: its named shape, its dtype, and how it reaches the target.

    Attributes
    ----------
    dims : tuple
        The name of each axis; in an invalid case they may be no `str`, empty, or not distinct.
    shape : tuple of int
        The size of each axis.
    dtype : str
    static : tuple of bool
        For each axis whether a target that builds graphs knows its size beforehand.
    layout : str
        How the array lies in memory, one of `LAYOUTS`.
    """

    dims: tuple[_Name, ...]
    shape: tuple[int, ...]
    dtype: str = "float64"
    static: tuple[bool, ...] = ()
    layout: str = "c"

    def __post_init__(self) -> None:
        if not self.static:
            object.__setattr__(self, "static", (False,) * len(self.dims))

    @property
    def sizes(self) -> dict[_Name, int]:
        """The size of each dim."""
        return dict(zip(self.dims, self.shape, strict=True))

    @property
    def static_shape(self) -> tuple[int | None, ...]:
        """The static size of each axis, None for the others."""
        pairs = zip(self.shape, self.static, strict=True)
        return tuple(size if is_static else None for size, is_static in pairs)

    @property
    def static_sizes(self) -> dict[_Name, int | None]:
        """The static size of each dim, None for the others."""
        return dict(zip(self.dims, self.static_shape, strict=True))

    def __str__(self) -> str:
        marks = ["" if is_static else "?" for is_static in self.static]
        shape = ", ".join(
            f"{dim}: {size}{mark}"
            for dim, size, mark in zip(self.dims, self.shape, marks, strict=True)
        )
        layout = "" if self.layout == "c" else f" {self.layout}"
        return f"{self.dtype}{layout}({shape})"


@dataclass(frozen=True)
class DimArgument:
    """The `dim` argument as somebody wrote it.

    Attributes
    ----------
    spelling : str
        One of `DimArgument.SPELLINGS`.
    items : tuple
        The names in it, or for the spellings of no names the value itself.

    Examples
    --------
    >>> DimArgument("list", ("b", "a")).value
    ['b', 'a']
    >>> str(DimArgument("iterator", ("b",))), str(DimArgument("ellipsis"))
    ("iter(['b'])", '...')
    """

    spelling: str = "none"
    items: tuple[Any, ...] = ()

    # The expression for each spelling, and what it evaluates to.
    SPELLINGS: ClassVar[dict[str, tuple[str, Callable[[tuple[Any, ...]], Any]]]] = {
        "none": ("None", lambda items: None),
        "ellipsis": ("...", lambda items: ...),
        "str": ("{0!r}", lambda items: items[0]),
        "tuple": ("{tuple!r}", tuple),
        "list": ("{list!r}", list),
        "set": ("set({list!r})", set),
        "frozenset": ("frozenset({list!r})", frozenset),
        "keys": ("dict.fromkeys({list!r})", dict.fromkeys),
        "iterator": ("iter({list!r})", iter),
        "object": ("{0!r}", lambda items: items[0]),
        "array": ("np.array({list!r})", lambda items: np.array(items)),
        "bytes": ("{0!r}.encode()", lambda items: items[0].encode()),
    }

    @classmethod
    def of(cls, value: Any) -> DimArgument:
        """Return the description of a `dim` argument.

        Examples
        --------
        >>> DimArgument.of({"a"}), DimArgument.of(5).spelling
        (DimArgument(spelling='set', items=('a',)), 'object')
        """
        if value is None or value is ...:
            return cls("none" if value is None else "ellipsis")
        spelling = type(value).__name__
        if spelling in ("tuple", "list", "set", "frozenset"):
            return cls(spelling, tuple(value))
        return cls("str" if spelling == "str" else "object", (value,))

    @property
    def value(self) -> Any:
        """The argument itself, made anew at each call: an iterator can be used once only."""
        return self.SPELLINGS[self.spelling][1](self.items)

    @property
    def names(self) -> frozenset[str] | EllipsisType | None:
        """The argument without its spelling, if it is valid."""
        if self.spelling in ("none", "ellipsis"):
            return None if self.spelling == "none" else ...
        return frozenset(self.items)

    def renamed(self, names: Mapping[_Name, _Name]) -> DimArgument:
        """Give the same argument with other names."""
        return replace(self, items=tuple(names.get(item, item) for item in self.items))

    def __str__(self) -> str:
        template = self.SPELLINGS[self.spelling][0]
        return template.format(*self.items, tuple=self.items, list=list(self.items))


@dataclass(frozen=True)
class DotCase:
    """One problem: `dot(x, y, dim)`, and what to ask about it.

    Attributes
    ----------
    x, y : Operand
    dim : DimArgument
    regime : str
        Which numbers the operands hold, one of `REGIMES`.
    seed : int
        What those numbers are drawn with.
    same_variable : bool
        Whether both operands are one and the same variable (then y equals x).
    gradient_order : int
        0, 1 or 2: how often to differentiate.
    call : str
        How to write it, one of `CALLS`.

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

    def __str__(self) -> str:
        y = "x" if self.same_variable else str(self.y)
        facts = [
            "" if self.regime == "exact" else self.regime,
            f"seed {self.seed}" if self.seed else "",
            ["", "gradient", "second gradient"][self.gradient_order],
            {"method": "as a method", "operator": "as x @ y"}.get(self.call, ""),
        ]
        notes = ", ".join(filter(None, facts))
        return f"dot({self.x}, {y}, dim={self.dim})" + (f"  [{notes}]" if notes else "")

    @property
    def dims(self) -> tuple[_Name, ...]:
        """Every dim once, x's first."""
        return tuple(dict.fromkeys(self.x.dims + self.y.dims))

    @property
    def result_dtype(self) -> np.dtype[Any]:
        """The dtype of the answer (R7)."""
        return np.result_type(np.dtype(self.x.dtype), np.dtype(self.y.dtype))

    @property
    def lowering(self) -> Lowering:
        """The lowering of a case whose names are valid.

        Raises
        ------
        DotError
            The case breaks R1, R2 or R3.
        """
        return lower_dot(self.x.dims, self.y.dims, self.dim.value)

    @property
    def out_sizes(self) -> dict[str, int]:
        """The named shape of the answer to a valid case."""
        sizes = self.x.sizes | self.y.sizes
        return {dim: sizes[dim] for dim in self.lowering.out_dims}

    def arrays(self, replicate: int = 0) -> tuple[Array, Array]:
        """Return the operands' values; each replicate of a case has other numbers."""
        x = self._values(self.x, (self.seed, replicate, 0))
        return x, x if self.same_variable else self._values(self.y, (self.seed, replicate, 1))

    def _values(self, operand: Operand, seed: tuple[int, ...]) -> Array:
        array = random_values(operand.shape, operand.dtype, self.regime, seed)
        return with_layout(array, operand.layout)

    def tensors(self, replicate: int = 0) -> tuple[NamedTensor, NamedTensor]:
        """Return the operands of a case whose dims are valid."""
        x, y = self.arrays(replicate)
        return NamedTensor(x, self.x.dims), NamedTensor(y, self.y.dims)

    def cotangents(self, replicate: int = 0) -> tuple[NamedTensor, NamedTensor, NamedTensor]:
        """Return a cotangent of the answer, and tangents of the cotangents of x and of y."""
        regime = "exact" if self.regime == "special" else self.regime

        def tensor(sizes: Mapping[str, int], dtype: str, number: int) -> NamedTensor:
            seed = (self.seed, replicate, number)
            return NamedTensor(random_values(tuple(sizes.values()), dtype, regime, seed), sizes)

        cotangent = tensor(self.out_sizes, str(self.result_dtype), 2)
        x_tangent = tensor(self.x.sizes, self.x.dtype, 3)
        if self.same_variable:
            return cotangent, x_tangent, x_tangent
        return cotangent, x_tangent, tensor(self.y.sizes, self.y.dtype, 4)

    def renamed(self, names: Mapping[_Name, _Name]) -> DotCase:
        """Give the same case with other names."""

        def rename(operand: Operand) -> Operand:
            return replace(operand, dims=tuple(names.get(dim, dim) for dim in operand.dims))

        return replace(self, x=rename(self.x), y=rename(self.y), dim=self.dim.renamed(names))
