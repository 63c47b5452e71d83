"""Memory layouts: values and strides."""

import numpy as np
import pytest

from refdot.cases.case import DTYPES, LAYOUTS
from refdot.cases.layouts import with_layout
from refdot.cases.values import random_values

MANY = (2, *(1,) * 62, 3)
SHAPES = [(), (0,), (3,), (1, 1), (40, 50), (2, 0, 3), (3, 2, 0), (2, 3, 4), MANY]
SAME_VALUES = [layout for layout in LAYOUTS if layout not in ("broadcast", "windows")]
READ_ONLY = ("read-only", "broadcast", "windows")


def matrix(dtype: str) -> np.ndarray:
    return random_values((40, 50), dtype, "exact", (1, 0, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_has_its_strides(dtype, layout):
    values = with_layout(matrix(dtype), layout)
    size = values.itemsize
    strides = {
        "fortran": (size, 40 * size),
        "reversed": (-50 * size, -size),
        "strided": (100 * size, 2 * size),
        "broadcast": (50 * size, 0),
        "windows": (size, size),
        "slice": (52 * size, size),
    }
    if layout == "broadcast":
        assert values.strides[1] == 0
    else:
        assert values.strides == strides.get(layout, (50 * size, size))
    assert values.flags.writeable == (layout not in READ_ONLY)
    assert values.flags.aligned == (layout != "unaligned" or size == 1)
    assert values.dtype.isnative == (layout != "byte-swapped" or size == 1)
    assert np.result_type(values.dtype) == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", SAME_VALUES)
def test_most_layouts_keep_the_values(dtype, layout):
    assert np.array_equal(with_layout(matrix(dtype), layout), matrix(dtype))


def test_broadcast_repeats_the_first_values_of_the_longest_axis():
    array = np.arange(24).reshape(2, 4, 3)
    values = with_layout(array, "broadcast")
    assert np.array_equal(values, array[:, [0, 0, 0, 0]])


def test_windows_slide_along_the_axis_before_the_last():
    array = np.array([[1, 2, 3], [4, 5, 6]])
    assert with_layout(array, "windows").tolist() == [[1, 4, 5], [4, 5, 6]]


@pytest.mark.parametrize(("dtype", "other"), [("float64", np.nan), ("int8", 127), ("bool", True)])
def test_a_slice_has_other_numbers_around_it(dtype, other):
    values = with_layout(np.zeros((2, 3), dtype), "slice")
    larger = values.base
    assert larger.shape == (4, 5)
    larger[1:-1, 1:-1] = other
    assert np.array_equal(larger, np.full((4, 5), other), equal_nan=dtype == "float64")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_layout_keeps_every_shape(layout, shape):
    plain = random_values(shape, "float64", "exact", (0, 0, 0))
    values = with_layout(plain, layout)
    assert isinstance(values, np.ndarray)
    assert values.shape == shape
    if layout in SAME_VALUES:
        assert np.array_equal(values, plain)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layout_can_be_rebuilt_from_its_values(layout, shape):
    values = with_layout(random_values(shape, "float64", "exact", (0, 0, 0)), layout)
    again = with_layout(np.array(values, "float64", order="C"), layout)
    assert np.array_equal(again, values)
    assert again.strides == values.strides


@pytest.mark.parametrize("layout", ["slice", "windows"])
def test_an_empty_array_has_strides_of_its_layout(layout):
    values = with_layout(np.zeros((2, 0, 3)), layout)
    assert 0 not in values.strides
