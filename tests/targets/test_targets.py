"""Targets: what is called, what its outcome records, and how one is found by name."""

import re
import sys
import types
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

import refdot as rd
from refdot.cases.case import CALLS, DimArgument, DotCase, Operand
from refdot.targets.callable import CallableTarget
from refdot.targets.outcome import REPLICATES, Outcome, Raised, effects
from refdot.targets.protocol import Backend, TargetError, unsupported_reason
from refdot.targets.registry import find_target
from refdot.targets.xarray import XarrayTarget
from refdot.tensor import NamedTensor

AB, BC = Operand(("a", "b"), (2, 3)), Operand(("b", "c"), (3, 4))
CASE = DotCase(AB, BC)


def outcome_of(fn, case=CASE, gradients=False) -> Outcome:
    """Run a case on a function."""
    return CallableTarget(fn, "fn", gradients=gradients).run(case, "call", "stock")


def test_a_callable_is_called_once_for_each_draw():
    calls = []

    def dot(*arguments):
        calls.append(arguments)
        return rd.dot(*arguments)

    outcome = outcome_of(dot)
    assert len(calls) == len(outcome.values) == REPLICATES
    assert [(x, y) for x, y, _ in calls] == [CASE.tensors(draw) for draw in range(REPLICATES)]
    assert outcome == Outcome(values=tuple(rd.dot(x, y) for x, y, _ in calls))


@pytest.mark.parametrize("call", CALLS)
def test_dim_is_always_given(call):
    case = DotCase(AB, BC, DimArgument(), call=call)
    outcome = outcome_of(lambda x, y, dim: NamedTensor(dim is None, ()), case)
    assert [value.data.item() for value in outcome.values] == [True] * REPLICATES


RAISED = {
    "a ValueError": (ValueError("b: 3, 4"), True),
    "a TypeError": (TypeError("no"), True),
    "a kind of ValueError": (rd.DimNotFoundError(["z"], ["a"]), True),
    "another error": (KeyError("z"), False),
    "SystemExit": (SystemExit(3), False),
    "GeneratorExit": (GeneratorExit("no"), False),
    "BaseException": (BaseException("none"), False),
}


@pytest.mark.parametrize(("error", "expected"), RAISED.values(), ids=RAISED)
def test_whatever_is_raised_is_the_outcome(error, expected):
    def dot(x, y, dim=None):
        raise error

    raised = outcome_of(dot).raised
    assert raised == Raised("run", type(error).__name__, str(error), expected)


def test_an_exception_knows_all_that_it_is():
    raised = Raised.at("run", rd.DimTypeError(5))
    assert raised.bases == (
        "refdot.errors.DimTypeError",
        "refdot.errors.DotError",
        "builtins.TypeError",
        "builtins.Exception",
        "builtins.BaseException",
        "builtins.object",
    )
    assert raised.text == raised.message


def test_the_text_of_an_exception_is_what_pytest_matches():
    error = ValueError("said")
    error.add_note("noted")
    error.add_note("and noted")
    raised = Raised.at("run", error)
    assert (raised.message, raised.appended) == ("said", "\nnoted\nand noted")
    with pytest.raises(ValueError, match=f"^{raised.text}$"):
        raise error


