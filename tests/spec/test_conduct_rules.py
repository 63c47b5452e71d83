"""The oracle does nothing else that a caller could notice: R9 to R15 of SPEC.md."""

import dataclasses
import inspect
import re
import tracemalloc
from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import pytest
from operands import WITH_0_AND_1, long_tensor, problems, tensor
from processes import run_python

import refdot as rd
from refdot.tensor import NamedTensor

# R9 shape


def test_r09_output_sizes_come_from_the_operands():
    for x, y, dim in problems():
        sizes, result = y.sizes | x.sizes, rd.dot(x, y, dim)
        out_dims = rd.lower_dot(x.dims, y.dims, dim).out_dims
        assert list(result.sizes.items()) == [(name, sizes[name]) for name in out_dims]


# R10 determinism

REPORT = """
import numpy as np
import refdot as rd

names = ("i0", "i8", "j16", "time", "embd")
x = rd.NamedTensor(np.arange(72.0).reshape(2, 3, 1, 4, 3), names)
y = rd.NamedTensor(np.arange(72.0, 0, -1).reshape(3, 4, 1, 3, 2), names[::-1])
for dim in (None, ..., "j16", {"time", "i8"}, {"j16", "i0", "embd"}, set(names), frozenset()):
    print(rd.lower_dot(x.dims, y.dims, dim), rd.dot(x, y, dim))
z = rd.NamedTensor(np.arange(10.0).reshape(5, 2), ("time", "i0"))
for attempt in (
    lambda: rd.lower_dot(("a", "b", "a"), "b"),
    lambda: rd.lower_dot(names, names, 5),
    lambda: rd.lower_dot(names, names, {"tiem", "mebd", "zz", "time"}),
    lambda: rd.lower_dot(names, names, {5, None, "zz", "i0"}),
    lambda: rd.lower_dot(set(names), names),
    lambda: rd.dot(z, y, set(names)),
    lambda: rd.dot(z, rd.NamedTensor(np.arange(2), "i0").rename(i0="time")),
    lambda: rd.dot(z, rd.NamedTensor(np.array(["a", "b"]), "i0")),
    lambda: rd.dot_vjp(z, z, z),
):
    try:
        attempt()
    except rd.DotError as error:
        print(type(error).__name__, error, getattr(error, "__notes__", ()))
    else:
        print("no error")
"""


def test_r10_result_does_not_depend_on_the_hash_seed():
    def report(seed: str) -> str:
        completed = run_python("-W", "error", "-c", REPORT, PYTHONHASHSEED=seed)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    first, *others = map(report, ("0", "1", "2", "3"))
    assert first.count("Error ") == 9
    assert "no error" not in first
    assert others == [first] * 3


def test_r10_result_does_not_depend_on_the_form_of_dim():
    x, y = tensor("abc"), tensor("cab", start=5)
    spellings = (list, tuple, set, iter, dict.fromkeys, reversed, lambda names: names * 2)
    for count in range(4):
        for names, spell in product(permutations("abc", count), spellings):
            in_order = tuple(sorted(names))
            low = rd.lower_dot(x.dims, y.dims, spell(names))
            assert low == rd.lower_dot(x.dims, y.dims, in_order)
            assert rd.dot(x, y, spell(names)) == rd.dot(x, y, in_order)


# R11 any rank


@pytest.mark.parametrize("ndim", [26, 27, 52, 53, 64])
def test_r11_more_dims_than_letters_are_supported(ndim):
    for dim in (None, ..., "b", ("a", "c"), ()):
        x, y = tensor("abc"), tensor("cab", start=5)
        short = rd.dot(x, y, dim)
        long_x, long_y = long_tensor(x, ndim, "n"), long_tensor(y, ndim, "n")
        result = rd.dot(long_x, long_y, dim)
        summed = long_x.dims if dim in (None, ...) else dim
        assert result.dims == tuple(name for name in long_x.dims if name not in summed)
        assert np.array_equal(result.data.squeeze(), short.data.squeeze())
        cotangent = NamedTensor(np.asarray(result.data * 2 - 1), result.dims)
        short_cotangent = NamedTensor(np.asarray(short.data * 2 - 1), short.dims)
        bars, short_bars = (
            rd.dot_vjp(long_x, long_y, cotangent, dim),
            rd.dot_vjp(x, y, short_cotangent, dim),
        )
        for bar, short_bar, primal in zip(bars, short_bars, (long_x, long_y), strict=True):
            assert bar.dims == primal.dims
            assert np.array_equal(bar.data.squeeze(), short_bar.data)


