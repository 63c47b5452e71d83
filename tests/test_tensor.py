"""A NamedTensor keeps its names through every operation and rejects wrong ones."""

import copy
import pickle
import sys

import numpy as np
import pytest
import xarray

import refdot
from refdot.errors import DimNameError, DimNotFoundError
from refdot.tensor import NamedTensor

NUMBERS = np.arange(30.0).reshape(2, 3, 5)


@pytest.fixture
def tensor():
    return NamedTensor(NUMBERS.copy(), ("batch", "time", "embd"))


# The data, the dims and the message.
WRONG_DIMS = [
    (NUMBERS[0], "a", "Number of dims (1) differs from number of axes (2) in tensor: ('a',)"),
    (NUMBERS[0, 0], (), "Number of dims (0) differs from number of axes (1) in tensor: ()"),
    (5.0, ("a", "b"), "Number of dims (2) differs from number of axes (0) in tensor: ('a', 'b')"),
    (
        NUMBERS[0],
        ("a", "a"),
        "Dimensions must be unique. Found duplicates in ('a', 'a'): 'a' appears twice in tensor",
    ),
    (NUMBERS[0], ("a", ""), "Dim '' is empty in tensor: ('a', '')"),
    (NUMBERS[0], ("a", 1), "Dim 1 is not a str in tensor: ('a', 1)"),
]

# The arguments, the new dims, and the order of axes for NumPy.
ORDERS = [
    (("embd", "time", "batch"), ("embd", "time", "batch"), (2, 1, 0)),
    (("batch", "time", "embd"), ("batch", "time", "embd"), (0, 1, 2)),
    ((..., "batch"), ("time", "embd", "batch"), (1, 2, 0)),
    (("embd", ...), ("embd", "batch", "time"), (2, 0, 1)),
    (("time", ..., "batch"), ("time", "embd", "batch"), (1, 2, 0)),
    ((...,), ("batch", "time", "embd"), (0, 1, 2)),
    (("embd", "batch", "time", ...), ("embd", "batch", "time"), (2, 0, 1)),
]

WRONG_ORDERS = [
    ((), "()"),
    (("batch", "time"), "('batch', 'time')"),
    (("batch", "time", "time"), "('batch', 'time', 'time')"),
    (("batch", "batch", ...), "('batch', 'batch', Ellipsis)"),
    ((..., ...), "(Ellipsis, Ellipsis)"),
]

# The positions, the remaining dims and the values.
SELECTIONS = [
    ({}, ("batch", "time", "embd"), NUMBERS),
    ({"time": 1}, ("batch", "embd"), NUMBERS[:, 1]),
    ({"embd": -1, "batch": 0}, ("time",), NUMBERS[0, :, -1]),
    ({"time": slice(1, None)}, ("batch", "time", "embd"), NUMBERS[:, 1:]),
    ({"time": slice(0, 0), "batch": np.int64(1)}, ("time", "embd"), NUMBERS[1, :0]),
    ({"batch": 1, "time": 2, "embd": 4}, (), NUMBERS[1, 2, 4]),
]

# The dims to sum over, the remaining dims and the values.
SUMS = [
    ((), (), NUMBERS.sum()),
    (("time",), ("batch", "embd"), NUMBERS.sum(1)),
    (("embd", "batch"), ("time",), NUMBERS.sum((0, 2))),
    (("embd", "time", "batch"), (), NUMBERS.sum()),
]


def test_a_tensor_has_an_array_and_dims(tensor):
    assert tensor.dims == ("batch", "time", "embd")
    assert tensor.shape == (2, 3, 5)
    assert tensor.sizes == {"batch": 2, "time": 3, "embd": 5}
    assert (tensor.ndim, tensor.dtype) == (3, np.dtype("float64"))


def test_the_dtype_does_not_depend_on_the_byte_order():
    swapped = np.array([1.0, 2.0], np.dtype("float64").newbyteorder())
    tensor = NamedTensor(swapped, ("a",))
    assert tensor.data is swapped
    assert tensor.dtype.isnative
    assert tensor == NamedTensor([1.0, 2.0], ("a",))
    assert tensor.sum("a").data.dtype.isnative