def test_an_interrupt_is_not_an_outcome():
    def dot(x, y, dim=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(dot)


@pytest.mark.parametrize("returned", [None, 3, np.array([1.5]), NamedTensor, "text"])
def test_what_is_no_named_tensor_is_told_with_its_type(returned):
    raised = outcome_of(lambda x, y, dim=None: returned).raised
    assert (raised.stage, raised.type) == ("run", type(returned).__name__)
    assert not raised.expected_type
    assert "not a NamedTensor" in raised.message


def test_an_exception_is_shown_on_one_line():
    assert str(Raised.at("lower", ValueError("first\n  second"))) == (
        "ValueError at lower: first second"
    )


def write(tensor: NamedTensor) -> None:
    """Change the first element."""
    tensor.data[(0,) * tensor.ndim] += 1


def test_what_is_written_to_and_what_is_shared_is_recorded():
    def writes(x, y, dim=None):
        result = rd.dot(x, y, dim)
        write(x)
        write(y)
        return result

    assert outcome_of(writes).side_effects == ("x was written to", "y was written to")
    views = outcome_of(lambda x, y, dim=None: y.transpose("c", "b"))
    assert views.side_effects == ("the output shares memory with y",)
    kept = NamedTensor(np.zeros((2, 4)), ("a", "c"))

    def reuses(x, y, dim=None):
        kept.data[...] = rd.dot(x, y, dim).data
        return kept

    outcome = outcome_of(reuses)
    assert outcome.side_effects == ("a second call changed the first answer",)
    assert outcome.values == tuple(rd.dot(*CASE.tensors(draw)) for draw in range(REPLICATES))


def test_arrays_that_only_interleave_share_nothing():
    array = np.arange(10.0)
    assert effects((array[::2],), (array[::2].copy(),), array[1::2]) == []
    assert effects((array[::2],), (array[::2].copy(),), array[4:]) == [
        "the output shares memory with x"
    ]


# Gradients


def test_gradients_are_those_of_an_attribute_vjp():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    dot.vjp = lambda x, y, cotangent, dim: (x, y)
    case = DotCase(AB, BC, gradient_order=1)
    outcome = outcome_of(dot, case, gradients=True)
    given = [(g.order, g.operand, g.replicate) for g in outcome.gradients]
    assert given == [(1, operand, draw) for draw in range(REPLICATES) for operand in "xy"]
    for gradient in outcome.gradients:
        operand = case.tensors(gradient.replicate)["xy".index(gradient.operand)]
        assert np.array_equal(gradient.value, operand.data)


def test_gradients_are_read_off_a_bilinear_function():
    case = DotCase(AB, BC, DimArgument("tuple", ("a", "b")), gradient_order=1)
    with_vjp = outcome_of(types.SimpleNamespace(__call__=rd.dot), case)
    assert with_vjp.raised is not None
    read = outcome_of(rd.dot, case, gradients=True).gradients

    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    dot.vjp = rd.dot_vjp
    for by_basis, by_rule in zip(read, outcome_of(dot, case, True).gradients, strict=True):
        assert (by_basis.operand, by_basis.replicate) == (by_rule.operand, by_rule.replicate)
        assert np.array_equal(by_basis.value, by_rule.value)


def test_gradients_of_one_variable_add():
    case = DotCase(AB, AB, same_variable=True, gradient_order=1)
    (first, _) = outcome_of(rd.dot, case, gradients=True).gradients
    x, _ = case.tensors()
    _, y = rd.dot_vjp(x, x, NamedTensor(1.0, ()))
    cotangent = case.cotangents()[0].data
    assert (first.operand, first.value.tolist()) == ("x", (2 * cotangent * y.data).tolist())


@pytest.mark.parametrize(
    ("case", "gradients"),
    [
        (CASE, True),
        (DotCase(AB, BC, gradient_order=1), False),
        (DotCase(Operand(("a",), (2,), "int8"), Operand(("a",), (2,)), gradient_order=1), True),
        (DotCase(Operand(("a",), (2,), "complex64"), AB, gradient_order=1), True),
    ],
    ids=["not asked for", "not judged", "an integer", "complex"],
)
def test_no_gradients_but_where_they_are_asked_for(case, gradients):
    assert outcome_of(rd.dot, case, gradients).gradients == ()


def test_an_error_in_a_gradient_is_recorded_beside_the_value():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    def vjp(*_):
        raise LookupError("no rule")

    dot.vjp = vjp
    outcome = outcome_of(dot, DotCase(AB, BC, gradient_order=1), gradients=True)
    assert outcome.gradient_raised == Raised("run", "LookupError", "no rule", False)
    assert len(outcome.values) == 1
    assert outcome.raised is None


# Finding them


@pytest.fixture
def module(monkeypatch):
    """Give a module of a name."""
    made = types.ModuleType("made_up")
    made.dot = rd.dot
    made.Room = type("Room", (), {"dot": staticmethod(rd.dot), "number": 5})
    made.with_vjp = lambda x, y, dim=None: rd.dot(x, y, dim)
    made.with_vjp.vjp = rd.dot_vjp
    monkeypatch.setitem(sys.modules, "made_up", made)
    return made


def test_a_callable_is_found_by_module_and_path(module, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, found in (("made_up:dot", rd.dot), ("made_up:Room.dot", rd.dot)):
        target = find_target(name)
        assert (target.name, target.function, target.gradients) == (name, found, False)
        assert target.backends() == (Backend("call"),)
    assert find_target("made_up:with_vjp").gradients
    assert sys.path[0] == ""


BAD = "it must be pytensor, xarray or module:function"
NOT_FOUND = {
    "nosuch": f"no target 'nosuch': {BAD}",
    "": f"no target '': {BAD}",
    "made_up:": f"no target 'made_up:': {BAD}",
    ":dot": f"no target ':dot': {BAD}",
    "made_up:no": "made_up has no no",
    "made_up:Room.no": "made_up has no Room.no",
    "made_up:Room.number": "made_up:Room.number is not callable",
    "no_such_module:dot": "cannot import no_such_module: "
    "ModuleNotFoundError: No module named 'no_such_module'",
}


@pytest.mark.parametrize(("name", "message"), NOT_FOUND.items())
def test_what_is_not_found_is_told_in_one_line(name, message, module, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(TargetError) as caught:
        find_target(name)
    assert str(caught.value) == message


def test_xarray_is_a_target_with_limits():
    target = find_target("xarray")
    assert isinstance(target, XarrayTarget)
    assert (target.name, target.stages, target.lowerings) == ("xarray", ("run",), ("stock",))
    assert target.version
    assert target.not_checked == {
        "nondeterminism": "it is called, and has no graph",
        "structure": "it is called, and has no graph",
        "wrong-gradient": "it has no gradient",
        "wrong-error": "xarray's errors are of types of its own",
    }
    assert target.run(CASE, "call", "stock").values[0] == rd.dot(*CASE.tensors())


def test_what_a_callable_does_not_have_is_not_judged():
    without = CallableTarget(rd.dot, "dot", not_checked={"side-effect": "it is meant to"})
    assert [*without.not_checked] == [
        "nondeterminism",
        "structure",
        "wrong-gradient",
        "side-effect",
    ]
    assert "wrong-gradient" not in CallableTarget(rd.dot, "dot", gradients=True).not_checked


def test_xarray_may_be_absent(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("refdot.targets.xarray.version", version)
    message = "xarray cannot be imported: No package metadata was found for xarray"
    hint = "; pip install 'refdot[xarray]'"
    with pytest.raises(TargetError, match=f"^{re.escape(message + hint)}$"):
        find_target("xarray")


MANY = tuple(f"d{n}" for n in range(27))
LIMITS = {
    "none": (CASE, None, None),
    "a dim twice": (DotCase(Operand(("a", "a"), (2, 2)), BC), "R1", "R1"),
    "a dim that is no str": (DotCase(Operand((3,), (2,)), BC), "R1", "R1"),
    "27 dims": (DotCase(Operand(MANY, (1,) * 27), BC), None, "26 letters"),
    "a number for dim": (DotCase(AB, BC, DimArgument("object", (5,))), None, "hashable"),
    "a number in dim": (DotCase(AB, BC, DimArgument("tuple", (5,))), None, "hashable"),
}


@pytest.mark.parametrize(("case", "plain", "xarray"), LIMITS.values(), ids=LIMITS)
def test_limits_say_what_is_not_claimed(case, plain, xarray):
    for target, reason in ((CallableTarget(rd.dot, "dot"), plain), (XarrayTarget(), xarray)):
        given = unsupported_reason(target, case)
        assert given is None if reason is None else reason in given
