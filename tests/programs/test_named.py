"""The named programs compute what their names say."""

import numpy as np
import pytest
from arithmetic import Plain, run

from refdot.programs.case import ProgramCase
from refdot.programs.evaluation import estimate
from refdot.programs.named import PROGRAMS, attention, named_program
from refdot.programs.operations import ProgramError
from refdot.tensor import NamedTensor


def computed(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the values of the inputs, and the output."""
    case = ProgramCase(named_program(name))
    values = case.values(case.program)
    arrays = {key: tensor.data for key, tensor in values.items()}
    return arrays, run(case.program, values, Plain())[case.program.outputs[0]]


def test_chain():
    x, out = computed("chain:layers=3")
    assert out == pytest.approx(x["x"] @ x["w_1"] @ x["w_2"] @ x["w_3"])


def test_gram():
    x, out = computed("gram")
    assert out == pytest.approx(x["x"] @ x["x"].T)


def test_quadratic_form():
    x, out = computed("quadratic-form")
    assert out == pytest.approx(x["x"] @ x["matrix"] @ x["x"])


def test_normal():
    x, out = computed("normal")
    cov = x["chol"] @ x["chol"].T
    assert out == pytest.approx(x["weights"] @ cov @ x["weights"])


def silu(x):
    return x / (1 + np.exp(-x))


def test_mlp():
    x, out = computed("mlp")
    hidden = silu(x["x"] @ x["w_1"] + x["b_1"])
    assert out == pytest.approx(silu(hidden @ x["w_2"] + x["b_2"]))


def attended(x, into, back, causal):
    """Return multi-head attention, by einsum."""
    q, k, v = np.einsum("bte,eqhd->qbhtd", x, into)
    scores = np.einsum("bhtd,bhsd->bhts", q, k) / np.sqrt(q.shape[-1]) + causal
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    weights = powers / powers.sum(-1, keepdims=True)
    return np.einsum("bhts,bhsd,hde->bte", weights, v, back)


def test_attention():
    x, out = computed("attention:layers=2")
    state = x["x"]
    for n in (1, 2):
        state = state + attended(state, x[f"into_{n}"], x[f"back_{n}"], x["causal"])
    assert out == pytest.approx((state**2).mean())


def test_transformer():
    x, out = computed("transformer:layers=2,heads=3")
    state = x["x"]

    def normed(array, gain):
        return array / np.sqrt((array**2).mean(-1, keepdims=True)) * gain

    for n in (1, 2):
        update = normed(state, x[f"gain_{n}"])
        state = state + attended(update, x[f"into_{n}"], x[f"back_{n}"], x["causal"])
        update = normed(state, x[f"gain_mlp_{n}"])
        state = state + silu(update @ x[f"up_{n}"]) @ x[f"down_{n}"]
    assert out == pytest.approx((state**2).mean())


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("static", [False, True])
def test_sizes_are_static_on_request(name, static):
    inputs = PROGRAMS[name](static=static).inputs
    sizes = [size for _, each in inputs if each.origin == "input" for size in each.static]
    assert set(sizes) == {static}


def test_a_name_may_have_sizes():
    assert named_program("attention:layers=2,heads=3") == attention(layers=2, heads=3)
    assert named_program("gram:static=1").types["x"].static == (True, True)


ERRORS = {
    "gramm": "Program 'gramm' not found; there are chain, gram, quadratic-form, normal, mlp, "
    "attention, transformer; did you mean gram?",
    "gram:layers=2": "gram has no size 'layers', only rows, columns, static",
    "gram:rows=two": "The size rows of gram must be an integer, got 'two'",
    "gram:rows": "The size rows of gram must be an integer, got ''",
}


@pytest.mark.parametrize(("text", "message"), ERRORS.items(), ids=ERRORS)
def test_an_unknown_name_or_size_is_rejected(text, message):
    with pytest.raises(ProgramError) as caught:
        named_program(text)
    assert str(caught.value) == message


def test_the_softmax_of_large_scores_is_judged():
    case = ProgramCase(attention(layers=1), "exact")
    values = case.values(case.program)
    values["x"] = NamedTensor(values["x"].data * 30, values["x"].dims)
    estimates = estimate(case.program, values)
    assert np.abs(estimates["scores_1"].value).max() > 1000
    assert estimates["weights_1"].judged.all()
    assert estimates["loss"].judged.all()
