"""Lower a named-dimension dot: from the names of dims to the subscripts of an einsum.

This is the central idea of refdot. A lowering has the role of each dim, and the einsum that
computes the dot. It depends only on the names of dims, not on sizes, dtypes or values.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters
from types import EllipsisType
from typing import TypeAlias

from refdot.errors import DimNameError, DimNotFoundError, DimTypeError

__all__ = [
    "EINSUM_SYMBOLS",
    "Dim",
    "Dims",
    "Lowering",
    "dim_names",
    "dim_set",
    "lower",
    "lower_dot",
    "plain_str",
]

Dim: TypeAlias = EllipsisType | str | Iterable[str] | None
Dims: TypeAlias = tuple[str, ...]
EINSUM_SYMBOLS = len(ascii_letters)


@dataclass(frozen=True, slots=True)
class Lowering:
    """The lowering of a named-dimension dot: the role of each dim, and the einsum.

    Attributes
    ----------
    x_dims, y_dims : tuple of str
        The dims of each operand, one for each axis.
    contracted : tuple of str
        The dims in both operands that are summed over, in x's order.
    batch : tuple of str
        The dims in both operands that are kept, in x's order.
    x_free, y_free : tuple of str
        The dims in one operand that are kept.
    x_summed, y_summed : tuple of str
        The dims in one operand that are summed over.
    out_dims : tuple of str
        The dims of the output: x's dims, then the dims only in y, without those summed over.
    subscripts : str
        The einsum string, with one symbol for each dim.
    shared_axes : tuple of (int, int)
        For each dim in both operands, its axis in x and its axis in y.

    Examples
    --------
    >>> low = lower_dot(("batch", "time", "embd"), ("embd", "head"))
    >>> low.contracted, low.x_free, low.out_dims
    (('embd',), ('batch', 'time'), ('batch', 'time', 'head'))
    >>> low.subscripts
    'abc,cd->abd'
    >>> print(low)
    abc,cd->abd
    x           batch time embd
    y           embd head
    out         batch time head
    contracted  embd
    x free      batch time
    y free      head
    """

    x_dims: Dims
    y_dims: Dims
    contracted: Dims
    batch: Dims
    x_free: Dims
    y_free: Dims
    x_summed: Dims
    y_summed: Dims
    out_dims: Dims
    subscripts: str
    shared_axes: tuple[tuple[int, int], ...]

    @property
    def all_dims(self) -> Dims:
        """Every dim once, x's first; the order of the symbols."""
        return tuple(dict.fromkeys(self.x_dims + self.y_dims))

    @property
    def symbol(self) -> dict[str, str]:
        """The symbol of each dim in the subscripts."""
        return dict(zip(self.all_dims, symbols(len(self.all_dims)), strict=True))

    def role(self, dim: str) -> str:
        """Return the role of a dim: "contracted", "batch", "free" or "summed".

        Examples
        --------
        >>> lower_dot(("a", "b"), ("b", "c"), dim=("a", "b")).role("a")
        'summed'
        """
        is_kept = dim in self.out_dims
        if dim in self.x_dims and dim in self.y_dims:
            return "batch" if is_kept else "contracted"
        return "free" if is_kept else "summed"

    def to_svg(self, sizes: Mapping[str, int | str] | None = None) -> str:
        """Render the dot as a tensor network, with a box for each operand and an edge for each dim.

        Parameters
        ----------
        sizes : mapping of str to int or str, optional
            The sizes to show beside the names of some or all dims.

        Returns
        -------
        str
            An SVG document with colours for light and dark pages.

        Examples
        --------
        >>> lower_dot(("a", "b"), ("b", "c")).to_svg({"a": 2})[:4]
        '<svg'
        """
        from refdot.display.svg import render

        return render(self, sizes or {})

    def _repr_html_(self) -> str:
        return self.to_svg()

    def __str__(self) -> str:
        roles = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")
        rows = {"x": self.x_dims, "y": self.y_dims, "out": self.out_dims}
        rows |= {role.replace("_", " "): dims for role in roles if (dims := getattr(self, role))}
        table = [f"{label:<12}{' '.join(dims) or '(none)'}" for label, dims in rows.items()]
        return "\n".join([self.subscripts, *table])


def lower_dot(x_dims: Iterable[str], y_dims: Iterable[str], dim: Dim = None) -> Lowering:
    """Lower a named-dimension dot to the roles of its dims and an einsum.

    Parameters
    ----------
    x_dims, y_dims : iterable of str
        The dims of each operand, one for each axis.
    dim : None, ..., str or iterable of str, optional
        The dims to sum over. None means every dim in both operands, and `...` means every dim.
        In an iterable, order and repeats do not matter; if it is empty, no dim is summed over.

    Returns
    -------
    Lowering
        Results are cached: equal arguments return the same object.

    Raises
    ------
    DimNameError
        R1: the dims of an operand are not distinct, non-empty `str`.
    DimTypeError
        R2: `dim` has another type.
    DimNotFoundError
        R3: `dim` has a name that is not a dim of either operand.

    Examples
    --------
    >>> lower_dot(("a", "b"), ("b", "a"), dim="b").subscripts
    'ab,ba->a'
    >>> lower_dot(("a", "b"), ("b", "c"), dim=...).subscripts
    'ab,bc->'
    """
    return lower(dim_names(x_dims, "x"), dim_names(y_dims, "y"), dim_set(dim))


