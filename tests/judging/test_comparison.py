"""The comparison: a table of what went wrong, and the rule, kind and stage that it is told as."""

import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import refdot as rd
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.strategies import dot_cases
from refdot.judging.comparison import compare, judge_answer, mentions, show
from refdot.judging.expected import correct_gradient
from refdot.judging.fingerprints import fingerprint
from refdot.judging.references import dot_by_definition
from refdot.rules import ASPECTS, KINDS, STAGES
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Declared, Gradient, Outcome, Raised
from refdot.tensor import NamedTensor

PLAIN = CallableTarget(rd.dot, "dot")
STAGED = CallableTarget(rd.dot, "dot", gradients=True, stages=STAGES)


def case(x="a b", y="b c", x_shape=(2, 3), y_shape=(3, 4), **more) -> DotCase:
    """Give a case; dims are spelt with spaces between."""
    static = more.pop("static", ((False,) * len(x_shape), (False,) * len(y_shape)))
    dtypes = more.pop("dtypes", ("float64", "float64"))
    x, y = (
        Operand(tuple(dims.split()), shape, dtype, sizes_static)
        for dims, shape, dtype, sizes_static in zip(
            (x, y), (x_shape, y_shape), dtypes, static, strict=True
        )
    )
    return DotCase(x, y, **more)


def right(of: DotCase) -> Outcome:
    """Give the outcome of an implementation that keeps every rule."""
    try:
        value = rd.dot(*of.tensors(), of.dim.value)
    except rd.DotError as error:
        return Outcome(raised=Raised.at("build", error))
    return Outcome(values=(value,), gradients=gradients(of))


def gradients(of: DotCase) -> tuple[Gradient, ...]:
    """Give the right gradients of a case up to its order."""
    found = []
    for order in range(1, of.gradient_order + 1):
        x, y = of.tensors()
        cotangent, v, w = of.cotangents()
        beside = (x, y) if order == 1 else (v, w)
        x_bar = rd.dot_vjp(x, beside[1], cotangent, of.dim.names)[0].data
        y_bar = rd.dot_vjp(beside[0], y, cotangent, of.dim.names)[1].data
        bars = {"x": x_bar + y_bar} if of.same_variable else {"x": x_bar, "y": y_bar}
        found += [Gradient(order, operand, 0, bar) for operand, bar in bars.items()]
    return tuple(found)


def found(of: DotCase, outcome: Outcome, target=STAGED) -> list[str]:
    """Judge, and give the signatures."""
    return [mismatch.signature for mismatch in compare(of, outcome, target)]


def answer(change):
    """Give the outcome in which the right answer is changed."""
    return lambda of: Outcome(values=(change(rd.dot(*of.tensors(), of.dim.value)),))


def element(index, value):
    """Give the outcome in which one element of the right answer is another."""

    def changed(tensor):
        data = tensor.data.copy()
        data[index] = value(data[index]) if callable(value) else value
        return NamedTensor(data, tensor.dims)

    return answer(changed)


def raised(stage: str, error: BaseException):
    """Give the outcome in which an error is raised."""
    return lambda of: Outcome(raised=Raised.at(stage, error))


def declaring(dims=("a", "c"), dtype="float64", shape=(None, None)):
    """Give the right outcome, declared beforehand."""
    return lambda of: replace(right(of), declared=Declared(dims, dtype, shape))


def gradient(order: int, operand: str, change):
    """Give the outcome in which one gradient is changed."""

    def outcome(of):
        return replace(
            right(of),
            gradients=tuple(
                replace(g, value=change(g.value)) if (g.order, g.operand) == (order, operand) else g
                for g in right(of).gradients
            ),
        )

    return outcome


def anything(of: DotCase) -> Outcome:
    """Give an answer, right or not."""
    return Outcome(values=(NamedTensor(np.array([7.0]), "z"),))


def nothing(of: DotCase) -> Outcome:
    """Give an outcome without anything."""
    return Outcome()


