"""One problem for a dot, as plain data that can be stored, printed and run again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod
from types import EllipsisType
from typing import Any, ClassVar, TypeAlias

import numpy as np

from refdot.errors import named_shape
from refdot.tensor import Array, NamedTensor

__all__ = [
    "CALLS",
    "DTYPES",
    "FLOATS",
    "INTEGERS",
    "LAYOUTS",
    "TIERS",
    "DimArgument",
    "DotCase",
    "Operand",
]

FLOATS = ("float64", "float32", "float16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool", "complex128", "complex64")
CALLS = {
    "function": "dot(x, y, dim=dim)",
    "method": "x.dot(y, dim=dim)",
    "operator": "x @ y, which is dim=None",
}
LAYOUTS = ("c", "fortran", "reversed", "strided", "read-only")
TIERS = {
    "exact": "small integers: every order of summation gives the same bits",
    "rounding": "ordinary numbers of several magnitudes; for integers, the whole range",
    "special": "NaN, infinities, -0.0, subnormals and huge numbers among small integers",
}
LARGEST = 10_000_000  # elements of an operand that is read from JSON
MOST_AXES = 64  # of an array, in NumPy 2
Name: TypeAlias = Any  # a dim as given: a str, unless the case is about dims that are not


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
    known : tuple of bool
        For each axis whether a target that builds graphs is told its size beforehand.
    layout : str
        How the array lies in memory, one of `LAYOUTS`.
    """

    dims: tuple[Name, ...]
    shape: tuple[int, ...]
    dtype: str = "float64"
    known: tuple[bool, ...] = ()
    layout: str = "c"

    def __post_init__(self) -> None:
        if not self.known:
            object.__setattr__(self, "known", (False,) * len(self.dims))

    @property
    def sizes(self) -> dict[Name, int]:
        """The size of each dim."""
        return dict(zip(self.dims, self.shape, strict=True))

    @property
    def static_shape(self) -> tuple[int | None, ...]:
        """The sizes that are known beforehand, None for the others."""
        pairs = zip(self.shape, self.known, strict=True)
        return tuple(size if known else None for size, known in pairs)

    def __str__(self) -> str:
        static = ["" if known else "?" for known in self.known]
        shape = ", ".join(
            f"{dim}: {size}{mark}"
            for dim, size, mark in zip(self.dims, self.shape, static, strict=True)
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

    def renamed(self, names: Mapping[Name, Name]) -> DimArgument:
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
    tier : str
        Which numbers the operands hold, one of `TIERS`.
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
    >>> DotCase.from_json(case.to_json()) == case
    True
    """

    x: Operand
    y: Operand
    dim: DimArgument = field(default_factory=DimArgument)
    tier: str = "exact"
    seed: int = 0
    same_variable: bool = False
    gradient_order: int = 0
    call: str = "function"

    def __str__(self) -> str:
        y = "x" if self.same_variable else str(self.y)
        facts = [
            "" if self.tier == "exact" else self.tier,
            f"seed {self.seed}" if self.seed else "",
            ["", "gradient", "second gradient"][self.gradient_order],
            {"method": "as a method", "operator": "as x @ y"}.get(self.call, ""),
        ]
        notes = ", ".join(filter(None, facts))
        return f"dot({self.x}, {y}, dim={self.dim})" + (f"  [{notes}]" if notes else "")

    def tensors(self, draw: int = 0) -> tuple[NamedTensor, NamedTensor]:
        """Give the operands of a case with valid dims; `draw` 1, 2, … give other numbers."""
        x, y = self.arrays(draw)
        return NamedTensor(x, self.x.dims), NamedTensor(y, self.y.dims)

    def arrays(self, draw: int = 0) -> tuple[Array, Array]:
        """Give the operands' values."""
        x = values(self.x, self.tier, (self.seed, draw, 0))
        return x, x if self.same_variable else values(self.y, self.tier, (self.seed, draw, 1))

    def cotangent(
        self, sizes: Mapping[str, int], dtype: str, which: int = 0, draw: int = 0
    ) -> NamedTensor:
        """Draw a cotangent, or a tangent of a cotangent, of a given named shape."""
        operand = Operand(tuple(sizes), tuple(sizes.values()), dtype)
        tier = "exact" if self.tier == "special" else self.tier
        return NamedTensor(values(operand, tier, (self.seed, draw, 2 + which)), operand.dims)

    def renamed(self, names: Mapping[Name, Name]) -> DotCase:
        """Give the same case with other names."""

        def rename(operand: Operand) -> Operand:
            return replace(operand, dims=tuple(names.get(dim, dim) for dim in operand.dims))

        return replace(self, x=rename(self.x), y=rename(self.y), dim=self.dim.renamed(names))

    def to_json(self) -> dict[str, Any]:
        """Give the case as what `json` can write."""
        return {
            "x": operand_to_json(self.x),
            "y": operand_to_json(self.y),
            "dim": {"spelling": self.dim.spelling, "items": list(self.dim.items)},
            "tier": self.tier,
            "seed": self.seed,
            "same_variable": self.same_variable,
            "gradient_order": self.gradient_order,
            "call": self.call,
        }

    @classmethod
    def from_json(cls, data: Any) -> DotCase:
        """Read a case from what `to_json` gave, or from that as text.

        Raises
        ------
        ValueError
            The data do not describe a case; the message says where.
        """
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except json.JSONDecodeError as error:
                raise ValueError(f"not JSON: {error}") from None
        fields = cls.__dataclass_fields__
        check_keys(data, "a case", required={"x", "y"}, known=set(fields))
        dim = data.get("dim", {"spelling": "none", "items": []})
        check_keys(dim, "dim", required={"spelling"}, known={"spelling", "items"})
        check_choice("dim.spelling", dim["spelling"], DimArgument.SPELLINGS)
        check_choice("tier", data.get("tier", "exact"), TIERS)
        check_choice("gradient_order", data.get("gradient_order", 0), (0, 1, 2))
        check_is(data, int, "seed")
        check_is(data, bool, "same_variable")
        check_choice("call", data.get("call", "function"), CALLS)
        if data.get("call") == "operator" and dim["spelling"] != "none":
            raise ValueError(f"the operator has no dim, got the spelling {dim['spelling']!r}")
        if not 0 <= data.get("seed", 0) < 1 << 32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1, got {data['seed']}")
        items = dim.get("items", [])
        check_items(dim["spelling"], items)
        x, y = operand_from_json(data["x"], "x"), operand_from_json(data["y"], "y")
        if data.get("same_variable") and x != y:
            raise ValueError("same_variable needs y to be just like x")
        given = {key: value for key, value in data.items() if key not in ("x", "y", "dim")}
        return cls(
            x,
            y,
            DimArgument(dim["spelling"], tuple(items)),
            **given,
        )


def operand_to_json(operand: Operand) -> dict[str, Any]:
    """Give an operand as what `json` can write."""
    return {
        "dims": list(operand.dims),
        "shape": list(operand.shape),
        "dtype": operand.dtype,
        "known": list(operand.known),
        "layout": operand.layout,
    }


def operand_from_json(data: Any, name: str) -> Operand:
    """Read an operand from what `operand_to_json` gave."""
    known = set(Operand.__dataclass_fields__)
    check_keys(data, name, required={"dims", "shape"}, known=known)
    for key in ("dims", "shape", "known"):
        if not isinstance(data.get(key, []), list):
            raise ValueError(f"{name}.{key} must be a list, got {data[key]!r}")
    check_choice(f"{name}.dtype", data.get("dtype", "float64"), DTYPES)
    check_choice(f"{name}.layout", data.get("layout", "c"), LAYOUTS)
    dims, shape = tuple(data["dims"]), tuple(data["shape"])
    known_sizes = tuple(data.get("known") or [False] * len(dims))
    if len(dims) > MOST_AXES:
        raise ValueError(f"{name}.dims are more than the {MOST_AXES} axes that NumPy has")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"{name}.shape must hold sizes, got {data['shape']!r}")
    if prod(shape) > LARGEST:
        raise ValueError(f"{name}.shape has more than {LARGEST:,} elements: {data['shape']!r}")
    if not all(isinstance(dim, str | int) for dim in dims):
        raise ValueError(f"{name}.dims must hold names, got {data['dims']!r}")
    if not all(isinstance(size_is_known, bool) for size_is_known in known_sizes):
        raise ValueError(f"{name}.known must hold true and false, got {data['known']!r}")
    if not len(dims) == len(shape) == len(known_sizes):
        raise ValueError(f"{name}.dims, {name}.shape and {name}.known differ in length")
    return Operand(dims, shape, data.get("dtype", "float64"), known_sizes, data.get("layout", "c"))


