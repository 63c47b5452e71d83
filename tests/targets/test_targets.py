"""Callable targets, their outcomes, and unsupported cases."""

import types
from dataclasses import replace

import numpy as np
import pytest

import refdot as rd
from refdot.cases.case import CALLS, DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import REPLICATES, Outcome, Raised, effects
from refdot.targets.protocol import Backend, Unsupported, unsupported_reason
from refdot.targets.registry import find_target
from refdot.targets.xarray import XarrayTarget
from refdot.tensor import NamedTensor

AB, BC = Operand(("a", "b"), (2, 3)), Operand(("b", "c"), (3, 4))
CASE = DotCase(AB, BC)


def outcome_of(fn, case=CASE, gradients=False) -> Outcome:
    """Return the outcome of a case on a function."""
    return CallableTarget(fn, "fn", gradients=gradients).run(case, "call", "stock")


def test_a_callable_is_called_once_for_each_replicate():
    calls = []

    def dot(*arguments):
        calls.append(arguments)
        return rd.dot(*arguments)

    outcome = outcome_of(dot)
    assert len(calls) == len(outcome.values) == REPLICATES
    assert [(x, y) for x, y, _ in calls] == [CASE.tensors(number) for number in range(REPLICATES)]
    assert outcome == Outcome(values=tuple(rd.dot(x, y) for x, y, _ in calls))


@pytest.mark.parametrize("call", CALLS)
def test_dim_is_always_passed(call):
    case = DotCase(AB, BC, DimArgument(), call=call)
    outcome = outcome_of(lambda x, y, dim: NamedTensor(dim is None, ()), case)
    assert [value.data.item() for value in outcome.values] == [True] * REPLICATES


RAISED = {
    "a ValueError": (ValueError("b: 3, 4"), True),
    "a TypeError": (TypeError("no"), True),
    "a subclass of ValueError": (rd.DimNotFoundError(["z"], ["a"]), True),
    "another error": (KeyError("z"), False),
    "SystemExit": (SystemExit(3), False),
    "GeneratorExit": (GeneratorExit("no"), False),
    "BaseException": (BaseException("none"), False),
}


@pytest.mark.parametrize(("error", "expected"), RAISED.values(), ids=RAISED)
def test_any_exception_becomes_the_outcome(error, expected):
    def dot(x, y, dim=None):
        raise error

    raised = outcome_of(dot).raised
    assert raised == Raised("run", type(error).__name__, str(error), expected)


def test_an_exception_is_recorded_with_its_base_classes():
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


def test_the_text_of_an_exception_is_what_pytest_searches():
    error = ValueError("said")
    error.add_note("noted")
    error.add_note("and noted")
    raised = Raised.at("run", error)
    assert (raised.message, raised.appended) == ("said", "\nnoted\nand noted")
    with pytest.raises(ValueError, match=f"^{raised.text}$"):
        raise error


