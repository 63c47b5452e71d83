"""Programs that users write: chains of dots, quadratic forms, attention, transformers.

Each is a function of its sizes that writes the text of the program. By default, no size is static.
"""

from collections.abc import Callable
from inspect import signature
from math import sqrt

from refdot.programs.notation import program
from refdot.programs.operations import ProgramError
from refdot.programs.program import Program
from refdot.text import did_you_mean

__all__ = ["PROGRAMS", "attention", "named_program"]


def named_program(text: str) -> Program:
    """Return the program with a name and, after a colon, its sizes: "attention:layers=2,heads=3".

    Raises
    ------
    ProgramError
        There is no such program, or it has no such size.

    Examples
    --------
    >>> print(named_program("chain:layers=2"))
    x: float64(d0: 2?, d1: 3?)
    w_1: float64(d1: 3?, d2: 4?)
    w_2: float64(d2: 4?, d3: 5?)
    x_1 = dot(x, w_1)
    x_2 = dot(x_1, w_2)
    return x_2
    """
    name, _, options = text.partition(":")
    if name not in PROGRAMS:
        hint = did_you_mean(name, list(PROGRAMS))
        raise ProgramError(f"Program {name!r} not found; there are {', '.join(PROGRAMS)}{hint}")
    known = signature(PROGRAMS[name]).parameters
    sizes: dict[str, int] = {}
    for option in filter(None, options.split(",")):
        key, _, value = option.partition("=")
        if key not in known:
            raise ProgramError(f"{name} has no size {key!r}, only {', '.join(known)}")
        if key in sizes:
            raise ProgramError(f"The size {key} of {name} is given twice")
        if not value.isdecimal():
            raise ProgramError(f"The size {key} of {name} must be an integer, got {value!r}")
        sizes[key] = int(value)
    return PROGRAMS[name](**sizes)


def _input(name: str, static: bool, /, **sizes: int) -> str:
    mark = "" if static else "?"
    return f"{name}: float64({', '.join(f'{dim}: {size}{mark}' for dim, size in sizes.items())})"


def _program(*lines: str) -> Program:
    return program("\n".join(lines))


def chain(layers: int = 3, static: bool = False) -> Program:
    """Return the product of a row of matrices, from left to right."""
    lines, x = [_input("x", static, d0=2, d1=3)], "x"
    for n in range(1, layers + 1):
        lines.insert(n, _input(f"w_{n}", static, **{f"d{n}": n + 2, f"d{n + 1}": n + 3}))
        lines.append(f"x_{n} = dot({x}, w_{n})")
        x = f"x_{n}"
    return _program(*lines, f"return {x}")


def gram(rows: int = 4, columns: int = 3, static: bool = False) -> Program:
    """Return the Gram matrix of one variable, which has another name in the second operand."""
    return _program(
        _input("x", static, row=rows, column=columns),
        "y = rename(x, row='row_2')",
        "gram = dot(x, y, dim='column')",
        "return gram",
    )


def quadratic_form(size: int = 4, static: bool = False) -> Program:
    """Return x·A·x, where x is one variable under two names."""
    return _program(
        _input("x", static, a=size),
        _input("matrix", static, a=size, b=size),
        "y = rename(x, a='b')",
        "product = dot(matrix, y)",
        "form = dot(x, product)",
        "return form",
    )


def normal(assets: int = 4, factors: int = 3, static: bool = False) -> Program:
    """Return the variance of a portfolio: w·Σ·w, with Σ from its Cholesky factor."""
    return _program(
        _input("weights", static, asset=assets),
        _input("chol", static, asset=assets, factor=factors),
        "chol_2 = rename(chol, asset='asset_2')",
        "cov = dot(chol, chol_2, dim='factor')",
        "weights_2 = rename(weights, asset='asset_2')",
        "risk = dot(cov, weights_2)",
        "variance = dot(weights, risk)",
        "return variance",
    )


def mlp(
    layers: int = 2, batch: int = 4, features: int = 3, hidden: int = 5, static: bool = False
) -> Program:
    """Return a multilayer perceptron: in each layer a dot, a bias and a SiLU."""
    lines = [
        _input("x", static, batch=batch, d0=features),
        "one: float64 constant ones()",
    ]
    steps, x, size = [], "x", features
    for n in range(1, layers + 1):
        lines += [
            _input(f"w_{n}", static, **{f"d{n - 1}": size, f"d{n}": hidden}),
            _input(f"b_{n}", static, **{f"d{n}": hidden}),
        ]
        steps += [f"h_{n} = dot({x}, w_{n})", f"z_{n} = add(h_{n}, b_{n})"]
        steps += _silu(f"z_{n}", f"x_{n}")
        x, size = f"x_{n}", hidden
    return _program(*lines, *steps, f"return {x}")


def _silu(x: str, out: str) -> list[str]:
    """Return the steps of x/(1 + e⁻ˣ)."""
    return [
        f"minus_{x} = negative({x})",
        f"power_{x} = exp(minus_{x})",
        f"divisor_{x} = add(power_{x}, one)",
        f"{out} = divide({x}, divisor_{x})",
    ]