MATRICES = case()
INTEGERS = case(dtypes=("int8", "int8"))
SMALL = case(dtypes=("float32", "float16"))
ROUNDING = case(regime="rounding")
COMPLEX = case(dtypes=("complex64", "complex64"))
SPECIAL = case(
    x="a", y="a", x_shape=(40,), y_shape=(40,), regime="special", dim=DimArgument("tuple")
)
DERIVED = case(gradient_order=2)
SQUARE = replace(case(x_shape=(2, 3), gradient_order=2), y=case().x, same_variable=True)
LONG = case(x=" ".join(f"d{i}" for i in range(27)), x_shape=(1,) * 27, y="d0", y_shape=(1,))
KNOWN = case(static=((True, True), (False, True)))
BATCH = case(x="n a", y="n b", x_shape=(2, 3), y_shape=(2, 4), dim=DimArgument("tuple"))

CONTRACTED = case(y_shape=(5, 4))
CONTRACTED_1 = case(y_shape=(1, 4))
CONTRACTED_KNOWN = replace(case(y_shape=(5, 4), static=((True, True), (True, True))))
ONE_KNOWN = case(y_shape=(5, 4), static=((True, True), (False, False)))
BATCH_DIFFERS = case(x="n a", y="n b", x_shape=(2, 3), y_shape=(5, 4), dim=DimArgument("tuple"))
EXCHANGED = case(x="a b", y="a b", x_shape=(2, 3), y_shape=(3, 2))
MISSING = case(dim=DimArgument("tuple", ("a", "zone")))
NUMBER = case(dim=DimArgument("object", (5,)))
TWICE = case(x="a a", y="a", x_shape=(2, 2), y_shape=(2,))

EMPTY_NAME = replace(TWICE, x=replace(TWICE.x, dims=("",), shape=(2,), static=(True,)))
BOTH_DIFFER = case(
    x="n b", y="n b", x_shape=(2, 3), y_shape=(5, 4), dim=DimArgument("str", ("b",)),
    static=((False, True), (False, True)),
)  # fmt: skip

SIZES = ValueError("Size of dim 'b' does not match: 3 in x, 5 in y")
ZONE = ValueError("Dimension zone not found in either input")

