"""PyTensor as a target: the contents of an outcome, and that a run changes nothing else."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytensor
import pytest
from planted.gradients import COMPLEX_GRADIENTS
from planting import Edit, Fault, planted
from pytensor.tensor.rewriting.elemwise import local_dimshuffle_lift
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

from refdot.cases.case import DimArgument
from refdot.cases.codec import case_to_json
from refdot.cases.notation import dot_case
from refdot.judging.comparison import compare
from refdot.judging.expected import correct_gradient, expected_answer
from refdot.pytensor.target.determinism import HashedName, check_determinism
from refdot.pytensor.target.graph import graph_key
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.protocol import unsupported_reason
from refdot.targets.temporary import process_folder

TARGET = PyTensorTarget()
MATRICES = dot_case("a? b?", "b? c?")
DIFFERENT_BATCHES = dot_case("a? b:2?", "b:3? a?", "a")
PYTHON_BACKENDS = ("python", "python-minimum", "fast-compile")


def run(case, backend="python", lowering="stock", until="run"):
    return TARGET.run(case, backend, lowering, until)


# Each: a case, the stage and the type of PyTensor's exception, and a part of its message.
STOPPED = {
    "a name that is not there": (
        dot_case("a?", "a?", "z"),
        "build",
        "ValueError",
        "Dimension z not",
    ),
    "a dim twice": (dot_case("a? a?", "a?"), "build", "ValueError", "must be unique"),
    "a dim of the wrong type": (dot_case("a?", "a?", 5), "build", "UnboundLocalError", "dim_set"),
    "static sizes differ": (dot_case("a:2", "a:3"), "build", "ValueError", "dim 'a'"),
    "static batch sizes differ": (
        dot_case("a:2", "a:3", ()),
        "run",
        "NotImplementedError",
        "xtensor operation Dot{dims=()} must be lowered",
    ),
    "more dims than letters": (
        dot_case(" ".join(f"a{i}:1?" for i in range(27)), ""),
        "run",
        "NotImplementedError",
        "xtensor operation Dot{dims=()} must be lowered",
    ),
    "run-time sizes differ": (dot_case("a? b:2?", "b:3?"), "run", "ValueError", "3"),
}


@pytest.mark.parametrize(("case", "stage", "type_", "words"), STOPPED.values(), ids=STOPPED)
def test_an_exception_is_recorded_with_its_stage(case, stage, type_, words):
    raised = run(case).raised
    assert (raised.stage, raised.type) == (stage, type_)
    assert words in raised.message
    assert raised.expected_type is (type_ in ("ValueError", "TypeError"))
    assert "Apply node that caused the error" not in raised.message
    assert raised.bases[0] == f"builtins.{type_}"


@pytest.mark.parametrize("lowering", TARGET.default_lowerings)
def test_the_description_of_the_graph_is_kept_apart_from_the_message(lowering):
    message = "operands could not be broadcast together with shapes (2,) (3,) "
    for verbosity, appended in {"low": "\n\nHINT: ", "medium": "\nApply node that caused"}.items():
        with pytensor.config.change_flags(exception_verbosity=verbosity):
            raised = run(dot_case("a:2?", "a:3?", ()), lowering=lowering).raised
        assert raised.message == message
        assert raised.appended.startswith(appended)
        assert raised.text == raised.message + raised.appended


@pytest.mark.parametrize(
    ("dtypes", "given", "refused"),
    [
        (("int64", "int64"), (), True),
        (("bool", "bool"), (), True),
        (("int64", "float64"), ("x",), False),
        (("float64", "int8"), ("y",), False),
        (("float64", "float64"), (), False),
    ],
)
def test_the_gradient_of_an_integer_is_returned_or_refused(dtypes, given, refused):
    outcome = run(dot_case("a? b?", "b? c?", dtypes=dtypes, gradient_order=1))
    assert outcome.discrete_gradients == given
    raised = outcome.discrete_gradient_raised
    assert (raised is not None) is refused
    if raised is not None:
        assert (raised.stage, raised.type) == ("lower", "TypeError")
        assert raised.message.startswith("Gradients must always be NullType")


def test_a_compiler_that_raises_is_recorded_at_its_stage(monkeypatch):
    def refuse(*arguments, **options):
        raise RuntimeError("no code")

    monkeypatch.setattr(pytensor, "function", refuse)
    raised = run(MATRICES).raised
    assert (raised.stage, raised.type, raised.message) == ("compile", "RuntimeError", "no code")


@pytest.mark.parametrize("until", ["build", "lower", "compile", "run"])
def test_a_run_ends_after_the_given_stage(until):
    outcome = run(replace(MATRICES, gradient_order=1), until=until)
    assert outcome.declared.dims == ("a", "c")
    assert outcome.raised is None
    assert bool(outcome.values) is (until in ("compile", "run"))


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize("backend", PYTHON_BACKENDS)
@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [("a? b?", "b? c?", (None, None)), ("a b", "b c", (2, 4)), ("a b", "b? c?", (2, None))],
)
def test_the_declared_type_and_the_answers(backend, lowering, x, y, shape):
    case = dot_case(x, y, dtypes=("float32", "float64"))
    outcome = run(case, backend, lowering)
    assert (outcome.declared.dims, outcome.declared.dtype) == (("a", "c"), "float64")
    assert outcome.declared.shape == shape
    assert [value.dims for value in outcome.values] == [("a", "c")] * 2
    for replicate, value in enumerate(outcome.values):
        assert value == expected_answer(case, replicate)
    # What a dot of static sizes costs is another question.
    assert {mismatch.rule for mismatch in compare(case, outcome, TARGET)} <= {"R15"}


# Each: a case, and the orders and operands of its gradients.
GRADIENTS = {
    "order 0": (MATRICES, []),
    "first order": (replace(MATRICES, gradient_order=1), ["1x", "1y"]),
    "second order": (replace(MATRICES, gradient_order=2), ["1x", "1y", "2x", "2y"]),
    "one variable": (
        dot_case("a? b?", "a? b?", "a", same_variable=True, gradient_order=2),
        ["1x", "2x"],
    ),
    "one variable, squared": (
        dot_case("a? b?", "a? b?", (), same_variable=True, gradient_order=2),
        ["1x", "2x"],
    ),
    "mixed precision": (
        dot_case(
            "a? b?", "b? c?", dtypes=("float64", "float32"), regime="rounding", gradient_order=2
        ),
        ["1x", "1y", "2x", "2y"],
    ),
    "half precision": (
        dot_case("a? b?", "b? c?", dtypes=("float16", "float16"), gradient_order=2),
        ["1x", "1y", "2x", "2y"],
    ),
    "only the floating-point operand": (
        dot_case("a? b?", "b? c?", dtypes=("float64", "int64"), gradient_order=2),
        ["1x"],
    ),
    "none of integers": (
        dot_case("a? b?", "b? c?", dtypes=("int64", "int64"), gradient_order=2),
        [],
    ),
    "none of a complex operand beside an integer": (
        dot_case("a? b?", "b? c?", dtypes=("complex128", "int64"), gradient_order=1),
        [],
    ),
    "none of a constant": (
        dot_case("a b", "b? c?", origin=("constant", "input"), gradient_order=2),
        ["1y"],
    ),
    "shared variables": (
        dot_case("a? b?", "b? c?", origin="shared", gradient_order=2),
        ["1x", "1y", "2x", "2y"],
    ),
    "one shared variable under other names": (
        dot_case("a:3? b?", "b? c:3?", origin="shared", same_variable=True, gradient_order=2),
        ["1x", "2x"],
    ),
    "one array": (
        dot_case("a? b?", "a? b?", same_array=True, gradient_order=2),
        ["1x", "1y", "2x", "2y"],
    ),
    "summed dims": (
        dot_case("a? b?", "b? c?", ("a", "b", "c"), gradient_order=2),
        ["1x", "1y", "2x", "2y"],
    ),
}


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize(("case", "labels"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradients_are_recorded_and_correct(case, labels, lowering):
    outcome = run(case, lowering=lowering)
    assert outcome.gradient_raised is None
    recorded = [f"{gradient.order}{gradient.operand}" for gradient in outcome.gradients]
    assert recorded == labels * 2
    for gradient in outcome.gradients:
        operand = case.x if gradient.operand == "x" else case.y
        assert gradient.value.shape == operand.shape
        if case.x.dtype == case.y.dtype:  # PyTensor does not cast those of mixed dtypes
            assert gradient.value.dtype == operand.dtype
        correct = correct_gradient(case, gradient.order, gradient.operand, gradient.replicate)
        assert not correct.wrong(gradient.value).any()


@pytest.mark.parametrize("dtypes", [("complex128", "complex64"), ("float64", "complex128")])
def test_a_complex_gradient_is_rejected(dtypes):
    outcome = run(dot_case("a? b?", "b? c?", dtypes=dtypes, gradient_order=1))
    assert len(outcome.values) == 2
    raised = outcome.gradient_raised
    assert (raised.stage, raised.type) == ("lower", "TypeError")
    assert raised.message.startswith("Gradients must always be NullType")


COMPLEX = ("complex128", "complex128")


@pytest.mark.parametrize("dtypes", [COMPLEX, ("complex64", "complex64")])
def test_a_complex_gradient_is_judged_by_the_convention_of_pytensor(dtypes):
    products = dot_case("a? b?", "b? a?", (), dtypes, gradient_order=1, regime="rounding")
    sums = replace(products, dim=DimArgument(), gradient_order=2)
    with planted(Fault("complex gradients", "gradients", COMPLEX_GRADIENTS, products)):
        outcomes = [run(case, lowering="inlined") for case in (products, sums)]
    assert [len(outcome.gradients) for outcome in outcomes] == [4, 8]
    assert compare(products, outcomes[0], TARGET) == ()
    # `Dot.pullback`, which nothing calls with complex numbers, does not take the conjugate.
    assert {mismatch.detail for mismatch in compare(sums, outcomes[1], TARGET)} == {
        f"{order} order, of {name}: wrong by more than rounding"
        for order in ("first", "second")
        for name in "xy"
    }


def test_the_replicates_have_different_numbers():
    first, second = run(MATRICES).values
    assert first != second


# Each: two cases, and whether they have the same graph.
GRAPHS = {
    "other numbers": ("a?", "a?", {"seed": 1, "regime": "rounding"}, True),
    "other sizes": ("a:3?", "a:3?", {}, True),
    "another static size": ("a:3", "a:3?", {}, False),
    "another layout": ("a?", "a?", {"layout": "slice"}, True),
    "another content": ("a?", "a?", {"content": "zeros"}, True),
    "the same array": ("a?", "a?", {"same_array": True}, True),
    "the same variable": ("a?", "a?", {"same_variable": True}, False),
    "another origin": ("a?", "a?", {"origin": ("input", "shared")}, False),
}


@pytest.mark.parametrize(("x", "y", "changes", "same"), GRAPHS.values(), ids=GRAPHS)
def test_cases_with_the_same_graph_have_the_same_key(x, y, changes, same):
    assert (graph_key(dot_case(x, y, **changes)) == graph_key(dot_case("a?", "a?"))) == same


@pytest.mark.parametrize("origin", ["constant", "shared"])
@pytest.mark.parametrize("changes", [{"seed": 1}, {"content": "ones"}, {"layout": "broadcast"}])
def test_the_numbers_of_a_constant_belong_to_its_graph(origin, changes):
    properties = {"origin": (origin, "input")}
    key = graph_key(dot_case("a", "a?", **properties))
    assert (graph_key(dot_case("a", "a?", **properties, **changes)) == key) == (origin == "shared")


def test_a_constant_that_is_not_drawn_does_not_depend_on_the_seed():
    zeros = dot_case("a", "a?", origin=("constant", "input"), content="zeros")
    assert graph_key(zeros) == graph_key(replace(zeros, seed=5, regime="special"))


# Operands of each origin, of the same variable under other names, and of the same array.
ORIGINS = {
    "constants": dot_case("a b", "b c", origin="constant"),
    "a constant": dot_case("a b", "b? c?", origin=("constant", "input")),
    "a constant of zeros": dot_case(
        "a b", "b? c?", origin=("input", "constant"), content=("drawn", "zeros")
    ),
    "shared variables": dot_case("a? b?", "b? c", origin="shared"),
    "one variable under other names": dot_case("a:3? b?", "b? c:3?", same_variable=True),
    "one shared variable": dot_case("a:3? b?", "b? a:3?", "b", same_variable=True, origin="shared"),
    "one constant": dot_case("a:3 b", "b c:3", same_variable=True, origin="constant"),
    "one array": dot_case("a:3? b?", "b? c:3?", same_array=True),
}


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize("case", ORIGINS.values(), ids=ORIGINS)
def test_operands_of_every_origin_get_right_answers(case, lowering):
    outcome = run(case, lowering=lowering)
    for replicate, value in enumerate(outcome.values):
        assert value == expected_answer(case, replicate)
    assert compare(case, outcome, TARGET) == ()


# Each: a case, and whether PyTensor accepts its arrays rather than raise a TypeError.
ACCEPTED = {
    "unaligned": (dot_case("a?", "a?", layout=("unaligned", "c")), False),
    "unaligned bytes": (dot_case("a?", "a?", None, "int8", layout="unaligned"), True),
    "byte-swapped": (dot_case("a?", "a?", layout="byte-swapped"), True),
    "byte-swapped constant": (
        dot_case("a", "a?", layout="byte-swapped", origin=("constant", "input")),
        False,
    ),
    "byte-swapped shared variable": (
        dot_case("a?", "a?", layout="byte-swapped", origin=("input", "shared")),
        False,
    ),
    "constant of bytes": (dot_case("a", "a", None, "int8", "byte-swapped", "constant"), True),
}


@pytest.mark.parametrize(("case", "is_accepted"), ACCEPTED.values(), ids=ACCEPTED)
def test_pytensor_accepts_every_array_that_is_supported(case, is_accepted):
    outcome = run(case)
    assert (unsupported_reason(TARGET, case) is None) == is_accepted
    if is_accepted:
        assert compare(case, outcome, TARGET) == ()
    else:
        assert outcome.raised is not None
        assert outcome.raised.type == "TypeError"


def test_cases_that_share_a_function_give_their_own_values_to_shared_variables():
    cases = [dot_case("a? b?", "b? c?", origin="shared", seed=seed) for seed in range(3)]
    cases.append(dot_case("a:4? b?", "b? c?", origin="shared", content="ones"))
    outcomes = TARGET.run_all(cases, "python", "stock")
    for case, outcome in zip(cases, outcomes, strict=True):
        assert compare(case, outcome, TARGET) == ()


def test_a_rewrite_that_fails_is_logged_and_skipped(monkeypatch):
    def fail(fgraph, node):
        raise RuntimeError("broken rewrite")

    monkeypatch.setattr(local_dimshuffle_lift, "fn", fail)
    case = dot_case("b? a?", "b? c?", gradient_order=1)
    outcome = run(case, lowering="inlined")
    assert outcome.raised is None
    assert outcome.values[0] == expected_answer(case)
    assert {(raised.stage, raised.message) for raised in outcome.logged} == {
        ("compile", "broken rewrite")
    }


# Each: a case whose lowering fails, and the message of the rewrite.
UNLOWERED = {
    "static batch sizes differ": (dot_case("a:2", "a:3", ()), "Size of label 'a'"),
    "more dims than letters": (
        dot_case(" ".join(f"a{i}:1?" for i in range(27)), "", gradient_order=1),
        "Too many dimensions",
    ),
}


@pytest.mark.parametrize("until", ["lower", "run"])
@pytest.mark.parametrize(("case", "words"), UNLOWERED.values(), ids=UNLOWERED)
def test_a_lowering_that_fails_is_logged_and_users_see_a_later_error(case, words, until):
    outcome = run(case, until=until)
    (cause,) = outcome.logged
    assert (cause.stage, cause.type) == ("lower", "ValueError")
    assert cause.message.startswith(words)
    assert outcome.cause == cause
    assert (outcome.raised.stage, outcome.raised.type) == ("run", "NotImplementedError")
    assert outcome.unlowered_nodes == outcome.compiled_nodes == ()


def global_state() -> dict[str, object]:
    """Return the state that a run must not change."""
    return {
        "on_opt_error": pytensor.config.on_opt_error,
        "cxx": pytensor.config.cxx,
        "mode": pytensor.config.mode,
        "level": logging.getLogger("pytensor").level,
        "filters": list(warnings.filters),
        "lowering": lower_xtensor_db["lower_dot"].fn,
        "streams": (sys.stdout, sys.stderr),
        "errors": np.geterr(),
    }


@pytest.mark.parametrize("lowering", TARGET.lowerings)
@pytest.mark.parametrize(
    "case", [replace(MATRICES, gradient_order=2), *(row[0] for row in STOPPED.values())], ids=str
)
def test_a_run_restores_all_global_state(case, lowering, capfd):
    before = global_state()
    run(case, lowering=lowering)
    assert global_state() == before
    assert capfd.readouterr() == ("", "")


def test_what_a_user_lets_pytensor_reject_is_judged():
    with pytensor.config.change_flags(warn_float64="raise", check_stack_trace="raise"):
        assert run(replace(MATRICES, gradient_order=1)).errors == ()
        assert pytensor.config.warn_float64 == "raise"


def test_an_interrupt_is_raised_and_restores_all_global_state():
    before = global_state()
    interrupted = Edit(
        "pytensor.tensor.math:Dot.perform",
        "output_storage[0][0] =",
        "raise KeyboardInterrupt; output_storage[0][0] =",
    )
    case = dot_case("a? b?", "b? c?", dtypes=("int64", "int64"))
    with (
        planted(Fault("the user presses Ctrl-C", "values", (interrupted,), case)),
        pytest.raises(KeyboardInterrupt),
    ):
        run(case)
    assert global_state() == before


# --- R10


def test_a_hashed_name_is_the_name_with_another_hash():
    name = HashedName("time")
    name.hash = 7
    assert hash(name) == 7
    assert name == "time"
    assert isinstance(name, str)


# Each: a case, and the difference that is found; PyTensor keeps dims in the order of a set.
DETERMINISM = {
    "one dim": (dot_case("a?", "a?"), ""),
    "two dims": (dot_case("a? b?", "a? b?"), "the op differs"),
    "two dims in a list": (dot_case("a? b?", "a? b?", ["a", "b"]), "the op differs"),
    "two names that are not there": (dot_case("a?", "a?", ("y", "z")), "the error differs"),
    "one name that is not there": (dot_case("a?", "a?", "z"), ""),
    "a dim of the wrong type": (dot_case("a?", "a?", 5), ""),
    "a name and a number": (
        replace(dot_case("a?", "a?"), dim=DimArgument("list", ("a", 5))),
        "",
    ),
}


@pytest.mark.parametrize(("case", "difference"), DETERMINISM.values(), ids=DETERMINISM)
def test_dependence_on_hashes_is_found(case, difference):
    found = check_determinism(case)
    assert [text.split(":")[0] for text in found] == ([difference] if difference else [])


def test_the_determinism_check_does_not_depend_on_the_hash_seed():
    code = (
        "import json\n"
        "from refdot.cases.codec import case_from_json\n"
        "from refdot.pytensor.target.determinism import check_determinism\n"
        "cases = [case_from_json(case) for case in json.loads(input())]\n"
        "print(json.dumps([check_determinism(case) for case in cases]))"
    )
    cases = json.dumps([case_to_json(case) for case, _ in DETERMINISM.values()])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=cases,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop()) == [
        list(check_determinism(case)) for case, _ in DETERMINISM.values()
    ]


def test_temporary_files_are_kept_in_the_targets_folder(tmp_path, monkeypatch):
    assert Path(process_folder()).exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    target = PyTensorTarget()
    assert target.run(MATRICES, "numba", "stock").raised is None
    assert [*tmp_path.iterdir()] == []
    assert target.folder.parent == Path(process_folder())
    assert any(target.folder.glob("tmp*"))
    assert tempfile.tempdir == str(tmp_path)
