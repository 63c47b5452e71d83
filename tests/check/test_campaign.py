"""A campaign: its report, known deviations, coverage, database and duration."""

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from faulty_dots import FAULTS
from running import campaign, signatures

import refdot as rd
from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.notation import dot_case
from refdot.check import campaign as campaign_module
from refdot.check import plan
from refdot.check.batch import judge_cases
from refdot.check.database import load_cases
from refdot.check.findings import Finding
from refdot.check.plan import Configuration
from refdot.check.pool import WorkerPool
from refdot.check.replays import with_other_backends
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.protocol import Backend, Unsupported
from refdot.targets.registry import find_target
from refdot.tensor import NamedTensor

REVERSING = FAULTS["dims reversed"][0]


def test_a_report_describes_the_campaign():
    report = campaign(REVERSING, cases=50)
    assert (report.target, report.target_version, report.seed) == ("fn", "", 0)
    assert (report.backends, report.lowerings, report.absent_backends) == (
        ("call",),
        ("stock",),
        {},
    )
    assert (report.cases, report.interrupted) == (50, False)
    assert report.python == ".".join(map(str, sys.version_info[:3]))
    (finding,) = report.findings
    assert (finding.backends, finding.lowerings, finding.known) == (["call"], ["stock"], None)
    assert 1 < finding.count < 50


def test_progress_reports_each_step_of_each_stage():
    steps = []
    campaign(REVERSING, cases=20, progress=lambda *step: steps.append(step))
    judging = [("judging random cases", done, 20) for done in range(1, 21)]
    assert steps == judging


def test_no_case_is_judged_twice():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    judged = []
    target = CallableTarget(dot, "fn")
    run = target.run
    target.run = lambda case, *rest: judged.append(case) or run(case, *rest)
    report = check.run(target, cases=300, fixed=False)
    drawn = {plan.case_at(0, index) for index in range(400)}
    judged = [case for case in judged if case in drawn]  # without the size variants
    assert len(judged) == len(set(judged)) == report.cases == 300


def interrupting(fn: Callable, after: int) -> Callable:
    """Return a function that an interrupt from the keyboard stops at some call."""
    calls = count(1)

    def dot(x, y, dim=None):
        if next(calls) >= after:
            raise KeyboardInterrupt
        return fn(x, y, dim)

    return dot


def calls_until_confirmed(cases: int) -> int:
    """Return how often a campaign calls a function until the first mismatch is shrunk."""
    calls, until = [], []
    campaign(
        lambda x, y, dim=None: calls.append(1) or REVERSING(x, y, dim),
        cases=cases,
        listener=lambda report, finding: until.append(len(calls)),
    )
    return until[0]


@pytest.mark.parametrize("more", [-3, 30], ids=["while it shrinks", "later"])
def test_after_an_interrupt_the_report_holds_the_findings_so_far(more):
    after = calls_until_confirmed(25) + more
    report = campaign(interrupting(REVERSING, after), cases=25)
    assert report.interrupted
    assert signatures(report) == ["R5 wrong-dims at run: dims"]
    assert 0 < report.cases < 25


def ones(x, y, dim=None):
    """Return an answer that is wrong in many ways."""
    return rd.NamedTensor(np.ones(3), "z")


def test_a_campaign_stops_at_a_number_of_new_mismatches():
    found = []
    report = campaign(
        REVERSING, cases=300, maxfail=1, listener=lambda _, each: found.append(each.key)
    )
    assert (report.stopped, report.interrupted) == (True, False)
    assert report.cases < 50
    assert [finding.key for finding in report.findings if finding.known is None] == found
    assert len(found) == 1


def test_a_campaign_stops_within_a_batch():
    report = campaign(ones, cases=0, fixed=True, maxfail=2)
    assert report.stopped
    assert [finding.known for finding in report.findings] == [None, None]


def test_after_an_interrupt_at_the_start_the_report_is_empty():
    report = campaign(interrupting(rd.dot, 1))
    assert (report.interrupted, report.cases, report.findings) == (True, 0, [])