# Each: the case, the outcome, and the signatures of what is wrong with it.
PLANTED = {
    # R5, R6, R7, R9: the answer
    "dims in another order": (
        MATRICES,
        answer(lambda t: t.transpose("c", "a")),
        ["R5 wrong-dims at run: dims"],
    ),
    "another name": (MATRICES, answer(lambda t: t.rename(c="z")), ["R5 wrong-dims at run: dims"]),
    "a dim less": (MATRICES, answer(lambda t: t.isel(c=0)), ["R5 wrong-dims at run: dims"]),
    "a size less": (
        MATRICES,
        answer(lambda t: t.isel(c=slice(3))),
        ["R9 wrong-shape at run: shape"],
    ),
    "an upcast": (
        SMALL,
        answer(lambda t: NamedTensor(t.data.astype("float64"), t.dims)),
        ["R7 wrong-dtype at run: float32 and float16 gave float64"],
    ),
    "another dtype and another value": (
        MATRICES,
        answer(lambda t: NamedTensor((t.data + 1).astype("float32"), t.dims)),
        [
            "R7 wrong-dtype at run: float64 and float64 gave float32",
            "R6 wrong-value at run: float wrong by more than rounding",
        ],
    ),
    "text": (
        MATRICES,
        answer(lambda t: NamedTensor(t.data.astype("U5"), t.dims)),
        ["R7 wrong-dtype at run: float64 and float64 gave <U5"],
    ),
    "one integer": (
        INTEGERS,
        element((1, 2), lambda v: v + 1),
        ["R6 wrong-value at run: integer wrong"],
    ),
    "the last place of an exact answer": (
        MATRICES,
        element((1, 2), lambda v: np.nextafter(v, 0)),
        ["R6 wrong-value at run: float wrong by more than rounding"],
    ),
    "the last place of a rounded answer": (
        ROUNDING,
        element((1, 2), lambda v: np.nextafter(v, 0)),
        [],
    ),
    "many last places of a rounded answer": (
        ROUNDING,
        element((1, 2), lambda v: v * (1 + 1e-12)),
        ["R6 wrong-value at run: float wrong by more than rounding"],
    ),
    "the imaginary part": (
        COMPLEX,
        answer(lambda t: NamedTensor(t.data.conj(), t.dims)),
        ["R6 wrong-value at run: complex wrong by more than rounding"],
    ),
    "NaN in a place of its own": (
        MATRICES,
        element((0, 0), np.nan),
        ["R6 wrong-value at run: float wrong where not finite"],
    ),
    "a number where NaN should be": (
        SPECIAL,
        answer(lambda t: NamedTensor(np.where(np.isnan(t.data), 0, t.data), t.dims)),
        ["R6 wrong-value at run: float wrong where not finite"],
    ),
    "a bool": (
        case(dtypes=("bool", "bool")),
        element((1, 2), np.logical_not),
        ["R6 wrong-value at run: bool wrong"],
    ),
    "an unsigned integer": (
        case(dtypes=("uint8", "uint8")),
        element((1, 2), lambda v: v + 1),
        ["R6 wrong-value at run: integer wrong"],
    ),
    "an answer without dims": (
        case(x="a", y="a", x_shape=(3,), y_shape=(3,)),
        answer(lambda t: NamedTensor(t.data + 1, ())),
        ["R6 wrong-value at run: float wrong by more than rounding"],
    ),
    # R6, R11: no answer
    "a valid case refused": (
        MATRICES,
        raised("compile", RuntimeError("node 0x7f in 'graph' of <x> failed (3, 4)\nat length")),
        ["R6 rejected-valid at compile: RuntimeError: node … in … of … failed …"],
    ),
    "many dims refused": (
        LONG,
        raised("lower", ValueError("Too many dimensions")),
        ["R11 rejected-valid at lower: ValueError: Too many dimensions"],
    ),
    "26 dims refused": (
        case(x=" ".join(f"d{i}" for i in range(26)), x_shape=(1,) * 26, y="d0", y_shape=(1,)),
        raised("lower", ValueError("Too many dimensions")),
        ["R6 rejected-valid at lower: ValueError: Too many dimensions"],
    ),
    # R5, R7, R9: what is declared
    "the right declaration": (MATRICES, declaring(), []),
    "declared dims": (
        MATRICES,
        declaring(dims=("c", "a")),
        ["R5 wrong-dims at build: declared dims"],
    ),
    "declared dtype": (
        MATRICES,
        declaring(dtype="float32"),
        ["R7 wrong-dtype at build: declared dtype of float64 and float64"],
    ),
    "the declaration of float32 and float16": (SMALL, declaring(dtype="float32"), []),
    "the declaration of float16 and float32": (
        case(dtypes=("float16", "float32")),
        declaring(dtype="float32"),
        [],
    ),
    "a size that nobody knows declared": (
        MATRICES,
        declaring(shape=(2, None)),
        ["R9 wrong-shape at build: wrong static size of a free dim"],
    ),
    "known sizes declared": (KNOWN, declaring(shape=(2, 4)), []),
    "a size forgotten that x knows": (
        KNOWN,
        declaring(shape=(None, 4)),
        ["R9 wrong-shape at build: static size of a free dim forgotten (x has it)"],
    ),
    "a size forgotten that y knows": (
        KNOWN,
        declaring(shape=(2, None)),
        ["R9 wrong-shape at build: static size of a free dim forgotten (y has it)"],
    ),
    "a size contradicted": (
        KNOWN,
        declaring(shape=(2, 1)),
        ["R9 wrong-shape at build: wrong static size of a free dim"],
    ),
    "a batch size that y alone knows forgotten": (
        replace(BATCH, y=replace(BATCH.y, static=(True, True))),
        declaring(dims=("n", "a", "b"), shape=(None, None, 4)),
        ["R9 wrong-shape at build: static size of a batch dim forgotten (y has it)"],
    ),
    # R1 to R4: what should be refused
    "sizes that differ accepted": (
        CONTRACTED,
        anything,
        ["R4 accepted-invalid at run: contracted, sizes differ"],
    ),
    "1 against n accepted": (
        CONTRACTED_1,
        anything,
        ["R4 accepted-invalid at run: contracted, size 1 vs n"],
    ),
    "exchanged sizes accepted": (
        EXCHANGED,
        anything,
        ["R4 accepted-invalid at run: contracted, sizes differ but not their product"],
    ),
    "batch sizes accepted": (
        BATCH_DIFFERS,
        anything,
        ["R4 accepted-invalid at run: batch, sizes differ"],
    ),
    "known sizes accepted": (
        CONTRACTED_KNOWN,
        nothing,
        ["R4 accepted-invalid at build: contracted, sizes differ"],
    ),
    "a missing name accepted": (
        MISSING,
        anything,
        ["R3 accepted-invalid at build: unknown name"],
    ),
    "a dim twice accepted": (TWICE, anything, ["R1 accepted-invalid at build: repeated dim"]),
    "an empty dim accepted": (
        EMPTY_NAME,
        anything,
        ["R1 accepted-invalid at build: empty dim name"],
    ),
    "a dim that is a number accepted": (
        replace(EMPTY_NAME, x=replace(EMPTY_NAME.x, dims=(5,))),
        anything,
        ["R1 accepted-invalid at build: dim name that is not a str"],
    ),
    "a number as dim accepted": (
        NUMBER,
        anything,
        ["R2 accepted-invalid at build: dim is not iterable"],
    ),
    "an array as dim accepted": (
        case(dim=DimArgument("array", ("b",))),
        anything,
        ["R2 accepted-invalid at build: dim is an array"],
    ),
    "bytes as dim accepted": (
        case(dim=DimArgument("bytes", ("b",))),
        anything,
        ["R2 accepted-invalid at build: dim is bytes"],
    ),
    "a list with a number as dim accepted": (
        case(dim=DimArgument("list", ("b", 5))),
        anything,
        ["R2 accepted-invalid at build: dim has members that are not str"],
    ),
    "a graph of a missing name, which is not lowered": (
        MISSING,
        lambda of: Outcome(
            declared=Declared(("a",), "float64", (None,)), raised=Raised.at("lower", ZONE)
        ),
        ["R3 accepted-invalid at build: unknown name"],
    ),
    "a graph of sizes that nobody knows": (
        CONTRACTED,
        lambda of: Outcome(
            declared=Declared(("a", "c"), "float64", (None, None)), raised=Raised.at("run", SIZES)
        ),
        [],
    ),
    "known sizes accepted beside others that are not": (
        BOTH_DIFFER,
        nothing,
        ["R4 accepted-invalid at build: contracted, sizes differ"],
    ),
    "an error in time": (CONTRACTED, raised("run", SIZES), []),
    "an error sooner than one could ask": (CONTRACTED, raised("build", SIZES), []),
    "sizes known to both, refused at the first call": (
        CONTRACTED_KNOWN,
        raised("run", SIZES),
        ["R13 late-error at run: contracted, sizes differ"],
    ),
    "sizes known to one, refused at the first call": (ONE_KNOWN, raised("run", SIZES), []),
    "names refused when lowered": (
        MISSING,
        raised("lower", ZONE),
        ["R13 late-error at lower: unknown name"],
    ),
    "an error of another type": (
        MISSING,
        raised("build", KeyError("zone")),
        ["R13 wrong-error at build: unknown name: KeyError"],
    ),
    "an error that names no dim": (
        CONTRACTED,
        raised("run", ValueError("sizes differ: absurd")),
        ["R13 wrong-error at run: contracted, sizes differ: the message does not name the dim"],
    ),
    "a missing name that is not told": (
        MISSING,
        raised("build", ValueError("no ozone, zones or time-zones2 here")),
        ["R13 wrong-error at build: unknown name: the message does not name the dim"],
    ),
    # R8: gradients
    "right gradients": (DERIVED, right, []),
    "right gradients of one variable": (SQUARE, right, []),
    "a first gradient": (
        DERIVED,
        gradient(1, "x", lambda v: -v),
        ["R8 wrong-gradient at run: first order, of x: wrong by more than rounding"],
    ),
    "a second gradient": (
        DERIVED,
        gradient(2, "y", lambda v: v + 1e-9),
        ["R8 wrong-gradient at run: second order, of y: wrong by more than rounding"],
    ),
    "a gradient of one variable": (
        SQUARE,
        gradient(1, "x", lambda v: v / 2),
        ["R8 wrong-gradient at run: first order, of x, same variable: wrong by more than rounding"],
    ),
    "the shape of a gradient": (
        DERIVED,
        gradient(1, "y", np.transpose),
        ["R8 wrong-gradient at run: first order, of y: shape"],
    ),
    "the dtype of a gradient": (
        DERIVED,
        gradient(1, "y", lambda v: v.astype("float32")),
        ["R8 wrong-gradient at run: first order, of y: dtype"],
    ),
    "NaN in a gradient": (
        DERIVED,
        gradient(1, "y", lambda v: v * np.nan),
        ["R8 wrong-gradient at run: first order, of y: wrong where not finite"],
    ),
    "the dtype of a gradient beside a wider operand": (
        replace(SMALL, gradient_order=1),
        gradient(1, "y", lambda v: v.astype("float32")),
        [],
    ),
    "less precision in a gradient beside a narrower operand": (
        replace(SMALL, gradient_order=1),
        gradient(1, "x", lambda v: v.astype("float16")),
        ["R8 wrong-gradient at run: first order, of x: dtype"],
    ),
    "more precision in a gradient of operands alike": (
        replace(case(dtypes=("float32", "float32")), gradient_order=1),
        gradient(1, "x", lambda v: v.astype("float64")),
        ["R8 wrong-gradient at run: first order, of x: dtype"],
    ),
    "integers for a gradient beside a wider operand": (
        replace(SMALL, gradient_order=1),
        gradient(1, "y", lambda v: v.astype("int64")),
        ["R8 wrong-gradient at run: first order, of y: dtype"],
    ),
    "gradients of integers": (
        case(dtypes=("int8", "bool")),
        lambda of: replace(right(of), discrete_gradients=("x", "y")),
        [
            "R8 accepted-invalid at lower: the gradient of an integer operand",
            "R8 accepted-invalid at lower: the gradient of a bool operand",
        ],
    ),
    "no gradient": (
        DERIVED,
        lambda of: Outcome(
            values=right(of).values, gradient_raised=Raised.at("compile", TypeError("no"))
        ),
        ["R8 wrong-gradient at compile: TypeError: no"],
    ),
    # R10, R12, R14: conduct
    "a side effect": (
        MATRICES,
        lambda of: replace(right(of), side_effects=("x was written to",)),
        ["R12 side-effect at run: x was written to"],
    ),
    "something left over": (
        MATRICES,
        lambda of: replace(right(of), unlowered_nodes=("Einsum",)),
        ["R14 structure at lower: Einsum"],
    ),
    "rewrites that fail": (
        MATRICES,
        lambda of: replace(
            right(of),
            logged=tuple(
                Raised.at("compile", TypeError(said)) for said in ("no 1", "no 2", "never")
            ),
        ),
        [
            "R14 structure at compile: a rewrite fails: TypeError: no <n>",
            "R14 structure at compile: a rewrite fails: TypeError: never",
        ],
    ),
    "a variation": (
        MATRICES,
        lambda of: replace(right(of), nondeterminism=("the op: Dot{b} and Dot{c}",)),
        ["R10 nondeterminism at build: the op"],
    ),
    "conduct beside an error": (
        CONTRACTED,
        lambda of: replace(right(of), side_effects=("y was written to",)),
        ["R12 side-effect at run: y was written to"],
    ),
}


