"""Lowerings by name: what each installs, that it is taken back, and what it leaves."""

from __future__ import annotations

import pytensor
import pytensor.tensor as pt
import pytest
from planted import Edit, Fault, planted
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.basic import infer_shape_db
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.cases.notation import dot_case
from refdot.pytensor.lowerings.install import LOWERINGS, use_lowering, without_inner_graphs
from refdot.pytensor.target import graph


def installed():
    return lower_xtensor_db["lower_dot"].fn


STOCK = installed()
PRODUCTS = {
    "matrices": dot_case("a? b?", "b? c?"),
    "a batch": dot_case("a? b? c?", "a? c? d?", "c"),
    "sizes known": dot_case("a b", "b c"),
    "every role": dot_case("a? b? c? d?", "e? c? b? f?", ("a", "c", "e")),
    "no dims": dot_case("", ""),
    "one variable": dot_case("a? b?", "a? b?", same_variable=True),
}


def ops(outputs) -> list[str]:
    return [variable.owner.op for variable in ancestors(outputs) if variable.owner]


def inner_graphs(outputs) -> list[object]:
    return [op for op in ops(outputs) if isinstance(op, OpFromGraph)]


def lowered_with_gradients(case):
    """Give the lowered dot, its first gradients and its second ones."""
    built = graph.build(case)
    out = graph.lower(built)
    first = graph.first_gradients(out, built.inputs, out.type("cotangent"))
    tangents = [gradient.type() for gradient in first]
    return [out], first, graph.second_gradients(first, built.inputs, tangents)


@pytest.mark.parametrize("name", LOWERINGS)
def test_what_was_installed_comes_back(name):
    with use_lowering(name):
        assert (installed() is STOCK) is (name == "stock")
    assert installed() is STOCK


def test_direct_wraps_more_than_the_dot_and_gives_it_all_back():
    elementwise = lower_xtensor_db["lower_elemwise"]
    own = elementwise.fn
    with use_lowering("direct"):
        assert elementwise.fn.wraps is own
        with use_lowering("inlined"):
            assert elementwise.fn is own
        assert elementwise.fn.wraps is own
    assert elementwise.fn is own


@pytest.mark.parametrize("name", LOWERINGS)
def test_it_comes_back_after_an_exception(name):
    with pytest.raises(ZeroDivisionError), use_lowering(name):
        raise ZeroDivisionError
    assert installed() is STOCK


def test_blocks_nest_and_each_means_what_it_says():
    with use_lowering("inlined"):
        outer = installed()
        with use_lowering("stock"):
            assert installed() is STOCK
            with use_lowering("inlined"):
                assert installed().wraps is STOCK
            assert installed() is STOCK
        assert installed() is outer
        with use_lowering("inlined"):
            assert installed().wraps is STOCK
        assert installed() is outer
    assert installed() is STOCK


def test_an_unknown_name_is_refused_and_nothing_is_installed():
    message = "no lowering 'outlined': there are stock, inlined, direct"
    with pytest.raises(ValueError, match=f"^{message}$"), use_lowering("outlined"):
        raise AssertionError("the block must not run")
    assert installed() is STOCK


@pytest.mark.parametrize("name", ["inlined", "direct"])
@pytest.mark.parametrize("case", PRODUCTS.values(), ids=PRODUCTS)
def test_it_leaves_no_inner_graph_where_stock_does(case, name):
    with use_lowering("stock"):
        forward, *_ = lowered_with_gradients(case)
        assert len(inner_graphs(forward)) == 1
    with use_lowering(name):
        for outputs in lowered_with_gradients(case):
            assert inner_graphs(outputs) == []


@pytest.mark.parametrize("name", LOWERINGS)
def test_it_takes_effect_in_modes_that_exist_already(name):
    mode = pytensor.compile.mode.Mode(linker="py", optimizer="minimum_compile")
    case = PRODUCTS["matrices"]
    for _ in range(2):  # the second time, every query has been made
        built = graph.build(case)
        with pytensor.config.change_flags(cxx="", mode=mode), use_lowering(name):
            function = pytensor.function(built.inputs, built.out.values, mode=mode)
        nodes = [node.op for node in function.maker.fgraph.apply_nodes]
        assert any(isinstance(op, OpFromGraph) for op in nodes) is (name == "stock")


@pytest.mark.parametrize("name", LOWERINGS)
def test_shapes_are_inferred_through_it(name):
    built = graph.build(PRODUCTS["every role"])
    mode = pytensor.compile.mode.Mode(linker="py", optimizer="fast_run")
    with pytensor.config.change_flags(cxx="", mode=mode), use_lowering(name):
        function = pytensor.function(built.inputs, built.out.values.shape, mode=mode)
        x, y = PRODUCTS["every role"].arrays()
        assert tuple(function(x, y)) == (3, 2, 2)
    assert infer_shape_db["lower_xtensor"] is lower_xtensor_db


SUBSCRIPTS = Edit(
    "pytensor.xtensor.rewriting.math:lower_dot.fn", "for d in out.type.dims", "for d in y.type.dims"
)


@pytest.mark.parametrize("name", ["stock", "inlined"])
def test_a_fault_in_pytensors_own_lowering_shows_through(name):
    case = dot_case("a? d?", "a? d?", ())
    right, wrong = dot_case("d? a?", "a? d?", ()), dot_case("a? d?", "d? a?", ())
    fault = Fault("the output has the subscripts of y", "values", (SUBSCRIPTS,), wrong, name)

    def answer(case):
        built = graph.build(case)
        with use_lowering(name):
            out = graph.lower(built)
        mode = pytensor.compile.mode.Mode(linker="py", optimizer="fast_run")
        with pytensor.config.change_flags(cxx="", mode=mode):
            return pytensor.function(built.inputs, out, mode=mode)(*case.arrays()).tolist()

    assert right != wrong
    same, otherwise = answer(case), answer(wrong)
    with planted(fault):
        assert answer(case) == same
        assert answer(wrong) != otherwise
    assert answer(wrong) == otherwise


def test_inner_graphs_inside_inner_graphs_are_inlined_too():
    x = pt.vector("x")
    doubled = OpFromGraph([x], [2 * x])
    nested = OpFromGraph([x], [doubled(x) + 1])
    z = pt.vector("z")
    outputs = without_inner_graphs([nested(z) * z, z], [z])
    assert inner_graphs(outputs) == []
    assert outputs[1] is z
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    with pytensor.config.change_flags(cxx=""):
        assert pytensor.function([z], outputs[0], mode=mode)([1, 2]).tolist() == [3, 10]
