"""Deviations of programs: wrong numbers."""

from __future__ import annotations

from typing import Any

import pytensor
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.traversal import ancestors

from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.pytensor.programs.alternatives import (
    SINGLE_PRECISION,
    is_explained,
    is_right_with,
    with_integer_dots_as_floats,
    with_integer_factors,
    with_integer_powers,
    with_products_as_floats,
    with_promoted_integers,
    with_scalars_after_dots,
    with_sums_first,
)
from refdot.pytensor.programs.deviations.record import case_of, known
from refdot.pytensor.programs.deviations.softmax import may_overflow
from refdot.pytensor.programs.deviations.trials import (
    compiled_output,
    is_gone,
    shares_elements,
    with_added_tangents,
    with_added_tangents_and_stable_softmax,
    with_constant_exponents,
    with_converted_factors,
    with_exact_constants,
    with_exact_reciprocals,
    with_python_numbers,
    with_separate_elements,
    without,
)
from refdot.pytensor.programs.judge import run_program
from refdot.pytensor.target import PyTensorTarget

_SUMS = ("sum", "softmax", "dot")  # the operations that sum
_MOST_FACTORS = 8  # constants in one product


@known(
    "wrong-value",
    case_of(
        "x: int64(a: 3); y: int64(a: 3); v = multiply(x, y); z = power(v, 2); return z", "rounding"
    ),
    backends="c c-blas numba jax python",
)
def power_of_integers(seen: Observation, target: PyTensorTarget) -> bool:
    """A power of integers with a constant exponent of floating point wraps around.

    `local_pow_specialize` (tensor/rewriting/math.py) replaces the power by products of the base,
    which is not converted to the dtype of the result first.
    """
    return is_explained(seen, with_integer_powers)


@known(
    "wrong-value wrong-gradient",
    case_of("x: float64(a: 3); y = power(x, -1); z = add(x, y); return z"),
    backends="python",
)
def reciprocals_in_single_precision(seen: Observation, target: PyTensorTarget) -> bool:
    """A fused reciprocal of float64 has the precision of float32.

    `Reciprocal.impl` (scalar/basic.py) is `np.float32(1.0) / x`. In Python code, fused operations
    get elements as Python's floats, and the quotient of a float32 and such a float is a float32.
    """
    is_single = is_right_with(seen, unit=SINGLE_PRECISION)
    return is_single and is_gone(seen, target, with_exact_reciprocals)


@known(
    "wrong-value wrong-gradient",
    case_of("x: float64(a: 3); y = power(x, 1.5); z = add(x, y); return z", "unit"),
    backends="python",
)
def numbers_in_single_precision(seen: Observation, target: PyTensorTarget) -> bool:
    """A fused operation of float64 and a number has the precision of float32.

    PyTensor stores a Python number in float32 if this is exact. In Python code, fused operations
    get elements as Python's floats, and NumPy computes such a float and a float32 in float32.
    """
    is_single = is_right_with(seen, unit=SINGLE_PRECISION)
    return is_single and is_gone(seen, target, with_python_numbers)


@known(
    "wrong-value wrong-gradient",
    case_of("x: float64(a: 0?); y: float64 zeros(); z = divide(x, y); v = sum(z); return v"),
)
def quotient_of_an_empty_sum(seen: Observation, target: PyTensorTarget) -> bool:
    """The empty sum of quotients by 0 is NaN instead of 0.

    `local_sum_prod_of_mul_or_div` (tensor/rewriting/math.py) divides the sum by what all terms are
    divided by, and 0/0 is NaN.
    """
    is_empty = any(0 in operand.shape for operand in seen.case.computed.program.types.values())
    return is_empty and is_gone(seen, target, without("local_sum_prod_of_mul_or_div"))


@known(
    "wrong-value wrong-gradient",
    case_of("x: int64(); y = multiply(x, x); z = scale(y, 0.5); return z", "rounding"),
)
def integer_products_as_floats(seen: Observation, target: PyTensorTarget) -> bool:
    """A product of integers that should wrap around does not, if it is a factor of floats.

    The rewrites of products, such as `local_mul_canonizer` (tensor/rewriting/math.py), multiply all
    factors at once, in the dtype of the result.
    """
    return is_explained(seen, with_products_as_floats)


@known(
    "wrong-value wrong-gradient",
    case_of(
        "x: int64(a: 2); y: int64(a: 2); v = scale(x, 0.5); w = scale(y, 2.0); "
        "z = multiply(v, w); u = sum(z); return u",
        "rounding",
    ),
    backends="python fast-compile c c-blas numba jax",
)
def integer_factors_of_floats(seen: Observation, target: PyTensorTarget) -> bool:
    """A product of floats wraps around, if its factors are integers times constants.

    `local_mul_canonizer` (tensor/rewriting/math.py) multiplies the constants. If their product is
    1, only integers are left, and they are multiplied before they are converted.
    """
    return is_explained(seen, with_integer_factors)