def test_an_array_is_not_copied():
    array = NUMBERS.copy()
    assert NamedTensor(array, ("a", "b", "c")).data is array


@pytest.mark.parametrize(
    ("data", "dims", "shape"),
    [(5, (), ()), ([2, 3], "time", (2,)), ([[2, 3]], iter("ab"), (1, 2)), ([], ["a"], (0,))],
)
def test_data_may_be_array_like(data, dims, shape):
    tensor = NamedTensor(data, dims)
    assert isinstance(tensor.data, np.ndarray)
    assert tensor.shape == shape


@pytest.mark.parametrize(("data", "dims", "message"), WRONG_DIMS)
def test_dims_that_do_not_name_each_axis_once_are_rejected(data, dims, message):
    with pytest.raises(DimNameError) as info:
        NamedTensor(data, dims)
    assert str(info.value) == message
    assert (info.value.rule, info.value.operand, info.value.dims) == ("R1", "tensor", tuple(dims))


@pytest.mark.parametrize("name", ["data", "dims", "shape", "other"])
def test_a_tensor_is_frozen(tensor, name):
    with pytest.raises(AttributeError) as info:
        setattr(tensor, name, ())
    assert str(info.value) == f"a NamedTensor is frozen: cannot set {name}"
    with pytest.raises(AttributeError) as info:
        delattr(tensor, name)
    assert str(info.value) == f"a NamedTensor is frozen: cannot delete {name}"


def through_pickle(tensor):
    return pickle.loads(pickle.dumps(tensor))


@pytest.mark.parametrize("copied", [through_pickle, copy.copy, copy.deepcopy])
def test_a_copy_or_pickle_is_equal(tensor, copied):
    assert copied(tensor) == tensor


@pytest.mark.parametrize(("order", "dims", "axes"), ORDERS)
def test_transpose_moves_the_names_with_the_axes(tensor, order, dims, axes):
    transposed = tensor.transpose(*order)
    assert transposed == NamedTensor(NUMBERS.transpose(axes), dims)
    assert np.shares_memory(transposed.data, tensor.data)


@pytest.mark.parametrize(("order", "shown"), WRONG_ORDERS)
def test_transpose_needs_each_dim_once(tensor, order, shown):
    with pytest.raises(DimNameError) as info:
        tensor.transpose(*order)
    assert str(info.value) == f"transpose needs each dim once, or one ... in tensor: {shown}"


def test_rename_replaces_names(tensor):
    assert tensor.rename(time="t").dims == ("batch", "t", "embd")
    assert tensor.rename(time="batch", batch="time").dims == ("time", "batch", "embd")
    assert tensor.rename(time="two words").dims == ("batch", "two words", "embd")
    assert tensor.rename().data is tensor.data


def test_rename_rejects_repeated_names(tensor):
    with pytest.raises(DimNameError) as info:
        tensor.rename(time="batch")
    assert str(info.value) == (
        "Dimensions must be unique. Found duplicates in ('batch', 'batch', 'embd'): "
        "'batch' appears twice in tensor"
    )


@pytest.mark.parametrize(("positions", "dims", "values"), SELECTIONS)
def test_isel_with_an_integer_removes_its_dim_and_with_a_slice_keeps_it(
    tensor, positions, dims, values
):
    assert tensor.isel(**positions) == NamedTensor(values, dims)


@pytest.mark.parametrize(("over", "dims", "values"), SUMS)
def test_sum_removes_the_given_dims_or_all(tensor, over, dims, values):
    assert tensor.sum(*over) == NamedTensor(values, dims)


@pytest.mark.parametrize(
    ("values", "total"),
    [
        (np.array([100, 27, 2], "int8"), -127),
        (np.array([200, 55, 3], "uint8"), 2),
        (np.array([True, True, False]), True),
        (np.array([False, False]), False),
        (np.array([2048, 1, 2], "float16"), 2052),
        (np.array([], "int16"), 0),
    ],
)
def test_sum_keeps_the_dtype(values, total):
    assert NamedTensor(values, "a").sum("a") == NamedTensor(np.array(total, values.dtype), ())


