"""Programs are judged together: what is wrong is grouped by its kind, and shrunk."""

import pytest

from refdot.programs.case import ProgramCase
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.programs.notation import program
from refdot.programs.random_programs import program_at
from refdot.pytensor.programs import campaign
from refdot.pytensor.programs.campaign import check_programs, signature
from refdot.pytensor.target import PyTensorTarget

TARGET = PyTensorTarget()

SIGNATURES = {
    "R6 wrong-value: NaN": Difference("v3", "R6", "wrong-value", "a=0: 1.0", "a=0: nan"),
    "R8 wrong-gradient: a number": Difference("gradient of x", "R8", "wrong-gradient", "1", "2"),
    "R5 wrong-dims": Difference("v1", "R5", "wrong-dims", "('a',)", "('b',)"),
    "R11 rejected-valid at run: ValueError: cannot reshape": Difference(
        "run", "R11", "rejected-valid", "no error", "ValueError: cannot reshape (2, 3)"
    ),
    "R14 structure at the compiled graph: an xtensor is left": Difference(
        "the compiled graph", "R14", "structure", "none", "an xtensor is left"
    ),
}


@pytest.mark.parametrize("text", SIGNATURES)
def test_the_signature_leaves_out_what_varies(text):
    assert signature(SIGNATURES[text]) == text


def fails_with_softmax(target, case, backend, lowering):
    """Two differences of one kind if there is a softmax, and one of another kind if stock."""
    assert target is TARGET
    found = [
        Difference(step.name, "R6", "wrong-value", "1", "nan")
        for step in case.program.steps
        if step.operation == "softmax"
    ]
    if lowering == "stock":
        text = "the inner graph of OpFromGraph is left in the compiled gradient graph"
        found.append(Difference("the compiled graph", "R14", "structure", "none", text))
    return tuple(found)


def test_findings_are_grouped_and_new_ones_are_shrunk_and_first(monkeypatch):
    monkeypatch.setattr(campaign, "judge_program", fails_with_softmax)
    case = ProgramCase(named_program("attention:layers=2"), gradient_order=1)
    stages = []
    first, second = check_programs(
        TARGET, [case], ["python", "c"], ["stock", "inlined"], lambda *done: stages.append(done)
    )
    assert str(first.case) == "x0: float64()\nv0 = softmax(x0)\nreturn v0"
    assert (first.backend, first.lowering, first.known) == ("python", "stock", None)
    assert (first.backends, first.lowerings) == (["python", "c"], ["stock", "inlined"])
    assert first.count == 8
    assert (second.lowerings, second.count) == (["stock"], 2)
    assert second.known == "gradients-in-an-inner-graph"
    assert second.case == case
    assert stages == [
        ("programs", 1, 1),
        ("shrinking programs", 1, 2),
        ("shrinking programs", 2, 2),
    ]


def test_known_deviations_are_those_of_the_target():
    known = set(campaign._KNOWN.values())
    assert known <= {deviation.id for deviation in TARGET.deviations}


def test_shrinking_ends_in_time(monkeypatch):
    monkeypatch.setattr(campaign, "judge_program", fails_with_softmax)
    monkeypatch.setattr(campaign, "_MOST_SECONDS", -1.0)
    case = ProgramCase(named_program("attention:layers=1"))
    [found] = check_programs(TARGET, [case], ["python"], ["inlined"])
    assert found.case == case


def test_the_gradient_of_a_softmax_that_overflows_is_found_and_shrunk():
    overflowing = program(
        "x: float64(a: 3)\ny = scale(x, 10)\nz = softmax(y)\nw = negative(z)\nreturn w"
    )
    case = ProgramCase(overflowing, "large", gradient_order=1)
    [found] = check_programs(TARGET, [case], ["python"], ["inlined"])
    assert signature(found.difference) == "R8 wrong-gradient: NaN"
    assert [step.operation for step in found.case.program.steps] == ["softmax"]


def test_random_programs_give_no_finding_with_the_direct_lowering():
    cases = [program_at(0, index) for index in range(8)]
    assert check_programs(TARGET, cases, ["python"], ["direct"]) == []
