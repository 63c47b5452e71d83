"""The operation of the direct lowering: its shape, value, derivatives and stacked operands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode, get_mode
from pytensor.gradient import disconnected_type
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors
from pytensor.xtensor import as_xtensor
from pytensor.xtensor import dot as xtensor_dot

from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.lowering import lower_dot
from refdot.pytensor.benchmark.attention import draw_values
from refdot.pytensor.benchmark.measurement import (
    Measurement,
    Setting,
    configured_for,
    differentiated_loss,
)
from refdot.pytensor.lowerings import expansion
from refdot.pytensor.lowerings.contraction import Contraction
from refdot.pytensor.lowerings.install import use_lowering
from refdot.tensor import NamedTensor

# Without and with the rewrite that expands a contraction.
MODES = {
    "no rewrites": Mode(linker="py", optimizer=None),
    "fast_compile": Mode(linker="py", optimizer="fast_compile"),
    "fast_run": Mode(linker="py", optimizer="fast_run"),
}
SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}
# The dims of x, the dims of y, and those summed over: together, all roles.
DOTS = {
    "a matrix product": ("ab", "bc", "b"),
    "every role": ("abcd", "ecb", "bde"),
    "a batch": ("abc", "dba", "b"),
    "nothing summed": ("ab", "ba", ""),
    "a dim summed alone": ("ab", "", "a"),
    "scalars": ("", "", ""),
}


def operands(x_dims: str, y_dims: str) -> tuple[NamedTensor, NamedTensor]:
    random = np.random.RandomState(len(x_dims + y_dims))
    return tuple(
        NamedTensor(random.randint(-7, 8, [SIZES[dim] for dim in dims]).astype(float), dims)
        for dims in (tuple(x_dims), tuple(y_dims))
    )


def contraction(x_dims: str, y_dims: str, summed: str) -> tuple[Contraction, Any, Any]:
    low = lower_dot(tuple(x_dims), tuple(y_dims), tuple(summed))
    x, y = (pt.tensor(shape=(None,) * len(dims), dtype="float64") for dims in (x_dims, y_dims))
    return Contraction(low.subscripts), x, y


def run(inputs: list[Any], outputs: list[Any], mode: Mode, *values: Any) -> list[Any]:
    function = pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")
    return function(*values)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("of", DOTS.values(), ids=DOTS)
def test_value_and_gradients_are_those_of_the_oracle(of, mode):
    op, x, y = contraction(*of)
    out = op(x, y)
    values = operands(*of[:2])
    expected = dot(*values, tuple(of[2]))
    cotangent = NamedTensor(
        np.arange(1.0, expected.data.size + 1).reshape(expected.shape), expected.dims
    )
    bar = out.type("cotangent")
    gradients = pytensor.grad(None, [x, y], known_grads={out: bar})
    found = run([x, y, bar], [out, *gradients], mode, *(t.data for t in (*values, cotangent)))
    pulled_back = dot_vjp(*values, cotangent, tuple(of[2]))
    for answer, right in zip(found, (expected, *pulled_back), strict=True):
        np.testing.assert_array_equal(answer, right.data, strict=True)


@pytest.mark.parametrize("of", DOTS.values(), ids=DOTS)
def test_the_gradient_of_a_gradient_is_that_of_the_expanded_dot(of):
    op, x, y = contraction(*of)
    values = [value.data for value in operands(*of[:2])]

    def second(out: Any) -> list[Any]:
        first = pytensor.grad((out**2).sum(), [x, y])
        total = sum((bar**2).sum() for bar in first)
        return run([x, y], pytensor.grad(total, [x, y]), MODES["no rewrites"], *values)

    out = op(x, y)
    by_hand = expansion.expanded(
        op.lowering, x, y, {d: SIZES[n] for d, n in zip(op.x + op.y, of[0] + of[1], strict=True)}
    )
    for answer, right in zip(second(out), second(by_hand), strict=True):
        np.testing.assert_array_equal(answer, right)


@pytest.mark.parametrize("moved", ["x", "y", "both"])
@pytest.mark.parametrize("of", DOTS.values(), ids=DOTS)
def test_tangents_are_those_of_the_oracle(of, moved):
    op, x, y = contraction(*of)
    values, tangents = operands(*of[:2]), operands(*of[:2])
    zero_x, zero_y = (NamedTensor(np.zeros(t.shape), t.dims) for t in values)
    x_dot = tangents[0] if moved != "y" else zero_x
    y_dot = tangents[1] if moved != "x" else zero_y
    given = [x.type() if moved != "y" else disconnected_type()]
    given += [y.type() if moved != "x" else disconnected_type()]
    [pushed] = op.pushforward([x, y], [op(x, y)], given)
    inputs = [variable for variable in given if hasattr(variable.type, "dtype")]
    numbers = [t.data for t, which in ((x_dot, "y"), (y_dot, "x")) if moved != which]
    found = run([x, y, *inputs], [pushed], MODES["fast_run"], *(t.data for t in values), *numbers)
    right = dot_jvp(*values, x_dot, y_dot, tuple(of[2]))
    np.testing.assert_array_equal(found[0], right.data, strict=True)


def test_an_output_without_tangents_is_disconnected():
    op, x, y = contraction("ab", "bc", "b")
    [pushed] = op.pushforward([x, y], [op(x, y)], [disconnected_type(), disconnected_type()])
    assert type(pushed.type).__name__ == "DisconnectedType"


def test_the_output_has_the_static_sizes_of_either_operand():
    x, y = pt.tensor("x", shape=(2, None, 4)), pt.tensor("y", shape=(4, 3, None))
    out = Contraction("abc,cbd->abd")(x, y)
    assert out.type.shape == (2, 3, None)
    shape = pytensor.function([x, y], out.shape, mode="FAST_RUN")
    assert not any(isinstance(node.op, Contraction) for node in shape.maker.fgraph.apply_nodes)
    assert shape(np.ones((2, 3, 4)), np.ones((4, 3, 5))).tolist() == [2, 3, 5]


@pytest.mark.parametrize("axes", [{"x": 1}, {"y": 1}, {"x": 1, "y": 1}, {"x": 2, "y": 1}])
@pytest.mark.parametrize("of", DOTS.values(), ids=DOTS)
def test_stacked_operands_are_contracted_one_by_one(of, axes):
    op, x, y = contraction(*of)
    values = dict(zip("xy", (t.data for t in operands(*of[:2])), strict=True))
    stack = (7, 8)
    stacked, numbers = {}, []
    for variable, name in ((x, "x"), (y, "y")):
        count = axes.get(name, 0)
        stacked[name] = pt.tensor(name, shape=(None,) * (count + variable.ndim))
        shape = stack[len(stack) - count :]
        factors = np.arange(1.0, np.prod(shape, dtype=int) + 1).reshape(
            shape + (1,) * variable.ndim
        )
        numbers.append(factors * values[name])
    out = vectorize_graph(op(x, y), {x: stacked["x"], y: stacked["y"]})
    assert sum(isinstance(v.owner.op, Contraction) for v in ancestors([out]) if v.owner) == 1
    [found] = run(list(stacked.values()), [out], MODES["fast_run"], *numbers)
    letters = op.subscripts
    x_letters, rest = letters.split(",")
    y_letters, out_letters = rest.split("->")
    right = np.einsum(f"...{x_letters},...{y_letters}->...{out_letters}", *numbers)
    np.testing.assert_array_equal(found, right)


def test_a_stacked_axis_of_size_1_is_broadcast():
    op, x, y = contraction("ab", "bc", "b")
    many, one = pt.tensor("many", shape=(7, 2, 3)), pt.tensor("one", shape=(1, 3, 4))
    out = vectorize_graph(op(x, y), {x: many, y: one})
    assert out.type.shape == (7, 2, 4)
    both = vectorize_graph(op(x, y), {x: many[:1], y: one})
    assert both.type.shape == (1, 2, 4)
    values = np.arange(42.0).reshape(7, 2, 3), np.arange(12.0).reshape(1, 3, 4)
    found = run([many, one], [out, both], MODES["fast_run"], *values)
    np.testing.assert_array_equal(found[0], values[0] @ values[1], strict=True)
    np.testing.assert_array_equal(found[1], values[0][:1] @ values[1], strict=True)


def test_r10_dots_that_differ_in_names_only_are_one_operation():
    x, y = pt.matrix("x"), pt.matrix("y")
    with use_lowering("direct"):
        outs = [
            rewrite_graph(
                xtensor_dot(as_xtensor(x, dims=names[:2]), as_xtensor(y, dims=names[1:])).values,
                include=("lower_xtensor",),
                clone=False,
            )
            for names in (("a", "b", "c"), ("row", "inner", "column"))
        ]
    function = pytensor.function([x, y], outs, mode=MODES["fast_run"])
    kinds = [type(node.op).__name__ for node in function.maker.fgraph.apply_nodes]
    assert sum("Dot" in kind or "Gemm" in kind for kind in kinds) == 1


def test_no_operand_of_a_contraction_in_attention_is_transposed():
    # So it would not pay to fold transpositions into the subscripts.
    with configured_for("direct", Setting()) as mode:
        _, outputs = differentiated_loss("direct", draw_values(2), Setting(), Measurement())
        graph = FunctionGraph(outputs=outputs, clone=True)
        mode.excluding("expand_contractions").optimizer.rewrite(graph)
    nodes = [node for node in graph.apply_nodes if isinstance(node.op, Contraction)]
    makers = {type(each.owner.op).__name__ for node in nodes for each in node.inputs if each.owner}
    assert len(nodes) == 20
    assert "EqualSizes" in makers
    assert "DimShuffle" not in makers


def test_integers_and_bools_keep_their_dtype_and_have_zero_gradients():
    op = Contraction("ab,bc->ac")
    for dtype in ("int8", "uint64", "bool"):
        x, y = pt.matrix("x", dtype=dtype), pt.matrix("y", dtype=dtype)
        values = np.array([[100, 3], [2, 7]], dtype), np.array([[2, 5], [1, 1]], dtype)
        for mode in MODES.values():
            np.testing.assert_array_equal(
                run([x, y], [op(x, y)], mode, *values)[0], np.matmul(*values), strict=True
            )
    x, y = pt.matrix("x"), pt.matrix("y", dtype="int64")
    of_x, of_y = pytensor.grad(op(x, y).sum(), [x, y])
    found = run([x, y], [of_x, of_y], MODES["fast_run"], np.ones((2, 3)), np.full((3, 4), 5))
    assert (found[0] == 20).all()
    assert (found[1] == 0).all()


def test_the_gradient_of_a_real_operand_beside_a_complex_one_is_real():
    op, x, y = Contraction("ab,b->a"), pt.matrix("x"), pt.vector("y", dtype="complex128")
    out = op(x, y)
    of_x, of_y = op.pullback([x, y], [out], [out.type("cotangent")])
    assert (of_x.dtype, of_y.dtype) == ("float64", "complex128")


def test_jax_runs_a_contraction_that_is_not_expanded():
    pytest.importorskip("jax")
    with use_lowering("direct"):  # registers the operation
        pass
    op, x, y = contraction("abcd", "ecb", "bde")
    mode = Mode(linker=get_mode("JAX").linker, optimizer=None)
    values = operands("abcd", "ecb")
    try:
        [found] = run([x, y], [op(x, y)], mode, *(t.data for t in values))
    except ImportError as error:  # the installed JAX is too new for this PyTensor
        pytest.skip(str(error))
    np.testing.assert_array_equal(np.asarray(found), dot(*values, ("b", "d", "e")).data)
