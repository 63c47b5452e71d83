"""The text form of programs is read and written without a loss."""

import pytest

from refdot.programs.notation import program
from refdot.programs.operations import ProgramError

TEXT = """\
x: float64 fortran(batch: 2?, time: 3, embd: 4)
w: float32(embd: 4, dim 0: 5?)
s: int64()
c: float64 slice constant identity(a: 2, b: 3)
h = dot(x, w, dim='embd')
g = dot(h, x, dim=('batch', 'time'))
o = dot(h, x, dim=())
r = rename(h, **{'dim 0': 't u'}, time='class', batch='é')
i = isel(h, batch=-1, **{'dim 0': 4})
t = transpose(h, 'time', 'dim 0', 'batch')
p = power(t, -0.5)
m = scale(p, 2)
z = sum(m)
e = softmax(m, dim=('time', 'batch'))
return z, e, r, g, o, i"""


def test_a_program_prints_as_the_text_that_it_was_read_from():
    assert str(program(TEXT)) == TEXT
    assert program(str(program(TEXT))) == program(TEXT)


def test_blank_lines_comments_and_other_quotes_are_read():
    text = 'x: float64(a: 2)\n\n  # the sum\n  y = sum( x, dim = "a" )\n  return y\n'
    assert str(program(text)) == "x: float64(a: 2)\ny = sum(x, dim='a')\nreturn y"


@pytest.mark.parametrize(
    "line",
    [
        "y = exp(exp(x))",
        "y = exp(x",
        "y = x",
        "exp(x)",
        "y = x.exp()",
        "y = exp(x, 2)",
        "y = scale(x)",
        "y = scale(x, 2, 3)",
        "y = sum(x, 'a')",
        "y = sum(x, dims='a')",
        "y = isel(x, 0)",
        "y = transpose(x, dims=('a',))",
        "y = rename(x, **5)",
        "y = rename(x, **{1: 'b'})",
        "y = rename(x, a='b', a='c')",
        "y = rename(x, a='b', **{'a': 'c'})",
        "y = scale(x, {[]})",
        "y = scale(x, 1if 1 else 2)",  # the parser warns
        "y = scale(x, 1, '\\d')",
        "\0",
    ],
)
def test_a_line_that_is_not_a_step_is_rejected(line):
    with pytest.raises(ProgramError) as caught:
        program(f"x: float64(a: 2)\n{line}\nreturn y")
    assert str(caught.value) == f"Not a step: {line}"


@pytest.mark.parametrize("start", ["-", "(", "not ", "a.", "a+", "y = exp("])
def test_a_line_that_the_parser_cannot_read_is_rejected_in_short(start):
    line = 100_000 * start
    with pytest.raises(ProgramError) as caught:
        program(f"x: float64(a: 2)\n{line}\nreturn y")
    assert str(caught.value) == f"Not a step: {line.strip()[:240]} … {line.strip()[-50:]}"


@pytest.mark.parametrize("axes", ["float64(a)", "float64(a: b)", "float64 sideways(a: 2)"])
def test_a_line_that_is_not_an_input_is_rejected(axes):
    with pytest.raises(ProgramError) as caught:
        program(f"x: {axes}\nreturn x")
    assert str(caught.value) == f"Not an input: {axes}"
