"""A few telling test cases of programs, which every run judges first.

Together, they have what drawn programs have seldom: a value that is used three times, two dots of
the same operands over different dims, a dot of what a softmax, an exp or a sum gives, a constant
operand, several names of one variable, scores that overflow exp, sums and multiples of dots, sums
of quotients, factors that cancel, and each way to build a graph.
"""

from dataclasses import replace
from functools import cache

from refdot.programs.case import BUILDS, ProgramCase
from refdot.programs.named import named_program
from refdot.programs.notation import program
from refdot.programs.program import Program

__all__ = ["program_of_functions", "program_of_products", "smoke_programs"]

# Each: the text of a program, its regime, and the order of its gradients.
_SHORT = (
    ("x: float64(a: 2?, b: 3?); y = dot(x, x, dim='a'); z = dot(y, x); return z", "unit", 2),
    (
        "x: float64(a: 3?, b: 3?); y: float64(b: 3?, c: 3?); z: float64(c: 3?, d: 3?); "
        "v = dot(x, y); w = dot(v, z); return w",
        "unit",
        1,
    ),
    (
        "x: float64(a: 3?, b: 3?); y: float64(a: 3?, b: 3?); v = dot(x, y, dim='a'); "
        "w = dot(x, y, dim='b'); return v, w",
        "exact",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 2); v = exp(x); w = dot(v, y); "
        "u = softmax(w, dim='c'); return u",
        "unit",
        1,
    ),
    (
        "x: float64(a: 3?, b: 3?); w: float64 constant(b: 3, c: 3); v = negative(x); "
        "u = dot(v, w); t = add(u, v); s = sum(t, dim='b'); return s, u",
        "exact",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, a: 2?); v = add(x, y); "
        "w = rename(v, a='c'); u = dot(v, w, dim='b'); t = multiply(u, u); return t",
        "unit",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?, c: 2?); y: float64(c: 2?); v = dot(x, y); "
        "w = transpose(v, 'b', 'a'); u = isel(w, b=1); t = divide(v, u); return t, w",
        "unit",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?); v = multiply(x, y); w = sum(v, dim='a'); "
        "z = dot(w, y); return z",
        "unit",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?); v = dot(x, y); "
        "w = divide(z, v); u = sum(w, dim='c'); t = multiply(v, z); s = sum(t, dim='c'); "
        "return u, s",
        "unit",
        1,
    ),
    (
        "x: float64(a: 3?); y: float64(a: 3?); z: float64(a: 3?); w: float64(a: 3?); "
        "v = multiply(x, x); u = multiply(v, y); t = multiply(x, z); s = multiply(t, w); "
        "r = divide(u, s); q = dot(r, y); return q",
        "exact",
        1,
    ),
    ("x: float32(a: 5?, b: 5?); y = dot(x, x, dim=()); z = sum(y); return z", "rounding", 1),
    ("x: float64(a: 3?, b: 2?); y = scale(x, 10); z = softmax(y, dim='a'); return z", "large", 1),
)
# Each is built in every way but the plain one. Tangents are not pushed through each operation of a
# dot with batch dims. A constant has no tangent.
_BUILT = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, d: 5?); "
    "k: float64 constant(d: 5, e: 2); v = dot(x, y); w = exp(v); u = dot(w, z); t = dot(u, k); "
    "s = dot(k, t, dim='e'); return s, v",
    "x: float64(a: 2?, b: 3?, c: 4?); y: float64(c: 4?, a: 2?); v = dot(x, y, dim='c'); "
    "w = rename(v, b='d'); u = dot(v, w, dim='a'); t = softmax(u, dim='d'); "
    "s = sum(v, dim='a'); r = add(t, s); return r",
)
# Sums and multiples of dots, which PyTensor gives to a BLAS as a whole: gemm with a factor for each
# term, gemm for a difference, gemm with two factors for one term, gemv, ger, and a product of
# matrices with a scalar.
_PRODUCTS = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, c: 4?); "
    "p: float64(b: 3?); q: float64(c: 4?); r: float64(a: 2?); s: float64(); "
    "xy = dot(x, y); half = scale(xy, 0.5); more = scale(z, -2.0); gemm = add(more, half); "
    "zy = dot(z, y, dim='c'); less = negative(zy); difference = add(x, less); "
    "xz = dot(x, z, dim='a'); sxz = multiply(xz, s); third = scale(sxz, 0.3); "
    "two_factors = add(y, third); "
    "xp = dot(x, p); three = scale(xp, 3.0); gemv = add(r, three); "
    "rq = dot(r, q, dim=()); srq = multiply(rq, s); ger = add(z, srq); "
    "zx = dot(z, x, dim='a'); szx = multiply(zx, s); scaled = multiply(szx, y); "
    "return gemm, difference, two_factors, gemv, ger, scaled"
)
# A softmax between dots, and functions of elements.
_FUNCTIONS = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); xy = dot(x, y); powers = exp(xy); "
    "weights = softmax(xy, dim='c'); average = dot(weights, y, dim='c'); "
    "half = scale(powers, 0.5); root = power(half, 0.5); quotient = divide(xy, root); "
    "less = negative(quotient); total = add(less, weights); all = sum(total, dim='a'); "
    "return average, total, all"
)
_NAMED = (
    *("chain:layers=2", "gram", "quadratic-form", "normal", "mlp:layers=1"),
    "attention:layers=1",
)


@cache
def smoke_programs() -> tuple[ProgramCase, ...]:
    """Return these cases, the shortest first.

    Examples
    --------
    >>> print(smoke_programs()[0])
    x: float64(a: 2?, b: 3?)
    y = dot(x, x, dim='a')
    z = dot(y, x)
    return z  [second gradient]
    """
    short = (ProgramCase(_program(text), regime, 0, order) for text, regime, order in _SHORT)
    # Where gradients share a part of a product, PyTensor does not give all of it to the BLAS.
    products = (replace(program_of_products(), gradient_order=order) for order in (0, 1))
    built = (
        ProgramCase(_program(text), gradient_order=1, built=way)
        for way in BUILDS
        for text in _BUILT
        if way != "plain"
    )
    named = (ProgramCase(named_program(name), gradient_order=1) for name in _NAMED)
    return (*short, *products, program_of_functions(), *built, *named)


def program_of_products() -> ProgramCase:
    """Return the program whose products and sums PyTensor gives to a BLAS.

    Backends that compile slowly judge it as well: each has a function of its own for them.

    Examples
    --------
    >>> program_of_products().program.outputs
    ('gemm', 'difference', 'two_factors', 'gemv', 'ger', 'scaled')
    """
    return ProgramCase(_program(_PRODUCTS))


def program_of_functions() -> ProgramCase:
    """Return the program with a softmax and functions of elements, with its gradient.

    Backends that compile slowly judge it as well.

    Examples
    --------
    >>> program_of_functions().program.outputs
    ('average', 'total', 'all')
    """
    return ProgramCase(_program(_FUNCTIONS), "unit", gradient_order=1)


def _program(text: str) -> Program:
    return program(text.replace("; ", "\n"))