def test_r11_both_operands_may_have_64_dims():
    x, y = long_tensor(tensor("abc"), 64, "n"), long_tensor(tensor("cab", start=5), 64, "m")
    low = rd.lower_dot(x.dims, y.dims, ...)
    assert len(low.all_dims) == len(set(low.subscripts) - set(",->")) == 125
    assert rd.dot(x, y, ...) == rd.dot(tensor("abc"), tensor("cab", start=5), ...)


def test_r11_empty_sums_are_0_in_any_rank():
    sizes = {f"d{number}": 2 for number in range(55)} | {"n": 0}
    x, y = tensor(sizes, sizes), tensor(("n", "d7", "b"), sizes | {"b": 3}, start=5)
    assert rd.dot(x, y, ...) == NamedTensor(0.0, ())
    over = [f"d{number}" for number in range(53)] + ["n"]
    assert rd.dot(x, y, over) == NamedTensor(np.zeros((2, 2, 3)), ("d53", "d54", "b"))


def test_r11_the_limit_is_the_64_axes_of_numpy():
    x, y = long_tensor(tensor("abc"), 40, "n"), long_tensor(tensor("cab"), 30, "m")
    assert rd.dot(x, y).ndim == 64
    with pytest.raises(ValueError, match=r"^maximum supported dimension .* is currently 64"):
        rd.dot(x, y, "a")


# R12 purity

ALIASING = {
    "a scale of 1": (tensor("abc"), NamedTensor(1.0, ()), None),
    "two scalars": (NamedTensor(3.0, ()), NamedTensor(1.0, ()), None),
    "elementwise": (tensor("abc"), tensor("abc", start=5), ()),
    "views": (
        tensor("abc").transpose("c", "a", "b"),
        tensor("cb").isel(b=slice(None, None, -1)),
        (),
    ),
    "an empty sum": (tensor("ac", WITH_0_AND_1), tensor("cb", WITH_0_AND_1), None),
    "a matrix product": (tensor("ij", {"i": 60, "j": 70}), tensor("jk", {"j": 70, "k": 80}), None),
    "60 dims": (long_tensor(tensor("abc"), 60, "n"), NamedTensor(1.0, ()), None),
}


@pytest.mark.parametrize(("x", "y", "dim"), ALIASING.values(), ids=ALIASING)
def test_r12_inputs_are_not_modified_or_aliased(x, y, dim):
    for left, right in ((x, y), (y, x), (x, x)):
        for operand in (left, right):
            operand.data.flags.writeable = False
        names = [left.dims, right.dims]
        before = [left.data.tobytes(), right.data.tobytes()]
        result = rd.dot(left, right, dim)
        tangent = rd.dot_jvp(left, right, left, right, dim)
        bars = rd.dot_vjp(left, right, result, dim)
        assert [left.data.tobytes(), right.data.tobytes()] == before
        assert [left.dims, right.dims] == names
        for output in (result, tangent, *bars):
            assert output.data.flags.writeable
            assert not any(np.may_share_memory(output.data, t.data) for t in (left, right))
        assert not any(np.may_share_memory(bar.data, result.data) for bar in bars)


def test_r12_dim_is_not_modified():
    names = ["b", "a", "b"]
    rd.dot(tensor("abc"), tensor("bca"), names)
    assert names == ["b", "a", "b"]


# R13 the earliest stage