@pytest.mark.parametrize(("of", "outcome", "signatures"), PLANTED.values(), ids=PLANTED)
def test_an_outcome_is_told_by_rule_kind_and_stage(of, outcome, signatures):
    mismatches = compare(of, outcome(of), STAGED)
    assert [mismatch.signature for mismatch in mismatches] == signatures
    for mismatch in mismatches:
        assert mismatch.case == of
        assert mismatch.kind in KINDS
        assert mismatch.stage in STAGES
        assert "\n" not in mismatch.expected + mismatch.got


# What is expected and got, of those above that have one mismatch.
SAID = {
    "dims in another order": ("('a', 'c')", "('c', 'a')"),
    "a size less": ("(2, 4)", "(2, 3)"),
    "an upcast": ("float32", "float64"),
    "declared dims": ("('a', 'c')", "('c', 'a')"),
    "declared dtype": ("float64", "float32"),
    "a size forgotten that y knows": ("c: 4", "c: None"),
    "26 dims refused": ("25 dims", "ValueError at lower: Too many dimensions"),
    "names refused when lowered": (
        "ValueError at build: Dimension zone not found in either input; the dims are a, b, c",
        "ValueError at lower: Dimension zone not found in either input",
    ),
    "an error of another type": (None, "KeyError at build: 'zone'"),
    "an error that names no dim": (None, "ValueError at run: sizes differ: absurd"),
    "the shape of a gradient": ("(3, 4)", "(4, 3)"),
    "the dtype of a gradient": ("float64", "float32"),
    "no gradient": ("a gradient", "TypeError at compile: no"),
    "a side effect": ("unchanged inputs, and an output with its own memory", "x was written to"),
    "something left over": ("only tensor operations", "Einsum"),
    "a variation": ("no difference", "the op: Dot{b} and Dot{c}"),
}


