"""`check_program` and `check_programs` of `refdot.testing`."""

import numpy as np
import pytest

import refdot as rd
from refdot.programs.interpretation import NUMPY
from refdot.programs.operations import ProgramError
from refdot.testing import check_program, check_programs

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
TEXT = "x: float64(a: 2, b: 3)\ny = softmax(x, dim='b')\nz = sum(x)\nreturn y, z"


def softmax(x, stable: bool = True):
    shift = x.data.max(axis=1, keepdims=True) if stable else 0
    powers = np.exp(x.data - shift)
    return rd.NamedTensor(powers / powers.sum(axis=1, keepdims=True), x.dims)


def test_a_correct_function_passes():
    check_program(lambda x: (softmax(x), x.sum()), TEXT)


def test_a_softmax_that_overflows_is_found_with_large_numbers_only():
    def unstable(x):
        return softmax(x, stable=False), x.sum()

    check_program(unstable, TEXT, regimes=("unit", "exact"))
    with pytest.raises(AssertionError) as caught:
        check_program(unstable, TEXT)
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("y: R6 wrong-value: expected a=")
    assert first.endswith("nan")
    assert rest[-1] == "return y, z  [large]"


def test_an_unknown_program_is_an_error():
    with pytest.raises(ProgramError, match=r"^Program 'gramm' not found; there are chain, gram, "):
        check_program(lambda x: x, "gramm")


FAULTS = {
    "softmax": (lambda x, dim: NUMPY["softmax"](x, None), "softmax"),
    "dot": (lambda x, y, dim: rd.dot(x, y, dim) if x is not y else rd.dot(x, y, ()), "dot"),
    "rename": (lambda x, names: x, "rename"),
    "isel": (lambda x, indices: x.isel(**{dim: 0 for dim, _ in indices}), "isel"),
    "sum": (lambda x, dim: x.sum(), "sum"),
}


@pytest.mark.parametrize("operation", FAULTS)
def test_a_library_with_a_wrong_operation_is_found_and_the_program_is_small(operation):
    function, needed = FAULTS[operation]
    with pytest.raises(AssertionError) as caught:
        check_programs(NUMPY | {operation: function}, programs=150)
    steps = [line for line in str(caught.value).splitlines() if " = " in line]
    assert len(steps) == 1
    assert f"{needed}(" in steps[0]


def test_programs_of_operations_that_a_library_lacks_are_left_out():
    check_programs({"dot": NUMPY["dot"], "add": NUMPY["add"]}, programs=60)


def test_exceptions_of_a_library_are_raised():
    def broken(x):
        raise RuntimeError("no exp")

    with pytest.raises(RuntimeError, match=r"^no exp$"):
        check_programs(NUMPY | {"exp": broken}, programs=60)
