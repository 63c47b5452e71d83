"""Named lowerings: installing, restoring, and the graphs that they produce."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import permutations

import pytensor
import pytensor.tensor as pt
import pytest
from planting import Edit, Fault, planted
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
    "static sizes": dot_case("a b", "b c"),
    "every role": dot_case("a? b? c? d?", "e? c? b? f?", ("a", "c", "e")),
    "no dims": dot_case("", ""),
    "one variable": dot_case("a? b?", "a? b?", same_variable=True),
}


def ops(outputs) -> list[str]:
    return [variable.owner.op for variable in ancestors(outputs) if variable.owner]


def inner_graphs(outputs) -> list[object]:
    return [op for op in ops(outputs) if isinstance(op, OpFromGraph)]


def lowered_with_gradients(case):
    """Return the lowered dot, its first gradients and its second ones."""
    built = graph.build(case)
    out = graph.lower(built)
    first = graph.gradients({out: out.type("cotangent")}, built.inputs)
    second = graph.gradients({gradient: gradient.type() for gradient in first}, built.inputs)
    return [out], first, second


@pytest.mark.parametrize("name", LOWERINGS)
def test_the_end_of_a_block_restores_the_stock_lowering(name):
    with use_lowering(name):
        assert (installed() is STOCK) is (name == "stock")
    assert installed() is STOCK


def test_direct_also_replaces_and_restores_the_rewrite_of_elementwise_operations():
    elementwise = lower_xtensor_db["lower_elemwise"]
    own = elementwise.fn
    with use_lowering("direct"):
        assert elementwise.fn.original is own
        with use_lowering("inlined"):
            assert elementwise.fn is own
        assert elementwise.fn.original is own
    assert elementwise.fn is own


@pytest.mark.parametrize("name", LOWERINGS)
def test_an_exception_restores_the_stock_lowering(name):
    with pytest.raises(ZeroDivisionError), use_lowering(name):
        raise ZeroDivisionError
    assert installed() is STOCK


def test_blocks_can_be_nested():
    with use_lowering("inlined"):
        outer = installed()
        with use_lowering("stock"):
            assert installed() is STOCK
            with use_lowering("inlined"):
                assert installed().original is STOCK
            assert installed() is STOCK
        assert installed() is outer
        with use_lowering("inlined"):
            assert installed().original is STOCK
        assert installed() is outer
    assert installed() is STOCK


def test_blocks_of_generators_may_end_in_any_order():
    def block(name):
        with use_lowering(name):
            yield

    for order in permutations(range(3)):
        blocks = [block(name) for name in ("inlined", "direct", "inlined")]
        for each in blocks:
            next(each)
        for number in order:
            blocks[number].close()
        assert installed() is STOCK
        assert lower_xtensor_db["lower_elemwise"].fn.__module__.startswith("pytensor.")


def test_a_block_that_outlives_another_one_keeps_its_lowering():
    outer = use_lowering("inlined")
    outer.__enter__()
    with use_lowering("direct"):
        inner = installed()
        outer.__exit__(None, None, None)
        assert installed() is inner
    assert installed() is STOCK


IN_USE = "^cannot use the lowering 'direct': another thread or task uses 'inlined'$"


def test_another_lowering_in_another_thread_is_rejected():
    def other(name):
        with use_lowering(name):
            return installed().original

    with ThreadPoolExecutor(1) as thread:
        with use_lowering("inlined"):
            assert thread.submit(other, "inlined").result() is STOCK
            with pytest.raises(RuntimeError, match=IN_USE):
                thread.submit(other, "direct").result()
        assert thread.submit(other, "direct").result() is STOCK
    assert installed() is STOCK


def test_another_lowering_in_another_task_is_rejected():
    async def task(name, seconds):
        with use_lowering(name):
            await asyncio.sleep(seconds)

    async def both():
        first = asyncio.create_task(task("inlined", 0.05))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match=IN_USE):
            await asyncio.create_task(task("direct", 0.01))
        with use_lowering("inlined"):
            await asyncio.create_task(task("inlined", 0))
        await first
        with use_lowering("inlined"):
            await asyncio.create_task(task("direct", 0))

    asyncio.run(both())
    assert installed() is STOCK


def test_many_threads_leave_the_stock_lowering():
    def attempt(number):
        with suppress(RuntimeError), use_lowering([*LOWERINGS][number % 3]):
            time.sleep(1e-4)

    with ThreadPoolExecutor(8) as threads:
        assert len([*threads.map(attempt, range(300))]) == 300
    assert installed() is STOCK


def test_an_unknown_name_is_rejected_before_anything_is_installed():
    message = "unknown lowering 'outlined': choose from stock, inlined, direct"
    with pytest.raises(ValueError, match=f"^{message}$"), use_lowering("outlined"):
        raise AssertionError("the block must not run")
    assert installed() is STOCK


@pytest.mark.parametrize("name", ["inlined", "direct"])
@pytest.mark.parametrize("case", PRODUCTS.values(), ids=PRODUCTS)
def test_inlined_and_direct_leave_no_inner_graph(case, name):
    with use_lowering("stock"):
        forward, *_ = lowered_with_gradients(case)
        assert len(inner_graphs(forward)) == 1
    with use_lowering(name):
        for outputs in lowered_with_gradients(case):
            assert inner_graphs(outputs) == []


@pytest.mark.parametrize("name", LOWERINGS)
def test_a_lowering_applies_in_modes_that_already_exist(name):
    mode = pytensor.compile.mode.Mode(linker="py", optimizer="minimum_compile")
    case = PRODUCTS["matrices"]
    for _ in range(2):  # the second time, the mode has cached its rewrites
        built = graph.build(case)
        with pytensor.config.change_flags(cxx="", mode=mode), use_lowering(name):
            function = pytensor.function(built.inputs, built.out.values, mode=mode)
        nodes = [node.op for node in function.maker.fgraph.apply_nodes]
        assert any(isinstance(op, OpFromGraph) for op in nodes) is (name == "stock")


@pytest.mark.parametrize("name", LOWERINGS)
def test_shapes_are_inferred(name):
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
def test_a_fault_in_pytensors_own_lowering_changes_the_answer(name):
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
    before, before_of_wrong = answer(case), answer(wrong)
    with planted(fault):
        assert answer(case) == before
        assert answer(wrong) != before_of_wrong
    assert answer(wrong) == before_of_wrong


def test_nested_inner_graphs_are_inlined():
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
