"""What building and lowering cost does not depend on static sizes, or else is reported."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import pytest
from planting import Edit, Fault, planted

from refdot.cases.notation import dot_case
from refdot.judging.comparison import compare
from refdot.pytensor.target import resources
from refdot.pytensor.target.resources import ResourceCheck, small_and_large
from refdot.pytensor.target.target import PyTensorTarget

TARGET = PyTensorTarget()
STATIC = dot_case("a:3 b:1 c:5", "c:5 d:2?")
NODE = "pytensor.xtensor.math:Dot.make_node"
LOWER = "pytensor.xtensor.rewriting.math:lower_dot.fn"


def growth(case=STATIC, lowering="direct"):
    """Return the stage and the kind of what grows."""
    return [(each.stage, each.what) for each in TARGET.run(case, "python", lowering).growth]


def test_one_static_size_is_large_and_the_others_are_small():
    small, large = small_and_large(STATIC)
    assert (small.x.shape, small.y.shape) == ((2, 1, 2), (2, 2))
    assert (large.x.shape, large.y.shape) == ((125_000, 1, 2), (2, 2))
    assert small.x.static == large.x.static == STATIC.x.static


def test_every_dim_has_its_turn():
    sizes = [small_and_large(dot_case("a:3 c:5", "c:5", seed=seed))[1] for seed in range(3)]
    assert [(case.x.shape, case.y.shape) for case in sizes] == [
        ((500_000, 2), (2,)),
        ((2, 500_000), (500_000,)),
        ((500_000, 2), (2,)),
    ]


UNMEASURED = [
    dot_case("a?", "a?"),
    dot_case("a:1 b:0", "b:0"),
    dot_case("", ""),
    replace(STATIC, y=replace(STATIC.y, origin="constant")),
    replace(STATIC, x=replace(STATIC.x, origin="shared")),
    replace(dot_case("a:2 b:2", "b:2 a:2"), same_variable=True),
    dot_case("a:2", "a:3"),
]


@pytest.mark.parametrize("case", UNMEASURED, ids=str)
def test_a_case_without_larger_static_sizes_is_not_measured(case, monkeypatch):
    monkeypatch.setattr(tracemalloc, "start", None)
    assert ResourceCheck().growth(case) == ()


def test_equal_graphs_are_measured_once(monkeypatch):
    check = ResourceCheck()
    [found] = check.growth(dot_case("a:3 b:5", "b:5 c:7"))
    monkeypatch.setattr(tracemalloc, "start", None)
    others = [
        dot_case("a:4 b:2", "b:2 c:3"),
        dot_case("a:3 b:5", "b:5 c:7", regime="special", seed=9),
    ]
    assert [check.growth(case) for case in others] == [(found,)] * 2


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize("order", [0, 2])
def test_only_the_path_of_einsum_grows(lowering, order):
    case = dot_case("a:3 b:5", "b:5 c:2", gradient_order=order)
    expected = [("lower", "memory grows with a static size")] if lowering != "direct" else []
    assert growth(case, lowering) == expected
    assert growth(dot_case("a? b:5", "b:5 c:2", gradient_order=order), lowering) == []


@pytest.mark.parametrize("dtypes", [("complex128", "float64"), ("int64", "int64")])
def test_growth_is_measured_although_there_is_no_gradient(dtypes):
    case = dot_case("a:3", "a:3", dtypes=dtypes, gradient_order=1)
    assert growth(case, "stock") == [("lower", "memory grows with a static size")]


def test_growth_is_measured_in_a_new_process_too():
    code = (
        "from refdot.cases.notation import dot_case\n"
        "from refdot.pytensor.target.target import PyTensorTarget\n"
        "(growth,) = PyTensorTarget().run(dot_case('a:2', 'a:2'), 'python', 'stock').growth\n"
        "print(growth.large)"
    )
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert completed.stdout == "16.0 MB\n"


# Each: an edit, and what it makes grow.
COSTS = {
    "an array of the shape": (
        Edit(
            NODE, "x = as_xtensor(x)", "x = as_xtensor(x); np.zeros([n or 1 for n in x.type.shape])"
        ),
        ("build", "memory grows with a static size"),
    ),
    "an index for each size": (
        Edit(
            LOWER,
            "[out] = node.outputs",
            "[out] = node.outputs; list(range(max(filter(None, x.type.shape), default=0)))",
        ),
        ("lower", "memory grows with a static size"),
    ),
    "a loop over a size": (
        Edit(
            NODE,
            "x = as_xtensor(x)",
            "x = as_xtensor(x); [0 for n in x.type.shape for _ in range(20 * (n or 0)) if n < 0]",
        ),
        ("build", "time grows with a static size"),
    ),
    "a limit": (
        Edit(
            NODE,
            "x = as_xtensor(x)",
            "x = as_xtensor(x); assert max(filter(None, x.type.shape), default=0) < 10**4",
        ),
        ("build", "AssertionError for a large static size"),
    ),
}


@pytest.mark.parametrize(("edit", "expected"), COSTS.values(), ids=COSTS)
def test_what_grows_is_reported_with_its_stage(edit, expected):
    lowering = "stock" if edit.where == LOWER else "direct"
    case = dot_case("a:3 b:5", "b:5 c?")
    assert growth(case, lowering) == []
    with planted(Fault("costs", "resources", (edit,), case)):
        assert growth(case, lowering) == [expected]


@pytest.mark.parametrize(
    ("measured", "grows"),
    [
        # In megabytes: for a large size, for small ones, and then both again as far as needed.
        ((0.05,), False),
        ((1.4, 1.4), False),
        ((1.4, 0.8, 0.8), False),
        ((1.4, 0.8, 1.4, 1.4), False),
        ((1.4, 0.8, 1.4, 0.8), True),
        ((9.4, 0.8, 0.8), False),
        ((9.4, 0.8, 9.4), True),
    ],
)
def test_a_cost_that_varies_does_not_grow(measured, grows, monkeypatch):
    costs = iter(measured)
    monkeypatch.setattr(
        resources, "_costs", lambda case: [resources._Cost("lower", int(1e6 * next(costs)), 0.1)]
    )
    assert bool(ResourceCheck().growth(STATIC)) == grows
    assert list(costs) == []


def test_an_error_for_a_large_size_is_shown():
    edit, _ = COSTS["a limit"]
    with planted(Fault("costs", "resources", (edit,), STATIC)):
        outcome = TARGET.run(STATIC, "python", "direct")
    (mismatch,) = compare(STATIC, outcome, TARGET)
    assert mismatch.signature == "R15 resources at build: AssertionError for a large static size"
    assert mismatch.expected == "no error, as for small sizes"
    assert mismatch.got.startswith(
        "AssertionError at build:  for dot(float64(a: 125000, b: 1, c: 2)"
    )


def test_the_collection_of_garbage_goes_on():
    growth()
    assert gc.isenabled()
    assert not tracemalloc.is_tracing()
