"""A table of outcomes, right and wrong, with the signatures of their mismatches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from outcomes import (
    BATCH,
    BATCH_DIFFERS,
    BOTH_DIFFER,
    COMPLEX,
    CONTRACTED,
    CONTRACTED_1,
    CONTRACTED_STATIC,
    DERIVED,
    EMPTY_NAME,
    EXCHANGED,
    INTEGERS,
    LONG,
    MATRICES,
    MISSING,
    NUMBER,
    ONE_STATIC,
    REPEATED,
    ROUNDING,
    SIZES,
    SMALL,
    SPECIAL,
    SQUARE,
    STATIC,
    ZONE,
    answer,
    anything,
    case,
    declaring,
    element,
    gradient,
    nothing,
    raised,
    right,
)

from refdot.cases.case import DimArgument
from refdot.targets.outcome import Declared, Growth, Outcome, Raised
from refdot.tensor import NamedTensor

# For each: the case, the outcome, and the signatures of its mismatches.
OUTCOMES = {
    # R5, R6, R7, R9: the answer
    "dims in the wrong order": (
        MATRICES,
        answer(lambda t: t.transpose("c", "a")),
        ["R5 wrong-dims at run: dims"],
    ),
    "wrong dim name": (
        MATRICES,
        answer(lambda t: t.rename(c="z")),
        ["R5 wrong-dims at run: dims"],
    ),
    "a missing dim": (MATRICES, answer(lambda t: t.isel(c=0)), ["R5 wrong-dims at run: dims"]),
    "a size that is too small": (
        MATRICES,
        answer(lambda t: t.isel(c=slice(3))),
        ["R9 wrong-shape at run: shape"],
    ),
    "an upcast": (
        SMALL,
        answer(lambda t: NamedTensor(t.data.astype("float64"), t.dims)),
        ["R7 wrong-dtype at run: float gave wider float"],
    ),
    "wrong dtype and wrong value": (
        MATRICES,
        answer(lambda t: NamedTensor((t.data + 1).astype("float32"), t.dims)),
        [
            "R7 wrong-dtype at run: float gave narrower float",
            "R6 wrong-value at run: float wrong by more than rounding",
        ],
    ),
    "text": (
        MATRICES,
        answer(lambda t: NamedTensor(t.data.astype("U5"), t.dims)),
        ["R7 wrong-dtype at run: float gave <U5"],
    ),
    "one wrong integer": (
        INTEGERS,
        element((1, 2), lambda v: v + 1),
        ["R6 wrong-value at run: integer wrong"],
    ),
    "last digit of an exact answer": (
        MATRICES,
        element((1, 2), lambda v: np.nextafter(v, 0)),
        ["R6 wrong-value at run: float wrong by more than rounding"],
    ),
    "last digit of a rounded answer": (
        ROUNDING,
        element((1, 2), lambda v: np.nextafter(v, 0)),
        [],
    ),
    "many last digits of a rounded answer": (
        ROUNDING,
        element((1, 2), lambda v: v * (1 + 1e-12)),
        ["R6 wrong-value at run: float wrong by more than rounding"],
    ),
    "sign of the imaginary part": (
        COMPLEX,
        answer(lambda t: NamedTensor(t.data.conj(), t.dims)),
        ["R6 wrong-value at run: complex wrong by more than rounding"],
    ),
    "NaN instead of a number": (
        MATRICES,
        element((0, 0), np.nan),
        ["R6 wrong-value at run: float wrong where not finite"],
    ),
    "a number instead of NaN": (
        SPECIAL,
        answer(lambda t: NamedTensor(np.where(np.isnan(t.data), 0, t.data), t.dims)),
        ["R6 wrong-value at run: float wrong where not finite"],
    ),
    "one wrong bool": (
        case(dtypes=("bool", "bool")),
        element((1, 2), np.logical_not),
        ["R6 wrong-value at run: bool wrong"],
    ),
    "one wrong unsigned integer": (
        case(dtypes=("uint8", "uint8")),
        element((1, 2), lambda v: v + 1),
        ["R6 wrong-value at run: integer wrong"],
    ),
    "wrong answer without dims": (
        case(x="a", y="a", x_shape=(3,), y_shape=(3,)),
        answer(lambda t: NamedTensor(t.data + 1, ())),
        ["R6 wrong-value at run: float wrong by more than rounding"],
    ),
    # R6, R11: no answer
    "a valid case rejected": (
        MATRICES,
        raised("compile", RuntimeError("node 0x7f in 'graph' of <x> failed (3, 4)\nat length")),
        ["R6 rejected-valid at compile: RuntimeError: node … in … of … failed …"],
    ),
    "27 dims rejected": (
        LONG,
        raised("lower", ValueError("Too many dimensions")),
        ["R11 rejected-valid at lower: ValueError: Too many dimensions"],
    ),
    "27 dims rejected because a rewrite fails": (
        LONG,
        lambda of: Outcome(
            raised=Raised.at("run", NotImplementedError("must be lowered")),
            logged=(Raised.at("lower", ValueError("Too many dimensions")),),
        ),
        ["R11 rejected-valid at lower: ValueError: Too many dimensions"],
    ),
    "a valid case rejected beside a rewrite that fails": (
        MATRICES,
        lambda of: Outcome(
            raised=Raised.at("run", ValueError("no")),
            logged=(Raised.at("compile", ValueError("never")),),
        ),
        [
            "R6 rejected-valid at run: ValueError: no",
            "R14 structure at compile: a rewrite fails: ValueError: never",
        ],
    ),
    "26 dims rejected": (
        case(x=" ".join(f"d{i}" for i in range(26)), x_shape=(1,) * 26, y="d0", y_shape=(1,)),
        raised("lower", ValueError("Too many dimensions")),
        ["R6 rejected-valid at lower: ValueError: Too many dimensions"],
    ),
    # R5, R7, R9: the declaration
    "right declaration": (MATRICES, declaring(), []),
    "wrong declared dims": (
        MATRICES,
        declaring(dims=("c", "a")),
        ["R5 wrong-dims at build: declared dims"],
    ),
    "wrong declared dtype": (
        MATRICES,
        declaring(dtype="float32"),
        ["R7 wrong-dtype at build: declared dtype of float64 and float64"],
    ),
    "right declaration for float32 and float16": (SMALL, declaring(dtype="float32"), []),
    "right declaration for float16 and float32": (
        case(dtypes=("float16", "float32")),
        declaring(dtype="float32"),
        [],
    ),
    "declared size that is not static": (
        MATRICES,
        declaring(shape=(2, None)),
        ["R9 wrong-shape at build: wrong static size of a free dim"],
    ),
    "static sizes declared": (STATIC, declaring(shape=(2, 4)), []),
    "static size of x forgotten": (
        STATIC,
        declaring(shape=(None, 4)),
        ["R9 wrong-shape at build: static size of a free dim forgotten (x has it)"],
    ),
    "static size of y forgotten": (
        STATIC,
        declaring(shape=(2, None)),
        ["R9 wrong-shape at build: static size of a free dim forgotten (y has it)"],
    ),
    "wrong declared size": (
        STATIC,
        declaring(shape=(2, 1)),
        ["R9 wrong-shape at build: wrong static size of a free dim"],
    ),
    "static batch size of y forgotten": (
        replace(BATCH, y=replace(BATCH.y, static=(True, True))),
        declaring(dims=("n", "a", "b"), shape=(None, None, 4)),
        ["R9 wrong-shape at build: static size of a batch dim forgotten (y has it)"],
    ),
    # R1 to R4, R13: invalid input
    "different sizes accepted": (
        CONTRACTED,
        anything,
        ["R4 accepted-invalid at run: contracted, sizes differ"],
    ),
    "size 1 vs n accepted": (
        CONTRACTED_1,
        anything,
        ["R4 accepted-invalid at run: contracted, size 1 vs n"],
    ),
    "exchanged sizes accepted": (
        EXCHANGED,
        anything,
        ["R4 accepted-invalid at run: contracted, sizes differ but not their product"],
    ),
    "different batch sizes accepted": (
        BATCH_DIFFERS,
        anything,
        ["R4 accepted-invalid at run: batch, sizes differ"],
    ),
    "different static sizes accepted": (
        CONTRACTED_STATIC,
        nothing,
        ["R4 accepted-invalid at build: contracted, sizes differ"],
    ),
    "unknown name accepted": (
        MISSING,
        anything,
        ["R3 accepted-invalid at build: unknown name"],
    ),
    "repeated dim accepted": (REPEATED, anything, ["R1 accepted-invalid at build: repeated dim"]),
    "empty dim name accepted": (
        EMPTY_NAME,
        anything,
        ["R1 accepted-invalid at build: empty dim name"],
    ),
    "dim name that is a number accepted": (
        replace(EMPTY_NAME, x=replace(EMPTY_NAME.x, dims=(5,))),
        anything,
        ["R1 accepted-invalid at build: dim name that is not a str"],
    ),
    "dim=5 accepted": (
        NUMBER,
        anything,
        ["R2 accepted-invalid at build: dim is not iterable"],
    ),
    "array as dim accepted": (
        case(dim=DimArgument("array", ("b",))),
        anything,
        ["R2 accepted-invalid at build: dim is an array"],
    ),
    "bytes as dim accepted": (
        case(dim=DimArgument("bytes", ("b",))),
        anything,
        ["R2 accepted-invalid at build: dim is bytes"],
    ),
    "list with a number as dim accepted": (
        case(dim=DimArgument("list", ("b", 5))),
        anything,
        ["R2 accepted-invalid at build: dim has members that are not str"],
    ),
    "graph with an unknown name, rejected when lowered": (
        MISSING,
        lambda of: Outcome(
            declared=Declared(("a",), "float64", (None,)), raised=Raised.at("lower", ZONE)
        ),
        ["R3 accepted-invalid at build: unknown name"],
    ),
    "graph with unknown sizes, rejected at run": (
        CONTRACTED,
        lambda of: Outcome(
            declared=Declared(("a", "c"), "float64", (None, None)), raised=Raised.at("run", SIZES)
        ),
        [],
    ),
    "different static sizes accepted, beside dynamic ones": (
        BOTH_DIFFER,
        nothing,
        ["R4 accepted-invalid at build: contracted, sizes differ"],
    ),
    "error in time": (CONTRACTED, raised("run", SIZES), []),
    "error earlier than required": (CONTRACTED, raised("build", SIZES), []),
    "sizes static in both, rejected at run": (
        CONTRACTED_STATIC,
        raised("run", SIZES),
        ["R13 late-error at run: contracted, sizes differ"],
    ),
    "sizes static in one, rejected at run": (ONE_STATIC, raised("run", SIZES), []),
    "unknown name rejected when lowered": (
        MISSING,
        raised("lower", ZONE),
        ["R13 late-error at lower: unknown name"],
    ),
    "error of a wrong type": (
        MISSING,
        raised("build", KeyError("zone")),
        ["R13 wrong-error at build: unknown name: KeyError"],
    ),
    "error that names no dim": (
        CONTRACTED,
        raised("run", ValueError("sizes differ: absurd")),
        ["R13 wrong-error at run: contracted, sizes differ: the message does not name the dim"],
    ),
    "late because a rewrite fails": (
        CONTRACTED_STATIC,
        lambda of: Outcome(
            raised=Raised.at("run", NotImplementedError("must be lowered")),
            logged=(Raised.at("lower", SIZES),),
        ),
        ["R13 late-error at run: contracted, sizes differ"],
    ),
    "unknown name not in the message": (
        MISSING,
        raised("build", ValueError("no ozone, zones or time-zones2 here")),
        ["R13 wrong-error at build: unknown name: the message does not name the dim"],
    ),
    # R8: gradients
    "right gradients": (DERIVED, right, []),
    "right gradients of the same variable": (SQUARE, right, []),
    "wrong first gradient": (
        DERIVED,
        gradient(1, "x", lambda v: -v),
        ["R8 wrong-gradient at run: first order, of x: wrong by more than rounding"],
    ),
    "wrong second gradient": (
        DERIVED,
        gradient(2, "y", lambda v: v + 1e-9),
        ["R8 wrong-gradient at run: second order, of y: wrong by more than rounding"],
    ),
    "wrong gradient of the same variable": (
        SQUARE,
        gradient(1, "x", lambda v: v / 2),
        ["R8 wrong-gradient at run: first order, of x, same variable: wrong by more than rounding"],
    ),
    "wrong shape of a gradient": (
        DERIVED,
        gradient(1, "y", np.transpose),
        ["R8 wrong-gradient at run: first order, of y: shape"],
    ),
    "wrong dtype of a gradient": (
        DERIVED,
        gradient(1, "y", lambda v: v.astype("float32")),
        ["R8 wrong-gradient at run: first order, of y: dtype"],
    ),
    "NaN in a gradient": (
        DERIVED,
        gradient(1, "y", lambda v: v * np.nan),
        ["R8 wrong-gradient at run: first order, of y: wrong where not finite"],
    ),
    "dtype of the wider operand for a gradient": (
        replace(SMALL, gradient_order=1),
        gradient(1, "y", lambda v: v.astype("float32")),
        [],
    ),
    "dtype of the narrower operand for a gradient": (
        replace(SMALL, gradient_order=1),
        gradient(1, "x", lambda v: v.astype("float16")),
        ["R8 wrong-gradient at run: first order, of x: dtype"],
    ),
    "more precision than both operands in a gradient": (
        replace(case(dtypes=("float32", "float32")), gradient_order=1),
        gradient(1, "x", lambda v: v.astype("float64")),
        ["R8 wrong-gradient at run: first order, of x: dtype"],
    ),
    "integer dtype for a gradient": (
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
    # R10, R12, R14, R15: conduct
    "side effect": (
        MATRICES,
        lambda of: replace(right(of), side_effects=("x was written to",)),
        ["R12 side-effect at run: x was written to"],
    ),
    "unlowered node": (
        MATRICES,
        lambda of: replace(right(of), unlowered_nodes=("Einsum",)),
        ["R14 structure at lower: Einsum"],
    ),
    "inner graph in a compiled function": (
        MATRICES,
        lambda of: replace(right(of), compiled_nodes=("Einsum",)),
        ["R14 structure at compile: Einsum"],
    ),
    "the same node in the lowered graph and in a compiled function": (
        MATRICES,
        lambda of: replace(
            right(of), unlowered_nodes=("an xtensor",), compiled_nodes=("an xtensor",)
        ),
        ["R14 structure at lower: an xtensor"],
    ),
    "memory that grows with a size": (
        STATIC,
        lambda of: replace(
            right(of), growth=(Growth("lower", "memory grows", "1 MB", "2 MB", MATRICES),)
        ),
        ["R15 resources at lower: memory grows"],
    ),
    "failing rewrites": (
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
    "nondeterminism": (
        MATRICES,
        lambda of: replace(right(of), nondeterminism=("the op: Dot{b} and Dot{c}",)),
        ["R10 nondeterminism at build: the op"],
    ),
    "side effect of an invalid case": (
        CONTRACTED,
        lambda of: replace(right(of), side_effects=("y was written to",)),
        ["R12 side-effect at run: y was written to"],
    ),
}
