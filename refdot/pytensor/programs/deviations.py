"""Known deviations of PyTensor that programs show.

Some are those of a dot, which a program has as well: their ids are those of the record of dots. The
others need more than one operation. As for dots, a matcher computes what its cause does to a
program, so that any other mismatch of that program is still new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import cleandoc
from typing import Any

import numpy as np
from packaging.specifiers import SpecifierSet

from refdot.cases.case import REGIMES, DimArgument, DotCase, Operand
from refdot.judging.comparison import every_mismatch
from refdot.judging.fingerprints import fingerprint
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramDeviation
from refdot.programs.interpretation import NUMPY, interpret
from refdot.programs.notation import program
from refdot.programs.operations import result_type
from refdot.programs.program import Program, Step
from refdot.pytensor.deviations.failures import SUSPECTS, has_conflicting_assumptions
from refdot.pytensor.deviations.record import is_error
from refdot.pytensor.programs.alternatives import (
    is_explained,
    is_within_single_precision,
    softmax_without_shift,
    sums_before_quotients,
    with_float_constants,
    with_integer_powers,
    with_lost_tangents,
    with_products_as_floats,
)
from refdot.pytensor.programs.graph import NOT_ACCEPTED
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.target import PyTensorTarget
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import REPLICATES, Raised
from refdot.targets.protocol import deviation_of
from refdot.tensor import NamedTensor
from refdot.text import one_line

__all__ = ["PROGRAM_DEVIATIONS", "known_cause"]

_Matcher = Callable[[Observation, PyTensorTarget], bool]


PROGRAM_DEVIATIONS: list[ProgramDeviation] = []


def _known(
    kinds: str,
    example: ProgramCase,
    *,
    versions: str = ">=3.0.3",
    backends: str = "",
    lowerings: str = "",
) -> Callable[[_Matcher], _Matcher]:
    """Put a matcher on record; its name is the id, and its docstring the title and the cause."""

    def record(matches: _Matcher) -> _Matcher:
        title, _, cause = cleandoc(matches.__doc__ or "").partition("\n\n")
        words = (kinds, backends, lowerings)
        kinds_of, backends_of, lowerings_of = (tuple(each.split()) for each in words)
        PROGRAM_DEVIATIONS.append(
            ProgramDeviation(
                matches.__name__.replace("_", "-"),
                title,
                kinds_of,
                versions,
                backends_of,
                lowerings_of,
                matches,
                example,
                cause,
            )
        )
        return matches

    return record


def known_cause(seen: Observation, target: PyTensorTarget) -> str | None:
    """Return the id of the known deviation that explains what was seen, or None."""
    for deviation in PROGRAM_DEVIATIONS:
        if (
            seen.difference.kind in deviation.kinds
            and (not deviation.backends or seen.backend in deviation.backends)
            and (not deviation.lowerings or seen.lowering in deviation.lowerings)
            and SpecifierSet(deviation.versions).contains(target.version, prereleases=True)
            and deviation.matches(seen, target)
        ):
            return deviation.id
    return _cause_in_a_dot(seen, target)


def _has_raised(seen: Observation, type_: str, pattern: str, function: str = "") -> bool:
    """Return whether what was seen is such an error; see `is_error`."""
    raised = seen.difference.evidence
    return isinstance(raised, Raised) and is_error(raised, type_, pattern, function)


def _case(
    text: str, regime: str = "unit", gradient_order: int = 0, built: str = "plain"
) -> ProgramCase:
    return ProgramCase(program(text.replace("; ", "\n")), regime, 0, gradient_order, built)


@_known(
    "wrong-value wrong-gradient",
    _case("x: float64(a: 3); y = scale(x, 10); z = softmax(y); return z", "large", 1),
    lowerings="stock inlined",
)
def softmax_overflows(seen: Observation, target: PyTensorTarget) -> bool:
    """A softmax of numbers above some 700, or its gradient, is NaN or wrong.

    `softmax` (xtensor/math.py) is exp(x) / exp(x).sum(dim), and overflows. PyTensor recognizes the
    quotient, and subtracts the maximum first (`local_softmax`, tensor/rewriting/special.py); but
    not if there is another operation between, such as a transposition, and not in a gradient that
    is taken of the quotient. A second gradient has the fourth power of the sum, so it is wrong from
    some 177 on.
    """
    return is_explained(seen, softmax_without_shift)


@_known(
    "wrong-value",
    _case("x: int64(a: 3); y = power(x, 5); return y", "rounding"),
    backends="c c-blas numba jax",
)
def power_of_integers(seen: Observation, target: PyTensorTarget) -> bool:
    """A power of integers with a constant exponent of floating point wraps around.

    `local_pow_specialize` (tensor/rewriting/math.py) replaces the power by products of the base,
    which is not converted to the dtype of the result first.
    """
    return is_explained(seen, with_integer_powers)


@_known(
    "rejected-valid",
    _case("x: int64(); y = power(x, 2); return y", "rounding"),
    backends="python python-minimum fast-compile",
)
def integers_as_python_numbers(seen: Observation, target: PyTensorTarget) -> bool:
    """Integers that should wrap around raise an OverflowError in Python code.

    Elementwise operations that have no function in NumPy compute with Python's integers, and
    `_cast_to_promised_scalar_dtype` (scalar/basic.py) or NumPy rejects those of more than 64 bits.
    """
    message = "^Python int too large to convert to C long$"
    return _has_raised(seen, "OverflowError", message) and any(
        _has_integers_that_wrap(seen.case.computed, number) for number in range(REPLICATES)
    )


def _has_integers_that_wrap(case: ProgramCase, replicate: int) -> bool:
    """Return whether a result of integers, or a power of them, has more than 64 bits."""
    values = {
        name: NamedTensor(tensor.data.astype("float64"), tensor.dims)
        for name, tensor in case.values(case.program, replicate).items()
    }
    types, results = case.program.types, interpret(case.program, values, NUMPY)
    return any(
        float(np.max(np.abs(results[step.name].data), initial=0)) >= 2.0**63
        for step in case.program.steps
        if "int64" in (types[step.name].dtype, types[step.arguments[0]].dtype)
    )


@_known(
    "wrong-value wrong-gradient",
    _case("x: float64(a: 3); y = power(x, -1); z = add(x, y); return z"),
    backends="python",
)
def reciprocals_in_single_precision(seen: Observation, target: PyTensorTarget) -> bool:
    """A fused reciprocal of float64 has the precision of float32.

    `Reciprocal.impl` (scalar/basic.py) is `np.float32(1.0) / x`. In Python code, fused operations
    get elements as Python's floats, and the quotient of a float32 and such a float is a float32.
    """
    if not is_within_single_precision(seen):
        return False
    apart = judge_program(target, seen.case, seen.backend, seen.lowering, without=["fusion"])
    return all(each.name != seen.difference.name for each in apart)


@_known("rejected-valid", _case("x: float64(a: 0?); y = softmax(x); return y"))
def softmax_of_nothing(seen: Observation, target: PyTensorTarget) -> bool:
    """A softmax over a dim of size 0 is rejected.

    The maximum that is subtracted first (`local_softmax`) does not exist; exp(x) / exp(x).sum(dim)
    needs none.
    """
    message = "zero-size array to reduction|CAReduce.*has zero-size"
    return _has_raised(seen, "ValueError", message) and any(
        step.operation == "softmax" and _is_over_nothing(step, seen.case.program)
        for step in seen.case.program.steps
    )


def _is_over_nothing(step: Step, of: Program) -> bool:
    operand = of.types[step.arguments[0]]
    dims = operand.dims if step.parameter is None else step.parameter
    return any(operand.sizes[dim] == 0 for dim in dims)


@_known(
    "wrong-value wrong-gradient",
    _case("x: float64(a: 0?); y: float64 zeros(); z = divide(x, y); v = sum(z); return v"),
)
def quotient_of_an_empty_sum(seen: Observation, target: PyTensorTarget) -> bool:
    """The empty sum of quotients by 0 is NaN instead of 0.

    `local_sum_prod_of_mul_or_div` (tensor/rewriting/math.py) divides the sum by what all terms are
    divided by, and 0/0 is NaN.
    """
    return is_explained(seen, sums_before_quotients)


@_known(
    "wrong-value wrong-gradient",
    _case("x: int64(); y = multiply(x, x); z = scale(y, 0.5); return z", "rounding"),
)
def integer_products_as_floats(seen: Observation, target: PyTensorTarget) -> bool:
    """A product of integers that should wrap around does not, if it is a factor of floats.

    The rewrites of products, such as `local_mul_canonizer` (tensor/rewriting/math.py), multiply all
    factors at once, in the dtype of the result.
    """
    return is_explained(seen, with_products_as_floats)


@_known(
    "wrong-value",
    _case("x: int64(); y: int64 constant(); z = dot(x, y); return z", "rounding"),
    lowerings="inlined",
)
def integer_constants_as_floats(seen: Observation, target: PyTensorTarget) -> bool:
    """An integer constant of one number is converted to float64 and back, and loses digits.

    `mul_calculate` (tensor/rewriting/math.py) collects the constants of a product.
    """
    return is_explained(seen, with_float_constants)


@_known(
    "structure",
    _case("x: float64(a: 2?, b: 3?); y = dot(x, x, dim='a'); return y", gradient_order=1),
    lowerings="stock",
)
def gradients_in_an_inner_graph(seen: Observation, target: PyTensorTarget) -> bool:
    """The gradient of a dot is still an `OpFromGraph` in the compiled function.

    `OpFromGraph.pullback` (compile/builders.py) wraps the gradient of an `Einsum` in a plain
    `OpFromGraph`, which no rewrite inlines.
    """
    operations = {step.operation for step in seen.case.program.steps}
    left = "the inner graph of OpFromGraph is left in the compiled gradient graph"
    return seen.difference.got == left and "dot" in operations


@_known(
    "rejected-valid",
    _case("x: float64(a: 2?); y = dot(x, x); return y", gradient_order=1, built="unlowered"),
)
def no_gradients_of_xtensors(seen: Observation, target: PyTensorTarget) -> bool:
    """A dot has no gradient before it is lowered.

    The operations of xtensors have no `pullback`. As soon as a version has it, it is judged.
    """
    is_absent = _has_raised(seen, "NotImplementedError", "^pullback not implemented for ")
    return is_absent and seen.case.built == "unlowered"


@_known(
    "rejected-valid",
    _case("x: float64(a: 2?); y = rename(x, a='b'); return y", gradient_order=1, built="unlowered"),
)
def no_gradient_of_a_rename(seen: Observation, target: PyTensorTarget) -> bool:
    """A rename has no gradient before it is lowered.

    `Rename.pullback` (xtensor/basic.py) calls `rename(g_out, dims=…)`, which takes "dims" as the
    name of a dim.
    """
    is_absent = _has_raised(seen, "ValueError", "^Cannot rename dims to ", "Rename.pullback")
    return is_absent and seen.case.built == "unlowered"


@_known(
    "rejected-valid",
    _case(
        "x: float64(a: 2?, b: 3?, c: 2?); y = dot(x, x, dim='b'); return y",
        gradient_order=1,
        built="pushforward",
    ),
)
def no_pushforward_of_some_operations(seen: Observation, target: PyTensorTarget) -> bool:
    """A tangent cannot be pushed through each operation of a dot with batch dims.

    `Matmul`, `Assert` and a batched `Reshape` have no `pushforward`. As soon as a version has it,
    it is judged.
    """
    message = r"^pushforward not implemented for (Matmul|Assert\{|Blockwise\{)"
    is_absent = _has_raised(seen, "NotImplementedError", message)
    return is_absent and seen.case.built == "pushforward"


@_known(
    "wrong-gradient",
    _case(
        "x: float64(a: 2?); y: float64(a: 2?); v = add(x, y); w = power(v, 2); return w",
        gradient_order=1,
        built="forward",
    ),
)
def tangents_replace_each_other(seen: Observation, target: PyTensorTarget) -> bool:
    """In forward mode, some of the tangents are lost.

    `pushforward_through_pullback` (gradient.py) pulls tangents back through the gradients of the
    inputs. `pullback` keeps one cotangent of each variable, but the gradients of x and y are one
    variable if only x + y is used; and it does not add the gradient of an output that another
    output depends on.
    """
    return seen.case.is_forward and is_explained(seen, with_lost_tangents)


def _is_caused_by(rewrite: str, seen: Observation, target: PyTensorTarget) -> bool:
    """Return whether an error is gone if a rewrite is left out, and all errors without suspects."""

    def errors(*rewrites: str) -> set[str]:
        found = judge_program(target, seen.case, seen.backend, seen.lowering, rewrites)
        return {each.got for each in found if isinstance(each.evidence, Raised)}

    is_empty = any(0 in operand.shape for operand in seen.case.program.types.values())
    return (
        is_empty
        and isinstance(seen.difference.evidence, Raised)
        and seen.difference.got not in errors(rewrite)
        and not errors(rewrite, *SUSPECTS)
    )


@_known(
    "rejected-valid structure",
    _case("x: float64(a: 2, b: 0); y = dot(x, x); return y"),
)
def reshape_of_nothing_dropped(seen: Observation, target: PyTensorTarget) -> bool:
    """A reshape of an empty array is removed although it changes the shape.

    `local_useless_reshape` (tensor/rewriting/shape.py) removes a reshape if all sizes but one are
    equal to those of the array, which may be empty.
    """
    return _is_caused_by(SUSPECTS[0], seen, target)


@_known(
    "rejected-valid structure",
    _case(
        "x: float64(a: 1?, b: 0?, c: 1?); y: float64(a: 1?, b: 0?, c: 1?); "
        "z = dot(x, y, dim='b'); return z"
    ),
)
def reshape_to_unknown_of_nothing(seen: Observation, target: PyTensorTarget) -> bool:
    """A batched product over a dim of size 0 fails in a reshape.

    The rewrite that joins batch dims for `BatchedDot` reshapes to (-1, …).
    """
    return _is_caused_by(SUSPECTS[1], seen, target)


@_known(
    "rejected-valid structure",
    _case("x: float64(a: 2?); y: float64(a: 2, b: 0); z = exp(y); v = dot(x, z, dim=()); return v"),
)
def shape_of_nothing_lifted(seen: Observation, target: PyTensorTarget) -> bool:
    """A rewrite fails on an elementwise operation whose result has a static size of 0.

    `local_lift_specify_shape_elemwise` (tensor/rewriting/shape.py) moves a `SpecifyShape` to the
    operands. The new result has another type than the old one, and PyTensor logs the error.
    """
    return _is_caused_by("local_lift_specify_shape_elemwise", seen, target)


@_known(
    "wrong-shape",
    _case("x: float64(a: 2); y: float64(a: 2?); z = dot(x, y, dim=()); v = exp(z); return v"),
)
def known_length_forgotten(seen: Observation, target: PyTensorTarget) -> bool:
    """The static size of a batch dim of a dot is lost if only x has one.

    `Dot.make_node` (xtensor/math.py) merges `{**x_shape_dict, **y_shape_dict}`, in which y's None
    replaces x's size. The operations that follow do not know the size either.
    """
    if seen.difference.stage != "build":
        return False
    types = _types_with_forgotten_lengths(seen.case.computed.program)
    declared = types[seen.difference.name].static_shape
    return seen.difference.got == f"declared {one_line(declared)}"


def _types_with_forgotten_lengths(of: Program) -> dict[str, Operand]:
    types = dict(of.inputs)
    for step in of.steps:
        operands = [types[name] for name in step.arguments]
        found = result_type(step.operation, operands, step.parameter)
        if step.operation == "dot":
            x, y = operands
            merged = x.static_sizes | y.static_sizes
            found = replace(found, static=tuple(merged[dim] is not None for dim in found.dims))
        types[step.name] = found
    return types


@_known(
    "structure",
    _case(
        "x: float64(a: 1?); y: float64(b: 1?); z: float64(a: 1?, b: 1?); "
        "v = dot(y, x); w = multiply(v, z); return w",
        gradient_order=1,
        built="vectorized",
    ),
    versions=">=3.0.3,<3.3.4",
)
def conflicting_assumptions(seen: Observation, target: PyTensorTarget) -> bool:
    """A rewrite fails on a constant matrix of one element, and PyTensor logs the error.

    `useless_symmetric_transpose` (tensor/rewriting/linalg/utils.py) asks whether the matrix is
    diagonal, and two rules of `pytensor.assumptions` give different answers.
    """
    raised = seen.difference.evidence
    return isinstance(raised, Raised) and has_conflicting_assumptions(raised)


def _cause_in_a_dot(seen: Observation, target: Any) -> str | None:
    """Return the id of the known deviation of one of the dots, if that dot alone shows it.

    That is an error with the same message. A wrong number may come from any of the dots, so that
    none of them explains it.
    """
    raised = seen.difference.evidence
    if not isinstance(raised, Raised):
        return None
    for case in dict.fromkeys((*_dots(seen.case), *_dots(seen.case.computed))):
        outcome = target.run(case, seen.backend, seen.lowering)
        causes = [
            deviation_of(target, mismatch, outcome, seen.backend, seen.lowering)
            for mismatch in every_mismatch(case, outcome, target)
            if _is_same(raised, mismatch)
        ]
        known = [deviation.id for deviation in causes if deviation is not None]
        if known and len(known) == len(causes):
            return known[0]
    return None


def _is_same(raised: Raised, mismatch: Mismatch) -> bool:
    """Return whether a dot alone raises the same error."""
    message = f"{raised.type}: {fingerprint(raised, mismatch.case)}"
    return mismatch.stage == raised.stage and mismatch.detail.endswith(message)


def _accepted(operand: Operand) -> Operand:
    """Return the operand as the program passes it to PyTensor."""
    return replace(operand, layout="c") if operand.layout in NOT_ACCEPTED else operand


def _dots(case: ProgramCase) -> Iterator[DotCase]:
    """Yield each dot of a program as a case of its own."""
    for step in case.program.steps:
        if step.operation == "dot":
            x, y = (_accepted(case.program.types[name]) for name in step.arguments)
            yield DotCase(
                x,
                y,
                DimArgument.of(step.parameter),
                case.regime if case.regime in REGIMES else "rounding",
                case.seed,
                same_variable=len(set(step.arguments)) == 1,
                gradient_order=case.gradient_order,
            )
