"""The situations in which a dot goes wrong, each a family of cases.

Dims are named as in PyTensor's own tests of dot's errors: what does not fit is `b`, what is not
there is `e`. A regex that names either finds it here. A batch dim is `t`, free dims are `r`
(rows) and `c` (columns).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import operand
from refdot.text import nearest_name

__all__ = ["DEFAULT", "SCENARIOS", "ErrorScenario", "check_scenarios"]


@dataclass(frozen=True)
class ErrorScenario:
    """One way to go wrong, with the cases that go wrong in it.

    Attributes
    ----------
    name : str
    rule : str
        The rule that is broken; "R11" where none is, and an error is itself what is wrong.
    meaning : str
        What is the matter, in words.
    cases : tuple of DotCase
    """

    name: str
    rule: str
    meaning: str
    cases: tuple[DotCase, ...]

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong, so that nothing should be raised."""
        return self.rule == "R11"


_ALL_SHARED = DimArgument()
_NONE = DimArgument("tuple")
_ONLY_B = DimArgument("str", ("b",))


def _sizes(name: str, meaning: str, dim: DimArgument, *shapes: tuple[str, str]) -> ErrorScenario:
    """Describe a situation in which sizes do not match (R4), by the operands' shapes."""
    cases = tuple(DotCase(operand(x), operand(y), dim) for x, y in shapes)
    return ErrorScenario(name, "R4", meaning, cases)


def _dims(name: str, rule: str, meaning: str, *arguments: DimArgument) -> ErrorScenario:
    """Describe a situation in which the `dim` argument is wrong."""
    x, y = operand("r:2 b:3"), operand("b:3 c:4")
    return ErrorScenario(name, rule, meaning, tuple(DotCase(x, y, dim) for dim in arguments))


