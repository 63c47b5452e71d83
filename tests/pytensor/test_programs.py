"""Programs on PyTensor are built as they are written, and judged."""

import operator
from dataclasses import replace

import pytensor
import pytest
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.op import Op

from refdot.programs.case import ProgramCase
from refdot.programs.gradients import gradient
from refdot.programs.named import named_program
from refdot.programs.notation import program
from refdot.programs.random_programs import program_at
from refdot.pytensor.programs import graph as graphs
from refdot.pytensor.programs.judge import judge_program
from refdot.pytensor.programs.target import PyTensorProgramTarget
from refdot.pytensor.target import PyTensorTarget

LEFT_BY_STOCK = "the inner graph of OpFromGraph is left in the compiled gradient graph"
TARGET = PyTensorTarget()


def case_of(text: str, **settings) -> ProgramCase:
    return ProgramCase(program(text.replace("; ", "\n")), **settings)


def judged(case: ProgramCase, lowering: str = "inlined", backend: str = "python") -> list[str]:
    return list(map(str, judge_program(TARGET, case, backend, lowering)))


def kinds(case: ProgramCase, lowering: str = "inlined") -> list[tuple[str, str, str]]:
    """Return all that is wrong, once for all replicates."""
    found = judge_program(TARGET, case, lowering=lowering)
    return [*dict.fromkeys((each.name, each.rule, each.kind) for each in found)]


@pytest.mark.parametrize(
    "name",
    [
        *("chain", "gram", "quadratic-form", "normal", "mlp"),
        *("attention:layers=1", "transformer:layers=1"),
    ],
)
def test_named_programs_and_their_gradients_are_right(name):
    assert judged(ProgramCase(named_program(name), gradient_order=1)) == []


@pytest.mark.parametrize("lowering", PyTensorTarget.lowerings)
def test_deep_programs_are_right_with_every_lowering(lowering):
    case = ProgramCase(named_program("attention:layers=2"), gradient_order=1)
    found = judge_program(TARGET, case, lowering=lowering)
    assert [d.got for d in found] == ([LEFT_BY_STOCK] if lowering == "stock" else [])


@pytest.mark.parametrize("backend", ["c", "numba"])
def test_programs_are_judged_on_backends_that_compile(backend):
    case = ProgramCase(named_program("quadratic-form"), gradient_order=1)
    assert judged(case, backend=backend) == []


OPERATIONS = {
    "elementwise": "x: float64(a: 2?, b: 3); y: float64(c: 2, a: 2); z = add(x, y); "
    "w = multiply(z, y); v = divide(x, w); u = negative(v); t = exp(u); return t",
    "numbers": "x: float32(a: 2?); y = scale(x, 0.1); z = exp(y); w = power(z, -0.5); return w",
    "an integer scaled": "x: int64(a: 2?); y = scale(x, 3); z = scale(x, 0.5); return y, z",
    "reduced": "x: float64(a: 2?, b: 3, c: 4); y = softmax(x, dim=('a', 'c')); "
    "z = sum(y, dim=('b', 'c')); w = sum(x); v = softmax(x); return z, w, v",
    "moved": "x: float64(a: 2?, b: 3, c: 4); y = transpose(x, 'c', 'a', 'b'); "
    "z = rename(y, a='b', b='a'); w = isel(z, c=-1, a=1); return z, w",
    "an output of which another is made": "x: float64(a: 2?, b: 3); y = exp(x); "
    "z = dot(y, x, dim='a'); return y, z, y",
    "an output that is an input": "x: float64(a: 2?); y = rename(x, a='b'); return x, y",
    "no gradient": "x: int64(a: 2?); y = dot(x, x); return y",
}


@pytest.mark.parametrize("text", OPERATIONS.values(), ids=OPERATIONS)
def test_operations_and_their_gradients_are_right(text):
    assert judged(case_of(text, gradient_order=2)) == []


def test_numbers_keep_their_digits_where_the_default_float_is_short():
    case = case_of("x: float64(a: 2?); y = scale(x, 0.3); z = power(y, 2); return y, z")
    with pytensor.config.change_flags(floatX="float32"):
        assert judged(case) == []


def test_operands_with_several_dtypes_are_converted():
    case = case_of("x: float32(a: 2?); y: int64(a: 2?); z = dot(x, y); w = add(z, y); return z, w")
    assert judged(case) == []


@pytest.mark.parametrize("text", ["y = isel(x, b=1)", "y = sum(x, dim='b')"])
def test_gradients_are_programs_that_can_be_built(text):
    case = case_of(f"x: float64(a: 2?, b: 3?); {text}; return y")
    assert judged(ProgramCase(gradient(case.program, "y", "x"))) == []