def test_sum_adds_bytes_of_the_other_order():
    swapped = np.array([1.5, 2.5]).astype(np.dtype("float64").newbyteorder())
    assert NamedTensor(swapped, "a").sum() == NamedTensor(4.0, ())


def test_sum_overflows_silently():
    large = NamedTensor(np.full(2, 6e4, "float16"), "a")
    with np.errstate(all="raise"):
        assert large.sum() == NamedTensor(np.array(np.inf, "float16"), ())


@pytest.mark.parametrize(
    "method",
    [
        lambda tensor: tensor.transpose("tiem", ...),
        lambda tensor: tensor.rename(tiem="t"),
        lambda tensor: tensor.isel(tiem=0),
        lambda tensor: tensor.sum("batch", "tiem"),
    ],
    ids=["transpose", "rename", "isel", "sum"],
)
def test_an_unknown_dim_is_rejected_with_a_suggestion(tensor, method):
    with pytest.raises(DimNotFoundError) as info:
        method(tensor)
    assert str(info.value) == (
        "Dimension tiem not found in either input; the dims are batch, time, embd; "
        "did you mean time?"
    )
    assert (info.value.missing, info.value.dims) == (("tiem",), ("batch", "time", "embd"))


@pytest.mark.parametrize(
    "method", [lambda tensor: tensor.rename(self="t"), lambda tensor: tensor.isel(self=1)]
)
def test_a_dim_may_be_called_self(method):
    tensor = NamedTensor([2, 3], "self")
    assert method(tensor) in (NamedTensor([2, 3], "t"), NamedTensor(3, ()))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (NamedTensor([2.0, 3.0], "a"), True),
        (NamedTensor([2.0, 5.0], "a"), False),
        (NamedTensor([2.0, 3.0], "b"), False),
        (NamedTensor([2, 3], "a"), False),
        (NamedTensor([[2.0, 3.0]], ("b", "a")), False),
        (NamedTensor([2.0], "a"), False),
        ("a", False),
        (None, False),
    ],
)
def test_equal_tensors_have_equal_dims_dtype_and_values(other, same):
    tensor = NamedTensor([2.0, 3.0], "a")
    assert (tensor == other) is same
    assert (tensor != other) is not same


@pytest.mark.parametrize("nan", [np.float32("nan"), np.float64("nan"), np.complex128("nan")])
def test_nan_equals_nan(nan):
    assert NamedTensor([2, nan], "a") == NamedTensor([2, nan], "a")
    assert NamedTensor([2, nan], "a") != NamedTensor([nan, 2], "a")


def test_the_order_of_dims_matters_to_equality(tensor):
    assert tensor.transpose("embd", ...) != tensor
    assert tensor.transpose("embd", ...).transpose("batch", "time", "embd") == tensor


def test_a_tensor_is_not_hashable(tensor):
    with pytest.raises(TypeError, match=r"^unhashable type: 'NamedTensor'$"):
        hash(tensor)


def test_numpy_converts_a_tensor_to_an_array(tensor):
    assert np.asarray(tensor) is tensor.data
    assert np.array(tensor, dtype="float32").dtype == "float32"
    assert not np.shares_memory(np.array(tensor), tensor.data)
    with pytest.raises(ValueError, match=r"^Unable to avoid copy"):
        np.array(tensor, dtype="int8", copy=False)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (NamedTensor(np.int64(7), ()), "NamedTensor(int64)\n7"),
        (NamedTensor(np.array([2, 3], "int8"), "a"), "NamedTensor(a: 2; int8)\n[2 3]"),
        (
            NamedTensor(np.zeros((2, 0), "float32"), ("b", "a")),
            "NamedTensor(b: 2, a: 0; float32)\n[]",
        ),
    ],
)
def test_repr_has_the_named_shape_and_the_values(tensor, text):
    assert repr(tensor) == text