def test_the_same_seed_gives_the_same_findings():
    fn = FAULTS["dims reversed"][0]
    first, second = (campaign(fn, cases=25, seed=7) for _ in range(2))
    assert first.findings == second.findings != []
    assert campaign(fn, cases=25, seed=8).findings != first.findings


# Known deviations


class Recorded(CallableTarget):
    """A target with known deviations."""

    def __init__(self, fn: Callable, *deviations: Deviation) -> None:
        super().__init__(fn, "recorded", deviations=deviations)


def record(**changes) -> Deviation:
    """Return the record of reversed result dims of a matrix and a vector."""
    deviation = Deviation(
        id="reversed-beside-a-vector",
        title="With a vector, dims come out reversed.",
        rules=("R5",),
        kinds=("wrong-dims",),
        versions="",
        backends=(),
        matches=lambda mismatch, outcome: len(mismatch.case.y.dims) == 1,
        example=DotCase(Operand(("row", "column"), (2, 3)), Operand(("column",), (3,)), NO_DIM),
        cause="",
    )
    return replace(deviation, **changes)


NO_DIM = DimArgument("tuple")
REVERSED = "R5 wrong-dims at run: dims"


def found_with(*deviations: Deviation) -> dict[str | None, Finding]:
    """Return the findings on reversed dims by their known deviation, or None."""
    target = Recorded(REVERSING, *deviations)
    findings = check.run(target, cases=200, fixed=False).findings
    assert {finding.mismatch.signature for finding in findings} == {REVERSED}
    return {finding.known: finding for finding in findings}


def test_a_known_deviation_does_not_hide_new_mismatches_with_its_signature():
    found, plain = found_with(record()), found_with()
    assert [*found] == [None, "reversed-beside-a-vector"]
    assert sum(finding.count for finding in found.values()) == plain[None].count
    assert plain[None].known is None


def test_a_known_deviation_of_the_first_replicate_does_not_hide_a_mismatch_of_the_second():
    first_only = record(
        id="zeros",
        rules=("R6",),
        kinds=("wrong-value",),
        matches=lambda mismatch, outcome: mismatch.replicate == 0,
        example=DotCase(Operand(("a",), (3,)), Operand(("a",), (3,))),
    )

    def dot(x, y, dim=None):
        out = rd.dot(x, y, dim)
        return rd.NamedTensor(np.zeros_like(out.data), out.dims)

    target = Recorded(dot, first_only)
    found = [*judge_cases(target, [first_only.example], Configuration("call", "stock"))]
    assert [(finding.known, finding.mismatch.replicate) for finding in found] == [
        ("zeros", 0),
        (None, 1),
    ]
    assert len({finding.mismatch.signature for finding in found}) == 1


def test_a_new_mismatch_stays_new_when_it_is_shrunk():
    case = found_with(record())[None].mismatch.case
    assert len(case.y.dims) != 1
    smallest = found_with()[None].mismatch.case
    assert len(smallest.x.dims + smallest.y.dims) == 2


def test_the_case_of_a_known_deviation_is_its_example():
    assert found_with(record())["reversed-beside-a-vector"].mismatch.case == record().example


def test_a_known_deviation_whose_example_is_another_mismatch_has_the_smallest_case():
    other = record(
        rules=("R5", "R6"),
        kinds=("wrong-dims", "rejected-valid"),
        matches=lambda mismatch, outcome: True,
        example=dot_case("fails", "fails"),
    )

    def dot(x, y, dim=None):
        if "fails" in x.dims:
            raise ValueError("this dim fails")
        return REVERSING(x, y, dim)

    report = check.run(Recorded(dot, other), cases=200, fixed=False)
    [finding] = report.findings
    assert (finding.signature, finding.known) == (REVERSED, other.id)
    assert len(finding.case.x.dims + finding.case.y.dims) == 2


def test_what_a_deviation_explains_is_new_if_its_example_does_not_deviate():
    other = record(example=DotCase(Operand(("a",), (2,)), Operand(("a",), (2,))))
    [finding] = check.run(Recorded(REVERSING, other), cases=200, fixed=False).findings
    assert (finding.known, finding.mismatch.signature) == (None, REVERSED)