@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=SAID)
def test_a_mismatch_says_what_is_expected_and_what_came(name, said):
    of, outcome, _ = PLANTED[name]
    (mismatch,) = compare(of, outcome(of), STAGED)
    assert (said[0] and mismatch.expected, mismatch.got) == said


def test_a_gradient_of_integers_says_which_operand_and_where_it_should_be_refused():
    of, outcome, _ = PLANTED["gradients of integers"]
    for mismatch, operand in zip(compare(of, outcome(of), STAGED), "xy", strict=True):
        assert mismatch == Mismatch(
            "R8",
            "accepted-invalid",
            "lower",
            mismatch.detail,
            f"an error: {operand} has no gradient",
            "a gradient",
            of,
            earliest_stage="lower",
            order=1,
            operand=operand,
        )


def test_a_rewrite_that_fails_is_told_with_its_error():
    of, outcome, _ = PLANTED["rewrites that fail"]
    assert [(m.expected, m.got, m.case) for m in compare(of, outcome(of), STAGED)] == [
        ("no failing rewrite", "TypeError at compile: no 1", of),
        ("no failing rewrite", "TypeError at compile: never", of),
    ]


def test_a_wrong_gradient_says_which_and_in_which_draw():
    of = replace(case(dtypes=("float32", "float32"), regime="rounding"), gradient_order=1)
    x, y = of.tensors(1)
    cotangent, _, _ = of.cotangents(1)
    _, y_bar = rd.dot_vjp(x, y, cotangent, of.dim.names)
    assert compare(of, Outcome(gradients=(Gradient(1, "y", 1, y_bar.data),)), STAGED) == ()
    zeros = Gradient(1, "y", 1, np.zeros_like(y_bar.data))
    (wrong,) = compare(of, Outcome(gradients=(zeros,)), STAGED)
    assert (wrong.order, wrong.operand, wrong.replicate) == (1, "y", 1)
    assert wrong.got == "0.0 at b=0, c=0"
    shown, place = wrong.expected.split(" at ")
    assert place == "b=0, c=0"
    assert len(shown) <= 13  # it is shown in the gradient's own precision
    assert float(shown) == pytest.approx(y_bar.data[0, 0], rel=1e-5)


