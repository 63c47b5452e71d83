"""From names to positions: which einsum a named-dimension dot is.

The whole idea of refdot is in this module. Two operands with named dims and a `dim` argument go
in; out comes a `Lowering`, which gives each dim its role and says the same thing in subscripts.
It is a pure function of names: sizes, dtypes and values play no part, and NumPy is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters
from types import EllipsisType
from typing import TypeAlias

from refdot.errors import DimNameError, DimNotFoundError, DimTypeError

__all__ = ["Dim", "Dims", "Lowering", "dim_names", "dim_set", "lower", "lower_dot"]


Dim: TypeAlias = EllipsisType | str | Iterable[str] | None
Dims: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lowering:
    """A named-dimension dot, lowered: the role of each dim, and the einsum.

    Attributes
    ----------
    x_dims, y_dims : tuple of str
        The operands' dims, one for each axis.
    contracted : tuple of str
        In both operands, summed over; in x's order.
    batch : tuple of str
        In both operands, kept; in x's order.
    x_free, y_free : tuple of str
        In one operand, kept.
    x_summed, y_summed : tuple of str
        In one operand, summed over alone.
    out_dims : tuple of str
        The output's dims: x's in order, then those that only y has, less those summed over.
    subscripts : str
        The same as an einsum string, one symbol a dim.

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
        """Every dim once, x's first: the dim of each symbol in turn."""
        return tuple(dict.fromkeys(self.x_dims + self.y_dims))

    @property
    def symbol(self) -> dict[str, str]:
        """The symbol that stands for each dim in the subscripts."""
        return dict(zip(self.all_dims, symbols(len(self.all_dims)), strict=True))

    def role(self, dim: str) -> str:
        """Say what becomes of `dim`: "contracted", "batch", "free" or "summed".

        Examples
        --------
        >>> lower_dot(("a", "b"), ("b", "c"), dim=("a", "b")).role("a")
        'summed'
        """
        if dim in self.contracted:
            return "contracted"
        if dim in self.batch:
            return "batch"
        return "free" if dim in self.x_free + self.y_free else "summed"

    def to_svg(self, sizes: Mapping[str, int | str] | None = None) -> str:
        """Draw the dot as a tensor network: boxes for the operands, an edge for each dim.

        Parameters
        ----------
        sizes : mapping of str to int or str, optional
            What to write beside the names of dims; some may be left out.

        Returns
        -------
        str
            An SVG document, readable on light and on dark pages.

        Examples
        --------
        >>> lower_dot(("a", "b"), ("b", "c")).to_svg({"a": 2})[:4]
        '<svg'
        """
        from refdot.display.svg import draw

        return draw(self, sizes or {})

    def _repr_html_(self) -> str:
        return self.to_svg()

    def __str__(self) -> str:
        rows = {
            "x": self.x_dims,
            "y": self.y_dims,
            "out": self.out_dims,
            "contracted": self.contracted,
            "batch": self.batch,
            "x free": self.x_free,
            "y free": self.y_free,
            "x summed": self.x_summed,
            "y summed": self.y_summed,
        }
        always = {"x", "y", "out"}
        lines = [
            f"{label:<12}{' '.join(dims) or '(none)'}"
            for label, dims in rows.items()
            if dims or label in always
        ]
        return "\n".join([self.subscripts, *lines])


def lower_dot(x_dims: Iterable[str], y_dims: Iterable[str], dim: Dim = None) -> Lowering:
    """Lower a named-dimension dot to the roles of its dims and an einsum.

    Parameters
    ----------
    x_dims, y_dims : iterable of str
        Each operand's dims, one for each axis.
    dim : None, ..., str or iterable of str, optional
        What to sum over. None: every dim that both operands have; `...`: every dim there is;
        otherwise the dims named, in any order, as often as you like. An empty iterable
        contracts nothing.

    Returns
    -------
    Lowering
        Equal arguments give one and the same object.

    Raises
    ------
    DimNameError
        R1: an operand's dims are not distinct, non-empty `str`.
    DimTypeError
        R2: `dim` is none of the above.
    DimNotFoundError
        R3: `dim` names something that neither operand has.

    Examples
    --------
    >>> lower_dot(("a", "b"), ("b", "a"), dim="b").subscripts
    'ab,ba->a'
    >>> lower_dot(("a", "b"), ("b", "c"), dim=...).subscripts
    'ab,bc->'
    """
    return lower(dim_names(x_dims, "x"), dim_names(y_dims, "y"), dim_set(dim))