@pytest.mark.parametrize("words", ["constant", "shared", "reversed", "unaligned", "byte-swapped"])
def test_inputs_of_every_kind_are_accepted(words):
    case = case_of(f"x: float64 {words}(a: 2, b: 3); y: float64(b: 3); z = dot(x, y); return z")
    assert judged(ProgramCase(case.program, gradient_order=1)) == []


def test_constants_and_shared_variables_are_in_the_graph():
    graph = graphs.build(
        case_of("x: float64 constant(a: 2); y: float64 shared(a: 2?); z = dot(x, y); return z")
    )
    assert isinstance(graph.variables["x"], Constant)
    assert graph.variables["y"].get_value().shape == (2,)
    assert graph.variables["y"].type.shape == (None,)


def test_random_programs_of_small_integers_are_right():
    cases = [replace(program_at(0, index), built="plain") for index in range(40)]
    exact = [
        case
        for case in cases
        if case.regime == "exact"
        and not {"softmax", "divide", "power"} & {step.operation for step in case.program.steps}
    ]
    assert len(exact) > 2
    for case in exact:
        assert judged(case) == [], case


FAULTS = {
    "another dim": ("softmax", lambda x, dim: graphs.softmax(x), "y = softmax(x, dim='a')", "R6"),
    "no rename": ("rename", lambda x, names: x, "y = rename(x, a='c')", "R5"),
    "another dtype": ("exp", lambda x: graphs.exp(x).astype("float32"), "y = exp(x)", "R7"),
    "another value": ("add", operator.sub, "y = add(x, x)", "R6"),
}


