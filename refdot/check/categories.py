"""Case categories, and the number of cases in each.

Random cases find only what they reach: a category that holds one case in a thousand is not tested
by a run of a few hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TypeVar

from refdot.cases.case import CALLS, DTYPES, LAYOUTS, REGIMES, DimArgument, DotCase
from refdot.judging.expected import expected_error

__all__ = [
    "CATEGORIES",
    "broken_rule",
    "count_by_category",
    "dtypes",
    "roles",
    "sizes",
    "valid",
]


_Predicate = Callable[[DotCase], bool]
_Name = TypeVar("_Name")
_SPELLINGS = [name for name in DimArgument.SPELLINGS if name not in ("object", "array", "bytes")]
_ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")
_BREAKABLE = ("R1", "R2", "R3", "R4", None)


@cache
def broken_rule(case: DotCase) -> str | None:
    """Return the rule that the case breaks, or None if it is valid."""
    error = expected_error(case)
    return error.rule if error else None


def valid(predicate: _Predicate) -> _Predicate:
    """Return a predicate that holds only for valid cases."""
    return lambda case: broken_rule(case) is None and predicate(case)


def roles(case: DotCase) -> set[str]:
    """Return the roles of a valid case's dims."""
    lowering = case.lowering
    return {role for role in _ROLES if getattr(lowering, role)}


def sizes(case: DotCase) -> set[int]:
    """Return the sizes of both operands."""
    return {*case.x.shape, *case.y.shape}


def dtypes(case: DotCase) -> set[str]:
    """Return the dtypes of both operands."""
    return {case.x.dtype, case.y.dtype}


def _static(case: DotCase) -> set[bool]:
    return {*case.x.static, *case.y.static}


def _reorders_shared_dims(case: DotCase) -> bool:
    shared = [dim for dim in case.x.dims if dim in case.y.dims]
    return shared != [dim for dim in case.y.dims if dim in case.x.dims]


def _each(
    label: str, names: Iterable[_Name], holds: Callable[[DotCase, _Name], bool]
) -> dict[str, _Predicate]:
    """Return a category for each name."""
    return {
        f"{label} {name}": partial(lambda name, case: holds(case, name), name) for name in names
    }


CATEGORIES: dict[str, _Predicate] = {
    **_each("role", _ROLES, lambda case, role: broken_rule(case) is None and role in roles(case)),
    **_each("dtype", DTYPES, lambda case, dtype: dtype in dtypes(case)),
    **_each("layout", LAYOUTS, lambda case, layout: layout in (case.x.layout, case.y.layout)),
    **_each("value regime", REGIMES, lambda case, regime: case.regime == regime),
    **_each("size", (0, 1, 2, 3, 4, 5), lambda case, size: size in sizes(case)),
    **_each("broken rule:", _BREAKABLE, lambda case, rule: broken_rule(case) == rule),
    **_each("gradient order", range(3), lambda case, order: case.gradient_order == order),
    **_each(
        "dim as", _SPELLINGS, lambda case, s: broken_rule(case) is None and case.dim.spelling == s
    ),
    **_each("called as", CALLS, lambda case, call: case.call == call),
    **_each("number of dims:", range(6), lambda case, count: len(case.dims) == count),
    "more than 26 dims": lambda case: len(case.dims) > 26,
    "more than 52 axes": lambda case: len(case.x.dims + case.y.dims) > 52,
    "a 0-d operand": lambda case: not case.x.dims or not case.y.dims,
    "two dtypes": lambda case: len(dtypes(case)) == 2,
    "one variable as both operands": lambda case: case.same_variable,
    "size 1 vs n": lambda case: broken_rule(case) == "R4" and 1 in sizes(case),
    "all sizes static": lambda case: _static(case) == {True},
    "some sizes static": lambda case: len(_static(case)) == 2,
    "no size static": lambda case: _static(case) == {False},
    "two dims of one size": lambda case: len(sizes(case)) < len(case.dims),
    "shared dims in another order in y": valid(_reorders_shared_dims),
    "dim names of several letters": lambda case: any(len(str(dim)) > 1 for dim in case.y.dims),
}


def count_by_category(cases: Iterable[DotCase]) -> dict[str, int]:
    """Return the number of cases in each category.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> counts = count_by_category([DotCase(Operand(("a",), (2,)), Operand((), ()))])
    >>> [name for name, count in counts.items() if count and "0-d" in name]
    ['a 0-d operand']
    """
    cases = list(cases)
    return {name: sum(map(predicate, cases)) for name, predicate in CATEGORIES.items()}
