"""The oracle rejects invalid operands and invalid values of `dim`: R1 to R4 of SPEC.md."""

from collections.abc import Callable
from math import prod

import numpy as np
import pytest
from operands import raises, tensor

import refdot as rd
from refdot.tensor import NamedTensor

# R1 operands

BAD_DIMS = {
    "repeated": (
        ("a", "b", "a"),
        "Dimensions must be unique. Found duplicates in ('a', 'b', 'a'): 'a' appears twice in {}",
    ),
    "empty": (("a", ""), "Dim '' is empty in {}: ('a', '')"),
    "a number": (("a", 0), "Dim 0 is not a str in {}: ('a', 0)"),
    "None": ((None,), "Dim None is not a str in {}: (None,)"),
    "bytes": ((b"a",), "Dim b'a' is not a str in {}: (b'a',)"),
}


@pytest.mark.parametrize(("dims", "message"), BAD_DIMS.values(), ids=BAD_DIMS)
def test_r01_dims_are_distinct_non_empty_str(dims, message):
    with raises(rd.DimNameError, message.format("x")):
        rd.lower_dot(dims, ("a",))
    with raises(rd.DimNameError, message.format("y")):
        rd.lower_dot(("a",), dims)
    with raises(rd.DimNameError, message.format("tensor")):
        NamedTensor(np.arange(2 ** len(dims)).reshape((2,) * len(dims)), dims)


NOT_A_SEQUENCE = {
    "a set": ({"a"}, "{'a'}"),
    "the keys of a dict": ({"a": 2}.keys(), "dict_keys(['a'])"),
    "a number": (5, "5"),
    "None": (None, "None"),
}


@pytest.mark.parametrize(("dims", "shown"), NOT_A_SEQUENCE.values(), ids=NOT_A_SEQUENCE)
def test_r01_dims_must_be_a_sequence(dims, shown):
    def message(operand: str) -> str:
        return f"Dims are not a sequence of str in {operand}: ({shown},)"

    with raises(rd.DimNameError, message("x")):
        rd.lower_dot(dims, ("a",))
    with raises(rd.DimNameError, message("y")):
        rd.lower_dot(("a",), dims)
    with raises(rd.DimNameError, message("tensor")):
        NamedTensor(np.arange(2), dims)


def test_r01_names_are_plain_str():
    name = np.str_("a")
    low = rd.lower_dot((name, "b"), (name,), [name])
    assert {type(dim) for dim in low.x_dims + low.y_dims + low.contracted} == {str}
    assert [type(dim) for dim in NamedTensor(np.arange(2), (name,)).dims] == [str]


@pytest.mark.parametrize(("shape", "dims"), [((), "a"), ((2,), ()), ((2, 3), ("a", "b", "c"))])
def test_r01_one_dim_for_each_axis(shape, dims):
    names, axes = (dims,) if isinstance(dims, str) else dims, len(shape)
    message = (
        f"Number of dims ({len(names)}) differs from number of axes ({axes}) in tensor: {names!r}"
    )
    with raises(rd.DimNameError, message):
        NamedTensor(np.arange(prod(shape)).reshape(shape), dims)


def test_r01_a_single_str_names_one_axis():
    assert NamedTensor(np.arange(3), "time").dims == ("time",)
    assert rd.lower_dot("time", ("time", "embd")).x_dims == ("time",)


# R2 the argument `dim`

SPELLINGS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "None is every shared dim": (lambda: None, ("a", "c")),
    "... is every dim": (lambda: ..., ()),
    "a str is that dim": (lambda: "b", ("a", "c")),
    "a tuple": (lambda: ("b", "a"), ("c",)),
    "in another order": (lambda: ("a", "b"), ("c",)),
    "with repeats": (lambda: ["a", "b", "a"], ("c",)),
    "a set": (lambda: {"a", "b"}, ("c",)),
    "a mapping": (lambda: {"a": 2, "b": None}, ("c",)),
    "an iterator": (lambda: iter(["a", "b"]), ("c",)),
    "NumPy's str": (lambda: [np.str_("a"), np.str_("b")], ("c",)),
    "empty contracts nothing": (tuple, ("a", "b", "c")),
}


@pytest.mark.parametrize(("dim", "out_dims"), SPELLINGS.values(), ids=SPELLINGS)
def test_r02_dim_is_none_ellipsis_a_str_or_an_iterable_of_str(dim, out_dims):
    x, y = tensor("ab"), tensor("bc")
    result = rd.dot(x, y, dim())
    assert result.dims == out_dims
    assert result == rd.dot(x, y, {"a", "b", "c"}.difference(out_dims))


