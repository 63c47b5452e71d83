"""The test cases of programs that every run judges first.

Together, they have what drawn programs rarely have: a value that is used three times, two dots of
the same operands over different dims, a dot of what a softmax, an exp or a sum gives, a constant
operand, several names of one variable, scores that overflow exp, sums and multiples of dots, sums
of quotients, factors that cancel, indices that meet, sizes that break R4, and each way to build a
graph.
"""

from dataclasses import replace
from functools import cache

from refdot.programs.case import BUILDS, ProgramCase
from refdot.programs.named import named_program
from refdot.programs.notation import program
from refdot.programs.program import Program

__all__ = ["program_of_products", "programs_of_every_backend", "smoke_programs"]

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
    # An index of a result becomes one of its operands.
    (
        "x: float64(h: 2?, s: 3?, t: 4?); y: float64(h: 2?, s: 3?, d: 2?); "
        "z: float64(h: 2?, t: 4?); k: float64(h: 2?, s: 3?); "
        "p = softmax(x, dim='s'); last = isel(p, t=-1); average = dot(last, y, dim='s'); "
        "v = multiply(x, z); w = sum(v, dim='s'); "
        "u = isel(w, t=0); t = transpose(x, 't', 'h', 's'); r = isel(t, t=1); q = isel(v, h=0); "
        "e = multiply(x, k); f = isel(e, h=1); g = exp(x); o = softmax(g, dim='s'); "
        "n = isel(o, h=1); j = power(x, 2); m = sum(j, dim='s'); l = isel(m, h=0); "
        "return average, u, r, q, f, n, l",
        "unit",
        1,
    ),
    # Two indices of one element: the first is the last, and the last has two numbers.
    (
        "x: float64(t: 1?, d: 2?); y: float64(t: 3, d: 2?); w: float64(d: 2?); "
        "u = isel(x, t=0); v = isel(x, t=-1); p = dot(u, w); q = dot(v, w); e = exp(q); "
        "r = multiply(p, e); k = isel(y, t=2); l = isel(y, t=-1); m = dot(k, w); n = dot(l, w); "
        "f = exp(n); o = multiply(m, f); return r, o",
        "unit",
        1,
    ),
    # Two quotients that are nearly a softmax, and a product of which two factors are powers.
    (
        "x: float64(a: 3?, b: 3?); k: float64(a: 3?, b: 3?); y = exp(x); "
        "z = sum(y, dim='b'); w = rename(z, a='b'); v = divide(y, w); u = exp(k); "
        "t = multiply(y, u); s = multiply(t, x); r = sum(u, dim='b'); q = divide(y, r); "
        "return v, s, q",
        "unit",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); v = dot(x, y); "
        "w = transpose(v, 'c', 'a'); u = exp(v); t = power(u, -3); s = power(u, 2.5); "
        "r = multiply(t, s); return v, w, t, r",
        "unit",
        1,
    ),
    # Ridge regression. Of sums and products with diagonal matrices, some are diagonal.
    (
        "x: float64(a: 4?, b: 3?); y: float64(c: 3?, d: 2?); "
        "k: float64 constant diagonal(b: 3, c: 3); m: float64 constant diagonal(c: 3, e: 3); "
        "w = rename(x, b='c'); v = dot(x, w, dim='a'); u = add(v, k); t = dot(u, y); "
        "s = multiply(v, k); r = dot(s, y); q = dot(s, m); return t, r, q",
        "unit",
        1,
    ),
    # Layer normalization, and 1 minus a softmax.
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); one: float64 constant ones(); "
        "v = dot(x, y); s = sum(v, dim='c'); m = scale(s, 0.25); d = subtract(v, m); "
        "q = multiply(d, d); w = sum(q, dim='c'); n = power(w, -0.5); u = multiply(d, n); "
        "p = softmax(v, dim='c'); r = subtract(one, p); return u, r",
        "unit",
        1,
    ),
    (
        "x: float64(a: 5, b: 3); y: float64(b: 3, c: 7); z: float64(a: 5); w: float64(c: 7, d: 2); "
        "g: float64(b: 3, c: 7); v = dot(x, y); u = multiply(z, v); t = dot(u, w); h = dot(x, g); "
        "s = multiply(v, h); e = isel(w, d=-1); return t, s, e",
        "unit",
        0,
    ),
    # The sum of a layer with a bias, whose gradients are sums of one number. A softmax over some of
    # the dims.
    (
        "x: float64(a: 2?, t: 3?, b: 4?); y: float64(b: 4?, c: 5?); w: float64(c: 5?); "
        "v = dot(x, y); u = add(v, w); s = sum(u); return s",
        "exact",
        1,
    ),
    (
        "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?, d: 2?); v = dot(x, y); "
        "p = softmax(v, dim=('c', 'd')); q = softmax(v, dim=('d', 'a')); return p, q",
        "unit",
        1,
    ),
    ("x: float32(a: 5?, b: 5?); y = dot(x, x, dim=()); z = sum(y); return z", "rounding", 1),
    ("x: float64(a: 3?, b: 2?); y = scale(x, 200); z = softmax(y, dim='a'); return z", "large", 1),
    ("x: float32(a: 3?, b: 2?); y = scale(x, 200); z = softmax(y, dim='a'); return z", "large", 1),
    # Static sizes of 1 in every operation.
    (
        "x: float64(a: 1, b: 3?); y: float64(b: 3?, c: 1); z: float64(a: 1?, d: 2?); "
        "w: float64(d: 2?, c: 1); v = dot(x, y); u = dot(z, w); t = add(v, u); "
        "s = multiply(t, x); r = softmax(s, dim='a'); q = sum(s, dim=('a', 'b')); "
        "p = isel(s, a=-1); o = dot(p, y); n = transpose(s, 'c', 'b', 'a'); m = sum(n, dim='c'); "
        "return r, q, o, m",
        "unit",
        1,
    ),
    # A sum and a difference of values without a common dim, sums of sums, and two indices at once.
    (
        "x: float64(a: 2?); y: float64(b: 3?); z: float64(b: 3?, c: 4?); v = add(x, y); "
        "w = dot(v, z, dim=()); u = sum(w, dim='b'); t = sum(u, dim='a'); s = subtract(y, x); "
        "r = dot(s, z, dim='b'); q = isel(w, c=-1, a=1); p = multiply(q, y); o = divide(t, r); "
        "return o, p",
        "unit",
        1,
    ),
    # Integers beside float32, and layers of float32.
    (
        "x: int64(a: 2?, b: 3?); y: int64(b: 3?, c: 4?); z: float32(c: 4?); k: int64(a: 2?); "
        "v = dot(x, y); w = dot(v, z); s = sum(v, dim='a'); t = add(s, z); u = multiply(v, k); "
        "r = subtract(k, u); q = sum(r); n = negative(k); return w, t, q, n",
        "exact",
        1,
    ),
    (
        "x: float32(a: 2?, b: 3?); y: float32(b: 3?, c: 4?); z: float32(c: 4?); v = dot(x, y); "
        "w = add(v, z); u = softmax(w, dim='c'); s = scale(u, 0.5); t = dot(s, y, dim='c'); "
        "r = exp(t); q = sum(r, dim='a'); p = power(q, -0.5); return p, u",
        "unit",
        1,
    ),
)
# Each is built in every way but the plain one. Tangents are not pushed through each operation of a
# dot with batch dims. A constant has no tangent. A matrix times itself is a product of one
# variable; its sizes are static and equal, so that they do not tell a transposed array. Two
# constants have the same numbers, and other dims. The axes of an index and of a transposition move
# when a batch dim is added between them.
_BUILT = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, d: 5?); "
    "k: float64 constant(d: 5, e: 2); v = dot(x, y); w = exp(v); u = dot(w, z); t = dot(u, k); "
    "s = dot(k, t, dim='e'); return s, v",
    "x: float64(a: 2?, b: 3?, c: 4?); y: float64(c: 4?, a: 2?); v = dot(x, y, dim='c'); "
    "w = rename(v, b='d'); u = dot(v, w, dim='a'); t = softmax(u, dim='d'); "
    "s = sum(v, dim='a'); r = add(t, s); q = dot(r, t); return r, q",
    "x: float64(a: 3, b: 3); y: float64 shared(c: 3?); k: float64 constant one-hot(a: 3, b: 3); "
    "m: float64 constant one-hot(b: 3, a: 3); w = rename(x, a='b', b='c'); "
    "v = dot(x, w, dim='b'); u = dot(v, y); t = dot(x, k); s = dot(x, m); r = multiply(t, s); "
    "q = multiply(u, r); return q, u, r",
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); v = dot(x, y); w = isel(v, a=1); "
    "u = transpose(v, 'c', 'a'); t = isel(u, c=-1); s = dot(w, u); return s, t, v, w",
)
# Sums and multiples of dots, which PyTensor gives to a BLAS as a whole: gemm with a factor for each
# term, gemm for a difference, gemm with two or three factors for one term, with one matrix in three
# terms and with a transposed term, gemv, ger, and a product of matrices with a scalar, or squared.
_PRODUCTS = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, c: 4?); "
    "w: float64(c: 4?, a: 2?); p: float64(b: 3?); q: float64(c: 4?); r: float64(a: 2?); "
    "s: float64(); t: float64(); u: float64(); "
    "xy = dot(x, y); half = scale(xy, 0.5); more = scale(z, -2.0); gemm = add(more, half); "
    "zy = dot(z, y, dim='c'); less = negative(zy); difference = add(x, less); "
    "xz = dot(x, z, dim='a'); sxz = multiply(xz, s); third = scale(sxz, 0.3); "
    "two_factors = add(y, third); "
    "ez = exp(z); xez = dot(x, ez, dim='a'); sxez = multiply(xez, s); stxez = multiply(sxez, t); "
    "stuxez = multiply(stxez, u); three_factors = add(y, stuxez); "
    "ex = exp(x); exz = dot(ex, z, dim='a'); sy = multiply(y, s); ty = multiply(y, t); "
    "terms = add(exz, sy); more_terms = add(terms, ty); sum_of_terms = negative(more_terms); "
    "three_terms = add(y, sum_of_terms); "
    "ey = exp(y); xey = dot(x, ey); ew = exp(w); turned = transpose(ew, 'a', 'c'); "
    "turned_term = add(turned, xey); "
    "xp = dot(x, p); three = scale(xp, 3.0); gemv = add(r, three); "
    "rq = dot(r, q, dim=()); srq = multiply(rq, s); ger = add(z, srq); "
    "zx = dot(z, x, dim='a'); szx = multiply(zx, s); scaled = multiply(szx, y); "
    "yw = dot(y, w, dim='c'); syw = multiply(yw, s); square = multiply(syw, yw); "
    "return gemm, difference, two_factors, three_factors, three_terms, turned_term, gemv, ger, "
    "scaled, square"
)
# A softmax between dots, functions of elements, and an index from the end of a dim.
_FUNCTIONS = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); xy = dot(x, y); powers = exp(xy); "
    "weights = softmax(xy, dim='c'); average = dot(weights, y, dim='c'); whole = softmax(xy); "
    "part = scale(powers, 0.35355339059327373); root = power(part, 0.5); "
    "quotient = divide(xy, root); total = subtract(weights, quotient); "
    "all = sum(total, dim='a'); last = isel(xy, c=-1); renamed = rename(last, a='d'); "
    "return average, whole, total, all, renamed"
)
# Axes that move: none of these orders is its own inverse, and more than four axes have other code.
_MOVES = (
    "x: float64(d: 2?, a: 3?, b: 4?, c: 5?); y: float64(a: 2?, b: 3?, c: 2?, d: 3?, e: 2?, f: 3?); "
    "q: float64(n: 2?, h: 3?, s: 4?, i: 3?); k: float64(h: 3?, n: 2?, i: 3?, t: 2?); "
    "v: float64(i: 3?); m: float64 constant(i: 3, j: 3); "
    "turned = transpose(x, 'c', 'a', 'b', 'd'); few = sum(turned, dim='d'); "
    "other = transpose(y, 'c', 'a', 'b', 'f', 'd', 'e'); many = sum(other, dim=('e', 'f')); "
    "scores = dot(q, k, dim='i'); vm = dot(v, m); w = rename(v, i='j'); "
    "mw = dot(m, w); return few, many, scores, vm, mw"
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
    return z  [second gradient, wrong sizes]
    """
    short = (
        ProgramCase(_program(text), regime, 0, order, has_wrong_sizes=True)
        for text, regime, order in _SHORT
    )
    # Where gradients share a part of a product, PyTensor does not give all of it to the BLAS.
    products, *others = programs_of_every_backend()
    built = (
        ProgramCase(_program(text), gradient_order=1, built=way)
        for way in BUILDS
        for text in _BUILT
        if way != "plain"
    )
    named = (
        ProgramCase(named_program(name), gradient_order=1, has_wrong_sizes=True) for name in _NAMED
    )
    return (*short, products, replace(products, gradient_order=1), *others, *built, *named)


def program_of_products() -> ProgramCase:
    """Return the program whose products and sums PyTensor gives to a BLAS.

    Examples
    --------
    >>> program_of_products().program.outputs[:3]
    ('gemm', 'difference', 'two_factors')
    """
    return ProgramCase(_program(_PRODUCTS), has_wrong_sizes=True)


@cache
def programs_of_every_backend() -> tuple[ProgramCase, ...]:
    """Return the smoke programs that backends that compile slowly judge as well.

    One has products and sums, one functions of elements, with their gradient, and one axes that
    move.

    Examples
    --------
    >>> [case.program.outputs[0] for case in programs_of_every_backend()]
    ['gemm', 'average', 'few']
    """
    functions = ProgramCase(_program(_FUNCTIONS), gradient_order=1, has_wrong_sizes=True)
    return program_of_products(), functions, ProgramCase(_program(_MOVES))


def _program(text: str) -> Program:
    return program(text.replace("; ", "\n"))