def _many_dims(count: int) -> DotCase:
    """Give a case with that many names, some of them in both operands."""
    names = tuple(f"d{number}" for number in range(count))
    x_dims, y_dims = names[: count // 2 + 3], names[count // 2 :]
    return DotCase(Operand(x_dims, (1,) * len(x_dims)), Operand(y_dims, (1,) * len(y_dims)))


def _gradient(x_dtype: str, y_dtype: str) -> DotCase:
    """Give a case that asks for the gradient of operands of some dtypes."""
    x, y = operand("r:2 b:3", x_dtype), operand("b:3 c:4", y_dtype)
    return DotCase(x, y, gradient_order=1)


_SIZE_SCENARIOS = (
    _sizes(
        "contracted-static",
        "a contracted dim of two sizes, both static",
        _ALL_SHARED,
        ("r:2 b:3", "b:4 c:5"),
    ),
    _sizes(
        "contracted-mixed",
        "a contracted dim of two sizes, one of them static",
        _ALL_SHARED,
        ("r:2 b:3", "b:4? c:5"),
        ("r:2? b:3?", "b:4 c:5?"),
    ),
    _sizes(
        "contracted-unknown",
        "a contracted dim of two sizes, neither static",
        _ALL_SHARED,
        ("r:2 b:3?", "b:4? c:5"),
        ("r:2 b:3?", "b:4?"),
        ("b:3?", "b:4? c:5"),
        ("b:3?", "b:4?"),
        ("r:2? t:3? b:5?", "b:4? c:7?"),
    ),
    _sizes(
        "contracted-beside-batch",
        "a contracted dim of two sizes, neither static, beside a batch dim that agrees",
        _ONLY_B,
        ("t:2 r:3 b:5?", "t:2 b:4? c:6"),
        ("t:2? b:5?", "t:2? b:4?"),
    ),
    _sizes(
        "contracted-to-0d",
        "two contracted dims and none left, so that the result is 0-d; one is of two sizes",
        _ALL_SHARED,
        ("b:3? t:2?", "b:4? t:2?"),
    ),
    _sizes(
        "contracted-beside-0",
        "a contracted dim of two sizes, neither static, beside a free dim of size 0",
        _ALL_SHARED,
        ("r:0? b:3?", "b:4? c:5?"),
        ("r:2 b:3?", "b:4? c:0"),
    ),
    _sizes(
        "contracted-0-unknown",
        "a contracted dim of sizes 0 and n, neither static",
        _ALL_SHARED,
        ("r:2 b:0?", "b:4? c:5"),
    ),
    _sizes(
        "contracted-1-static",
        "a contracted dim of sizes 1 and n, both static",
        _ALL_SHARED,
        ("r:2 b:1", "b:4 c:5"),
    ),
    _sizes(
        "contracted-1-mixed",
        "a contracted dim of sizes 1 and n, one of them static",
        _ALL_SHARED,
        ("r:2 b:1", "b:4? c:5"),
        ("r:2 b:1?", "b:4 c:5"),
    ),
    _sizes(
        "contracted-1-unknown",
        "a contracted dim of sizes 1 and n, neither static",
        _ALL_SHARED,
        ("r:2 b:1?", "b:4? c:5"),
        ("b:1?", "b:4?"),
    ),
    _sizes(
        "batch-static",
        "a batch dim of two sizes, both static",
        _NONE,
        ("b:3 r:2", "b:4 c:5"),
    ),
    _sizes(
        "batch-mixed",
        "a batch dim of two sizes, one of them static",
        _NONE,
        ("b:3 r:2", "b:4? c:5"),
    ),
    _sizes(
        "batch-unknown",
        "a batch dim of two sizes, neither static",
        _NONE,
        ("b:3? r:2", "b:4? c:5"),
        ("b:3?", "b:4?"),
    ),
    _sizes(
        "batch-1-static",
        "a batch dim of sizes 1 and n, both static",
        _NONE,
        ("b:1 r:2", "b:4 c:5"),
    ),
    _sizes(
        "batch-1-mixed",
        "a batch dim of sizes 1 and n, one of them static",
        _NONE,
        ("b:1 r:2", "b:4? c:5"),
    ),
    _sizes(
        "batch-1-unknown",
        "a batch dim of sizes 1 and n, neither static",
        _NONE,
        ("b:1? r:2", "b:4? c:5"),
    ),
    _sizes(
        "both-static",
        "a contracted and a batch dim, each of two sizes, all static",
        _ONLY_B,
        ("t:2 r:3 b:5", "t:4 b:6 c:7"),
    ),
    _sizes(
        "both-mixed",
        "a contracted and a batch dim, each of two sizes, one of them static",
        _ONLY_B,
        ("t:2 r:3 b:5", "t:4? b:6? c:7"),
    ),
    _sizes(
        "both-unknown",
        "a contracted and a batch dim, each of two sizes, none static",
        _ONLY_B,
        ("t:2? r:3 b:5?", "t:4? b:6? c:7"),
    ),
    _sizes(
        "several-static",
        "two contracted dims, each of two sizes, all static",
        _ALL_SHARED,
        ("r:2 b:3 t:5", "b:4 t:6 c:7"),
    ),
    _sizes(
        "several-unknown",
        "two contracted dims, each of two sizes, none static",
        _ALL_SHARED,
        ("r:2 b:3? t:5?", "b:4? t:6? c:7"),
    ),
    _sizes(
        "products-static",
        "two contracted dims of sizes that differ but have one product, all static",
        _ALL_SHARED,
        ("r:5 b:2 t:6", "b:3 t:4 c:7"),
    ),
    _sizes(
        "products-unknown",
        "two contracted dims of sizes that differ but have one product, none static",
        _ALL_SHARED,
        ("r:5 b:2? t:6?", "b:3? t:4? c:7"),
    ),
)
_OTHER_SCENARIOS = (
    ErrorScenario(
        "dim-not-found",
        "R3",
        "dim names what neither operand has",
        (
            DotCase(operand("r:2 b:3"), operand("b:3 c:4"), DimArgument("str", ("e",))),
            DotCase(operand("r:2 b:3"), operand("b:3"), DimArgument("tuple", ("b", "e"))),
            DotCase(operand(""), operand("b:3?"), DimArgument("str", ("e",))),
        ),
    ),
    ErrorScenario(
        "dim-misspelt",
        "R3",
        "dim names what neither operand has, but for a slip",
        (
            DotCase(
                operand("time:2 embd:3"),
                operand("embd:3 head:4"),
                DimArgument("str", ("ebmd",)),
            ),
        ),
    ),
    _dims(
        "dim-of-wrong-type",
        "R2",
        "dim is none of None, ..., a str and an iterable of str",
        DimArgument("object", (5,)),
        DimArgument("object", (True,)),
        DimArgument("list", (5,)),
        DimArgument("tuple", (None,)),
        DimArgument("array", ("b",)),
        DimArgument("bytes", ("b",)),
    ),
    ErrorScenario(
        "dims-repeated",
        "R1",
        "an operand has a dim twice",
        (
            DotCase(Operand(("b", "b"), (2, 2)), operand("b:2 c:3")),
            DotCase(operand("r:3 c:2"), Operand(("b", "c", "b"), (4, 2, 4))),
        ),
    ),
    ErrorScenario(
        "dims-not-names",
        "R1",
        "an operand has a dim that is empty, or no str",
        (
            DotCase(Operand(("",), (2,)), operand("b:3")),
            DotCase(Operand((5,), (2,)), operand("b:3")),
        ),
    ),
    ErrorScenario(
        "gradient-of-integer",
        "R8",
        "the gradient of an integer or bool operand is asked for",
        (_gradient("int64", "int64"), _gradient("int64", "float64"), _gradient("bool", "bool")),
    ),
    ErrorScenario(
        "dims-too-many",
        "R11",
        "more dims than there are letters: no error by the rules, though targets raise one",
        (_many_dims(27), _many_dims(53)),
    ),
)
SCENARIOS = {situation.name: situation for situation in _SIZE_SCENARIOS + _OTHER_SCENARIOS}
# What tests of errors are about most often, PyTensor's own among them: what is known to be wrong
# at the first call only, so that the message depends on the backend and the lowering.
DEFAULT = ("contracted-unknown",)


def check_scenarios(names: Iterable[str]) -> None:
    """Refuse names that no situation has.

    Raises
    ------
    ValueError
        The message gives the nearest name.

    Examples
    --------
    >>> check_scenarios(["batch-unknow"])
    Traceback (most recent call last):
    ValueError: no situation 'batch-unknow'; did you mean batch-unknown?
    """
    for name in names:
        if name not in SCENARIOS:
            nearest = nearest_name(name, tuple(SCENARIOS))
            hint = f"; did you mean {nearest}?" if nearest else ""
            raise ValueError(f"no situation {name!r}{hint}")