def test_what_a_deviation_explains_is_known_while_a_further_example_deviates():
    right = DotCase(Operand(("a",), (2,)), Operand(("a",), (2,)))
    other = record(example=right, further_examples=(record().example,))
    assert found_with(other)["reversed-beside-a-vector"].mismatch.case == record().example


def test_findings_of_two_deviations_that_are_not_there_are_one():
    example = DotCase(Operand(("a",), (2,)), Operand(("a",), (2,)))
    others = (
        record(example=example),
        record(
            id="others",
            example=example,
            matches=lambda mismatch, outcome: len(mismatch.case.y.dims) != 1,
        ),
    )
    [finding] = check.run(Recorded(REVERSING, *others), cases=200, fixed=False).findings
    assert (finding.known, finding.mismatch.signature) == (None, REVERSED)
    assert finding.count == found_with()[None].count


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": ("R6",)},
        {"kinds": ("wrong-value",)},
        {"backends": ("another",)},
        {"lowerings": ("another",)},
    ],
    ids=str,
)
def test_a_deviation_of_another_rule_kind_backend_or_lowering_does_not_apply(changes):
    assert [*found_with(record(**changes))] == [None]


# Coverage


class Fleet(CallableTarget):
    """A target with three backends: one compiles slowly, and one supports few cases."""

    def backends(self) -> tuple[Backend, ...]:
        few = Unsupported("more than two dims", lambda case: len(case.x.dims) > 2)
        return (Backend("a"), Backend("b", unsupported=(few,)), Backend("c", slow_to_compile=True))


R1_LIMIT = "NamedTensor does not accept dims that break R1"


def test_a_report_counts_the_cases_and_the_unsupported_ones_of_each_backend():
    options = {"cases": 40, "exhaustive": 1, "thorough": False, "sample": 3, "fixed": False}
    report = check.run(Fleet(rd.dot, "fleet"), **options)
    everywhere = report.unsupported["a"][R1_LIMIT]
    few = report.unsupported["b"].pop("more than two dims")
    assert report.unsupported["a"] == report.unsupported["b"] == {R1_LIMIT: everywhere}
    assert report.skipped == everywhere
    a, b, c = (report.coverage[name] for name in "abc")
    assert (a.cases, b.cases) == (report.cases, report.cases - few)
    assert a.cases > 40
    assert 5 < few < a.cases / 2
    assert a.patterns == b.patterns == [(1, 1), (10, 10)]
    assert [there_are for _, there_are in c.patterns] == [1, 10]
    assert sum(judged for judged, _ in c.patterns) == 3
    assert 0 < c.cases < a.cases / 2
    assert [a.thorough, b.thorough, c.thorough] == [False] * 3


def test_a_sample_is_not_thorough():
    for sample, thorough in ((2, [True, False]), (None, [True, True])):
        report = check.run(
            Fleet(rd.dot, "fleet"),
            cases=3,
            exhaustive=0,
            backends=["a", "c"],
            sample=sample,
            fixed=False,
        )
        assert [report.coverage[name].thorough for name in "ac"] == thorough


def test_a_finding_has_the_first_configuration_and_all_backends_in_order():
    target = Fleet(REVERSING, "fleet")
    report = check.run(target, cases=120, backends=["c", "b", "a"], sample=None, fixed=False)
    (finding,) = report.findings
    assert (finding.configuration.backend, finding.backends) == ("c", ["c", "b", "a"])


# Size variants


class Staged(CallableTarget):
    """A target with a build stage that is wrong for large sizes."""

    def __init__(self):
        super().__init__(wrong_above_sixteen, "staged", stages=("build", "run"))


def wrong_above_sixteen(x, y, dim=None):
    value = rd.dot(x, y, dim)
    large = max(value.shape, default=0) > 16
    return NamedTensor(value.data + 1, value.dims) if large else value


def test_size_variants_are_judged_but_not_counted():
    for target in (Staged(), CallableTarget(wrong_above_sixteen, "called")):
        found = check.run(target, cases=30, fixed=False)
        assert found.cases == 30
        assert any(finding.mismatch.kind == "wrong-value" for finding in found.findings)