@known(
    "wrong-value",
    case_of(
        "x: float32(a: 2); y: float64 constant ones(); z = multiply(x, y); v = multiply(z, z); "
        "return v"
    ),
)
def float32_factors_of_float64(seen: Observation, target: PyTensorTarget) -> bool:
    """A product of float64 has the precision of float32, if its factors are float32 times 1.

    `local_mul_canonizer` (tensor/rewriting/math.py) leaves out the constants if their product is 1.
    Only float32 are left, and they are multiplied before they are converted.
    """
    dtypes = {each.dtype for each in seen.case.computed.program.types.values()}
    return (
        dtypes >= {"float32", "float64"}
        and is_right_with(seen, with_sums_first, SINGLE_PRECISION)
        and is_gone(seen, target, with_converted_factors)
    )


@known(
    "wrong-value wrong-gradient",
    case_of("x: int64(a: 2?); y = dot(x, x); return y", "rounding"),
    backends="numba",
)
def integers_as_floats_in_numba(seen: Observation, target: PyTensorTarget) -> bool:
    """Numba multiplies integers in floating point, and large products are not exact.

    `numba_funcify_Dot` (link/numba/dispatch/elemwise.py) casts them to float64, for BLAS.
    """
    # The sum of floats of 53 bits depends on the order of its terms.
    return is_explained(seen, with_integer_dots_as_floats, integer_tolerance=2.0**-40)


@known(
    "wrong-value wrong-gradient",
    case_of(
        "x: int64(a: 2?); y: int64(a: 2?); v = scale(x, 0.5); z = dot(v, y); return z", "rounding"
    ),
    versions=">=3.3.5",
    lowerings="inlined",
)
def scalars_after_dots(seen: Observation, target: PyTensorTarget) -> bool:
    """A dot of floats wraps around, if its operands are integers times scalars.

    `ReassociateMatmulChain` (tensor/rewriting/linalg/reassociate_matmul.py) multiplies the product
    by a scalar instead of an operand, which may be of integers then. The stock lowering has the
    product inside an `OpFromGraph` at that time.
    """
    return is_explained(seen, with_scalars_after_dots)


@known(
    "wrong-value wrong-gradient",
    case_of("x: int64(); y: int64 constant(); z = multiply(x, y); return z", "rounding"),
)
def integer_constants_as_floats(seen: Observation, target: PyTensorTarget) -> bool:
    """Integer constants of a product are converted to float64 and back, and lose digits.

    `mul_calculate` (tensor/rewriting/math.py) divides the product of the constants, each of which
    has equal numbers, by that of the constants in a denominator, which is 1.
    """
    is_large = _has_large_constants(seen.case.computed)
    return is_large and is_gone(seen, target, with_exact_constants)


def _has_large_constants(case: ProgramCase) -> bool:
    """Return whether a product of some of the equal integers in a constant exceeds 53 bits."""
    values = case.values(case.program)
    numbers = [
        {*values[name].data.flat}
        for name, each in case.program.inputs
        if each.origin == "constant" and each.dtype == "int64"
    ]
    return any(len(each) == 1 and abs(float(*each)) ** _MOST_FACTORS >= 2**53 for each in numbers)


@known(
    "wrong-gradient",
    case_of(
        "x: float32 constant(); y: float64 constant(); z: float64(); return x, y, z",
        gradient_order=1,
        built="forward",
    ),
)
def tangents_in_the_default_dtype(seen: Observation, target: PyTensorTarget) -> bool:
    """In forward mode, a tangent that is disconnected has the dtype of the default float.

    `pushforward_through_pullback` (gradient.py) makes cotangents of the dtype `config.floatX`, and
    returns zeros like them for outputs that depend on no input, or only through other outputs.
    """
    difference, case = seen.difference, seen.case
    name = difference.name.removeprefix("tangent of ")
    if case.built != "forward" or name not in case.program.types:
        return False
    dtypes = (difference.expected, difference.got)
    if dtypes != (case.program.types[name].dtype, pytensor.config.floatX):
        return False
    answers = run_program(target, case, seen.backend, seen.lowering)
    return not answers[difference.name].any()


