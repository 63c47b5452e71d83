"""The direct lowering: its operations, its checks of sizes, and softmax."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode, get_mode
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.shape import Reshape
from pytensor.tensor.special import Softmax
from pytensor.xtensor import as_xtensor
from pytensor.xtensor import dot as xtensor_dot
from pytensor.xtensor.math import softmax

from refdot import check
from refdot.cases.notation import dot_case
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.evaluation import dot
from refdot.pytensor.lowerings.expansion import MAX_FACTORS
from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.lowerings.ops import EqualSizes
from refdot.pytensor.target import graph
from refdot.pytensor.target.target import PyTensorTarget
from refdot.tensor import NamedTensor

PYTHON = Mode(linker="py", optimizer="fast_run")
TARGET = PyTensorTarget()


def lowered(case):
    with use_lowering("direct"):
        return graph.lower(graph.build(case))


def expanded(case):
    return rewrite_graph(lowered(case), include=("expand_contractions",), clone=False)


def ops(variable) -> list[object]:
    return [found.owner.op for found in ancestors([variable]) if found.owner]


def kinds(variable) -> Counter[str]:
    """Count the nodes of a graph by operation."""
    nodes = {found.owner for found in ancestors([variable]) if found.owner}
    return Counter(type(node.op).__name__ for node in nodes)


def compiled(inputs, outputs, mode=PYTHON):
    with warnings.catch_warnings(), pytensor.config.change_flags(mode=mode):
        warnings.simplefilter("ignore")
        return pytensor.function(inputs, outputs, mode=mode)


# Each case, with static sizes, and the operations that it becomes.
SIMPLEST = {
    "a matrix product": (dot_case("a b", "b c"), {"Dot": 1}),
    "transposed operands": (dot_case("b a", "c b"), {"Dot": 1, "DimShuffle": 2}),
    "a batch": (dot_case("a b c", "a c d", "c"), {"Blockwise": 1}),
    "an elementwise product": (dot_case("a b", "a b", ()), {"Elemwise": 1}),
    "an outer product": (dot_case("a", "b"), {"Elemwise": 1, "DimShuffle": 2}),
    "a scale": (dot_case("a", ""), {"Elemwise": 1, "DimShuffle": 1}),
    "vectors": (dot_case("a", "a"), {"Dot": 1, "DimShuffle": 3}),
    "a batch of vectors": (dot_case("a b", "a b", "b"), {"Elemwise": 1, "Sum": 1}),
    "a dim summed alone": (dot_case("a:3", "", "a"), {"Sum": 1, "Elemwise": 1}),
    "two free dims": (dot_case("a b c", "c d"), {"Reshape": 2, "Dot": 1}),
    "two contracted dims": (dot_case("a b c", "b c d"), {"Reshape": 2, "Dot": 1}),
    "two batch dims": (
        dot_case("a b c d", "a b d e", "d"),
        {"Reshape": 3, "Blockwise": 1},
    ),
}


@pytest.mark.parametrize(("case", "expected"), SIMPLEST.values(), ids=SIMPLEST)
def test_a_dot_becomes_the_simplest_operations(case, expected):
    assert kinds(lowered(case)) == {"Contraction": 1}
    assert kinds(expanded(case)) == expected


def test_the_output_is_transposed_only_if_necessary():
    between = expanded(dot_case("a b c", "b c d", "c"))  # batch b is not first in x
    assert isinstance(between.owner.op, DimShuffle)
    first = expanded(dot_case("b a c", "b c d", "c"))
    assert not isinstance(first.owner.op, DimShuffle)


def test_a_reshape_to_static_sizes_has_constants():
    for op in ancestors([expanded(dot_case("a b c", "c d e"))]):
        if op.owner and isinstance(op.owner.op, Reshape):
            assert -1 not in op.owner.inputs[1].data


@pytest.mark.parametrize(
    ("x", "y"), [("a:2 b:3 c:4", "b:3? a:2? c:4?"), ("a:2? b:3? c:4?", "b:3 a:2 c:4")]
)
@pytest.mark.parametrize("dim", [(), "b", ("a", "b"), None])
def test_a_size_that_is_static_in_either_operand_is_static_in_the_output(x, y, dim):
    case = dot_case(x, y, dim)
    out = lowered(case)
    assert None not in out.type.shape


def test_static_sizes_need_no_check():
    for case in (dot_case("a b", "b c"), dot_case("a b", "b a", ())):
        assert not any(isinstance(op, EqualSizes) for op in ops(lowered(case)))
    for x, y in (("a? b?", "b? c?"), ("a b", "b? c?"), ("a? b?", "b c")):
        assert EqualSizes(("b",), ((1, 0),)) in ops(lowered(dot_case(x, y)))


# Each case, with sizes that differ and are not static, and its error message.
UNEQUAL = {
    "contracted": (dot_case("a:4? b:2?", "b:3?"), "Size of dim 'b' does not match: 2 in x, 3 in y"),
    "batch": (dot_case("a:2? b?", "b? a:3?", ()), "Size of dim 'a' does not match: 2 in x, 3 in y"),
    "size 1 vs n": (dot_case("b:1?", "b:3?"), "Size of dim 'b' does not match: 1 in x, 3 in y"),
    "size 1 vs n, batch": (
        dot_case("a:1?", "a:3?", ()),
        "Size of dim 'a' does not match: 1 in x, 3 in y",
    ),
    "size 0 vs n": (
        dot_case("b:3?", "b:0?"),
        "Size of dim 'b' does not match: 3 in x, 0 in y",
    ),
    "the second of two": (
        dot_case("a:2? b:4?", "b:5? a:2?"),
        "Size of dim 'b' does not match: 4 in x, 5 in y",
    ),
    "two with equal products": (
        dot_case("a:2? b:3?", "b:2? a:3?"),
        "Size of dim 'a' does not match: 2 in x, 3 in y",
    ),
}


@pytest.mark.parametrize(("case", "message"), UNEQUAL.values(), ids=UNEQUAL)
def test_unequal_sizes_raise_at_run_time(case, message):
    raised = TARGET.run(case, "python", "direct").raised
    assert (raised.stage, raised.type) == ("run", "ValueError")
    assert raised.message == message
    assert raised.expected_type


@pytest.mark.parametrize("case", [case for case, _ in UNEQUAL.values()], ids=UNEQUAL)
@pytest.mark.parametrize("static", [(True, False), (False, True)])
def test_unequal_sizes_raise_at_run_time_if_one_is_static(case, static):
    shapes = (case.x.shape, case.y.shape)
    x, y = (
        as_xtensor(pt.tensor(shape=shape if fixed else (None,) * len(shape)), dims=operand.dims)
        for operand, shape, fixed in zip((case.x, case.y), shapes, static, strict=True)
    )
    with use_lowering("direct"):
        function = compiled(
            [x.owner.inputs[0], y.owner.inputs[0]], xtensor_dot(x, y, case.dim.value).values
        )
    with pytest.raises(ValueError, match=r"^Size of dim '[ab]' does not match: "):
        function(*case.arrays())


@pytest.mark.parametrize(
    "case",
    [
        dot_case("d:4 a:2? b:1? c:0", "a:3? b:1?", ("c", "d")),
        dot_case("a:4 c:2 b:0", "c:0? a:4? d:2?", ..., origin=("constant", "input")),
        dot_case("a:3?", "a:2 d:3 c:0 b:2", ..., origin=("input", "constant")),
        dot_case("c:0 d:0 a:3", "a:3 b:0 d:1?", ("a", "b", "d"), origin=("constant", "input")),
    ],
    ids=str,
)
def test_unequal_sizes_raise_where_the_answer_is_a_constant(case):
    raised = TARGET.run(case, "python", "direct").raised
    assert (raised.stage, raised.type) == ("run", "ValueError")
    assert raised.message.startswith("Size of dim ")


def test_unequal_static_sizes_raise_when_the_graph_is_built():
    x, y = (pt.tensor(shape=(size,)) for size in (2, 3))
    message = "Size of dim 'a' does not match: 2 in x, 3 in y"
    with pytest.raises(ValueError, match=f"^{message}$"):
        EqualSizes(("a",), ((0, 0),))(x, y)


def test_unequal_sizes_raise_an_error_that_names_the_dim_on_each_backend():
    x, y = pt.matrix("x"), pt.matrix("y")
    named = as_xtensor(x, dims=("a", "b")), as_xtensor(y, dims=("b", "a"))
    message = "Size of dim 'a' does not match"
    for mode in (PYTHON, Mode(linker="cvm", optimizer="fast_run"), get_mode("NUMBA")):
        with use_lowering("direct"):
            function = compiled([x, y], xtensor_dot(*named, dim="b").values, mode)
        with pytest.raises(ValueError, match=f"^{message}"):
            function(np.ones((2, 5)), np.ones((5, 3)))
        assert function(np.ones((3, 5)), np.ones((5, 3))).tolist() == [5.0, 5.0, 5.0]


def test_numba_names_the_dim_of_each_of_two_dots_that_differ_in_names_only():
    x, y = pt.matrix("x"), pt.matrix("y")
    for names in (("a", "b", "c"), ("row", "it's", "column")):
        named = as_xtensor(x, dims=names[:2]), as_xtensor(y, dims=names[1:])
        with use_lowering("direct"):
            function = compiled([x, y], xtensor_dot(*named).values, get_mode("NUMBA"))
        with pytest.raises(ValueError, match=rf"^Size of dim '{names[1]}' does not match"):
            function(np.ones((2, 3)), np.ones((4, 5)))


# Each: the dtypes of x and y, numbers to sum, a factor, and the result.
SUMS = {
    "uint8 wraps": ("uint8", "uint8", [200, 100], 1, 44),
    "int8 wraps": ("int8", "int8", [100, 100], 1, -56),
    "int8 into int64": ("int8", "int64", [100, 100], 1, 200),
    "uint64 into float64": ("uint64", "float64", [2**63, 2**63], 0.5, 2.0**63),
    "bool is any": ("bool", "bool", [True, True], True, True),
    "bool into int8": ("bool", "int8", [True, True], 3, 6),
    "float16": ("float16", "float16", [1024.0, 1.0], 1.0, 1025.0),
    "int16 into float32": ("int16", "float32", [30000, 30000], 0.5, 30000.0),
}


@pytest.mark.parametrize(("x", "y", "numbers", "factor", "expected"), SUMS.values(), ids=SUMS)
def test_a_dim_summed_alone_is_summed_in_the_result_dtype(x, y, numbers, factor, expected):
    x_tensor, y_tensor = pt.vector("x", dtype=x), pt.scalar("y", dtype=y)
    named = as_xtensor(x_tensor, dims=("a",)), as_xtensor(y_tensor, dims=())
    with use_lowering("direct"):
        function = compiled([x_tensor, y_tensor], xtensor_dot(*named, dim="a").values)
    answer = function(np.array(numbers, x), np.array(factor, y))
    assert (answer.dtype, answer.item()) == (np.result_type(x, y), expected)


# Backends and dtypes of operands. If neither is converted first, the product has another dtype than
# in NumPy; and on JAX, sums have the dtype in which PyTensor accumulates them.
DTYPES = [("NUMBA", "uint64", "int64"), ("JAX", "float32", "int64"), ("JAX", "int8", "int8")]


@pytest.mark.parametrize(("mode", "x_dtype", "y_dtype"), DTYPES)
def test_the_dtype_is_that_of_numpy_on_each_backend(mode, x_dtype, y_dtype):
    pytest.importorskip(mode.lower())
    x, y = pt.matrix("x", dtype=x_dtype), pt.matrix("y", dtype=y_dtype)
    dims, sums = (("a", "b"), ("b", "c")), ((), ("b",), ("a", "c"))
    named = [as_xtensor(operand, dims=names) for operand, names in zip((x, y), dims, strict=True)]
    values = [np.full(shape, 3, operand.dtype) for shape, operand in (((2, 3), x), ((3, 4), y))]
    with use_lowering("direct"):
        outs = [xtensor_dot(*named, dim=summed).values for summed in sums]
        try:
            answers = compiled([x, y], outs, get_mode(mode))(*values)
        except ImportError as error:  # the installed JAX is too new for this PyTensor
            pytest.skip(str(error))
    for answer, summed in zip(answers, sums, strict=True):
        expected = dot(*map(NamedTensor, values, dims), summed)
        np.testing.assert_array_equal(np.asarray(answer), expected.data, strict=True)


@pytest.mark.parametrize("static", [0, None])
@pytest.mark.parametrize("value", [np.inf, np.nan, -np.inf])
def test_an_empty_sum_times_a_nonfinite_number_is_0(value, static):
    x, y = pt.tensor("x", shape=(static, None)), pt.vector("y")
    named = as_xtensor(x, dims=("a", "b")), as_xtensor(y, dims=("c",))
    with use_lowering("direct"):
        out = rewrite_graph(
            xtensor_dot(*named, dim=("a", "b")).values, include=("lower_xtensor",), clone=True
        )
        function = compiled([x, y], [out, *pytensor.grad(out.sum(), [y])])
    answers = function(np.zeros((0, 3)), np.full(2, value))
    assert [answer.tolist() for answer in answers] == [[0.0, 0.0], [0.0, 0.0]]
    assert function(np.zeros((0, 0)), np.full(2, value))[0].tolist() == [0.0, 0.0]


def test_a_sum_over_256_terms_on_jax_is_not_empty():
    pytest.importorskip("jax")
    x, y = pt.vector("x"), pt.vector("y")
    with use_lowering("direct"):
        out = xtensor_dot(as_xtensor(x, dims=("a",)), as_xtensor(y, dims=("b",)), dim="a").values
        try:
            function = compiled([x, y], out, get_mode("JAX"))
        except ImportError as error:  # the installed JAX is too new for this PyTensor
            pytest.skip(str(error))
    for size in (0, 255, 256, 2**16):
        assert function(np.ones(size), np.ones(1)).tolist() == [size]


def test_dots_of_many_dims():
    for count in (27, 60):
        names = tuple(f"d{n}" for n in range(count))
        x_value = np.arange(3.0).reshape((1,) * (count - 1) + (3,))
        x, y = (pt.tensor(name, shape=(None,) * count) for name in "xy")
        for dim, expected in ((names[1:], [5.0]), (names, 5.0)):
            named = as_xtensor(x, dims=names), as_xtensor(y, dims=names)
            with use_lowering("direct"):
                function = compiled([x, y], xtensor_dot(*named, dim=dim).values)
            assert function(x_value, x_value).tolist() == expected
    assert count > MAX_FACTORS


def test_numba_multiplies_large_integers_exactly():
    large = 2**55 + 1
    x, y = pt.lmatrix("x"), pt.lmatrix("y")
    named = as_xtensor(x, dims=("a", "b")), as_xtensor(y, dims=("b", "c"))
    with use_lowering("direct"):
        function = compiled([x, y], xtensor_dot(*named).values, get_mode("NUMBA"))
    answer = function(np.full((2, 3), large), np.ones((3, 5), "int64"))
    assert answer.tolist() == [[3 * large] * 5] * 2


@pytest.mark.parametrize("dtypes", [("uint64", "uint8"), ("bool", "uint64"), ("uint64", "int16")])
@pytest.mark.parametrize("dims", [("a:3?", "a:3? b:2?"), ("a:3", "a:3"), ("", "b:2?")])
def test_products_of_uint64_and_smaller_integers_are_exact(dims, dtypes):
    for seed in range(3):
        case = dot_case(*dims, (), dtypes, regime="rounding", seed=seed)
        assert not [*judge_cases(TARGET, [case], Configuration("python", "direct"))]


def test_all_mismatches_come_from_other_parts_of_pytensor():
    report = check.run(
        TARGET, cases=60, seed=5, backends=["python"], lowerings=["direct"], fixed=False
    )
    from_lowering = [
        finding.mismatch.signature
        for finding in report.findings
        # From the building of the graph, or PyTensor's gradients of integers and complex numbers.
        if not (
            finding.mismatch.stage == "build"
            or finding.mismatch.earliest_stage == "build"
            or finding.mismatch.signature.startswith("R8 accepted-invalid at lower: the gradient")
            or finding.known == "no-complex-gradients"
            # From PyTensor's own rewrites of the lowered graph.
            or finding.mismatch.detail.startswith("a rewrite fails: ")
        )
    ]
    assert from_lowering == []


def test_static_batch_sizes_that_building_accepts_are_a_known_deviation():
    configuration = Configuration("python", "direct")
    [finding] = judge_cases(TARGET, [dot_case("a:2", "a:3", ())], configuration)
    assert finding.known == "batch-sizes-compared-late"


def test_a_check_passes_shapes_gradients_and_tangents_through():
    x, y = pt.tensor("x", shape=(None, 2)), pt.tensor("y", shape=(3, None))
    out_x, out_y = EqualSizes(("a",), ((0, 0),))(x, y)
    assert (out_x.type.shape, out_y.type.shape) == ((3, 2), (3, None))
    [x_bar] = pytensor.grad((out_x**2).sum(), [x])
    assert (compiled([x, y], x_bar)(np.full((3, 2), 4), np.ones((3, 4))) == 8).all()
    x_dot, y_dot = x.type("x_dot"), y.type("y_dot")
    tangent = pytensor.gradient.pushforward(
        out_x * 3 + out_y.sum(axis=1, keepdims=True), [x, y], [x_dot, y_dot]
    )
    pushed = pytensor.function([x_dot, y_dot, x, y], tangent, mode=PYTHON, on_unused_input="ignore")
    ones = np.ones((3, 2)), np.ones((3, 4))
    assert (pushed(*ones, *ones) == 7).all()
    shapes = compiled([x, y], [out_x.shape[0], out_y.shape[1]])
    assert [int(size) for size in shapes(np.ones((3, 2)), np.ones((3, 4)))] == [3, 4]


def test_a_vectorized_check_checks_stacked_operands():
    x, y = pt.vector("x"), pt.vector("y")
    total = sum(EqualSizes(("a",), ((0, 0),))(x, y))
    stacked = pt.matrix("stacked")
    function = compiled([stacked, y], vectorize_graph(total, {x: stacked}))
    assert function(np.ones((4, 3)), np.ones(3)).shape == (4, 3)
    with pytest.raises(ValueError, match=r"^Size of dim 'a' does not match: 3 in x, 4 in y"):
        function(np.ones((4, 3)), np.ones(4))


X_DIMS, W_DIMS = ("time", "head", "head_dim"), ("time_k", "head", "head_dim")


def attention(name, values, mode):
    """Run xtensor attention, and return its loss and its gradients."""
    inputs = [pt.tensor(key, shape=value.shape) for key, value in zip("qkv", values, strict=True)]
    q, k, v = (
        as_xtensor(tensor, dims=dims)
        for tensor, dims in zip(inputs, (X_DIMS, W_DIMS, W_DIMS), strict=True)
    )
    weights = softmax(xtensor_dot(q, k, dim="head_dim"), dim="time_k")
    loss = (xtensor_dot(weights, v, dim="time_k") ** 2).sum().values
    with use_lowering(name):
        loss = rewrite_graph(loss, include=("lower_xtensor",), clone=True)
        function = compiled(inputs, [loss, *pytensor.grad(loss, inputs)], mode)
    # Inner graphs are compiled at the first call, in the mode configured at that time.
    with pytensor.config.change_flags(mode=mode):
        return function(*values)


def expected_loss(q, k, v):
    """Compute the loss of the same attention with a softmax that cannot overflow."""
    dims = ("time", "head", "time_k")
    scores = dot(NamedTensor(q, X_DIMS), NamedTensor(k, W_DIMS), "head_dim").data
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = NamedTensor(powers / powers.sum(axis=-1, keepdims=True), dims)
    return float((dot(weights, NamedTensor(v, W_DIMS), "time_k").data ** 2).sum())


def operands_with_large_scores():
    random = np.random.default_rng(0)
    shapes = (3, 2, 5), (4, 2, 5), (4, 2, 5)
    q, k, v = (random.normal(size=shape) for shape in shapes)
    return 40 * q, 40 * k, v


BACKENDS = {
    "python": lambda: PYTHON,
    "c": lambda: Mode(linker="cvm", optimizer="fast_run"),
    "numba": lambda: get_mode("NUMBA"),
}


# Numba warns when it compiles, unless the function is in its cache on disk.
@pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPerformanceWarning")
@pytest.mark.parametrize("make_mode", BACKENDS.values(), ids=BACKENDS)
def test_softmax_of_large_scores_and_its_gradient_are_finite(make_mode):
    values = operands_with_large_scores()
    loss, *gradients = attention("direct", values, make_mode())
    np.testing.assert_allclose(loss, expected_loss(*values), rtol=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_softmax_of_large_scores_is_not_finite_with_other_lowerings():
    values = operands_with_large_scores()
    not_finite = {
        name: [not np.isfinite(answer).all() for answer in attention(name, values, PYTHON)]
        for name in ("stock", "inlined")
    }
    assert not_finite == {"stock": [False, True, True, False], "inlined": [True] * 4}


@pytest.mark.parametrize("dim", ["a", ("b", "a"), None])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
def test_softmax_over_dims_and_dtypes(dim, dtype):
    value = np.arange(6, dtype=dtype).reshape(2, 3)
    x = pt.matrix("x", dtype=dtype)
    out = softmax(as_xtensor(x, dims=("a", "b")), dim=dim)
    with use_lowering("direct"):
        lowered = rewrite_graph(out.values, include=("lower_xtensor",), clone=True)
    assert {"MaxOfAnySize", "SoftmaxOfAnySize"} & {*kinds(lowered)}
    answer = compiled([x], lowered)(value)
    powers = np.exp(value.astype(out.type.dtype))
    axes = {"a": 0}.get(dim) if isinstance(dim, str) else None
    assert answer.dtype == out.type.dtype
    rounding = 8 * np.finfo(answer.dtype).eps
    np.testing.assert_allclose(answer, powers / powers.sum(axis=axes, keepdims=True), rtol=rounding)


@pytest.mark.parametrize("optimizer", [None, "fast_compile", "fast_run"])
@pytest.mark.parametrize("linker", ["py", "cvm"])
def test_a_softmax_of_nothing_is_empty(linker, optimizer):
    x = pt.matrix("x")
    out = softmax(as_xtensor(x, dims=("a", "b")), dim="b") * 2
    mode = Mode(linker=linker, optimizer=optimizer)
    with use_lowering("direct"):
        lowered = rewrite_graph(out.values, include=("lower_xtensor",), clone=True)
        function = compiled([x], [lowered, pytensor.grad(lowered.sum(), x)], mode)
    assert [answer.shape for answer in function(np.ones((3, 0)))] == [(3, 0), (3, 0)]
    np.testing.assert_array_equal(function(np.ones((1, 4)))[0], np.full((1, 4), 0.5))


def test_the_powers_of_a_softmax_are_computed_once():
    x = pt.matrix("x")
    out = softmax(as_xtensor(x, dims=("a", "b")), dim="b")
    mode = PYTHON.excluding("fusion")
    with use_lowering("direct"):
        lowered = rewrite_graph(out.values, include=("lower_xtensor",), clone=True)
        function = compiled([x], [lowered, pytensor.grad((lowered**2).sum(), x)], mode)
    operations = [node.op for node in function.maker.fgraph.apply_nodes]
    # From 3.3.8 on, the softmax is one operation to the end, if nothing is fused.
    powers = [op for op in operations if getattr(op, "scalar_op", None) == pytensor.scalar.exp]
    assert len(powers + [op for op in operations if isinstance(op, Softmax)]) == 1


def test_other_quotients_are_not_lowered_as_softmax():
    x = pt.matrix("x")
    named = as_xtensor(x, dims=("a", "b"))
    for out in (named / named.sum("a"), pytensor.xtensor.math.exp(named) / named.sum("a")):
        with use_lowering("direct"):
            lowered = rewrite_graph(out.values, include=("lower_xtensor",), clone=True)
        assert not {"MaxOfAnySize", "SoftmaxOfAnySize"} & {*kinds(lowered)}
