"""The names in a `dim` argument, for targets that take nothing else."""

from collections.abc import Iterable
from typing import Any

from refdot.tensor import NamedTensor

__all__ = ["names_of"]


def names_of(x: NamedTensor, y: NamedTensor, dim: Any = None) -> tuple[Any, ...]:
    """Return the names of the dims that `dot(x, y, dim)` sums over.

    It checks nothing, unlike `lower_dot`, so that the errors of the function to be judged show: a
    name that neither operand has is returned, and so is what is no name at all.

    Parameters
    ----------
    x, y : NamedTensor
    dim : optional
        None for the shared dims, `...` for all dims, a name, or several names.

    Returns
    -------
    tuple
        Each name once, in the order of the operands or of the argument.

    Examples
    --------
    >>> x, y = NamedTensor([[1.0, 2.0]], ("a", "b")), NamedTensor([3.0, 4.0], "b")
    >>> names_of(x, y), names_of(x, y, ...), names_of(x, y, "a"), names_of(x, y, ["b", "b"])
    (('b',), ('a', 'b'), ('a',), ('b',))
    >>> names_of(x, y, "z"), names_of(x, y, 5), names_of(x, y, [None])
    (('z',), (5,), (None,))
    """
    if dim is None:
        return tuple(name for name in x.dims if name in y.dims)
    if dim is ...:
        return tuple(dict.fromkeys(x.dims + y.dims))
    # Arrays and bytes are iterable too, but not lists of names.
    is_list = isinstance(dim, Iterable) and not isinstance(dim, str | bytes | bytearray)
    if not is_list or hasattr(dim, "__array__"):
        return (dim,)
    names: list[Any] = []
    for name in dim:
        if not any(name is other or name == other for other in names):
            names.append(name)
    return tuple(names)
