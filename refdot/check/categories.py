"""Case categories, and the number of cases in each.

Random cases find only what they reach: a category that holds one case in a thousand is not tested
by a run of a few hundred.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Set
from functools import cache
from itertools import chain

from refdot.cases.boundaries import DIM_COUNTS
from refdot.cases.case import (
    CALLS,
    CONTENTS,
    DTYPES,
    LAYOUTS,
    ORIGINS,
    REGIMES,
    DimArgument,
    DotCase,
)
from refdot.judging.expected import expected_error

__all__ = [
    "broken_rule",
    "count_by_category",
    "dtypes",
    "roles",
    "sizes",
    "valid",
]


_Predicate = Callable[[DotCase], bool]
_SPELLINGS = [name for name in DimArgument.SPELLINGS if name not in ("object", "array", "bytes")]
_ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")


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
    return {role for role in _ROLES if getattr(case.lowering, role)}


def sizes(case: DotCase) -> set[int]:
    """Return the sizes of both operands."""
    return {*case.x.shape, *case.y.shape}


def dtypes(case: DotCase) -> set[str]:
    """Return the dtypes of both operands."""
    return {case.x.dtype, case.y.dtype}


def _static(case: DotCase) -> set[bool]:
    return {*case.x.static, *case.y.static}


def _static_sizes(case: DotCase) -> set[int | None]:
    return {*case.x.static_shape, *case.y.static_shape}


def _reorders_shared_dims(case: DotCase) -> bool:
    shared = [dim for dim in case.x.dims if dim in case.y.dims]
    return shared != [dim for dim in case.y.dims if dim in case.x.dims]


# For each property: the values that are counted, and the values of a case.
_PROPERTIES: dict[str, tuple[Iterable[object], Callable[[DotCase], Set[object]]]] = {
    "role": (_ROLES, lambda case: set() if broken_rule(case) else roles(case)),
    "dtype": (DTYPES, dtypes),
    "layout": (LAYOUTS, lambda case: {case.x.layout, case.y.layout}),
    "origin": (ORIGINS, lambda case: {case.x.origin, case.y.origin}),
    "content": (CONTENTS, lambda case: {case.x.content, case.y.content}),
    "value regime": (REGIMES, lambda case: {case.regime}),
    "size": (range(6), sizes),
    "broken rule": (("R1", "R2", "R3", "R4", None), lambda case: {broken_rule(case)}),
    "gradient order": (range(3), lambda case: {case.gradient_order}),
    "dim given as": (_SPELLINGS, lambda case: set() if broken_rule(case) else {case.dim.spelling}),
    "called as": (CALLS, lambda case: {case.call}),
    "number of dims": ((*range(6), *DIM_COUNTS), lambda case: {len(case.dims)}),
}
_OTHERS: dict[str, _Predicate] = {
    "more than 26 dims": lambda case: len(case.dims) > 26,
    "more than 52 axes": lambda case: len(case.x.dims + case.y.dims) > 52,
    "0-d operand": lambda case: not case.x.dims or not case.y.dims,
    "operands of different dtypes": lambda case: len(dtypes(case)) == 2,
    "x and y are the same variable": lambda case: case.same_variable,
    "x and y are the same array": lambda case: case.same_array,
    "x and y share memory under different names": lambda case: (
        case.share_memory and case.x.dims != case.y.dims
    ),
    "a size above 100": lambda case: max(sizes(case), default=0) > 100,
    "a static size of 1 or 0, others not static": lambda case: (
        len(_static(case)) == 2 and bool({0, 1}.intersection(_static_sizes(case)))
    ),
    "mismatched sizes, and a size of 1": lambda case: (
        broken_rule(case) == "R4" and 1 in sizes(case)
    ),
    "all sizes are static": lambda case: _static(case) == {True},
    "some sizes are static, others not": lambda case: len(_static(case)) == 2,
    "no size is static": lambda case: _static(case) == {False},
    "two dims of equal size": lambda case: len(sizes(case)) < len(case.dims),
    "shared dims in different orders": valid(_reorders_shared_dims),
    "dim name of several letters": lambda case: any(len(str(dim)) > 1 for dim in case.y.dims),
}


def count_by_category(cases: Iterable[DotCase]) -> dict[str, int]:
    """Return the number of cases in each category.

    Examples
    --------
    >>> from refdot.cases.case import Operand
    >>> counts = count_by_category([DotCase(Operand(("a",), (2,)), Operand((), ()))])
    >>> [name for name, count in counts.items() if count and "size" in name]
    ['size: 2', 'no size is static']
    """
    cases = list(cases)
    counts: dict[str, int] = {}
    for label, (values, values_of) in _PROPERTIES.items():
        found = Counter(chain.from_iterable(map(values_of, cases)))
        counts |= {
            f"{label}: {'none' if value is None else value}": found[value] for value in values
        }
    return counts | {label: sum(map(holds, cases)) for label, holds in _OTHERS.items()}
