"""A few telling test cases of programs, which every run judges first.

Together, they have what drawn programs have seldom: a value that is used three times, two dots of
the same operands over different dims, a dot of what a softmax, an exp or a sum gives, a constant
operand, several names of one variable, scores that overflow exp, and each way to build a graph.
"""

from functools import cache

from refdot.programs.case import BUILDS, ProgramCase
from refdot.programs.named import named_program
from refdot.programs.notation import program

__all__ = ["smoke_programs"]

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
    ("x: float32(a: 5?, b: 5?); y = dot(x, x, dim=()); z = sum(y); return z", "rounding", 1),
    ("x: float64(a: 3?, b: 2?); y = scale(x, 10); z = softmax(y, dim='a'); return z", "large", 1),
)
# Each is built in every way but the plain one. Tangents are not pushed through each operation of a
# dot with batch dims.
_BUILT = (
    "x: float64(a: 2?, b: 3?); y: float64(b: 3?, c: 4?); z: float64(a: 2?, d: 5?); "
    "v = dot(x, y); w = exp(v); u = dot(w, z); return u, v",
    "x: float64(a: 2?, b: 3?, c: 4?); y: float64(c: 4?, a: 2?); v = dot(x, y, dim='c'); "
    "w = rename(v, b='d'); u = dot(v, w, dim='a'); t = softmax(u, dim='d'); "
    "s = sum(v, dim='a'); r = add(t, s); return r",
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
    short = (
        ProgramCase(program(text.replace("; ", "\n")), regime, 0, order)
        for text, regime, order in _SHORT
    )
    built = (
        ProgramCase(program(text.replace("; ", "\n")), gradient_order=1, built=way)
        for way in BUILDS
        for text in _BUILT
        if way != "plain"
    )
    named = (ProgramCase(named_program(name), gradient_order=1) for name in _NAMED)
    return (*short, *built, *named)
