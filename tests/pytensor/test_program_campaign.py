"""Programs in a campaign: what is wrong is grouped by its kind, and shrunk."""

from dataclasses import replace

import pytest
from test_programs import case_of

from refdot import check
from refdot.check import shrink
from refdot.programs.case import ProgramCase
from refdot.programs.findings import ProgramFinding, signature
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.programs.random_programs import program_at
from refdot.pytensor.programs import target as program_target
from refdot.pytensor.programs.target import PyTensorProgramTarget

TARGET = PyTensorProgramTarget()


def findings(
    cases: list[ProgramCase], backends: list[str], lowerings: list[str], **options
) -> list[ProgramFinding]:
    """Judge programs alone, and return the findings."""
    report = check.run(
        TARGET,
        cases=0,
        fixed=False,
        named_programs=cases,
        program_backends=backends,
        backends=backends,
        lowerings=lowerings,
        **options,
    )
    assert (report.cases, report.findings) == (0, [])
    assert report.programs == len(cases)
    return report.program_findings


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
    monkeypatch.setattr(program_target, "judge_program", fails_with_softmax)
    case = ProgramCase(named_program("attention:layers=2"), gradient_order=1)
    stages, seen = [], []
    first, second = findings(
        [case],
        ["python", "c"],
        ["stock", "inlined"],
        progress=lambda *done: stages.append(done),
        listener=lambda report, finding: seen.append((len(report.program_findings), finding.key)),
    )
    assert str(first.case) == "x0: float64()\nv0 = softmax(x0)\nreturn v0"
    shown = first.observation
    assert (shown.backend, shown.lowering, first.known) == ("python", "stock", None)
    assert (first.backends, first.lowerings) == (["python", "c"], ["stock", "inlined"])
    assert first.count == 8
    assert (second.lowerings, second.count) == (["stock"], 2)
    assert second.known == "gradients-in-an-inner-graph"
    assert second.case == case
    assert stages == [("judging programs", 1, 1)]
    assert seen == [(2, first.key)]


def test_a_known_deviation_hides_no_other_mismatch_of_its_kind(monkeypatch):
    known = case_of("x: float64(a: 2); y = scale(x, 2); z = softmax(y); return z", seed=1)
    other = case_of("x: float64(a: 2); y = softmax(x); z = exp(y); return z", seed=2)
    monkeypatch.setattr(program_target, "judge_program", fails_with_softmax)
    monkeypatch.setattr(
        program_target,
        "known_cause",
        lambda seen, target: "a-cause" if seen.case.seed == 1 else None,
    )
    new, old = findings([known, known, other], ["python"], ["inlined"])
    assert (new.signature, new.known, new.count) == ("R6 wrong-value: NaN", None, 1)
    assert (old.signature, old.known, old.count) == ("R6 wrong-value: NaN", "a-cause", 2)


def test_a_program_is_not_shrunk_to_one_that_a_known_deviation_explains(monkeypatch):
    case = case_of("x: float64(a: 2); y = softmax(x); z = exp(y); return z")
    monkeypatch.setattr(program_target, "judge_program", fails_with_softmax)
    monkeypatch.setattr(
        program_target,
        "known_cause",
        lambda seen, target: "exp" if "exp" not in str(seen.case) else None,
    )
    [found] = findings([case], ["python"], ["inlined"])
    assert [step.operation for step in found.case.program.steps] == ["softmax", "exp"]


def test_shrinking_ends_in_time(monkeypatch):
    monkeypatch.setattr(program_target, "judge_program", fails_with_softmax)
    monkeypatch.setattr(shrink, "_MOST_PROGRAM_SECONDS", -1.0)
    case = ProgramCase(named_program("attention:layers=1"))
    [found] = findings([case], ["python"], ["inlined"])
    assert found.case == case


def test_the_gradient_of_a_softmax_that_overflows_is_found_and_known():
    case = case_of(
        "x: float64(a: 3); y = scale(x, 10); z = softmax(y); w = negative(z); return w",
        regime="large",
        gradient_order=1,
    )
    [found] = findings([case], ["python"], ["inlined"])
    assert found.signature == "R8 wrong-gradient: NaN"
    assert found.known == "softmax-overflows"
    assert found.case == case


def test_random_programs_give_no_finding_with_the_direct_lowering():
    cases = [replace(program_at(0, index), built="plain") for index in range(8)]
    assert findings(cases, ["python"], ["direct"]) == []