def check_keys(data: Any, what: str, required: set[str], known: set[str]) -> None:
    """Refuse anything but a mapping with the keys it needs and no others."""
    if not isinstance(data, dict):
        raise ValueError(f"{what} must be a JSON object, got {data!r}")
    if missing := sorted(required - set(data)):
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    if unknown := sorted(set(data) - known):
        raise ValueError(f"{what} does not know {', '.join(unknown)}")


def check_choice(what: str, value: Any, choices: Any) -> None:
    """Refuse anything but one of the choices."""
    if value not in list(choices):
        raise ValueError(f"{what} must be one of {', '.join(map(str, choices))}, got {value!r}")


def check_items(spelling: str, items: Any) -> None:
    """Refuse what a `dim` argument of some spelling cannot hold."""
    plain = isinstance(items, list) and all(
        item is None or isinstance(item, str | int | float) for item in items
    )
    alone = spelling in ("str", "object", "bytes")
    of_text = spelling in ("str", "bytes")
    if (
        not plain
        or (alone and len(items) != 1)
        or (of_text and not isinstance(items[0], str))
        or (spelling in ("none", "ellipsis") and items)
    ):
        raise ValueError(f"dim.items does not suit the spelling {spelling!r}: {items!r}")


def check_is(data: dict[str, Any], expected: type, *keys: str) -> None:
    """Refuse values of another type than expected."""
    for key in keys:
        if key in data and type(data[key]) is not expected:
            raise ValueError(f"{key} must be {expected.__name__}, got {data[key]!r}")