def test_dot_is_a_method_and_an_operator(tensor):
    weights = NamedTensor(np.arange(35.0).reshape(5, 7), ("embd", "head"))
    assert tensor @ weights == tensor.dot(weights) == refdot.dot(tensor, weights)
    assert tensor.dot(weights, ...) == refdot.dot(tensor, weights, ...)
    assert tensor.dot(weights, dim="batch") == refdot.dot(tensor, weights, "batch")


@pytest.mark.parametrize(("other", "kind"), [(5, "int"), ("embd", "str"), (None, "NoneType")])
def test_matmul_with_another_type_is_rejected(tensor, other, kind):
    with pytest.raises(TypeError) as info:
        tensor @ other
    assert str(info.value) == f"unsupported operand type(s) for @: 'NamedTensor' and '{kind}'"
    with pytest.raises(TypeError) as info:
        other @ tensor
    assert str(info.value) == f"unsupported operand type(s) for @: '{kind}' and 'NamedTensor'"


@pytest.mark.parametrize("multiply", [lambda x, y: x @ y, lambda x, y: y @ x, lambda x, y: x * y])
def test_an_array_and_a_tensor_are_not_combined_by_position(multiply):
    with pytest.raises(TypeError, match="NamedTensor"):
        multiply(NamedTensor([[2, 3], [5, 7]], ("a", "b")), np.array([[2, 3], [5, 7]]))


def test_conversion_to_xarray_and_back(tensor):
    array = tensor.to_xarray()
    assert (array.dims, array.shape) == (tensor.dims, tensor.shape)
    assert not array.coords
    assert NamedTensor.from_xarray(array) == tensor


def test_from_xarray_ignores_coordinates():
    array = xarray.DataArray([2, 3], dims="time", coords={"time": [10, 20]}, name="named")
    assert NamedTensor.from_xarray(array) == NamedTensor([2, 3], "time")
    assert NamedTensor.from_xarray(xarray.DataArray(5)) == NamedTensor(5, ())


WRONG_ARRAYS = {
    "ndarray": (NUMBERS, "write NamedTensor(array, dims) for an array"),
    "Dataset": (xarray.Dataset(), "take one of its variables, such as dataset['name']"),
    "NamedTensor": (NamedTensor(1, ()), "write NamedTensor(array, dims) for an array"),
}


@pytest.mark.parametrize(("name", "wrong", "hint"), [(k, *v) for k, v in WRONG_ARRAYS.items()])
def test_from_xarray_rejects_what_is_not_a_dataarray(name, wrong, hint):
    with pytest.raises(TypeError) as info:
        NamedTensor.from_xarray(wrong)
    assert str(info.value) == f"from_xarray takes a DataArray, got {name}; {hint}"


def test_from_xarray_says_what_it_takes_where_xarray_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(TypeError, match=r"^from_xarray takes a DataArray, got list; write Named"):
        NamedTensor.from_xarray([1])


def test_a_masked_array_is_rejected():
    masked = np.ma.array([2.0, 3.0], mask=[False, True])
    with pytest.raises(TypeError) as info:
        NamedTensor(masked, "a")
    assert str(info.value) == "a NamedTensor has no mask: fill the masked array first"
    assert NamedTensor(masked.filled(0), "a") == NamedTensor([2.0, 0.0], "a")


def test_a_byte_swapped_tensor_can_be_summed():
    x = NamedTensor(np.array([[1, 2], [3, 4]], ">i8"), ("a", "b"))
    assert x.sum("a") == NamedTensor(np.array([4, 6]), "b")


class Odd(str):
    """A name that compares and hashes as no other one."""

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


def test_operations_take_the_characters_of_a_name(tensor):
    assert tensor.transpose(Odd("embd"), ...) == tensor.transpose("embd", ...)
    assert tensor.sum(Odd("time"), Odd("embd")) == tensor.sum("time", "embd")