def test_r02_a_str_is_one_dim_not_its_letters():
    x, y = NamedTensor(np.arange(3), "bc"), tensor("bc")
    assert rd.dot(x, y, "bc").dims == ("b", "c")
    assert rd.dot(x, y, ("b", "c")).dims == ("bc",)


DIM_MUST_BE = "dim must be None, ..., a str or an iterable of str, got "
BAD_DIM = {
    "a number": (5, "5"),
    "True": (True, "True"),
    "False": (False, "False"),
    "bytes": (b"ab", "b'ab'"),
    "an array of names": (np.array(["a", "b"]), "array(['a', 'b'], dtype='<U1')"),
    "an empty array": (np.arange(0), "array([], dtype=int64)"),
    "a number inside": (["a", 5], "['a', 5]: 5 is not a str"),
    "... inside": ([...], "[Ellipsis]: Ellipsis is not a str"),
    "None inside": (("a", None), "('a', None): None is not a str"),
    "a list inside": ([["a"]], "[['a']]: ['a'] is not a str"),
    "bytes inside": ({b"a": 1}, "{b'a': 1}: b'a' is not a str"),
    "a number in an iterator": (iter(["a", 5]), "('a', 5): 5 is not a str"),
}


@pytest.mark.parametrize(("dim", "shown"), BAD_DIM.values(), ids=BAD_DIM)
def test_r02_other_types_are_rejected(dim, shown):
    with raises(rd.DimTypeError, DIM_MUST_BE + shown):
        rd.dot(tensor("ab"), tensor("bc"), dim)


# R3 membership

MISSING = {
    "one": ("ab", "bc", "e", "Dimension e not found in either input; the dims are a, b, c"),
    "the empty name": ("a", "a", "", "Dimension  not found in either input; the dims are a"),
    "beside one that is there": (
        "ab",
        "bc",
        ["a", "e"],
        "Dimension e not found in either input; the dims are a, b, c",
    ),
    "several, sorted": (
        "ba",
        "bc",
        ["g", "e", "f"],
        "Dimension e not found in either input (also not found: f, g); the dims are b, a, c",
    ),
    "misspelt": (
        ["batch", "time"],
        ["time", "embd"],
        "tiem",
        "Dimension tiem not found in either input; the dims are batch, time, embd;"
        " did you mean time?",
    ),
    "no dims": ((), (), "a", "Dimension a not found in either input; there are no dims"),
}


@pytest.mark.parametrize(("x_dims", "y_dims", "dim", "message"), MISSING.values(), ids=MISSING)
def test_r03_every_name_in_dim_is_in_an_operand(x_dims, y_dims, dim, message):
    with raises(rd.DimNotFoundError, message):
        rd.lower_dot(tuple(x_dims), tuple(y_dims), dim)


def test_r03_one_operand_is_enough():
    assert rd.dot(tensor("ab"), tensor("bc"), ("a", "c")).dims == ("b",)


# R4 sizes


@pytest.mark.parametrize("dim", [None, ..., "b", "a", ()], ids=repr)
@pytest.mark.parametrize(("x_size", "y_size"), [(3, 4), (1, 3), (3, 1), (0, 1), (1, 0), (0, 3)])
def test_r04_a_shared_dim_has_one_size_contracted_or_batch(x_size, y_size, dim):
    x, y = tensor("ab", {"a": 2, "b": x_size}), tensor("b", {"b": y_size})
    for left, right, sizes in ((x, y, (x_size, y_size)), (y, x, (y_size, x_size))):
        message = "Size of dim 'b' does not match: {} in x, {} in y".format(*sizes)
        with raises(rd.SizeMismatchError, message):
            rd.dot(left, right, dim)


def test_r04_every_mismatch_is_listed_in_the_order_of_x():
    x = tensor("cab", {"a": 2, "b": 3, "c": 4})
    y = tensor("abc", {"a": 5, "b": 3, "c": 1})
    message = "Size of dim 'c' does not match: 4 in x, 1 in y; "
    message += "size of dim 'a' does not match: 2 in x, 5 in y"
    with raises(rd.SizeMismatchError, message):
        rd.dot(x, y, "b")
    with pytest.raises(rd.SizeMismatchError) as caught:
        rd.dot(x, y)
    assert caught.value.dims == ("c", "a")
    assert caught.value.sizes == {"c": (4, 1), "a": (2, 5)}
    assert caught.value.__notes__ == ["x is (c: 4, a: 2, b: 3), y is (a: 5, b: 3, c: 1)"]