@known(
    "wrong-gradient",
    case_of(
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
    if seen.case.built != "forward":
        return False
    # Tangents may also be lost beside an overflow.
    return is_gone(seen, target, with_added_tangents) or (
        may_overflow(seen) and is_gone(seen, target, with_added_tangents_and_stable_softmax)
    )


@known(
    "wrong-gradient",
    case_of("x: float64(a: 2); y = power(x, 2); return y", gradient_order=1, built="pushforward"),
    backends="python-minimum",
)
def tangents_of_exponents(seen: Observation, target: PyTensorTarget) -> bool:
    """The tangent of a power of a negative number is NaN, without the rewrites that remove zeros.

    `Elemwise.pushforward` (tensor/elemwise.py) multiplies each partial derivative by a tangent. The
    tangent of a constant exponent is zero, and its derivative has the logarithm of the base.
    """
    return seen.case.built == "pushforward" and is_gone(seen, target, with_constant_exponents)


@known(
    "wrong-value wrong-gradient",
    case_of("x: float64(); y: float32(a: 2?); z = dot(x, y, dim='a'); return z", "rounding"),
)
def summed_alone_first(seen: Observation, target: PyTensorTarget) -> bool:
    """A dim of one operand of a dot is summed in that operand's dtype, before the product.

    `einsum` (tensor/einsum.py) does so in `sum_uniques`. If the other operand has a wider dtype,
    float32 loses digits, and integers wrap around. An empty sum becomes 0 times the other operand,
    which is NaN if that is not finite.
    """
    return is_right_with(seen, with_sums_first)


@known(
    "wrong-value wrong-dtype",
    case_of("x: float32(); y: int64(); z = dot(x, y); return z"),
    backends="jax",
)
def promotion_of_jax(seen: Observation, target: PyTensorTarget) -> bool:
    """On JAX, float32 and integers give float32.

    PyTensor's dispatch for JAX casts neither operands nor result to the dtype that the graph
    declares. An integer that is converted to float32 also loses digits.
    """
    if seen.difference.kind != "wrong-dtype":
        return _is_computed_in_float32(seen)
    dtypes = (seen.difference.expected, seen.difference.got)
    return _has_float32_beside_integers(seen) and dtypes == ("float64", "float32")


@known(
    "wrong-value",
    case_of("x: float32(); y: int64(); z = multiply(x, y); return z", "rounding"),
    backends="c c-blas",
)
def products_in_types_of_c(seen: Observation, target: PyTensorTarget) -> bool:
    """In C, a product of float32 and integers is computed in float32.

    `Mul.c_code` (scalar/basic.py) writes `x * y`, without a cast to the wider dtype of the result.
    """
    return _is_computed_in_float32(seen)


def _is_computed_in_float32(seen: Observation) -> bool:
    """Return whether an answer is right if integers beside a float32 are converted to float32."""
    return _has_float32_beside_integers(seen) and is_right_with(
        seen, with_sums_first, SINGLE_PRECISION, with_promoted_integers
    )


def _has_float32_beside_integers(seen: Observation) -> bool:
    program = seen.case.computed.program
    pairs = ({program.types[name].dtype for name in step.arguments} for step in program.steps)
    return {"float32", "int64"} in pairs


@known(
    "wrong-value wrong-dtype wrong-gradient",
    case_of("x: float32 constant(); return x"),
    backends="jax",
)
def constants_without_dtype_in_jax(seen: Observation, target: PyTensorTarget) -> bool:
    """On JAX, a constant of one number loses its dtype.

    `jax_typify_ndarray` (link/jax/dispatch/basic.py) turns each 0-d array into a Python number: a
    float64 if rewrites have made it the answer, and a float32 beside a float32.
    """
    dtypes = (seen.difference.expected, seen.difference.got)
    found = [*ancestors([compiled_output(seen, target)])]
    if dtypes == ("float32", "float64"):
        return all(isinstance(each, Constant) for each in found if each.owner is None)
    is_narrowed = any(_narrows_a_constant(each.owner) for each in found if each.owner)
    is_right = dtypes == ("float64", "float32") or is_right_with(
        seen, with_sums_first, SINGLE_PRECISION
    )
    return is_narrowed and is_right


def _narrows_a_constant(node: Apply[Any]) -> bool:
    """Return whether JAX converts one of the operands to float32, a constant of one number."""
    has_float32 = any(each.dtype == "float32" for each in node.inputs)
    return has_float32 and any(
        isinstance(each, Constant) and each.ndim == 0 and each.dtype in ("float64", "int64")
        for each in node.inputs
    )


@known(
    "wrong-value wrong-dtype wrong-gradient",
    case_of("x: float32(a: 2?); y = sum(x); return y"),
    backends="jax",
)
def sums_widened_in_jax(seen: Observation, target: PyTensorTarget) -> bool:
    """On JAX, a sum of float32 is a float64.

    `jax_funcify_CAReduce` (link/jax/dispatch/elemwise.py) casts to the dtype in which PyTensor
    accumulates, and never back to the dtype of the result.
    """
    operations = {step.operation for step in seen.case.program.steps}
    has_sums = bool(seen.case.gradient_order) or not operations.isdisjoint(_SUMS)
    return has_sums and (seen.difference.expected, seen.difference.got) == ("float32", "float64")


@known(
    "wrong-value wrong-gradient nondeterminism",
    case_of("x: float64 broadcast(a: 4?, b: 3?); y: float64(a: 4?); z = dot(x, y); return z"),
    backends="c-blas",
)
def strides_that_a_blas_refuses(seen: Observation, target: PyTensorTarget) -> bool:
    """With a BLAS, a product of overlapping rows, or of a repeated vector, is garbage.

    The C code of `Gemm`, `CGemv` and `BatchedDot` (tensor/blas.py and blas_c.py) passes strides on
    that a BLAS refuses. The BLAS then prints an error and leaves the result as it was allocated.
    """
    case = seen.case.computed
    values = case.values(case.program, seen.difference.replicate).values()
    is_shared = any(each.dtype.kind == "f" and shares_elements(each.data) for each in values)
    has_dots = any(step.operation == "dot" for step in case.program.steps)
    return is_shared and has_dots and is_gone(seen, target, with_separate_elements)