def test_an_element_without_dims_is_shown_without_a_place():
    of, outcome, _ = PLANTED["an answer without dims"]
    (wrong,) = compare(of, outcome(of), STAGED)
    exact = rd.dot(*of.tensors()).data
    assert (wrong.expected, wrong.got) == (str(exact), str(exact + 1))


SHOWN = {
    "few numbers": (np.array([[1, 2], [3, 4]]), ("a", "b"), "int64(a: 2, b: 2) [[1, 2], [3, 4]]"),
    "60 characters": (np.array([10] * 15), ("a",), f"int64(a: 15) {[10] * 15}"),
    "61 characters": (np.array([10] * 14 + [100]), ("a",), f"int64(a: 15) [{'10, ' * 14}…"),
    "a shape of 59 characters": (np.array([7]), ("d" * 56,), f"int64({'d' * 56}: 1) [7]"),
    "a shape of 60 characters": (np.array([7]), ("d" * 57,), "1 dims"),
}


@pytest.mark.parametrize(("data", "dims", "shown"), SHOWN.values(), ids=SHOWN)
def test_a_small_tensor_is_shown_and_of_a_large_one_as_much_as_there_is_room_for(data, dims, shown):
    assert show(NamedTensor(data.astype("int64"), dims)) == shown


def test_every_kind_is_planted_above():
    planted = {line.split()[1] for _, _, signatures in PLANTED.values() for line in signatures}
    assert planted == set(KINDS)
    assert sorted(KINDS) == sorted(kind for kinds in ASPECTS.values() for kind in kinds)


