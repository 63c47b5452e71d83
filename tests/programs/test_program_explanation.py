"""The explanation of a program has each step, each einsum and the cost."""

from refdot.programs.explanation import explain_program
from refdot.programs.named import attention, named_program
from refdot.programs.notation import program


def test_each_dot_has_its_einsum_and_its_cost():
    text = explain_program(
        program(
            "x: float64(a: 2, b: 3?)\ny: float64(c: 4, b: 3)\nz = dot(x, y, dim='b')\n"
            "w = exp(z)\nreturn w, z"
        )
    )
    assert text.splitlines()[2:] == [
        "z = dot(x, y, dim='b')  float64(a: 2, c: 4)  ab,cb->ac  24 multiplications",
        "w = exp(z)              float64(a: 2, c: 4)",
        "return w, z",
        "",
        "2 steps, 1 dot, 24 multiplications; the largest result has 8 elements",
    ]


def test_long_steps_have_their_types_on_a_line_of_their_own():
    lines = explain_program(named_program("attention")).splitlines()
    start = lines.index("products_1 = dot(q_1, keys_1, dim='head_dim')")
    assert lines[start + 1 : start + 5] == [
        "    float64(batch: 2?, time: 3?, head: 2?, time_k: 3?)",
        "    abcd,aecd->abce  144 multiplications",
        "scaled_1 = scale(products_1, 0.5)",
        "    float64(batch: 2?, time: 3?, head: 2?, time_k: 3?)",
    ]


def test_the_cost_is_that_of_all_dots():
    text = explain_program(named_program("attention:layers=2"))
    model = attention(2)
    dots = [step for step in model.steps if step.operation == "dot"]
    last = text.splitlines()[-1]
    assert last.startswith(f"{len(model.steps)} steps, {len(dots)} dots, ")


def test_a_program_without_steps_is_explained():
    text = explain_program(program("x: float64(a: 2)\nreturn x"))
    assert text.endswith("0 steps, 0 dots, 0 multiplications; the largest result has 0 elements")


def test_a_dim_that_is_one_letter_has_this_letter():
    text = explain_program(program("x: float64(i: 2, j: 3)\ny = dot(x, x, dim='j')\nreturn y"))
    assert "  ij,ij->i  " in text
    assert text._repr_html_().startswith("<pre")