def values(operand: Operand, tier: str, seed: tuple[int, ...]) -> Array:
    """Draw an operand's values, the same ones on every machine and version of NumPy."""
    drawn = drawn_values(operand.shape, operand.dtype, tier, seed)
    return laid_out(drawn.copy(), operand.layout)


@lru_cache(maxsize=64)  # a case is asked for its values by all who look at it
def drawn_values(
    shape: tuple[int, ...], dtype_name: str, tier: str, seed: tuple[int, ...]
) -> Array:
    """Draw values of any dtype for a tier."""
    # RandomState's streams are frozen for good; those of default_rng may change with NumPy.
    random = np.random.RandomState(seed)
    dtype = np.dtype(dtype_name)
    if dtype.kind != "c":
        return real_values(random, tier, shape, dtype)
    part = np.dtype("float64" if dtype.itemsize == 16 else "float32")
    array = np.empty(shape, dtype)
    array.real = real_values(random, tier, shape, part)
    array.imag = real_values(random, tier, shape, part)
    return array


def real_values(
    random: np.random.RandomState,
    tier: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Array:
    """Draw values of a real dtype for a tier."""
    if dtype.kind == "b":
        return np.asarray(random.random_sample(shape) < 0.6)
    if dtype.kind in "iu":
        return integer_values(random, tier, shape, dtype)
    # No zeros: they hide which elements were multiplied.
    small = random.randint(1, 4 if dtype.itemsize == 2 else 8, shape).astype(dtype)
    signs = np.where(random.random_sample(shape) < 0.5, -1, 1).astype(dtype)
    exact: Array = np.asarray(small * signs)
    if tier == "exact":
        return exact
    if tier == "rounding":
        reach = 2 if dtype.itemsize == 2 else 12
        exponents = random.randint(-reach, reach + 1, shape)
        fractions = 1 + random.random_sample(shape)
        return np.asarray(np.ldexp(fractions * signs, exponents)).astype(dtype)
    limits = np.finfo(dtype)
    specials = np.array(
        [np.nan, np.inf, -np.inf, -0.0, 0.0, limits.smallest_subnormal, limits.max], dtype
    )
    chosen = specials[random.randint(0, len(specials), shape)]
    return np.where(random.random_sample(shape) < 0.3, chosen, exact)


def integer_values(
    random: np.random.RandomState, tier: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Draw values of an integer dtype for a tier."""
    limits = np.iinfo(dtype)
    if tier == "exact":
        low = -7 if dtype.kind == "i" else 1
        drawn = random.randint(low, 8, shape)
        return np.asarray(np.where(drawn == 0, 7, drawn)).astype(dtype)
    if tier == "rounding":
        count = int(np.prod(shape, dtype=int))
        return np.frombuffer(random.bytes(count * dtype.itemsize), dtype).reshape(shape).copy()
    edges = np.array([limits.max, limits.min, limits.max - 1, limits.min + 1, 0, 1, 2], dtype)
    return np.asarray(edges[random.randint(0, len(edges), shape)])


def laid_out(array: Array, layout: str) -> Array:
    """Lay the same values out otherwise in memory."""
    if layout == "fortran":
        return np.array(array, order="F")
    if layout == "reversed":
        flip: tuple[Any, ...] = (..., *(slice(None, None, -1),) * array.ndim)
        return np.asarray(array[flip].copy()[flip])
    if layout == "strided":
        wide = np.empty((*array.shape, 2), array.dtype)
        wide[..., 0], wide[..., 1] = array, 0
        return wide[..., 0]
    if layout == "read-only":
        array = array.copy()
        array.flags.writeable = False
    return array


def shapes(case: DotCase) -> str:
    """Write both operands' named shapes, for a message."""
    return f"x {named_shape(case.x.sizes)}, y {named_shape(case.y.sizes)}"
