"""Error scenarios: the ways in which a dot goes wrong, each with its cases.

Dims have the names that PyTensor's own tests of dot's errors use, so that a regex that contains
one finds it here: sizes differ in the dim `b`, and `e` is the dim that does not exist. A batch
dim is `t`; free dims are `r` (rows) and `c` (columns).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case, operand
from refdot.text import did_you_mean

__all__ = ["DEFAULT_SCENARIOS", "SCENARIOS", "ErrorScenario", "check_scenarios"]


@dataclass(frozen=True)
class ErrorScenario:
    """One way in which a dot goes wrong, with its cases."""

    name: str
    rule: str  # broken by the cases; R11 for valid cases, for which any error is wrong
    meaning: str  # the mistake, in a few words
    cases: tuple[DotCase, ...]

    @property
    def is_valid(self) -> bool:
        """Whether the cases are valid, so that no error is due."""
        return self.rule == "R11"


def _scenario(name: str, rule: str, meaning: str, *cases: DotCase) -> ErrorScenario:
    return ErrorScenario(name, rule, meaning, cases)


def _sizes(
    name: str, meaning: str, dim: Any = None, **operands: list[str]
) -> Iterator[ErrorScenario]:
    """Yield a scenario of R4 for each key of `_STATIC`, from operands such as "r b:3?, b:4 c"."""
    for static, pairs in operands.items():
        cases = tuple(dot_case(x, y, dim) for x, y in (pair.split(", ") for pair in pairs))
        yield ErrorScenario(f"{name}-{static}", "R4", f"{meaning}, {_STATIC[static]}", cases)


def _many_dims(count: int) -> DotCase:
    """Return a case that has this number of dims, some of them shared."""
    names = tuple(f"d{number}" for number in range(count))
    x_dims, y_dims = names[: count // 2 + 3], names[count // 2 :]
    return DotCase(Operand(x_dims, (1,) * len(x_dims)), Operand(y_dims, (1,) * len(y_dims)))


_STATIC = {"static": "all static", "mixed": "some static", "unknown": "none static"}
_SCENARIOS = (
    *_sizes(
        "contracted",
        "contracted dim: sizes differ",
        static=["r:2 b:3, b:4 c:5"],
        mixed=["r:2 b:3, b:4? c:5", "r:2? b:3?, b:4 c:5?"],
        unknown=[
            "r:2 b:3?, b:4? c:5",
            "r:2 b:3?, b:4?",
            "b:3?, b:4? c:5",
            "b:3?, b:4?",
            "r:2? t:3? b:5?, b:4? c:7?",
        ],
    ),
    _scenario(
        "contracted-beside-batch",
        "R4",
        "contracted dim beside a batch dim: sizes of the contracted one differ, none static",
        dot_case("t:2 r:3 b:5?", "t:2 b:4? c:6", "b"),
        dot_case("t:2? b:5?", "t:2? b:4?", "b"),
    ),
    _scenario(
        "contracted-to-0d",
        "R4",
        "two contracted dims and no other: sizes of one differ, none static",
        dot_case("b:3? t:2?", "b:4? t:2?"),
    ),
    _scenario(
        "contracted-beside-0",
        "R4",
        "contracted dim beside a free dim of size 0: sizes differ, none static",
        dot_case("r:0? b:3?", "b:4? c:5?"),
        dot_case("r:2 b:3?", "b:4? c:0"),
    ),
    *_sizes("contracted-0", "contracted dim: size 0 vs n", unknown=["r:2 b:0?, b:4? c:5"]),
    *_sizes(
        "contracted-1",
        "contracted dim: size 1 vs n",
        static=["r:2 b:1, b:4 c:5"],
        mixed=["r:2 b:1, b:4? c:5", "r:2 b:1?, b:4 c:5"],
        unknown=["r:2 b:1?, b:4? c:5", "b:1?, b:4?"],
    ),
    *_sizes(
        "batch",
        "batch dim: sizes differ",
        dim=(),
        static=["b:3 r:2, b:4 c:5"],
        mixed=["b:3 r:2, b:4? c:5"],
        unknown=["b:3? r:2, b:4? c:5", "b:3?, b:4?"],
    ),
    *_sizes(
        "batch-1",
        "batch dim: size 1 vs n",
        dim=(),
        static=["b:1 r:2, b:4 c:5"],
        mixed=["b:1 r:2, b:4? c:5"],
        unknown=["b:1? r:2, b:4? c:5"],
    ),
    *_sizes(
        "both",
        "contracted dim and batch dim: sizes of both differ",
        dim="b",
        static=["t:2 r:3 b:5, t:4 b:6 c:7"],
        mixed=["t:2 r:3 b:5, t:4? b:6? c:7"],
        unknown=["t:2? r:3 b:5?, t:4? b:6? c:7"],
    ),
    *_sizes(
        "several",
        "two contracted dims: sizes of both differ",
        static=["r:2 b:3 t:5, b:4 t:6 c:7"],
        unknown=["r:2 b:3? t:5?, b:4? t:6? c:7"],
    ),
    *_sizes(
        "products",
        "two contracted dims: sizes of both differ but have the same product",
        static=["r:5 b:2 t:6, b:3 t:4 c:7"],
        unknown=["r:5 b:2? t:6?, b:3? t:4? c:7"],
    ),
    _scenario(
        "dim-not-found",
        "R3",
        "dim contains a name that neither operand has",
        dot_case("r:2 b:3", "b:3 c:4", "e"),
        dot_case("r:2 b:3", "b:3", ("b", "e")),
        dot_case("", "b:3?", "e"),
    ),
    _scenario(
        "dim-misspelt",
        "R3",
        "dim contains a misspelt name",
        dot_case("time:2 embd:3", "embd:3 head:4", "ebmd"),
    ),
    _scenario(
        "dim-of-wrong-type",
        "R2",
        "dim is not None, ..., a str or an iterable of str",
        *(dot_case("r:2 b:3", "b:3 c:4", dim) for dim in (5, True, [5], (None,))),
        replace(dot_case("r:2 b:3", "b:3 c:4"), dim=DimArgument("array", ("b",))),
        replace(dot_case("r:2 b:3", "b:3 c:4"), dim=DimArgument("bytes", ("b",))),
    ),
    _scenario(
        "dims-repeated",
        "R1",
        "an operand has the same dim twice",
        DotCase(Operand(("b", "b"), (2, 2)), operand("b:2 c:3")),
        DotCase(operand("r:3 c:2"), Operand(("b", "c", "b"), (4, 2, 4))),
    ),
    _scenario(
        "dims-not-names",
        "R1",
        "an operand has a dim that is empty or not a str",
        DotCase(Operand(("",), (2,)), operand("b:3")),
        DotCase(Operand((5,), (2,)), operand("b:3")),
    ),
    _scenario(
        "gradient-of-integer",
        "R8",
        "gradient of an integer or bool operand",
        dot_case("r:2 b:3", "b:3 c:4", dtypes=("int64", "int64"), gradient_order=1),
        dot_case("r:2 b:3", "b:3 c:4", dtypes=("int64", "float64"), gradient_order=1),
        dot_case("r:2 b:3", "b:3 c:4", dtypes=("bool", "bool"), gradient_order=1),
    ),
    _scenario(
        "dims-too-many",
        "R11",
        "more dims than letters: valid, although some targets raise an error",
        _many_dims(27),
        _many_dims(53),
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}
# Tests of errors, PyTensor's own among them, are most often about this scenario: only the first
# call can find the mistake, so the message depends on the backend and the lowering.
DEFAULT_SCENARIOS = ("contracted-unknown",)


def check_scenarios(names: Iterable[str]) -> None:
    """Raise a `ValueError` for a name that is not that of an error scenario.

    Examples
    --------
    >>> check_scenarios(["batch-unknow"])
    Traceback (most recent call last):
    ValueError: unknown error scenario 'batch-unknow'; did you mean batch-unknown?
    """
    for name in names:
        if name not in SCENARIOS:
            hint = did_you_mean(name, tuple(SCENARIOS))
            raise ValueError(f"unknown error scenario {name!r}{hint}")
