"""Tests of PyTensor's error messages and of the regexes suggested for them."""

import re

import pytest

from refdot.messages.regex import judge
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.survey import changes, survey
from refdot.pytensor.target.target import PyTensorTarget


@pytest.fixture(scope="module")
def found():
    return survey(PyTensorTarget(), backends=["python"])


def summaries_of(found, scenario, lowering="stock"):
    """Return the distinct summaries of the messages of a scenario."""
    return {
        message.summary
        for message in found.messages
        if (message.scenario.name, message.lowering) == (scenario, lowering)
    }


# For each scenario, its messages with any lowering: the same on PyTensor 3.0.7 and 3.3.8.
SUMMARIES = {
    "contracted-static": {("build", "ValueError", "Size of dim '<dim>' does not match")},
    "batch-1-static": {("-", "-", "NO ERROR RAISED")},
    "several-unknown": {
        (
            "run",
            "AssertionError",
            "Input array shape along reduced axes of tensordot are not equal",
        )
    },
    "dim-not-found": {("build", "ValueError", "Dimension <dim> not found in either input")},
    "dims-not-names": {("-", "-", "NO ERROR RAISED")},
    # PyTensor logs that there are too many dims, and raises an error later.
    "dims-too-many": {
        (
            "run",
            "NotImplementedError",
            "xtensor operation Dot{dims=('<dim>', '<dim>', '<dim>')} must be lowered to equivalent"
            " tensor operations",
        ),
    },
}


@pytest.mark.parametrize("lowering", PyTensorTarget.default_lowerings)
@pytest.mark.parametrize(("scenario", "summaries"), SUMMARIES.items(), ids=SUMMARIES)
def test_each_scenario_has_its_messages(scenario, summaries, lowering, found):
    assert summaries_of(found, scenario, lowering) == summaries


def test_message_depends_on_the_lowering(found):
    (stock,), (inlined,) = (
        summaries_of(found, "contracted-unknown", name) for name in ("stock", "inlined")
    )
    assert stock[:2] == inlined[:2] == ("run", "ValueError")
    assert "has a mismatch in its core dimension <n>" in stock[2]
    assert "shapes <shape> and <shape> not aligned" in inlined[2]


def test_two_lowerings_can_be_compared():
    stock, inlined = (
        survey(
            PyTensorTarget(),
            scenarios=["contracted-static", "contracted-unknown"],
            backends=["python"],
            lowerings=[name],
        )
        for name in ("stock", "inlined")
    )
    changed = {change.before.scenario.name for change in changes(stock, inlined)}
    assert changed == {"contracted-unknown"}


# Only "dims=()" is not in other errors, or only "Dimension 5".
TOLD_BY_NUMBERS = {"batch-static": None, "dim-of-wrong-type": "UnboundLocalError"}


@pytest.mark.parametrize("scenario", TOLD_BY_NUMBERS)
def test_nothing_is_suggested_for_messages_that_only_numbers_tell_from_others(scenario, found):
    verdict = judge("no such words", found, [scenario]).suggestion
    if verdict is None:
        assert TOLD_BY_NUMBERS[scenario] is None
    else:
        covered = {
            message.raised.type
            for message in found.messages
            if message.scenario.name == scenario and re.search(verdict.pattern, message.text)
        }
        assert TOLD_BY_NUMBERS[scenario] in covered
        assert {each.reason for each in verdict.unmatched} == {"no match", "no error raised"}


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in TOLD_BY_NUMBERS])
def test_suggestion_misses_only_missing_errors(scenario, found):
    messages = [m for m in found.messages if m.scenario.name == scenario]
    verdict = judge("no such words", found, [scenario]).suggestion
    if all(message.is_missing_error for message in messages):
        assert verdict is None
        return
    assert {each.reason for each in verdict.unmatched} <= {"no error raised"}
    assert len(verdict.unmatched) == sum(message.is_missing_error for message in messages)
    assert (verdict.also_matched, verdict.unused_alternatives, verdict.timed_out_on) == ((), (), "")


# The regexes in the history of PyTensor's own test of dot's errors, and whether they are correct.
UPSTREAM = {
    "Dimension e not found in either input": ("dim-not-found", True),
    "Size of dim 'b' does not match": ("contracted-static", True),
    "not aligned": ("contracted-unknown", False),
    "Input operand 1 has a mismatch in its core dimension 0": ("contracted-unknown", False),
}


@pytest.mark.parametrize(("pattern", "expected"), UPSTREAM.items(), ids=UPSTREAM)
def test_regexes_of_pytensors_own_test_are_judged(pattern, expected, found):
    scenario, is_correct = expected
    verdict = judge(pattern, found, [scenario], ValueError)
    assert verdict.is_correct is is_correct
    assert verdict.also_matched == ()
