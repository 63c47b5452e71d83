"""One batch of cases: which of them a run with `only` judges."""

from __future__ import annotations

import signal
import time

import pytest

import refdot as rd
from refdot.cases.notation import dot_case
from refdot.cases.smoke import smoke_cases
from refdot.check.batch import judge_cases, possible_kinds
from refdot.check.plan import Configuration
from refdot.pytensor.target.target import PyTensorTarget
from refdot.rules import ASPECTS
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import TargetError


@pytest.mark.parametrize(
    ("case", "aspects"),
    [
        (dot_case("a", "a"), {"values", "structure", "resources"}),
        (dot_case("a", "a", gradient_order=1), {"values", "gradients", "structure", "resources"}),
        (dot_case("a:2", "a:3"), {"values", "errors", "structure", "resources"}),
        (dot_case("a", "a", "z", gradient_order=1), {"values", "errors", "structure", "resources"}),
        (dot_case("a", "a", dtypes=("int8", "float64"), gradient_order=1), {*ASPECTS}),
    ],
    ids=["valid", "gradient", "sizes differ", "unknown name", "gradient of an integer"],
)
def test_the_aspects_that_a_case_can_show(case, aspects):
    possible = possible_kinds(case)
    assert {name for name, kinds in ASPECTS.items() if possible & {*kinds}} == aspects


def test_a_run_with_only_does_not_run_cases_that_cannot_show_its_aspects():
    called = []

    def dot(x, y, dim=None):
        called.append(x.dims)
        return rd.dot(x, y, dim)

    cases = [dot_case("a", "a"), dot_case("b:2", "b:3")]
    target = CallableTarget(dot, "dot")
    assert [*judge_cases(target, cases, Configuration("call", "stock"), ("errors",))] == []
    assert {*called} == {("b",), ("named00",)}


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (KeyError("a\nb"), r"KeyError at run: 'a\nb'"),
        (SystemExit("a\nb"), "SystemExit at run: a b"),
    ],
)
def test_a_target_that_fails_ends_the_check_with_its_name(error, shown):
    class Failing(CallableTarget):
        def run_all(self, cases, backend, lowering, until="run"):
            raise error

    found = judge_cases(
        Failing(rd.dot, "dot"), [dot_case("a", "a")], Configuration("call", "stock")
    )
    with pytest.raises(TargetError) as caught:
        next(found)
    assert str(caught.value) == f"the target dot failed: {shown}"


def test_each_aspect_finds_the_same_with_and_without_the_other_ones():
    target, python = PyTensorTarget(), Configuration("python", "stock")
    cases = [case for case in smoke_cases() if len(case.dims) <= 8][::15]

    def found(only):
        findings = judge_cases(target, cases, python, only)
        return {(finding.mismatch.case, *finding.key) for finding in findings}

    alone = [found((aspect,)) for aspect in ASPECTS]
    assert set().union(*alone) == found(())
    assert sum(map(len, alone)) == len(found(()))


class Sleeping(CallableTarget):
    """A target that sleeps before it runs a case with a dim "b"."""

    def run(self, case, *rest):
        if "b" in case.x.dims:
            time.sleep(60)
        return super().run(case, *rest)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no such signal")
def test_a_case_without_an_answer_is_a_mismatch_in_this_process_too():
    cases = [dot_case("a", "a"), dot_case("b", "b"), dot_case("c", "c")]

    def dot(x, y, dim=None):
        return rd.dot(x, y, () if "c" in x.dims else dim)

    found = [*judge_cases(Sleeping(dot, "fn"), cases, Configuration("call", "stock"), timeout=0.2)]
    assert {each.signature for each in found if "b" in each.case.x.dims} == {
        "R6 rejected-valid at run: no answer within 0.2 s"
    }
    assert any("c" in each.case.x.dims for each in found)
