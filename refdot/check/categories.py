"""Categories of cases, and how many cases fall into each.

What is drawn matters more than what could be: a region that is hit once in a thousand cases is, in
a run of some hundred, not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TypeVar

from refdot.cases.case import CALLS, DTYPES, LAYOUTS, REGIMES, DimArgument, DotCase
from refdot.judging.expected import expected_error
from refdot.lowering import lower_dot

__all__ = ["CATEGORIES", "count_dims", "counts", "dtypes", "roles", "rule", "sizes", "valid"]


_Category = Callable[[DotCase], bool]
_Categories = dict[str, _Category]
_Name = TypeVar("_Name")
_SPELLINGS = [name for name in DimArgument.SPELLINGS if name not in ("object", "array", "bytes")]
_ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")


@cache
def rule(case: DotCase) -> str | None:
    """Give the rule that a case breaks."""
    error = expected_error(case)
    return error.rule if error else None


def valid(region: _Category) -> _Category:
    """Leave out of a region what breaks a rule."""
    return lambda case: rule(case) is None and region(case)


def roles(case: DotCase) -> set[str]:
    """Give the roles of a valid case's dims."""
    low = lower_dot(case.x.dims, case.y.dims, case.dim.names)
    return {role for role in _ROLES if getattr(low, role)}


def sizes(case: DotCase) -> set[int]:
    """Give the sizes that occur."""
    return {*case.x.shape, *case.y.shape}


def dtypes(case: DotCase) -> set[str]:
    """Give the dtypes that occur."""
    return {case.x.dtype, case.y.dtype}


def count_dims(case: DotCase) -> int:
    """Give how many distinct dims there are."""
    return len({*case.x.dims, *case.y.dims})


def _static(case: DotCase) -> set[bool]:
    """Say whether there are sizes that are known beforehand, and ones that are not."""
    return {*case.x.static, *case.y.static}


def _in_another_order(case: DotCase) -> bool:
    """Whether the shared dims come in another order in y."""
    return [d for d in case.x.dims if d in case.y.dims] != [
        d for d in case.y.dims if d in case.x.dims
    ]


def _each(
    label: str, names: Iterable[_Name], holds: Callable[[DotCase, _Name], bool]
) -> _Categories:
    """Make a region of each name."""
    return {
        f"{label} {name}": partial(lambda name, case: holds(case, name), name) for name in names
    }


CATEGORIES: _Categories = {
    **_each("role", _ROLES, lambda case, role: rule(case) is None and role in roles(case)),
    **_each("dtype", DTYPES, lambda case, dtype: dtype in dtypes(case)),
    **_each("layout", LAYOUTS, lambda case, layout: layout in (case.x.layout, case.y.layout)),
    **_each("tier", REGIMES, lambda case, tier: case.regime == tier),
    **_each("size", (0, 1, 2, 3, 4, 5), lambda case, size: size in sizes(case)),
    **_each("rule broken:", ("R1", "R2", "R3", "R4", None), lambda case, it: rule(case) == it),
    **_each("gradient order", range(3), lambda case, order: case.gradient_order == order),
    **_each("dim as", _SPELLINGS, lambda case, it: rule(case) is None and case.dim.spelling == it),
    **_each("called as", CALLS, lambda case, call: case.call == call),
    **_each("dims:", range(6), lambda case, count: count_dims(case) == count),
    "more dims than letters": lambda case: count_dims(case) > 26,
    "more dims than einsum has symbols": lambda case: len(case.x.dims + case.y.dims) > 52,
    "a 0-d operand": lambda case: not case.x.dims or not case.y.dims,
    "two dtypes": lambda case: len(dtypes(case)) == 2,
    "one variable": lambda case: case.same_variable,
    "1 against n": lambda case: rule(case) == "R4" and 1 in sizes(case),
    "sizes that are all known": lambda case: _static(case) == {True},
    "sizes of which some are known": lambda case: len(_static(case)) == 2,
    "sizes that nobody knows": lambda case: _static(case) == {False},
    "the same size twice": lambda case: len(sizes(case)) < count_dims(case),
    "dims of y in another order": valid(_in_another_order),
    "names that are not letters": lambda case: any(len(str(dim)) > 1 for dim in case.y.dims),
}


def counts(cases: Iterable[DotCase]) -> dict[str, int]:
    """Count the cases of each region.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> found = counts([DotCase(Operand(("a",), (2,)), Operand((), ()), gradient_order=1)])
    >>> [name for name, count in found.items() if count and "0-d" in name]
    ['a 0-d operand']
    """
    cases = list(cases)
    return {name: sum(map(region, cases)) for name, region in CATEGORIES.items()}