def dim_names(dims: Iterable[str], operand: str = "tensor") -> Dims:
    """Return the dims of an operand as a tuple, after checking them (R1); a `str` is one dim."""
    if isinstance(dims, str):
        dims = (dims,)
    try:
        members = iter(dims)
    except TypeError:  # a 0-d array is an Iterable, but it has no members
        members = None
    if members is None or isinstance(dims, Set):
        raise DimNameError("Dims are not a sequence of str", operand, (dims,))
    given = tuple(members)
    names: list[str] = []
    for dim in given:
        if not isinstance(dim, str):
            raise DimNameError(f"Dim {dim!r} is not a str", operand, given)
        name = plain_str(dim)
        if not name:
            raise DimNameError("Dim '' is empty", operand, given)
        if name in names:
            opening = "Dimensions must be unique. Found duplicates in"
            raise DimNameError(f"{name!r} appears twice", operand, given, opening)
        names.append(name)
    return tuple(names)


def dim_set(dim: Dim) -> EllipsisType | frozenset[str] | None:
    """Return a `dim` argument as None, `...` or a set of names, after checking its type (R2)."""
    if dim is None or isinstance(dim, EllipsisType):
        return dim
    if isinstance(dim, str):
        return frozenset((plain_str(dim),))
    # Arrays and bytes are iterable too, but passing one is a mistake.
    if hasattr(dim, "__array__") or isinstance(dim, bytes | bytearray | memoryview):
        raise DimTypeError(dim)
    try:
        members = iter(dim)
    except TypeError:
        raise DimTypeError(dim) from None
    names = tuple(members)
    if not_str := [name for name in names if not isinstance(name, str)]:
        # The order of a set depends on the hash seed.
        member = min(not_str, key=repr) if isinstance(dim, Set) else not_str[0]
        raise DimTypeError(dim if dim is not members else names, member)
    return frozenset(map(plain_str, names))


def plain_str(name: str) -> str:
    """Return the characters of a `str`, without the methods of its subclass.

    A member of an `Enum` has another `str()`, and other subclasses have another `==` or hash.

    Examples
    --------
    >>> from enum import Enum
    >>> Dim = Enum("Dim", {"TIME": "time"}, type=str)
    >>> str(Dim.TIME), plain_str(Dim.TIME)
    ('Dim.TIME', 'time')
    """
    return name if type(name) is str else str.__str__(name)


@lru_cache(maxsize=4096)
def lower(x_dims: Dims, y_dims: Dims, dim: EllipsisType | frozenset[str] | None) -> Lowering:
    """Lower names that have been checked already; the public entry point is `lower_dot`."""
    all_dims = tuple(dict.fromkeys(x_dims + y_dims))
    in_x, in_y = frozenset(x_dims), frozenset(y_dims)
    if dim is None:
        summed_over = in_x & in_y
    elif isinstance(dim, EllipsisType):
        summed_over = in_x | in_y
    else:
        summed_over = dim
    if missing := summed_over - in_x - in_y:
        raise DimNotFoundError(missing, all_dims)

    def select(dims: Dims, members: frozenset[str]) -> Dims:
        return tuple(dim for dim in dims if dim in members)

    kept = (in_x | in_y) - summed_over
    out_dims = select(all_dims, kept)
    symbol = dict(zip(all_dims, symbols(len(all_dims)), strict=True))
    x, y, out = ("".join(symbol[dim] for dim in dims) for dims in (x_dims, y_dims, out_dims))
    return Lowering(
        x_dims=x_dims,
        y_dims=y_dims,
        contracted=select(x_dims, in_y & summed_over),
        batch=select(x_dims, in_y & kept),
        x_free=select(x_dims, kept - in_y),
        y_free=select(y_dims, kept - in_x),
        x_summed=select(x_dims, summed_over - in_y),
        y_summed=select(y_dims, summed_over - in_x),
        out_dims=out_dims,
        subscripts=f"{x},{y}->{out}",
        shared_axes=tuple((x_dims.index(dim), y_dims.index(dim)) for dim in select(x_dims, in_y)),
    )


def symbols(count: int) -> str:
    """Return distinct symbols: the 52 letters of einsum, then other letters."""
    return (ascii_letters + "".join(map(chr, range(0xE0, 0xE0 + count))))[:count]