# The database and the duration


def test_saved_counterexamples_are_judged_first_by_the_next_run(tmp_path):
    wrong = FAULTS["float32 computed in float16"][0]
    first = campaign(wrong, cases=120, database=tmp_path)
    cases = {*load_cases(tmp_path, first.target)}
    assert {finding.mismatch.case for finding in first.findings} <= cases
    judged, steps = [], []

    def dot(x, y, dim=None):
        judged.append(x.dtype)
        return wrong(x, y, dim)

    again = campaign(dot, cases=1, database=tmp_path, progress=lambda *step: steps.append(step))
    assert str(judged[0]) in {case.x.dtype for case in cases}
    saved = ("judging saved counterexamples", len(cases), len(cases))
    assert steps[:2] == [saved, ("judging random cases", 1, 1)]
    assert {*signatures(again)} == {*signatures(first)} != set()
    assert again.cases == len(cases) + 1


def test_hours_end_the_campaign_or_prolong_it(monkeypatch):
    seconds = count()
    monkeypatch.setattr(campaign_module, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    assert campaign(rd.dot, cases=2).cases == 2
    assert campaign(rd.dot, cases=2, hours=10 / 3600).cases == 10
    assert campaign(rd.dot, cases=20, hours=10 / 3600).cases == 10
    assert campaign(rd.dot, cases=2, hours=1e-9).cases == 1


def test_a_known_deviation_that_does_not_show_any_more_is_listed():
    report = check.run(Recorded(rd.dot, record()), cases=20)
    assert (report.findings, report.gone) == ([], ["reversed-beside-a-vector"])
    assert check.run(Recorded(REVERSING, record()), cases=200).gone == []


def test_a_new_mismatch_is_replayed_on_the_backends_that_were_not_selected():
    report = check.run(Fleet(REVERSING, "fleet"), cases=1, backends=["a"])
    [finding] = report.findings
    assert (finding.backends, finding.also_on) == (["a"], ["b", "c"])


def test_an_interrupt_of_the_replays_keeps_the_findings(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign_module, "with_other_backends", interrupted)
    report = check.run(Fleet(REVERSING, "fleet"), cases=1, backends=["a"])
    assert (report.interrupted, signatures(report)) == (True, [REVERSED])


def test_a_case_that_killed_its_process_is_not_replayed():
    def never(x, y, dim=None):
        raise AssertionError("it ran")

    died, case = "the process died", dot_case("a", "a")
    mismatch = Mismatch("R6", "rejected-valid", "run", died, "an answer", died, case)
    report = check.run(Fleet(rd.dot, "fleet"), cases=1, backends=["a"], fixed=False)
    report.findings = [Finding(mismatch, Configuration("a", "stock"))]
    found = with_other_backends(report, Fleet(never, "fleet"), None, None)
    assert found == (report.findings, [])


def test_mismatches_are_not_confirmed_behind_the_batches_of_a_pool():
    with WorkerPool(1) as pool, campaign_module._confirming(pool) as where:
        assert isinstance(where, WorkerPool)
        assert where is not pool
    with campaign_module._confirming(None) as where:
        assert where is None


@pytest.mark.parametrize("numbers", [(1, 2), (1,), (2,), ()])
def test_the_first_stage_is_separate_also_in_a_shard(numbers):
    smoke = [plan.Batch(stage="smoke", number=number, total=2) for number in numbers]
    others = [plan.Batch(stage="boundary"), plan.Batch(stage="random")] if smoke else []
    first, left = campaign_module._first_stage(iter([*smoke, *others]))
    assert list(first) == smoke
    assert list(left) == others


def test_a_run_that_starts_here_gives_the_same_report():
    target = find_target("xarray")
    alone = check.run(target, cases=3, exhaustive=1)
    with WorkerPool(1) as pool:
        shared = check.run(target, cases=3, exhaustive=1, executor=pool, starts_here=True)
    assert replace(shared, seconds=0) == replace(alone, seconds=0)