def test_a_keyboard_interrupt_is_not_caught():
    def dot(x, y, dim=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(dot)


@pytest.mark.parametrize("returned", [None, 3, np.array([1.5]), np.float32(1), NamedTensor, "text"])
def test_a_result_that_is_not_a_named_tensor_counts_as_an_error(returned):
    name = type(returned).__name__
    hint = (
        ": write NamedTensor(array, dims)" if isinstance(returned, np.ndarray | np.generic) else ""
    )
    message = f"returned an object of type {name}, not a NamedTensor{hint}"
    raised = outcome_of(lambda x, y, dim=None: returned).raised
    assert raised == Raised("run", name, message, False)


def test_an_exception_is_printed_on_one_line():
    assert str(Raised.at("lower", ValueError("first\n  second"))) == (
        "ValueError at lower: first second"
    )


def write(tensor: NamedTensor) -> None:
    tensor.data[(0,) * tensor.ndim] += 1


def test_writes_to_inputs_and_shared_memory_are_recorded():
    def writes(x, y, dim=None):
        result = rd.dot(x, y, dim)
        write(x)
        write(y)
        return result

    assert outcome_of(writes).side_effects == ("x was written to", "y was written to")
    views = outcome_of(lambda x, y, dim=None: y.transpose("c", "b"))
    assert views.side_effects == ("the output shares memory with y",)
    buffer = NamedTensor(np.zeros((2, 4)), ("a", "c"))

    def reuses(x, y, dim=None):
        buffer.data[...] = rd.dot(x, y, dim).data
        return buffer

    outcome = outcome_of(reuses)
    assert outcome.side_effects == ("a second call changed the first answer",)
    assert outcome.values == tuple(rd.dot(*CASE.tensors(number)) for number in range(REPLICATES))


@pytest.mark.parametrize("same", ["same_array", "same_variable"])
def test_an_effect_on_an_array_that_is_both_operands_is_recorded_once(same):
    case = dot_case("a b", "a b", **{same: True})

    def writes(x, y, dim=None):
        result = rd.dot(x, y, dim)
        write(x)
        return result

    written, views = outcome_of(writes, case), outcome_of(lambda x, y, dim=None: y, case)
    assert written.side_effects == ("the array of x and y was written to",)
    assert views.side_effects == ("the output shares memory with the array of x and y",)


def test_the_numbers_of_a_constant_are_the_same_in_every_replicate():
    seen = []

    def dot(x, y, dim=None):
        seen.append((x, y))
        return rd.dot(x, y, dim)

    outcome_of(dot, dot_case("a b", "b", origin=("constant", "shared")))
    (x, y), (next_x, next_y) = seen
    assert x == next_x
    assert y != next_y


def test_interleaved_arrays_share_no_memory():
    array = np.arange(10.0)
    assert effects((array[::2],), (array[::2].copy(),), array[1::2]) == []
    assert effects((array[::2],), (array[::2].copy(),), array[4:]) == [
        "the output shares memory with x"
    ]


# Gradients


def test_gradients_come_from_the_attribute_vjp():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    dot.vjp = lambda x, y, cotangent, dim: (x, y)
    case = DotCase(AB, BC, gradient_order=1)
    outcome = outcome_of(dot, case, gradients=True)
    found = [(g.order, g.operand, g.replicate) for g in outcome.gradients]
    assert found == [(1, operand, number) for number in range(REPLICATES) for operand in "xy"]
    for gradient in outcome.gradients:
        operand = case.tensors(gradient.replicate)["xy".index(gradient.operand)]
        assert np.array_equal(gradient.value, operand.data)


def test_gradients_of_a_function_without_vjp_come_from_basis_vectors():
    case = DotCase(AB, BC, DimArgument("tuple", ("a", "b")), gradient_order=1)
    with_vjp = outcome_of(types.SimpleNamespace(__call__=rd.dot), case)
    assert with_vjp.raised is not None
    gradients = outcome_of(rd.dot, case, gradients=True).gradients

    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    dot.vjp = rd.dot_vjp
    for by_basis, by_rule in zip(gradients, outcome_of(dot, case, True).gradients, strict=True):
        assert (by_basis.operand, by_basis.replicate) == (by_rule.operand, by_rule.replicate)
        assert np.array_equal(by_basis.value, by_rule.value)


def test_gradients_of_the_same_variable_are_added():
    case = DotCase(AB, AB, same_variable=True, gradient_order=1)
    (first, _) = outcome_of(rd.dot, case, gradients=True).gradients
    x, _ = case.tensors()
    _, y = rd.dot_vjp(x, x, NamedTensor(1.0, ()))
    cotangent = case.cotangents()[0].data
    assert (first.operand, first.value.tolist()) == ("x", (2 * cotangent * y.data).tolist())


def test_gradients_of_one_variable_under_two_names_are_added():
    case = dot_case("a:3 b", "b c:3", same_variable=True, gradient_order=1)
    (first, _) = outcome_of(rd.dot, case, gradients=True).gradients
    x, y = case.tensors()
    x_bar, y_bar = rd.dot_vjp(x, y, case.cotangents()[0])
    assert (first.operand, first.value.tolist()) == ("x", (x_bar.data + y_bar.data).tolist())


@pytest.mark.parametrize("use_vjp", [False, True])
def test_a_constant_has_no_gradient_but_a_shared_variable_has(use_vjp):
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    if use_vjp:
        dot.vjp = rd.dot_vjp
    case = dot_case("a b", "b c", origin=("constant", "shared"), gradient_order=1)
    assert [each.operand for each in outcome_of(dot, case, True).gradients] == ["y"] * REPLICATES


@pytest.mark.parametrize(
    ("case", "gradients"),
    [
        (CASE, True),
        (DotCase(AB, BC, gradient_order=1), False),
        (DotCase(Operand(("a",), (2,), "int8"), Operand(("a",), (2,)), gradient_order=1), True),
        (DotCase(Operand(("a",), (2,), "complex64"), AB, gradient_order=1), True),
    ],
    ids=["gradient order 0", "not judged", "integer", "complex"],
)
def test_gradients_are_computed_only_for_cases_of_floats_that_request_them(case, gradients):
    assert outcome_of(rd.dot, case, gradients).gradients == ()


def test_an_error_in_a_gradient_does_not_discard_the_value():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    def vjp(*_):
        raise LookupError("no rule")

    dot.vjp = vjp
    outcome = outcome_of(dot, DotCase(AB, BC, gradient_order=1), gradients=True)
    assert outcome.gradient_raised == Raised("run", "LookupError", "no rule", False)
    assert len(outcome.values) == 1
    assert outcome.raised is None


# Unsupported cases


def test_xarray_is_a_target():
    target = find_target("xarray")
    assert isinstance(target, XarrayTarget)
    assert (target.name, target.stages, target.lowerings) == ("xarray", ("run",), ("stock",))
    assert target.version
    assert target.not_checked == {
        "nondeterminism": "the target builds no graph",
        "structure": "the target builds no graph",
        "resources": "the target builds no graph",
        "wrong-gradient": "the target has no gradient",
        "wrong-error": "xarray raises its own exception types",
    }
    assert target.run(CASE, "call", "stock").values[0] == rd.dot(*CASE.tensors())


def test_graphs_and_gradients_that_a_callable_does_not_have_are_not_checked():
    without = CallableTarget(rd.dot, "dot", not_checked={"side-effect": "intended"})
    assert [*without.not_checked] == [
        "nondeterminism",
        "structure",
        "resources",
        "wrong-gradient",
        "side-effect",
    ]
    assert "wrong-gradient" not in CallableTarget(rd.dot, "dot", gradients=True).not_checked


MANY = tuple(f"d{n}" for n in range(27))
R1 = "NamedTensor does not accept dims that break R1"
HASHABLE = "xarray accepts any hashable as a dim, and arrays and mappings as lists of dims"
LETTERS = "xarray replaces dims by letters, of which it has 26"
EINSUM = "np.einsum, which xarray calls, may multiply an empty sum by NaN or infinity"
REPEATED = "np.einsum, which xarray calls, may sum before it multiplies by a repeated number"
EMPTY = DotCase(Operand(("a",), (0,)), Operand((), ()), regime="special")
UNSUPPORTED = {
    "an ordinary case": (CASE, None, None),
    "a repeated dim": (DotCase(Operand(("a", "a"), (2, 2)), BC), R1, R1),
    "a dim that is not a str": (DotCase(Operand((3,), (2,)), BC), R1, R1),
    "27 dims": (DotCase(Operand(MANY, (1,) * 27), BC), None, LETTERS),
    "a number for dim": (DotCase(AB, BC, DimArgument("object", (5,))), None, HASHABLE),
    "a number in dim": (DotCase(AB, BC, DimArgument("tuple", (5,))), None, HASHABLE),
    "an empty sum with special values": (EMPTY, None, EINSUM),
    "a repeated number beside special values": (
        dot_case("a? b?", "b?", layout=("broadcast", "c"), regime="special"),
        None,
        REPEATED,
    ),
    "a repeated number": (dot_case("a? b?", "b?", layout=("broadcast", "c")), None, None),
}


@pytest.mark.parametrize(("case", "plain", "xarray"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_unsupported_cases_have_a_reason(case, plain, xarray):
    assert unsupported_reason(CallableTarget(rd.dot, "dot"), case) == plain
    assert unsupported_reason(XarrayTarget(), case) == xarray


def test_a_target_with_limits_of_its_own_does_not_support_repeated_dims_either():
    limit = Unsupported("never", lambda case: False)
    target = CallableTarget(rd.dot, "dot", unsupported=(limit,))
    assert unsupported_reason(target, dot_case("a a", "")) == R1
    assert target.unsupported[1:] == (limit,)


class TwoBackends(CallableTarget):
    """A target that counts how often it lists its backends."""

    listed = 0

    def backends(self):
        self.listed += 1
        return (Backend("a"), Backend("b", unsupported=(Unsupported("always", lambda _: True),)))


class Unhashable(TwoBackends):
    __hash__ = None


@pytest.mark.parametrize(("kind", "listed"), [(TwoBackends, 1), (Unhashable, 4)])
def test_backends_are_listed_once_for_a_hashable_target(kind, listed):
    target = kind(rd.dot, "two")
    reasons = [unsupported_reason(target, CASE, backend) for backend in ("a", "b") * 2]
    assert reasons == [None, "always"] * 2
    assert target.listed == listed


# A case and texts that would break a script or a page if they were not escaped.
HOSTILE = Mismatch(
    rule="R6",
    kind="wrong-value",
    stage="run",
    detail='<b>"""\\ coding: nosuch',
    expected="1\u2028import nosuch",
    got="\x00 \ud800",
    case=dot_case("coding:2? </script>:1", 'a"', dim=float("nan")),
)


def test_a_reproducer_that_quotes_hostile_texts_is_valid_code(module, capsys):
    module.wrong = lambda x, y, dim=None: rd.NamedTensor(1.5, ())
    target = find_target("made_up:wrong")
    script = target.reproducer(HOSTILE, "call", "stock").encode()
    with pytest.raises(SystemExit, match=r"^1$"):
        exec(compile(script, "reproducer.py", "exec"), {})
    assert capsys.readouterr().out.startswith("R2 accepted-invalid at run: ")


def test_a_mismatch_is_shown_in_a_notebook_with_its_texts_escaped():
    html = HOSTILE._repr_html_()
    assert "<b>R6 wrong-value at run: &lt;b&gt;&#34;&#34;&#34;\\ coding: nosuch</b>" in html
    assert "</script>" not in html
    assert "<svg" not in html  # the case has no lowering
    assert "<svg" in replace(HOSTILE, case=CASE)._repr_html_()
