"""Programs in a campaign: what is wrong is grouped by its kind, and shrunk."""

import time
from dataclasses import replace
from functools import partial

import pytest
from test_programs import case_of

from refdot import check
from refdot.cases.case import DotCase
from refdot.check import shrink
from refdot.check.replays import deviations_that_are_gone, with_other_backends
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramFinding, signature
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.programs.random_programs import program_at
from refdot.programs.smoke import program_of_products
from refdot.pytensor.programs import target as program_target
from refdot.pytensor.programs.target import PyTensorProgramTarget
from refdot.reporting.entries import entry_of
from refdot.targets.protocol import deviations_by_id

TARGET = PyTensorProgramTarget()
EXAMPLES = {each.id: each.example for each in TARGET.program_deviations}


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
    "R6 rejected-valid of a program at run: ValueError: cannot reshape": Difference(
        "run", "R6", "rejected-valid", "no error", "ValueError: cannot reshape (2, 3)"
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
    example = EXAMPLES["softmax-overflows"]
    other = case_of("x: float64(a: 2); y = softmax(x); z = exp(y); return z", seed=2)
    monkeypatch.setattr(program_target, "judge_program", fails_with_softmax)
    monkeypatch.setattr(
        program_target,
        "known_cause",
        lambda seen, target: "softmax-overflows" if seen.case in (known, example) else None,
    )
    new, old = findings([known, known, other], ["python"], ["inlined"])
    assert (new.signature, new.known, new.count) == ("R6 wrong-value: NaN", None, 1)
    assert (old.signature, old.known, old.count) == ("R6 wrong-value: NaN", "softmax-overflows", 2)


def test_a_finding_is_new_if_the_target_does_not_have_its_deviation(monkeypatch):
    """Its cause alone does not show that: something else may have the same effect."""
    case = case_of("x: float64(a: 2); y = softmax(x); z = exp(y); return z")
    monkeypatch.setattr(
        program_target,
        "judge_program",
        lambda target, seen, backend, lowering: (
            ()
            if seen == EXAMPLES["softmax-overflows"]
            else fails_with_softmax(target, seen, backend, lowering)
        ),
    )
    monkeypatch.setattr(program_target, "known_cause", lambda seen, target: "softmax-overflows")
    [found] = findings([case], ["python"], ["inlined"])
    assert (found.signature, found.known) == ("R6 wrong-value: NaN", None)
    assert [step.operation for step in found.case.program.steps] == ["softmax"]


def test_a_finding_about_a_dot_in_a_program_is_held_to_the_deviation_of_dots():
    name = "batch-sizes-compared-late"
    assert all(isinstance(each.example, DotCase) for each in deviations_by_id(TARGET)[name])
    difference = SIGNATURES["R6 wrong-value: NaN"]
    case = case_of("x: float64(a: 2); y = softmax(x); return y")
    finding = ProgramFinding(Observation(case, difference, "python", "stock"), known=name)
    assert shrink.confirmed_program(TARGET, finding) == finding


def test_a_new_mismatch_is_replayed_on_the_backends_that_did_not_run_programs(monkeypatch):
    case = case_of("x: float64(a: 2); y = softmax(x); return y")

    def fails_but_on_c(target, case, backend, lowering):
        return () if backend == "c" else fails_with_softmax(target, case, backend, lowering)

    monkeypatch.setattr(program_target, "judge_program", fails_but_on_c)
    report = check.run(
        TARGET, cases=0, fixed=False, named_programs=[case], backends=["python"], only=["values"]
    )
    _, [found] = with_other_backends(report, TARGET, None, None)
    able = {each.name for each in TARGET.backends() if each.default and not each.absent}
    assert (found.backends, {*found.also_on}) == (["python"], able - {"python", "c"})
    assert entry_of(found).seen.startswith("2 times on python (also on ")


class _WithoutDeviationsOfDots(PyTensorProgramTarget):
    deviations = ()


def test_known_deviations_of_programs_that_are_gone_are_listed(monkeypatch):
    target = _WithoutDeviationsOfDots()
    run = partial(check.run, target, cases=0, fixed=False, backends=["python"])
    report = run(named_programs=[EXAMPLES["softmax-overflows"]])
    assert [each.known for each in report.program_findings] == ["softmax-overflows"]
    monkeypatch.setattr(program_target, "judge_program", lambda *arguments: ())
    others = [
        each.id
        for each in target.program_deviations
        if each.id != "softmax-overflows"
        and (not each.backends or each.backends[0] == "python")
        and not {*report.lowerings}.isdisjoint(each.lowerings or report.lowerings)
    ]
    assert deviations_that_are_gone(report, target, None, None) == others


@pytest.mark.parametrize("backend", ["python", "fast-compile", "numba"])
def test_a_deviation_whose_example_shows_elsewhere_is_not_listed_as_gone(backend):
    target = _WithoutDeviationsOfDots()
    report = check.run(target, cases=0, fixed=False, named_programs=[], backends=[backend])
    assert deviations_that_are_gone(report, target, None, None) == []


def test_kernels_and_rewrites_of_programs_are_counted():
    program = ProgramCase(program_of_products().program, gradient_order=1)
    report = check.run(TARGET, cases=0, fixed=False, named_programs=[program], backends=["python"])
    coverage = report.coverage["python"]
    assert coverage.kernels["Gemm"] > 0
    assert coverage.rewrites["local_dot_to_dot22"] > 0
    assert coverage.kernels["BatchedDot"] == 0


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
    monkeypatch.setattr(shrink, "_PROGRAM_LIMITS", ((time.monotonic, -1.0),))
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
