"""Does an error message say which dim is wrong? (R13).

A message can hold the name of a dim by accident: `a` is a word, and `k` is in NumPy's signature of
matmul. So a case whose dim seems to be named is judged again under names that no message holds.
"""

import re
from collections.abc import Iterable

from refdot.cases.case import DotCase
from refdot.errors import DimNotFoundError, DotError, SizeMismatchError

__all__ = ["names_dim", "with_rare_names", "wrong_and_right_names"]


def with_rare_names(case: DotCase) -> DotCase:
    """Return a case with other names for its dims, in the same alphabetical order.

    Examples
    --------
    >>> from refdot.cases.notation import dot_case
    >>> print(with_rare_names(dot_case("b:2 a:3", "a:3", "b")))
    dot(float64(named01: 2, named00: 3), float64(named00: 3), dim='named01')
    """
    names = {name for name in (*case.dims, *case.dim.items) if isinstance(name, str)}
    return case.renamed({name: f"named{rank:02}" for rank, name in enumerate(sorted(names))})


def wrong_and_right_names(
    case: DotCase, error: DotError
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of which a message must contain one, and those that it must name less often.

    If sizes differ, the latter are the dims whose sizes agree: a list of all dims does not say
    which one is wrong. But they only count if the names are rare, since words may equal others.
    There are none if a name is unknown, since it helps to list the known ones.
    """
    if isinstance(error, DimNotFoundError):
        return error.missing, ()
    if not isinstance(error, SizeMismatchError):
        return (), ()
    is_rare = case == with_rare_names(case)
    return error.dims, tuple(dim for dim in case.dims if is_rare and dim not in error.dims)


def names_dim(message: str, wrong: Iterable[str], right: Iterable[str] = ()) -> bool:
    """Return whether a message contains a wrong name as a word, and more often than any right one.

    Examples
    --------
    >>> names_dim("Size of dim 'b' does not match: x is (a, b, c), y is (c, b)", ["b"], ["a", "c"])
    True
    >>> names_dim("x of dims (a, b, c) does not match y of dims (c, b)", ["b"], ["a", "c"])
    False
    """

    def most(names: Iterable[str]) -> int:
        words = (rf"(?<!\w){re.escape(name)}(?!\w)" for name in names)
        return max((len(re.findall(word, message)) for word in words), default=0)

    return most(wrong) > most(right)