def dim_names(dims: Iterable[str], operand: str = "tensor") -> Dims:
    """Check one operand's dims (R1) and give them back as a tuple; one `str` is one dim.

    Raises
    ------
    DimNameError
        R1: a dim is not a `str`, is empty, or comes twice.

    Examples
    --------
    >>> dim_names(["a", "b"])
    ('a', 'b')
    >>> dim_names(("a", "b", "a"), "x")
    Traceback (most recent call last):
    refdot.errors.DimNameError: Dimensions must be unique. Found duplicates in ('a', 'b', 'a'):
    'a' comes twice in x
    """
    if isinstance(dims, str):
        dims = (dims,)
    if isinstance(dims, Set) or not isinstance(dims, Iterable):
        raise DimNameError("Dims are not a sequence of str", operand, (dims,))
    names = tuple(dims)
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str):
            raise DimNameError(f"Dim {name!r} is not a str", operand, names)
        if not name:
            raise DimNameError("Dim '' is empty", operand, names)
        if name in seen:
            opening = "Dimensions must be unique. Found duplicates in"
            raise DimNameError(f"{name!r} comes twice", operand, names, opening)
        seen.add(name)
    # Plain str, so that what is cached for equal names does not depend on who came first.
    return tuple(map(str, names))


def dim_set(dim: Dim) -> EllipsisType | frozenset[str] | None:
    """Read a `dim` argument (R2): None and `...` as they are, anything else as a set of names."""
    if dim is None or isinstance(dim, EllipsisType):
        return dim
    if isinstance(dim, str):
        return frozenset((str(dim),))
    # Arrays and bytes iterate too, but whoever passes one meant something else.
    if hasattr(dim, "__array__") or isinstance(dim, bytes | bytearray | memoryview):
        raise DimTypeError(dim)
    try:
        members = iter(dim)
    except TypeError:
        raise DimTypeError(dim) from None
    names = tuple(members)
    if not_str := [name for name in names if not isinstance(name, str)]:
        # The members of a set come in an order that depends on the hash seed.
        culprit = min(not_str, key=repr) if isinstance(dim, Set) else not_str[0]
        raise DimTypeError(dim if dim is not members else names, culprit)
    return frozenset(map(str, names))


@lru_cache(maxsize=4096)
def lower(x_dims: Dims, y_dims: Dims, dim: EllipsisType | frozenset[str] | None) -> Lowering:
    """Lower checked names; `lower_dot` is the door to it for everybody else."""
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

    out_dims = tuple(dim for dim in all_dims if dim not in summed_over)
    symbol = dict(zip(all_dims, symbols(len(all_dims)), strict=True))
    x, y, out = ("".join(symbol[dim] for dim in dims) for dims in (x_dims, y_dims, out_dims))
    y_axis = {dim: axis for axis, dim in enumerate(y_dims)}
    return Lowering(
        x_dims=x_dims,
        y_dims=y_dims,
        contracted=tuple(dim for dim in x_dims if dim in in_y and dim in summed_over),
        batch=tuple(dim for dim in x_dims if dim in in_y and dim not in summed_over),
        x_free=tuple(dim for dim in x_dims if dim not in in_y and dim not in summed_over),
        y_free=tuple(dim for dim in y_dims if dim not in in_x and dim not in summed_over),
        x_summed=tuple(dim for dim in x_dims if dim not in in_y and dim in summed_over),
        y_summed=tuple(dim for dim in y_dims if dim not in in_x and dim in summed_over),
        out_dims=out_dims,
        subscripts=f"{x},{y}->{out}",
        shared_axes=tuple((axis, y_axis[dim]) for axis, dim in enumerate(x_dims) if dim in y_axis),
    )


def symbols(count: int) -> str:
    """Give `count` distinct symbols: einsum's 52 letters, then letters it does not know.

    Examples
    --------
    >>> symbols(3), len(set(symbols(500)))
    ('abc', 500)
    """
    beyond_latin = range(0x00E0, 0x00E0 + count)
    return (ascii_letters + "".join(map(chr, beyond_latin)))[:count]