@pytest.mark.parametrize(("operation", "function", "step", "rule"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_operation_is_found(monkeypatch, operation, function, step, rule):
    monkeypatch.setitem(graphs._XTENSOR, operation, function)
    case = case_of(f"x: float64(a: 2?, b: 3?); {step}; z = scale(y, 2); return y, z")
    found = kinds(case)
    assert ("y", rule) in [(name, broken) for name, broken, _ in found]


def test_a_wrong_gradient_is_found(monkeypatch):
    grad = pytensor.grad
    monkeypatch.setattr(
        pytensor, "grad", lambda loss, inputs, **kw: [2 * x for x in grad(loss, inputs, **kw)]
    )
    case = case_of("x: float64(a: 2); y: float64(a: 2); z = dot(x, y); return z", gradient_order=2)
    assert kinds(case) == [
        ("gradient of x", "R8", "wrong-gradient"),
        ("gradient of y", "R8", "wrong-gradient"),
        ("second gradient of x", "R8", "wrong-gradient"),
        ("second gradient of y", "R8", "wrong-gradient"),
    ]


@pytest.mark.parametrize("lowering", ["stock", "inlined"])
def test_a_softmax_that_overflows_is_found(lowering):
    case = case_of(
        "x: float64(a: 3?); y = scale(x, 10); z = softmax(y); w = dot(z, x); return w",
        regime="large",
        gradient_order=1,
    )
    assert ("gradient of x", "R8", "wrong-gradient") in kinds(case, lowering)
    assert judged(case, "direct") == []


def test_a_static_size_that_is_forgotten_is_found(monkeypatch):
    def forgetful(x):
        return graphs.as_xtensor(-x.values[pytensor.shared(0) :], dims=("a",))

    monkeypatch.setitem(graphs._XTENSOR, "negative", forgetful)
    case = case_of("x: float64(a: 2); y = negative(x); return y")
    assert judged(case) == ["y: R9 wrong-shape: expected declared (2,), got declared (None,)"]


def test_an_exception_is_a_mismatch(monkeypatch):
    def broken(x):
        raise RuntimeError("no exp")

    monkeypatch.setitem(graphs._XTENSOR, "exp", broken)
    case = case_of("x: float64(a: 2); y = exp(x); return y", gradient_order=2)
    assert judged(case) == ["build: R6 rejected-valid: expected no error, got RuntimeError: no exp"]


def test_values_are_judged_if_the_gradient_fails(monkeypatch):
    def no_gradient(*arguments, **settings):
        raise NotImplementedError("no\ngradient")

    monkeypatch.setattr(pytensor, "grad", no_gradient)
    monkeypatch.setitem(graphs._XTENSOR, "add", operator.sub)
    case = case_of("x: float64(a: 2); y = add(x, x); return y", gradient_order=1)
    first, *others = judged(case)
    assert first == (
        "lower: R6 rejected-valid: expected no error, got NotImplementedError: no gradient"
    )
    assert {other.partition(" wrong")[0] for other in others} == {"y: R6"}


def test_a_rewrite_that_fails_is_a_mismatch_and_the_values_are_judged(monkeypatch):
    lower = graphs.lower

    def failing(case, graph):
        if pytensor.config.on_opt_error == "raise":
            raise ValueError("a rewrite")
        return lower(case, graph)

    monkeypatch.setattr(graphs, "lower", failing)
    case = case_of("x: float64(a: 2); y = dot(x, x); return y")
    assert judged(case) == [
        "lower: R14 structure: expected no failing rewrite, got ValueError: a rewrite"
    ]


def test_an_xtensor_that_is_left_is_a_mismatch(monkeypatch):
    case = case_of("x: float64(a: 2); y = dot(x, x); return y")
    monkeypatch.setattr(graphs, "lower", lambda case, graph: [graph.values["y"].values])
    assert judged(case)[0] == (
        "the lowered graph: R14 structure: expected only tensor operations, "
        "got an xtensor is left in the forward graph"
    )


def test_what_a_gradient_leaves_is_not_blamed_on_an_answer_that_is_fused_with_it():
    case = case_of("x: float64(); y = exp(x); z = dot(x, x); return z, y", gradient_order=1)
    assert [d.got for d in judge_program(TARGET, case, lowering="stock")] == [LEFT_BY_STOCK]


def test_each_replicate_is_judged_with_its_own_numbers(monkeypatch):
    case = case_of("x: float64(a: 2); y = negative(x); return y")
    first = case.values(case.program)["x"].data

    def right_for_the_first(x):
        return graphs.as_xtensor(graphs.pt.constant(-first) + 0 * x.values, dims=("a",))

    monkeypatch.setitem(graphs._XTENSOR, "negative", right_for_the_first)
    [found] = judged(case)
    second = case.values(case.program, 1)["x"].data
    assert found == f"y: R6 wrong-value: expected a=0: {-second[0]}, got a=0: {-first[0]}"


WAYS = {
    "chain": case_of(
        "x: float64(a: 2?, b: 3); y: float64(b: 3, c: 2?); v = dot(x, y); w = exp(v); return w",
        gradient_order=1,
    ),
    "gram": ProgramCase(named_program("gram"), gradient_order=2),
    "attention": ProgramCase(named_program("attention:layers=1"), gradient_order=1),
    "a shared variable and a constant": case_of(
        "x: float64 shared(a: 2?, b: 3); y: float64 constant(b: 3); z: float64(a: 2); "
        "v = dot(x, y); w = multiply(v, z); return w",
        gradient_order=1,
    ),
}


@pytest.mark.parametrize("built", ["stabilized", "vectorized", "forward", "pushforward"])
@pytest.mark.parametrize("case", WAYS.values(), ids=WAYS)
def test_programs_are_right_however_they_are_built(case, built):
    found = judged(replace(case, built=built))
    # A batched product has no tangents of this kind.
    absent = "NotImplementedError: pushforward not implemented for "
    assert found == [] or (built == "pushforward" and all(absent in each for each in found))


def test_rewrites_before_the_gradient_can_break_it(monkeypatch):
    case = replace(WAYS["chain"], built="stabilized")
    rewrite_graph = graphs.rewrite_graph

    def wrong(outputs, include, **settings):
        found = rewrite_graph(outputs, include=include, **settings)
        return [2 * each for each in found] if "canonicalize" in include else found

    monkeypatch.setattr(graphs, "rewrite_graph", wrong)
    assert ("w", "R6", "wrong-value") in kinds(case)
    assert judged(WAYS["chain"]) == []


def test_a_batch_dim_at_the_wrong_place_is_found(monkeypatch):
    case = replace(WAYS["chain"], built="vectorized", gradient_order=0)
    vectorize_graph = graphs.vectorize_graph

    def wrong(outputs, replacements):
        found = vectorize_graph(outputs, replacements)
        return [graphs.as_xtensor(each.values[::-1], dims=each.type.dims) for each in found]

    monkeypatch.setattr(graphs, "vectorize_graph", wrong)
    assert kinds(case) == [("w", "R6", "wrong-value")]


@pytest.mark.parametrize("built", ["forward", "pushforward"])
def test_a_wrong_tangent_is_found(monkeypatch, built):
    case = replace(WAYS["chain"], built=built)
    pushforward = graphs.pushforward
    monkeypatch.setattr(
        graphs, "pushforward", lambda *args, **kw: [-each for each in pushforward(*args, **kw)]
    )
    assert kinds(case) == [("tangent of w", "R8", "wrong-gradient")]


def test_the_gradient_of_a_dot_that_is_not_lowered_is_absent_or_right():
    case = replace(WAYS["gram"], built="unlowered")
    found = judge_program(TARGET, case, lowering="inlined")
    assert [(each.kind, each.got[:50]) for each in found] in (
        [],
        [("rejected-valid", "NotImplementedError: pullback not implemented for ")],
    )


class Misbehaving(Op):
    """An operation on one array that writes to it, or answers anew at each call."""

    def __init__(self, manner: str) -> None:
        self.manner = manner
        self.calls = 0

    def make_node(self, x):
        return Apply(self, [x], [x.type()])

    def perform(self, node, inputs, outputs):
        self.calls += 1
        out = inputs[0].copy() if self.manner != "an input's" else inputs[0]
        if self.manner == "written to":
            inputs[0][...] = 7
        if self.manner == "another answer":
            out = out + (self.calls - 1)
        outputs[0][0] = out


CONDUCT = {
    "written to": ("an input", "R12", "side-effect"),
    "an input's": ("an output", "R12", "side-effect"),
    "another answer": ("y", "R10", "nondeterminism"),
}


@pytest.mark.parametrize("manner", CONDUCT)
def test_misconduct_is_found(monkeypatch, manner):
    op = Misbehaving(manner)
    monkeypatch.setitem(
        graphs._XTENSOR, "negative", lambda x: graphs.as_xtensor(op(x.values), dims=x.type.dims)
    )
    case = case_of("x: float64(a: 2); y = negative(x); return y")
    assert CONDUCT[manner] in kinds(case)


def test_sizes_that_differ_must_not_be_accepted(monkeypatch):
    case = case_of(
        "x: float64(a: 3?); y: float64(a: 3?); z = multiply(x, y); return z", has_wrong_sizes=True
    )
    assert judged(case) == []
    monkeypatch.setattr(
        "pytensor.tensor.elemwise.Elemwise._check_runtime_broadcast", lambda *arguments: None
    )
    assert judged(case) == [
        f"{name}: R4 accepted-invalid: expected an error, got none for size 1 of dim 'a'"
        for name in "xy"
    ]
    assert judged(replace(case, has_wrong_sizes=False)) == []


def test_a_dot_that_accepts_wrong_sizes_alone_does_so_in_a_program():
    text = "x: float64(a: 3?, b: 2?); y: float64(a: 3?, b: 2?); z = dot(x, y, dim='b'); return z"
    found = PyTensorProgramTarget().judge_program(
        case_of(text, has_wrong_sizes=True), "python", "inlined"
    )
    assert [(str(each.observation.difference), each.known) for each in found.findings] == [
        (
            "x: R4 accepted-invalid: expected an error, got none for static size 1 of dim 'a'",
            "static-one-broadcasts",
        )
    ]


@pytest.mark.parametrize(("outputs", "known"), [("z", "static-one-broadcasts"), ("z, w", None)])
def test_a_known_dot_explains_no_other_step_that_accepts_a_size(monkeypatch, outputs, known):
    monkeypatch.setitem(
        graphs._XTENSOR,
        "multiply",
        lambda x, y: graphs.as_xtensor(x.values * y.values, dims=x.type.dims),
    )
    text = (
        "x: float64(a: 3?, b: 2?); y: float64(a: 3?, b: 2?); z = dot(x, y, dim='b'); "
        f"w = multiply(x, y); return {outputs}"
    )
    case = case_of(text, has_wrong_sizes=True)
    found = PyTensorProgramTarget().judge_program(case, "python", "inlined").findings
    assert known in {
        each.known
        for each in found
        if each.observation.difference.got == "none for static size 1 of dim 'a'"
    }


def test_a_failing_rewrite_does_not_reject_a_size(monkeypatch):
    case = case_of("x: float64(a: 3?); y: float64(a: 3?); z = multiply(x, y); return z")
    case = replace(case, has_wrong_sizes=True)
    monkeypatch.setattr(
        "pytensor.tensor.elemwise.Elemwise._check_runtime_broadcast", lambda *arguments: None
    )
    monkeypatch.setattr(
        "pytensor.xtensor.vectorization.combine_dims_and_shape",
        lambda inputs, exclude=None: dict(zip(inputs[0].dims, inputs[0].type.shape, strict=True)),
    )
    assert "none for static size 1 of dim 'a'" in " ".join(judged(case))


def test_graphs_of_xtensors_are_judged(monkeypatch):
    case = case_of("x: float64(a: 3?); y = exp(x); return y", built="xtensors")
    assert judged(case) == []
    monkeypatch.setattr(graphs, "lower", lambda case, graph: [graph.values["y"].values])
    assert "the xtensor op XElemwise is left in the forward graph" in " ".join(judged(case))
