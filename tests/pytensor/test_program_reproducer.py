"""Scripts about programs run alone, and show a defect only while it is there."""

import subprocess
import sys
from dataclasses import replace

import pytensor
import pytest
from test_program_campaign import TARGET
from test_programs import case_of
from test_reproducer import run_script

from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.programs.wrong_sizes import wrong_sizes
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.answers import answers_of
from refdot.pytensor.programs.deviations import PROGRAM_DEVIATIONS
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.programs.reproducer import _CODE, program_reproducer

OVERFLOWING = case_of(
    "x: float64(a: 3); y = scale(x, 10); z = softmax(y); return z", regime="large", gradient_order=1
)


def script(tmp_path, case, difference, lowering="inlined", backend="python"):
    path = tmp_path / "reproducer.py"
    text = program_reproducer(Observation(case, difference, backend, lowering))
    path.write_text(text, encoding="utf-8")
    return path


def test_a_script_needs_only_pytensor_and_numpy(tmp_path):
    difference, another = judge_program(TARGET, OVERFLOWING, lowering="inlined")
    assert (difference.replicate, another.replicate) == (0, 1)
    path = script(tmp_path, OVERFLOWING, difference)
    text = path.read_text("utf-8")
    assert "\n# Needs only PyTensor and NumPy; exits 1 while the defect is there.\n" in text
    assert "import refdot" not in text
    command = [sys.executable, "-I", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout == "expected [ 0. -0.  0.]\ngot      [nan nan nan]\n"


def test_a_script_for_the_direct_lowering_says_that_it_needs_refdot():
    difference = Difference("z", "R6", "wrong-value", "1.0", "nan")
    text = program_reproducer(Observation(OVERFLOWING, difference, "python", "direct"))
    assert "\n# Needs PyTensor, NumPy and refdot; exits 1 while the defect is there.\n" in text


# Each: a program that released PyTensor judges right, and a wrong answer that it does not give.
RIGHT = {
    "attention": ProgramCase(named_program("attention:layers=1"), gradient_order=1),
    "normal": ProgramCase(named_program("normal"), gradient_order=2),
    "other numbers": case_of(
        "x: float64 shared(a: 2, b: 3?); y: float64 constant(b: 3); z: int64 reversed(b: 3); "
        "w = dot(x, y); v = dot(w, z, dim=()); return v, w",
        seed=3,
        gradient_order=1,
    ),
    "the gradient after rewrites": case_of(
        "x: float64(a: 2); y = softmax(x); return y", gradient_order=2, built="stabilized"
    ),
    "a batch dim is added": case_of(
        "x: float64(a: 2?, b: 3); y: float64 constant(b: 3); z = dot(y, x); w = exp(z); "
        "return w, z",
        gradient_order=1,
        built="vectorized",
    ),
    "a batch dim is added to some inputs": case_of(
        "x: float64(a: 2?, b: 3); y: float64(b: 3, c: 2?); k: float64 constant(c: 2); "
        "z = dot(y, x); w = exp(z); v = multiply(w, k); return v, z",
        gradient_order=1,
        built="vectorized-after-lowering",
    ),
    "xtensors": case_of(
        "x: float64(a: 2?, b: 3); y: float64 shared(b: 3, c: 2?); k: float64 constant(c: 2); "
        "z = dot(y, x); w = exp(z); v = multiply(w, k); return v, z",
        gradient_order=2,
        built="xtensors",
    ),
    "tangents": case_of(
        "x: float64(a: 2?, b: 3); y: float64(b: 3); z = dot(y, x); w = exp(z); return w",
        gradient_order=1,
        built="forward",
    ),
    "gradients of intermediate values": case_of(
        "x: float64(a: 2?, b: 3); y: float64(b: 3); z = dot(y, x); w = exp(z); v = multiply(w, x); "
        "return v, z, w",
        gradient_order=1,
        built="intermediates",
    ),
    "an input that is an output": case_of(
        "x: float64(a: 2?); y = exp(x); z = multiply(x, y); return x, z",
        gradient_order=1,
        built="xtensors",
    ),
    "names that the script uses": case_of(
        "np: float64 unaligned(a: 2); sys: float64(a: 2); dot = dot(np, sys, dim=()); "
        "values = exp(dot); return values, dot"
    ),
}


@pytest.mark.parametrize("replicate", range(2))
@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_a_script_passes_where_nothing_is_wrong(case, replicate, tmp_path):
    for name in [answer.name for answer in answers_of(case)]:
        wrong = Difference(name, "R6", "wrong-value", "1.0", "nan", replicate=replicate)
        assert run_script(script(tmp_path, case, wrong))[0] == 0


@pytest.mark.parametrize("built", ["plain", "xtensors"])
def test_a_size_that_must_not_be_accepted_is_shown(built, tmp_path):
    text = "x: float64(a: 3?, b: 2?); y: float64(b: 2?, c: 4?); z: float64(a: 3?, c: 4?); "
    text += "v = dot(x, y); w = add(z, v); return w"
    case = case_of(text, has_wrong_sizes=True, built=built, gradient_order=1)
    for size in wrong_sizes(case.program):
        accepted = Difference(size.input, "R4", "accepted-invalid", "an error", "", evidence=size)
        code, namespace = run_script(script(tmp_path, case, accepted))
        assert (code, namespace["raised"] is None) in [(0, False), (1, True)]
    case = replace(case, gradient_order=0)
    found = [each for each in judge_program(TARGET, case, lowering="inlined") if each.rule == "R4"]
    assert found
    for difference in found:
        assert run_script(script(tmp_path, case, difference))[0] == 1


def test_a_right_conduct_is_shown(tmp_path):
    case = case_of(
        "x: float64(a: 2?); y: float64 shared(a: 2?); v = dot(x, y, dim=()); return v, v, x"
    )
    for name, kind in (("an input", "side-effect"), ("v", "nondeterminism")):
        wrong = Difference(name, "R12", kind, "unchanged", "written to")
        code, namespace = run_script(script(tmp_path, case, wrong))
        assert (code, namespace["got"]) == (0, [])


def test_a_wrong_conduct_is_shown(tmp_path, monkeypatch):
    case = case_of("x: float64(a: 2?); y = exp(x); return y, y")
    wrong = Difference("y", "R12", "side-effect", "its own memory", "another output's")
    monkeypatch.setattr("pytensor.compile.maker.insert_deepcopy", lambda *arguments: None)
    code, namespace = run_script(script(tmp_path, case, wrong))
    assert code == 1
    assert "output 0 shares memory" in namespace["got"]


def test_every_operation_has_code():
    assert _CODE.keys() == graphs._XTENSOR.keys()


OPERATIONS = {
    "moved": "x: float64(a: 2?, b: 3, c: 4); y = transpose(x, 'c', 'a', 'b'); "
    "z = rename(y, a='b', b='a'); w = isel(z, c=-1, a=1); v = place(w, z, c=1, a=0); return v",
    "elementwise": "x: float64(a: 2?, b: 3); y: float64(c: 2, a: 2); z = add(x, y); "
    "w = multiply(z, y); v = divide(x, w); u = negative(v); t = exp(u); return t",
    "reduced": "x: float32(a: 2?, b: 3); y = softmax(x, dim='a'); z = sum(y, dim='b'); "
    "w = broadcast_like(z, x); v = power(w, -0.5); u = scale(v, 3); return u",
}


@pytest.mark.parametrize("text", OPERATIONS.values(), ids=OPERATIONS)
def test_the_code_of_an_operation_computes_it(text, tmp_path):
    case = case_of(text)
    wrong = Difference(case.program.outputs[0], "R6", "wrong-value", "1.0", "nan")
    code, namespace = run_script(script(tmp_path, case, wrong))
    assert (code, namespace["raised"]) == (0, None)


def test_the_code_of_a_number_has_its_digits_where_the_default_float_is_short(tmp_path):
    case = case_of("x: float64(a: 2?); y = scale(x, 0.3); return y")
    with pytensor.config.change_flags(floatX="float32"):
        path = script(tmp_path, case, Difference("y", "R6", "wrong-value", "1.0", "nan"))
        assert run_script(path)[0] == 0
    assert "number(np.float64(0.3))" in path.read_text()


def test_a_wrong_declared_type_needs_no_values(monkeypatch, tmp_path):
    case = case_of("x: float64(a: 2); y = negative(x); return y")
    wrong = Difference("y", "R9", "wrong-shape", "declared (2,)", "declared (None,)", "build")
    path = script(tmp_path, case, wrong)
    assert run_script(path)[0] == 0
    path.write_text(path.read_text().replace("('a',), 'float64', (2,)", "('a',), 'float64', (3,)"))
    code, namespace = run_script(path)
    assert (code, namespace["got"]) == (1, (("a",), "float64", (2,)))


LEFT = "the inner graph of OpFromGraph is left in the compiled gradient graph"


def test_a_node_that_is_left_is_shown(tmp_path):
    case = ProgramCase(named_program("gram"), gradient_order=1)
    [difference] = judge_program(TARGET, case, lowering="stock")
    assert difference.got == LEFT
    code, namespace = run_script(script(tmp_path, case, difference, "stock"))
    assert (code, namespace["got"]) == (1, (LEFT,))
    assert run_script(script(tmp_path, case, difference, "inlined"))[0] == 0


@pytest.mark.parametrize(
    "where", ["the forward graph", "the gradient graph", "the compiled forward graph"]
)
def test_other_graphs_are_searched_for_such_nodes(where, tmp_path):
    case = ProgramCase(named_program("gram"), gradient_order=1)
    stage = "compile" if "compiled" in where else "lower"
    got = f"an xtensor is left in {where}"
    wrong = Difference("a graph", "R14", "structure", "only tensor operations", got, stage)
    code, namespace = run_script(script(tmp_path, case, wrong))
    assert (code, namespace["got"]) == (0, ())


def test_a_rewrite_that_fails_raises_in_the_script(tmp_path):
    case = case_of("x: float64(a: 2, b: 0); y = dot(x, x); return y")
    found = judge_program(TARGET, case, lowering="stock")
    [failure] = [each for each in found if each.expected == "no failing rewrite"]
    code, namespace = run_script(script(tmp_path, case, failure, "stock"))
    assert code == 1
    assert str(namespace["raised"]).startswith(failure.got.split(": ")[1][:20])


DIFFERENTIATED = ("unlowered", "forward", "pushforward")
BUILT = [each for each in PROGRAM_DEVIATIONS if each.example.built in DIFFERENTIATED]


@pytest.mark.parametrize("deviation", BUILT, ids=lambda deviation: deviation.id)
def test_a_deviation_of_another_way_to_differentiate_is_shown(deviation, tmp_path):
    example, backend = deviation.example, (deviation.backends or ("python",))[0]
    found = judge_program(TARGET, example, backend, "inlined")
    assert found
    assert run_script(script(tmp_path, example, found[0], backend=backend))[0] == 1


def test_an_error_is_shown(tmp_path):
    dims = ", ".join(f"a{n}: 1" for n in range(27))
    case = case_of(f"x: float64({dims}); y: float64(); z = dot(x, y); return z")
    found = judge_program(TARGET, case, lowering="stock")
    [difference] = [each for each in found if each.kind == "rejected-valid"]
    assert run_script(script(tmp_path, case, difference, "stock"))[0] == 1