# Most of these break several rules; the error is that of the first one.
UNLIMITED = NamedTensor(np.broadcast_to(np.arange(1.0), (10**9, 10**9)), ("a", "b"))
LESS = NamedTensor(np.broadcast_to(np.arange(1.0), (10**9, 10**8)), ("a", "b"))
WORDS = NamedTensor(np.array(["word", "other"]), "a")
EARLIEST = {
    "names: R1": (lambda: rd.lower_dot(("a", "a"), "b", 5), rd.DimNameError, "'a'"),
    "names: R2": (lambda: rd.lower_dot(("a", "b"), "b", ["e", 5]), rd.DimTypeError, "5"),
    "names: R3": (lambda: rd.lower_dot(("a", "b"), "b", "e"), rd.DimNotFoundError, "Dimension e "),
    "an operand: R1": (lambda: NamedTensor(np.arange(2), ()), rd.DimNameError, "()"),
    "dot: R2": (lambda: rd.dot(UNLIMITED, WORDS, ["e", 5]), rd.DimTypeError, "5"),
    "dot: R3": (lambda: rd.dot(UNLIMITED, WORDS, "e"), rd.DimNotFoundError, "Dimension e "),
    "dot: R4": (lambda: rd.dot(UNLIMITED, WORDS), rd.SizeMismatchError, "'a'"),
    "dot: R4, nothing computed": (lambda: rd.dot(UNLIMITED, LESS), rd.SizeMismatchError, "'b'"),
    "dot: R7": (lambda: rd.dot(WORDS, WORDS), rd.DTypeError, "<U5"),
    "vjp: R3": (
        lambda: rd.dot_vjp(UNLIMITED, LESS, LESS, "e"),
        rd.DimNotFoundError,
        "Dimension e ",
    ),
    "vjp: R4": (lambda: rd.dot_vjp(UNLIMITED, LESS, LESS), rd.SizeMismatchError, "'b'"),
    "vjp: R8": (lambda: rd.dot_vjp(WORDS, WORDS, LESS), rd.NoGradientError, "<U5"),
    "jvp: R4": (
        lambda: rd.dot_jvp(UNLIMITED, LESS, UNLIMITED, LESS),
        rd.SizeMismatchError,
        "'b'",
    ),
}


@pytest.mark.parametrize(("attempt", "error", "named"), EARLIEST.values(), ids=EARLIEST)
def test_r13_an_error_is_raised_at_the_earliest_stage(attempt, error, named):
    with pytest.raises(error, match=re.escape(named)) as caught:
        attempt()
    assert caught.type is error
    assert isinstance(caught.value, ValueError | TypeError)


def test_r13_every_error_has_its_rule():
    rules = {error.__name__: error.rule for error in rd.DotError.__subclasses__()}
    assert rules == {
        "DimNameError": "R1",
        "DimTypeError": "R2",
        "DimNotFoundError": "R3",
        "SizeMismatchError": "R4",
        "DTypeError": "R7",
        "NoGradientError": "R8",
        "CotangentError": "R8",
    }
    assert all(issubclass(error, ValueError | TypeError) for error in rd.DotError.__subclasses__())


# R14 structure


def test_r14_subscripts_compute_the_whole_result():
    for x, y, dim in problems():
        low = rd.lower_dot(x.dims, y.dims, dim)
        by_position = np.asarray(np.einsum(low.subscripts, x.data, y.data))
        assert NamedTensor(by_position, low.out_dims) == rd.dot(x, y, dim)


def test_r14_subscripts_do_not_depend_on_the_names():
    for x, y, dim in problems():
        named = {"a": "time", "b": "batch", "c": "time_k"}
        longer = dim if dim in (None, ...) else [named[name] for name in dim]
        low = rd.lower_dot(x.dims, y.dims, dim)
        renamed = rd.lower_dot(*([named[name] for name in t.dims] for t in (x, y)), longer)
        assert renamed.subscripts == low.subscripts


def test_r14_a_lowering_holds_names_and_positions_only():
    def leaves(value: object) -> Iterator[object]:
        if isinstance(value, tuple):
            for member in value:
                yield from leaves(member)
        else:
            yield value

    low = rd.lower_dot(("a", "b", "d"), ("b", "c", "d"), ("b", "c"))
    assert {type(leaf) for leaf in leaves(dataclasses.astuple(low))} == {str, int}


# R15 resources


def test_r15_a_lowering_takes_no_sizes():
    assert [*inspect.signature(rd.lower_dot).parameters] == ["x_dims", "y_dims", "dim"]


@pytest.mark.parametrize("dim", ["e", 5, None], ids=repr)
def test_r15_checks_cost_the_same_for_any_sizes(dim):
    def memory(size: int) -> int:
        """Return the most memory that the rejection of operands takes, in bytes."""
        x, y = (
            NamedTensor(np.broadcast_to(np.arange(1.0), (size, columns)), ("a", "b"))
            for columns in (size, size + 1)
        )
        tracemalloc.start()
        with pytest.raises(rd.DotError):
            rd.dot(x, y, dim)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    memory(2)  # the first call also fills caches
    assert memory(10**9) < memory(2) + 10_000