def attention(
    layers: int = 1,
    batch: int = 2,
    time: int = 3,
    embd: int = 8,
    heads: int = 2,
    head_dim: int = 4,
    static: bool = False,
) -> Program:
    """Return the loss of stacked causal multi-head attention, as in pymc-devs/pytensor#2164.

    A layer has a fused projection to queries, keys and values, scores with a causal mask, a softmax
    over the time of the keys, the weighted values, a projection back, and a residual connection.
    The loss is the mean square of the output of the last layer. The input `causal` is the mask,
    which is added to the scores.
    """
    lines = [
        _input("x", static, batch=batch, time=time, embd=embd),
        f"causal: float64 constant(time: {time}, time_k: {time})",
    ]
    steps, x = [], "x"
    for n in range(1, layers + 1):
        lines += _attention_weights(n, static, embd, heads, head_dim)
        steps += [*_attention_steps(n, x, head_dim), f"x_{n} = add({x}, update_{n})"]
        x = f"x_{n}"
    return _program(*lines, *steps, *_mean_square(x, batch * time * embd))


def _attention_weights(n: int, static: bool, embd: int, heads: int, head_dim: int) -> list[str]:
    return [
        _input(f"into_{n}", static, embd=embd, qkv=3, head=heads, head_dim=head_dim),
        _input(f"back_{n}", static, head=heads, head_dim=head_dim, embd=embd),
    ]


def _attention_steps(n: int, x: str, head_dim: int) -> list[str]:
    return [
        f"qkv_{n} = dot({x}, into_{n}, dim='embd')",
        f"q_{n} = isel(qkv_{n}, qkv=0)",
        f"k_{n} = isel(qkv_{n}, qkv=1)",
        f"v_{n} = isel(qkv_{n}, qkv=2)",
        f"keys_{n} = rename(k_{n}, time='time_k')",
        f"values_{n} = rename(v_{n}, time='time_k')",
        f"products_{n} = dot(q_{n}, keys_{n}, dim='head_dim')",
        f"scaled_{n} = scale(products_{n}, {1 / sqrt(head_dim)})",
        f"scores_{n} = add(scaled_{n}, causal)",
        f"weights_{n} = softmax(scores_{n}, dim='time_k')",
        f"attended_{n} = dot(weights_{n}, values_{n}, dim='time_k')",
        f"update_{n} = dot(attended_{n}, back_{n}, dim=('head', 'head_dim'))",
    ]


def _mean_square(x: str, count: int) -> list[str]:
    return [
        f"squares = power({x}, 2)",
        "total = sum(squares)",
        f"loss = scale(total, {1 / max(count, 1)})",
        "return loss",
    ]


def transformer(
    layers: int = 1,
    batch: int = 2,
    time: int = 3,
    embd: int = 8,
    heads: int = 2,
    head_dim: int = 4,
    hidden: int = 5,
    static: bool = False,
) -> Program:
    """Return the loss of stacked transformer blocks.

    A block is attention of the normed input and a residual connection, then a multilayer perceptron
    with SiLU of the normed result, and another residual connection. The norm divides by the root
    of the mean square over `embd`, and multiplies by a gain.
    """
    lines = [
        _input("x", static, batch=batch, time=time, embd=embd),
        f"causal: float64 constant(time: {time}, time_k: {time})",
        "one: float64 constant ones()",
    ]
    steps, x = [], "x"
    for n in range(1, layers + 1):
        lines += [
            *_attention_weights(n, static, embd, heads, head_dim),
            _input(f"gain_{n}", static, embd=embd),
            _input(f"gain_mlp_{n}", static, embd=embd),
            _input(f"up_{n}", static, embd=embd, hidden=hidden),
            _input(f"down_{n}", static, hidden=hidden, embd=embd),
        ]
        steps += [
            *_norm_steps(x, f"gain_{n}", f"normed_{n}", embd),
            *_attention_steps(n, f"normed_{n}", head_dim),
            f"y_{n} = add({x}, update_{n})",
            *_norm_steps(f"y_{n}", f"gain_mlp_{n}", f"normed_mlp_{n}", embd),
            f"up_projected_{n} = dot(normed_mlp_{n}, up_{n})",
            *_silu(f"up_projected_{n}", f"hidden_{n}"),
            f"mlp_{n} = dot(hidden_{n}, down_{n})",
            f"x_{n} = add(y_{n}, mlp_{n})",
        ]
        x = f"x_{n}"
    return _program(*lines, *steps, *_mean_square(x, batch * time * embd))


def _norm_steps(x: str, gain: str, out: str, embd: int) -> list[str]:
    return [
        f"squares_{out} = power({x}, 2)",
        f"sum_{out} = sum(squares_{out}, dim='embd')",
        f"mean_{out} = scale(sum_{out}, {1 / max(embd, 1)})",
        f"inverse_{out} = power(mean_{out}, -0.5)",
        f"unit_{out} = multiply({x}, inverse_{out})",
        f"{out} = multiply(unit_{out}, {gain})",
    ]


PROGRAMS: dict[str, Callable[..., Program]] = {
    "chain": chain,
    "gram": gram,
    "quadratic-form": quadratic_form,
    "normal": normal,
    "mlp": mlp,
    "attention": attention,
    "transformer": transformer,
}
