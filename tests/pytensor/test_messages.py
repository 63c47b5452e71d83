"""What PyTensor says of its errors, and that a regex suggested for them is exact."""

import pytest

from refdot.messages.regex import judge
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.survey import changes, survey
from refdot.pytensor.target.target import PyTensorTarget


@pytest.fixture(scope="module")
def found():
    return survey(PyTensorTarget(), backends=["python"])


def said(found, situation, lowering="stock"):
    """Give what is said of the cases of a situation, each once."""
    return {
        message.essence
        for message in found.messages
        if (message.situation.name, message.lowering) == (situation, lowering)
    }


# The same on PyTensor 3.0.7 and 3.3.8. Each: a situation, and all that is said with any lowering.
SAID = {
    "contracted-static": {("build", "ValueError", "Size of dim '<dim>' does not match")},
    "batch-1-static": {("-", "-", "NOTHING RAISED")},
    "several-unknown": {
        (
            "run",
            "AssertionError",
            "Input array shape along reduced axes of tensordot are not equal",
        )
    },
    "dim-not-found": {("build", "ValueError", "Dimension <dim> not found in either input")},
    "dims-not-names": {("-", "-", "NOTHING RAISED")},
    "dims-too-many": {("lower", "ValueError", "Too many dimensions to map to einsum subscripts")},
}


@pytest.mark.parametrize("lowering", PyTensorTarget.default_lowerings)
@pytest.mark.parametrize(("situation", "essences"), SAID.items(), ids=SAID)
def test_each_situation_has_its_messages(situation, essences, lowering, found):
    assert said(found, situation, lowering) == essences


def test_a_lowering_changes_the_message_for_the_same_mistake(found):
    (stock,), (inlined,) = (
        said(found, "contracted-unknown", name) for name in ("stock", "inlined")
    )
    assert stock[:2] == inlined[:2] == ("run", "ValueError")
    assert "has a mismatch in its core dimension <n>" in stock[2]
    assert "shapes <shape> and <shape> not aligned" in inlined[2]


def test_two_lowerings_can_be_compared():
    stock, inlined = (
        survey(
            PyTensorTarget(),
            situations=["contracted-static", "contracted-unknown"],
            backends=["python"],
            lowerings=[name],
        )
        for name in ("stock", "inlined")
    )
    changed = {change.before.situation.name for change in changes(stock, inlined)}
    assert changed == {"contracted-unknown"}


@pytest.mark.parametrize("situation", SCENARIOS)
def test_what_is_suggested_is_exact(situation, found):
    asked = [m for m in found.messages if m.situation.name == situation]
    suggested = judge("no such words", found, [situation]).suggestion
    if all(message.is_silent for message in asked):
        assert suggested is None
        return
    verdict = judge(suggested, found, [situation])
    assert {miss.why for miss in verdict.missed} <= {"nothing is raised"}
    assert len(verdict.missed) == sum(message.is_silent for message in asked)
    assert (verdict.too_wide, verdict.dead, verdict.endless) == ((), (), "")


# The regexes that PyTensor's own test of dot's errors has had, and whether they are right.
UPSTREAM = {
    "Dimension e not found in either input": ("dim-not-found", True),
    "Size of dim 'b' does not match": ("contracted-static", True),
    "not aligned": ("contracted-unknown", False),
    "Input operand 1 has a mismatch in its core dimension 0": ("contracted-unknown", False),
}


@pytest.mark.parametrize(("pattern", "expected"), UPSTREAM.items(), ids=UPSTREAM)
def test_pytensors_own_regexes_are_judged(pattern, expected, found):
    situation, is_right = expected
    verdict = judge(pattern, found, [situation], ValueError)
    assert verdict.is_right is is_right
    assert verdict.too_wide == ()
