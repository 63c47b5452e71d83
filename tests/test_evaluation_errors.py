"""The dot and its derivatives reject invalid operands."""

import numpy as np
import pytest
from dots import DISCRETE, MISMATCHES, as_many_and_as_few, few_up_to, sized

from refdot.errors import (
    CotangentError,
    DimNotFoundError,
    DimTypeError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.tensor import NamedTensor
from refdot.testing import assert_dot_matches

OTHER_DTYPES = {
    "object": np.array([2, 3], object),
    "<U1": np.array(["2", "3"]),
    "|S1": np.array([b"2", b"3"]),
    "datetime64[D]": np.array(["2020-02-03", "2021-05-07"], "datetime64[D]"),
    "timedelta64[s]": np.array([2, 3], "timedelta64[s]"),
    "[('n', '<i4')]": np.zeros(2, [("n", "<i4")]),
}

NOT_A_SHAPE = {
    "cotangent of another size": (
        lambda: dot_vjp(sized(a=2, b=3), sized(b=3), sized(a=5)),
        "the cotangent must have the shape of the output, (a: 2), but it is (a: 5)",
        ("the cotangent", {"a": 5}, {"a": 2}),
    ),
    "cotangent of another dim": (
        lambda: dot_vjp(sized(a=2, b=3), sized(b=3), sized(b=2)),
        "the cotangent must have the shape of the output, (a: 2), but it is (b: 2)",
        ("the cotangent", {"b": 2}, {"a": 2}),
    ),
    "cotangent that would broadcast": (
        lambda: dot_vjp(sized(a=2, b=3), sized(b=3), sized()),
        "the cotangent must have the shape of the output, (a: 2), but it is ()",
        ("the cotangent", {}, {"a": 2}),
    ),
    "cotangent of size one": (
        lambda: dot_vjp(sized(a=2), sized(b=3), sized(a=1, b=3)),
        "the cotangent must have the shape of the output, (a: 2, b: 3), but it is (a: 1, b: 3)",
        ("the cotangent", {"a": 1, "b": 3}, {"a": 2, "b": 3}),
    ),
    "tangent of x": (
        lambda: dot_jvp(sized(a=2, b=3), sized(b=3), sized(a=2, b=1), sized(b=3)),
        "the tangent of x must have the shape of x, (a: 2, b: 3), but it is (a: 2, b: 1)",
        ("the tangent of x", {"a": 2, "b": 1}, {"a": 2, "b": 3}),
    ),
    "tangent of y": (
        lambda: dot_jvp(sized(a=2, b=3), sized(b=3), sized(b=3, a=2), sized(c=3)),
        "the tangent of y must have the shape of y, (b: 3), but it is (c: 3)",
        ("the tangent of y", {"c": 3}, {"b": 3}),
    ),
}

OF_EACH_KIND = {
    "dot": dot,
    "vjp": lambda x, y, dim=None: dot_vjp(x, y, NamedTensor(1.0, ()), dim),
    "jvp": lambda x, y, dim=None: dot_jvp(x, y, x, y, dim),
}
each_kind = pytest.mark.parametrize("take", OF_EACH_KIND.values(), ids=OF_EACH_KIND)


@each_kind
@as_many_and_as_few
@pytest.mark.parametrize(
    ("x", "y", "dim", "sizes", "message", "note"), MISMATCHES.values(), ids=MISMATCHES
)
def test_a_shared_dim_has_one_size(x, y, dim, sizes, message, note, limit, take):
    with few_up_to(limit), pytest.raises(SizeMismatchError) as info:
        take(x, y, dim)
    assert str(info.value) == message
    assert info.value.__notes__ == [note]
    assert (info.value.sizes, info.value.dims) == (sizes, tuple(sizes))
    assert info.value.rule == "R4"


@pytest.mark.parametrize(("dtype", "array"), OTHER_DTYPES.items(), ids=OTHER_DTYPES)
@pytest.mark.parametrize("operand", ["x", "y"])
def test_dot_rejects_other_dtypes_than_numbers_and_bools(operand, dtype, array):
    other, plain = NamedTensor(array, "a"), NamedTensor([2.0, 3.0], "a")
    with pytest.raises(DTypeError) as info:
        dot(*((other, plain) if operand == "x" else (plain, other)))
    assert str(info.value) == f"dot needs numbers or bools, but the dtype of {operand} is {dtype}"
    assert (info.value.rule, info.value.operand, info.value.dtype) == ("R7", operand, array.dtype)


@pytest.mark.parametrize("operand", ["x", "y"])
@pytest.mark.parametrize("dtype", DISCRETE)
@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_an_integer_or_bool_operand_has_no_gradient(operand, dtype, kind):
    discrete, plain = sized(dtype, a=2), sized(a=2)
    with pytest.raises(NoGradientError) as info:
        OF_EACH_KIND[kind](*((discrete, plain) if operand == "x" else (plain, discrete)))
    assert str(info.value) == f"{operand} has no gradient: its dtype {dtype} is not continuous"
    assert (info.value.rule, info.value.operand, info.value.dtype) == ("R8", operand, dtype)


@pytest.mark.parametrize(("take", "message", "fields"), NOT_A_SHAPE.values(), ids=NOT_A_SHAPE)
def test_a_cotangent_or_tangent_has_the_shape_of_its_primal(take, message, fields):
    with pytest.raises(CotangentError) as info:
        take()
    assert str(info.value) == message
    assert (info.value.name, info.value.sizes, info.value.expected) == fields
    assert info.value.rule == "R8"


@pytest.mark.parametrize("number", [0, 1])
def test_dot_rejects_other_types_than_named_tensors(number):
    operands = [NamedTensor([1.0, 2.0], "a")] * 2
    operands[number] = np.array([1.0, 2.0])
    with pytest.raises(TypeError, match=r"^dot takes two NamedTensors, got ndarray$"):
        dot(*operands)


@pytest.mark.parametrize(
    ("function", "count"), [(dot_vjp, 3), (dot_jvp, 4), (assert_dot_matches, 3)]
)
def test_other_functions_of_tensors_reject_other_types(function, count):
    for number in range(count):
        operands = [NamedTensor([1.0, 2.0], "a")] * count
        operands[number] = np.array([1.0, 2.0])
        message = rf"^{function.__name__} takes NamedTensors, got ndarray$"
        with pytest.raises(TypeError, match=message):
            function(*operands)


@each_kind
def test_dim_is_checked_before_the_sizes(take):
    x, y = sized(time=2, embd=3), sized(embd=5)
    with pytest.raises(DimTypeError) as wrong_type:
        take(x, y, 5)
    assert str(wrong_type.value) == "dim must be None, ..., a str or an iterable of str, got 5"
    with pytest.raises(DimNotFoundError) as not_found:
        take(x, y, "tiem")
    assert str(not_found.value) == (
        "Dimension tiem not found in either input; the dims are time, embd; did you mean time?"
    )
