"""Deviations of programs: valid ones that fail, and rewrites that do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np

from refdot.programs.case import BATCH_DIM, ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.interpretation import NUMPY, interpret
from refdot.programs.judgement import Difference
from refdot.programs.program import Program, Step
from refdot.pytensor.deviations.failures import has_conflicting_assumptions, has_traced_shape
from refdot.pytensor.deviations.trials import (
    DEDUCES_SIZES,
    DROPS_RESHAPE,
    JOINS_BATCHES,
    SELECTS,
    TRIALS,
)
from refdot.pytensor.programs.alternatives import integer_factors
from refdot.pytensor.programs.deviations.record import case_of, has_raised, known
from refdot.pytensor.programs.deviations.trials import (
    Trial,
    is_gone,
    judged_again,
    with_stable_softmax,
    without,
)
from refdot.pytensor.target import PyTensorTarget
from refdot.pytensor.target.configuration import without_parts
from refdot.targets.outcome import REPLICATES, Raised
from refdot.tensor import NamedTensor


@known(
    "rejected-valid",
    case_of("x: int64(); y = power(x, 2); return y", "rounding"),
    backends="python python-minimum fast-compile",
)
def integers_as_python_numbers(seen: Observation, target: PyTensorTarget) -> bool:
    """Integers that should wrap around raise an OverflowError in Python code.

    Elementwise operations that have no function in NumPy compute with Python's integers, and
    `_cast_to_promised_scalar_dtype` (scalar/basic.py) or NumPy rejects those of more than 64 bits.
    """
    message = "^Python int too large to convert to C long$"
    if not has_raised(seen, "OverflowError", message):
        return False
    computed = seen.case.computed
    wraps = any(_has_integers_that_wrap(computed, number) for number in range(REPLICATES))
    return wraps or is_gone(seen, target, without("fusion"))


@known(
    "rejected-valid",
    case_of(
        "x: float64(a: 3?); y: float64(b: 4?, a: 3?); z: float64(c: 3?, d: 4?); "
        "v = multiply(x, y); w = dot(v, z); u = dot(w, w, dim=('a', 'c')); return u"
    ),
    versions=">=3.3.1",
    backends="python",
)
def sizes_as_python_numbers(seen: Observation, target: PyTensorTarget) -> bool:
    """A product of sizes above 128 fails in Python code that is fused.

    `Maximum.impl` (scalar/basic.py) compares a number of Python, minus a product of sizes, with a
    constant 1 of int8, and NumPy converts that number to int8. The sizes are those of a reshape
    of a result whose own shape is not known.
    """
    return has_raised(
        seen, "OverflowError", r"^Python integer -\d+ out of bounds for int8$"
    ) and is_gone(seen, target, without("fusion"))


@known(
    "rejected-valid wrong-gradient",
    case_of(
        "x: float64(); y: float64(a: 1?); z = rename(y, a='b'); v = dot(y, z); w = dot(v, x); "
        "return w"
    ),
    backends="jax",
)
def traced_shapes_in_jax(seen: Observation, target: PyTensorTarget) -> bool:
    """On JAX, a new shape with sizes that are not static is rejected.

    JAX traces the sizes, and accepts only concrete ones in a shape; or the dispatch
    (link/jax/dispatch/shape.py) rejects a shape that is not constant.
    """
    raised = seen.difference.evidence
    sizes = [size for each in seen.case.computed.program.types.values() for size in each.static]
    return isinstance(raised, Raised) and not all(sizes) and has_traced_shape(raised)


@known(
    "rejected-valid",
    case_of("x: float64 shared(); y: float64(); return x, y", built="vectorized"),
)
def outputs_without_the_new_dim(seen: Observation, target: PyTensorTarget) -> bool:
    """A graph cannot be vectorized if one of its outputs depends on no vectorized input.

    `vectorize_graph` (xtensor/vectorization.py) moves the new dims of each output to the left, also
    of an output that has none of them.
    """
    case = seen.case
    types = case.computed.program.types
    return (
        case.built == "vectorized"
        and any(BATCH_DIM not in types[name].dims for name in case.program.outputs)
        and has_raised(seen, "ValueError", rf"^Dimensions \{{'{BATCH_DIM}'\}} do not exist")
    )


def _has_integers_that_wrap(case: ProgramCase, replicate: int) -> bool:
    """Return whether a product of integers, or a power of them, has more than 64 bits."""
    values = {
        name: NamedTensor(tensor.data.astype("float64"), tensor.dims)
        for name, tensor in case.values(case.program, replicate).items()
    }
    types, results = case.program.types, interpret(case.program, values, NUMPY)
    found = list(integer_factors(case.program, values).values())
    found += [
        results[step.name]
        for step in case.program.steps
        if step.operation == "power" and types[step.arguments[0]].dtype == "int64"
    ]
    return any(float(np.max(np.abs(each.data), initial=0)) >= 2.0**63 for each in found)


@known(
    "rejected-valid",
    case_of("x: float64(a: 0?); y = softmax(x); return y"),
    backends="python python-minimum fast-compile c c-blas",
)
def softmax_of_nothing(seen: Observation, target: PyTensorTarget) -> bool:
    """A softmax over a dim of size 0 is rejected.

    The maximum that is subtracted first (`local_softmax_stabilize`) does not exist. The quotient
    exp(x) / exp(x).sum(dim) needs none.
    """
    message = "zero-size array to reduction|CAReduce.*has zero-size"
    return has_raised(seen, "ValueError", message) and any(
        step.operation == "softmax" and _is_over_nothing(step, seen.case.program)
        for step in seen.case.program.steps
    )


def _is_over_nothing(step: Step, of: Program) -> bool:
    operand = of.types[step.arguments[0]]
    dims = operand.dims if step.parameter is None else step.parameter
    return any(operand.sizes[dim] == 0 for dim in dims)


@known(
    "rejected-valid",
    case_of("x: float64(a: 2?); y = dot(x, x); return y", gradient_order=1, built="unlowered"),
)
def no_gradients_of_xtensors(seen: Observation, target: PyTensorTarget) -> bool:
    """A dot has no gradient before it is lowered.

    The operations of xtensors have no `pullback`. As soon as a version has it, it is judged.
    """
    is_absent = has_raised(seen, "NotImplementedError", "^pullback not implemented for ")
    return is_absent and seen.case.built == "unlowered"


@known(
    "rejected-valid",
    case_of(
        "x: float64(a: 2?); y = rename(x, a='b'); return y", gradient_order=1, built="unlowered"
    ),
)
def no_gradient_of_a_rename(seen: Observation, target: PyTensorTarget) -> bool:
    """A rename has no gradient before it is lowered.

    `Rename.pullback` (xtensor/basic.py) calls `rename(g_out, dims=…)`, which takes "dims" as the
    name of a dim.
    """
    is_absent = has_raised(seen, "ValueError", "^Cannot rename dims to ", "Rename.pullback")
    return is_absent and seen.case.built == "unlowered"


@known(
    "rejected-valid",
    case_of(
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
    is_absent = has_raised(seen, "NotImplementedError", message)
    return is_absent and seen.case.built == "pushforward"


def _is_caused_by(part: str, seen: Observation, target: PyTensorTarget) -> bool:
    """Return whether a failure is gone if a part is left out, and all failures without others.

    The error of a softmax of nothing has another cause, and is left out as well.
    """

    def failures(*parts: str) -> set[str]:
        trial = _without_parts_and_softmax(*sorted(parts))
        return {each.got for each in judged_again(seen, target, trial) if _is_failure(each)}

    is_empty = any(0 in operand.shape for operand in seen.case.program.types.values())
    return (
        is_empty
        and _is_failure(seen.difference)
        and seen.difference.got not in failures(part)
        and any(not failures(*{part, *others}) for others in ((), (DEDUCES_SIZES,), *TRIALS))
    )


def _is_failure(difference: Difference) -> bool:
    """Return whether a difference is an error, or the wrong shape of an answer."""
    return isinstance(difference.evidence, Raised | tuple)


@cache
def _without_parts_and_softmax(*parts: str) -> Trial:
    """Return the trial that leaves some parts out, which is the same one for the same parts."""

    @contextmanager
    def trial() -> Iterator[None]:
        with without_parts(*parts), with_stable_softmax():
            yield

    return trial


@known(
    "rejected-valid structure wrong-shape wrong-gradient",
    case_of("x: float64(a: 2, b: 0); y = dot(x, x); return y"),
)
def reshape_of_nothing_dropped(seen: Observation, target: PyTensorTarget) -> bool:
    """A reshape of an empty array is removed although it changes the shape.

    `local_useless_reshape` (tensor/rewriting/shape.py) removes a reshape if all sizes but one are
    equal to those of the array, which may be empty.
    """
    return _is_caused_by(DROPS_RESHAPE, seen, target)


@known(
    "rejected-valid structure",
    case_of(
        "x: float64(a: 1?, b: 0?, c: 1?); y: float64(a: 1?, b: 0?, c: 1?); "
        "z = dot(x, y, dim='b'); return z"
    ),
)
def reshape_to_unknown_of_nothing(seen: Observation, target: PyTensorTarget) -> bool:
    """A batched product over a dim of size 0 fails in a reshape.

    The rewrite that joins batch dims for `BatchedDot` reshapes to (-1, …).
    """
    return _is_caused_by(JOINS_BATCHES, seen, target)


@known(
    "rejected-valid structure",
    case_of(
        "x: float64(a: 2?); y: float64(a: 2, b: 0); z = exp(y); v = dot(x, z, dim=()); return v"
    ),
)
def shape_of_nothing_lifted(seen: Observation, target: PyTensorTarget) -> bool:
    """A rewrite fails on an elementwise operation whose result has a static size of 0.

    `local_lift_specify_shape_elemwise` (tensor/rewriting/shape.py) moves a `SpecifyShape` to the
    operands. The new result has another type than the old one, and PyTensor logs the error.
    """
    return _is_caused_by("local_lift_specify_shape_elemwise", seen, target)


@known(
    "rejected-valid structure wrong-shape wrong-gradient",
    case_of(
        "x: float64(a: 1?, b: 0); y: float64(a: 1, c: 0); v = dot(x, y, dim='b'); return v",
        gradient_order=2,
    ),
    lowerings="inlined",
)
def sizes_of_nothing_deduced(seen: Observation, target: PyTensorTarget) -> bool:
    """A gradient of empty arrays has a static size of 0 that is wrong, and fails.

    `Reshape.make_node` (tensor/shape.py) divides the number of elements by the known sizes, and
    takes 0 divided by 0 for 0.
    """
    return _is_caused_by(DEDUCES_SIZES, seen, target)


@known(
    "rejected-valid structure",
    case_of(
        "x: float64(a: 2, b: 2, c: 0); y: float64(a: 2, d: 0); z: float64(a: 2?, c: 0?); "
        "v = dot(z, y, dim='c'); w = dot(v, x); return w",
        gradient_order=1,
        built="forward",
    ),
    versions=">=3.0.4",
    lowerings="inlined",
)
def selection_of_nothing(seen: Observation, target: PyTensorTarget) -> bool:
    """A constant without columns is replaced by indexing, which fails.

    `selection_dot_to_indexing` (tensor/rewriting/linalg/products.py) takes a matrix without columns
    for one that selects. Tangents and gradients of empty arrays are such constants.
    """
    return _is_caused_by(SELECTS, seen, target)


@known(
    "structure",
    case_of(
        "x: float64(a: 1?); z: float64(a: 1?, b: 1?); y: float64(b: 1?); "
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