@given(dot_cases())
@settings(max_examples=150, database=None, deadline=None, derandomize=True)
def test_what_keeps_every_rule_is_clean(of):
    if of.gradient_order and {np.dtype(o.dtype).kind for o in (of.x, of.y)} != {"f"}:
        of = replace(of, gradient_order=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            outcome = right(of)
        except ValueError:
            return  # dims that NamedTensor refuses: no answer to judge
        assert compare(of, outcome, STAGED) == ()


@given(dot_cases(valid=True))
@settings(max_examples=100, database=None, deadline=None, derandomize=True)
def test_the_definition_is_clean(of):
    x, y = of.tensors()
    with np.errstate(all="ignore"):
        value = dot_by_definition(x, y, of.dim.names)
    assert judge_answer(value, x, y, of) == []


@given(dot_cases(valid=True))
@settings(max_examples=100, database=None, deadline=None, derandomize=True)
def test_any_one_value_that_is_another_is_told(of):
    x, y = of.tensors()
    value = rd.dot(x, y, of.dim.names)
    if not value.data.size or not np.isfinite(value.data).all() or value.dtype.kind not in "bi":
        return
    data = value.data.ravel().copy()
    data[-1] = not data[-1]
    wrong = NamedTensor(data.reshape(value.shape), value.dims)
    assert [mismatch.kind for mismatch in judge_answer(wrong, x, y, of)] == ["wrong-value"]


def test_a_target_of_one_stage_is_asked_for_errors_at_that_stage():
    for of, error in ((CONTRACTED_KNOWN, SIZES), (MISSING, ZONE)):
        assert found(of, Outcome(raised=Raised.at("run", error)), PLAIN) == []
        assert found(of, Outcome(), PLAIN)[0].split(":")[0].endswith("accepted-invalid at run")


def test_kinds_that_a_target_is_not_judged_by_are_left_out():
    target = replace(PLAIN, not_checked={"wrong-error": "its errors are of other types"})
    outcome = Outcome(raised=Raised.at("run", KeyError("zone")))
    assert found(MISSING, outcome, PLAIN) != []
    assert found(MISSING, outcome, target) == []


def test_one_cause_is_told_once_for_all_draws():
    value = rd.dot(*MATRICES.tensors())
    other = NamedTensor(value.data + 1, value.dims)
    assert found(MATRICES, Outcome(values=(other, other))) == [
        "R6 wrong-value at run: float wrong by more than rounding"
    ]
    second = compare(MATRICES, Outcome(values=(value, value)), STAGED)
    assert [mismatch.replicate for mismatch in second] == [1]


def test_a_mismatch_shows_the_place_by_dims():
    (wrong,) = compare(MATRICES, element((1, 2), 0.5)(MATRICES), STAGED)
    exact = rd.dot(*MATRICES.tensors()).data[1, 2]
    assert (wrong.expected, wrong.got) == (f"{exact} at a=1, c=2", "0.5 at a=1, c=2")
    assert str(wrong) == (
        "R6 wrong-value at run: float wrong by more than rounding\n"
        "  dot(float64(a: 2?, b: 3?), float64(b: 3?, c: 4?), dim=None)\n"
        f"  expected {exact} at a=1, c=2\n"
        "  got      0.5 at a=1, c=2"
    )


def test_an_error_that_is_expected_is_shown_with_its_stage():
    (wrong,) = compare(CONTRACTED, anything(CONTRACTED), STAGED)
    assert wrong.expected == ("ValueError at run: Size of dim 'b' does not match: 3 in x, 5 in y")
    assert wrong.got == "no error, but float64(z: 1) [7.0]"
    assert wrong.earliest_stage == "run"
    (wrong,) = compare(NUMBER, Outcome(), STAGED)
    assert wrong.expected == (
        "TypeError at build: dim must be None, ..., a str or an iterable of str, got 5"
    )
    assert wrong.got == "no error"


MENTIONS = {
    "Size of dim 'b' differs": True,
    "b: 3, 4": True,
    "(b)": True,
    "ab and b2 and b_": False,
    "": False,
}


@pytest.mark.parametrize(("message", "mentioned"), MENTIONS.items())
def test_a_message_names_a_dim_as_a_word_of_its_own(message, mentioned):
    assert mentions("b", message) == mentioned


def test_a_signature_leaves_out_the_names_of_both_operands_and_the_longer_one_first():
    of = case(x="odd", y="odd-er", x_shape=(2,), y_shape=(3,))
    message = Raised("run", "ValueError", "odd, odd-er and odder", True)
    assert fingerprint(message, of) == "…, … and odder"


NORMALISED = {
    "shapes (2, 3) and [4] differ by 1.5": "shapes … and … differ by <n>",
    "float32 and uint8 and bool": "<dtype> and <dtype> and <dtype>",
    "name 'a' at 0x7f12ab\nand the rest": "name … at …",
    "\n  the first line that says something": "the first line that says something",
    "nested ((1, 2), [3]) {a: b} <x>": "nested … … …",
    "": "",
    "Dimension b not found beside time_k, but banana": "Dimension … not found beside …, but banana",
    "a name of the case, weird": "… name of the case, …",
    "long " * 100: ("long " * 100)[:120],
}


@pytest.mark.parametrize(("message", "left"), NORMALISED.items())
def test_a_signature_leaves_out_what_varies(message, left):
    of = replace(MATRICES, x=replace(MATRICES.x, dims=("weird", "b")))
    assert fingerprint(Raised("run", "ValueError", message, True), of) == left


def test_gradients_are_those_of_the_oracle():
    for of in (DERIVED, SQUARE):
        for gradient in gradients(of):
            correct = correct_gradient(of, gradient.order, gradient.operand)
            assert not correct.wrong(gradient.value).any()
            assert np.allclose(np.asarray(correct.reference, float), gradient.value)


def test_judging_does_not_need_hypothesis():
    blocked = "import sys; sys.modules['hypothesis'] = None; import refdot.judging.comparison"
    subprocess.run([sys.executable, "-c", blocked], check=True)
