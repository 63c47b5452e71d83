"""Outcomes of cases, right and wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import refdot as rd
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.rules import STAGES
from refdot.targets.callable import CallableTarget
from refdot.targets.outcome import Declared, Gradient, Outcome, Raised
from refdot.tensor import NamedTensor

PLAIN = CallableTarget(rd.dot, "dot")
STAGED = CallableTarget(rd.dot, "dot", gradients=True, stages=STAGES)


def case(x="a b", y="b c", x_shape=(2, 3), y_shape=(3, 4), **more) -> DotCase:
    """Return a case; `x` and `y` are names of dims, separated by spaces."""
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
    """Return the outcome of an implementation that keeps every rule."""
    try:
        value = rd.dot(*of.tensors(), of.dim.value)
    except rd.DotError as error:
        return Outcome(raised=Raised.at("build", error))
    return Outcome(values=(value,), gradients=gradients(of))


def gradients(of: DotCase) -> tuple[Gradient, ...]:
    """Return the right gradients of a case, up to its order."""
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


def answer(change):
    """Return an outcome whose answer is the right one, changed."""
    return lambda of: Outcome(values=(change(rd.dot(*of.tensors(), of.dim.value)),))


def element(index, value):
    """Return an outcome whose answer has one wrong element."""

    def changed(tensor):
        data = tensor.data.copy()
        data[index] = value(data[index]) if callable(value) else value
        return NamedTensor(data, tensor.dims)

    return answer(changed)


def raised(stage: str, error: BaseException):
    """Return an outcome that ended with an error."""
    return lambda of: Outcome(raised=Raised.at(stage, error))


def declaring(dims=("a", "c"), dtype="float64", shape=(None, None)):
    """Return the right outcome, with declared properties."""
    return lambda of: replace(right(of), declared=Declared(dims, dtype, shape))


def gradient(order: int, operand: str, change):
    """Return the right outcome, with one gradient changed."""

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
    """Return an outcome with some answer."""
    return Outcome(values=(NamedTensor(np.array([7.0]), "z"),))


def nothing(of: DotCase) -> Outcome:
    """Return an empty outcome."""
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
STATIC = case(static=((True, True), (False, True)))
BATCH = case(x="n a", y="n b", x_shape=(2, 3), y_shape=(2, 4), dim=DimArgument("tuple"))

CONTRACTED = case(y_shape=(5, 4))
CONTRACTED_1 = case(y_shape=(1, 4))
CONTRACTED_STATIC = replace(case(y_shape=(5, 4), static=((True, True), (True, True))))
ONE_STATIC = case(y_shape=(5, 4), static=((True, True), (False, False)))
BATCH_DIFFERS = case(x="n a", y="n b", x_shape=(2, 3), y_shape=(5, 4), dim=DimArgument("tuple"))
EXCHANGED = case(x="a b", y="a b", x_shape=(2, 3), y_shape=(3, 2))
MISSING = case(dim=DimArgument("tuple", ("a", "zone")))
NUMBER = case(dim=DimArgument("object", (5,)))
REPEATED = case(x="a a", y="a", x_shape=(2, 2), y_shape=(2,))

EMPTY_NAME = replace(REPEATED, x=replace(REPEATED.x, dims=("",), shape=(2,), static=(True,)))
BOTH_DIFFER = case(
    x="n b", y="n b", x_shape=(2, 3), y_shape=(5, 4), dim=DimArgument("str", ("b",)),
    static=((False, True), (False, True)),
)  # fmt: skip

SIZES = ValueError("Size of dim 'b' does not match: 3 in x, 5 in y")
ZONE = ValueError("Dimension zone not found in either input")
