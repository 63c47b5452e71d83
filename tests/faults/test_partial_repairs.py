"""An edit that repairs a part of a known deviation makes nothing new of the rest."""

from __future__ import annotations

import pytest
from planted.places import EINSUM, LOWER, fault
from planting import Fault, planted

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.check.shrink import confirmed
from refdot.pytensor.deviations import known_deviations
from refdot.pytensor.target import PyTensorTarget

TARGET, CONFIGURATION = PyTensorTarget(), Configuration("python", "stock")
EXAMPLES = {each.id: each.example for each in known_deviations(TARGET.version)}

_OPERANDS = "y_tensor = tensor_from_xtensor(y)"
_OUTER_PRODUCT = """
    if not node.op.dims and not {*x.type.dims} & {*y.type.dims}:
        product = x_tensor[(...,) + (None,) * y.type.ndim] * y_tensor
        return [xtensor_from_tensor(specify_shape(product, out.type.shape), out.type.dims)]
"""
_NAMED_ERROR = """
    if x.type.dims == y.type.dims == node.op.dims and x.type.ndim == 1:
        from pytensor.raise_op import Assert
        compare = Assert(f"sizes of {x.type.dims[0]} differ")
        x_tensor = compare(x_tensor, x_tensor.shape[0].eq(y_tensor.shape[0]))
"""
_MANY = " ".join(f"d{number}:1?" for number in range(27))

# By the deviation of which each repairs the first example, and not the case that is given here.
# fmt: off
REPAIRS = {
    "twenty-six-letters": fault(
        "outer products need no letters", "errors", dot_case(_MANY, "d0:1?"),
        LOWER, _OPERANDS, _OPERANDS + _OUTER_PRODUCT),
    "first-contracted-size-unchecked": fault(
        "the last of the contracted dims comes first", "errors",
        dot_case("a:0? b:2?", "b:1? a:0?"),
        EINSUM, "sorted(contracted_names_set)", "sorted(contracted_names_set, reverse=True)"),
    "sizes-without-names": fault(
        "an error of two vectors names their dim", "errors", dot_case("a:2? i:2?", "i:3? b:4?"),
        LOWER, _OPERANDS, _OPERANDS + _NAMED_ERROR),
}
# fmt: on


def known(case: DotCase) -> set[str | None]:
    """Return the deviations of a case after each finding is held to the examples of its own."""
    found = [*judge_cases(PyTensorTarget(), [case], CONFIGURATION)]
    return {confirmed(TARGET, finding).known for finding in found}


@pytest.mark.parametrize("deviation", REPAIRS)
def test_what_is_left_of_a_repaired_deviation_is_known(deviation: str) -> None:
    repair: Fault = REPAIRS[deviation]
    with planted(repair):
        assert deviation not in known(EXAMPLES[deviation])
        left = known(repair.example)
    assert deviation in left
    assert None not in left
