"""Surveys: what is asked, what is kept of it, and what counts as changed."""

import json
import re

import numpy as np
import pytest

import refdot as rd
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.codec import case_to_json
from refdot.judging.fingerprints import normalised
from refdot.messages.scenarios import SCENARIOS, ErrorScenario
from refdot.messages.survey import Message, Survey, SurveyError, by_stage, changes, survey
from refdot.targets.callable import CallableTarget
from refdot.targets.outcome import Outcome, Raised
from refdot.targets.protocol import Backend

CASE = DotCase(
    Operand(("time", "n", ""), (2, 3, 1)), Operand(("time", 5), (3, 4)), DimArgument("str", ("e",))
)
# Each: a message, and what is left of it.
NORMALISED = {
    "Size of dim 'time' does not match": "Size of dim '<dim>' does not match",
    "times, timer and some-time": "times, timer and some-<dim>",
    "Dimension e not found": "Dimension <dim> not found",
    "Dimension 5 not found": "Dimension <n> not found",
    "(n?,k),(k,m?)->(n?,m?)": "(<dim>?,k),(k,m?)->(<dim>?,m?)",
    "shapes (2,3) and (4,) not aligned: 3 (dim 1)": (
        "shapes <shape> and <shape> not aligned: <n> (dim <n>)"
    ),
    "shape () of (2, 3)": "shape <shape> of <shape>",
    "input[0].shape[10] = 3": "input[<n>].shape[<n>] = <n>",
    "Inputs [[[ 6.]\n  [-2.5e+10]]], [1 2], [] must": "Inputs <array> must",
    "[nan, inf] and [True False] and [0]": "<array> and <array> and [<n>]",
    "one\n  two\tthree ": "one two three",
    "<Op object at 0x7fA0>": "<Op object at <address>>",
    "float64 int8 1e-5 -3.25 x1": "float64 int8 <n> <n> x1",
    "[not an array] [a, 1]": "[not an array] [a, <n>]",
    "": "",
}


@pytest.mark.parametrize(("text", "left"), NORMALISED.items(), ids=NORMALISED)
def test_what_varies_is_left_out(text, left):
    assert normalised(text, CASE) == left


def test_without_names_there_is_nothing_to_take_for_one():
    case = DotCase(Operand((), ()), Operand(("",), (2,)))
    assert normalised("a e b", case) == "a e b"


@pytest.mark.parametrize("array", [np.arange(24.0).reshape(2, 3, 4) - 7, np.ones((3, 1)) / 3])
@pytest.mark.parametrize("write", [str, repr, np.ndarray.tolist])
def test_arrays_are_left_out_however_they_are_written(array, write):
    text = f"got {write(array)} there"
    assert re.fullmatch(r"got (array\()?<array>\)? there", normalised(text, CASE))


# Surveys


class Speaking:
    """A target that raises what it is told to, on each backend, and keeps what it was asked."""

    name, version, stages, unsupported, not_checked = "speaking", "1.2", ("build", "run"), (), {}

    def __init__(self, answer, backends=("one", "two"), lowerings=("stock",)):
        self.answer, self.lowerings, self.asked = answer, lowerings, []
        self.default_lowerings = lowerings
        self.there = (*map(Backend, backends), Backend("slow", default=False))
        self.there += (Backend("gone", "it is not installed"),)

    def backends(self):
        return self.there

    def run(self, case, backend, lowering, until="run"):
        self.asked.append((case, backend, lowering))
        answer = self.answer(backend, lowering, case)
        return answer if isinstance(answer, Outcome) else Outcome(raised=answer)


def raised(message, stage="run", kind=ValueError, appended=""):
    bases = tuple(f"builtins.{base.__name__}" for base in kind.__mro__)
    expected = issubclass(kind, ValueError | TypeError)
    return Raised(stage, kind.__name__, message, expected, appended, bases)


def test_every_case_is_asked_on_every_backend_and_lowering():
    target = Speaking(lambda *_: raised("no"), lowerings=("stock", "inlined"))
    told = []
    found = survey(target, progress=lambda *progress: told.append(progress))
    cases = [case for situation in SCENARIOS.values() for case in situation.cases]
    ways = [(b, low) for b in ("one", "two") for low in ("stock", "inlined")]
    assert target.asked == [(case, *way) for case in cases for way in ways]
    assert [(m.case, m.backend, m.lowering) for m in found.messages] == target.asked
    assert told == [("asking", number, len(cases)) for number in range(1, len(cases) + 1)]
    assert (found.target, found.version) == ("speaking", "1.2")
    assert (found.backends, found.lowerings) == (("one", "two"), ("stock", "inlined"))
    assert found.absent == {"gone": "it is not installed"}


def test_what_is_asked_for_alone_is_asked():
    target = Speaking(lambda *_: raised("no"), lowerings=("stock", "inlined"))
    found = survey(
        target,
        situations=["dim-misspelt", "batch-static"],
        backends=["slow"],
        lowerings=["inlined"],
    )
    assert [m.situation.name for m in found.messages] == ["dim-misspelt", "batch-static"]
    assert {asked[1:] for asked in target.asked} == {("slow", "inlined")}


def test_an_unknown_situation_is_refused():
    with pytest.raises(ValueError, match=r"^no situation 'zebra'$"):
        survey(Speaking(lambda *_: None), situations=["zebra"])


STATIC = SCENARIOS["contracted-static"]
TOO_MANY = SCENARIOS["dims-too-many"]
# Each: a situation, what the target does, whether it is silent, what is said in essence.
ESSENCES = {
    "an error": (
        STATIC,
        raised("dim 'b' is 3", "build"),
        False,
        ("build", "ValueError", "dim '<dim>' is <n>"),
    ),
    "pages are no part of it": (
        STATIC,
        raised("no", kind=TypeError, appended="\nApply node 3"),
        False,
        ("run", "TypeError", "no"),
    ),
    "nothing": (STATIC, None, True, ("-", "-", "NOTHING RAISED")),
    "nothing, rightly": (TOO_MANY, None, False, ("-", "-", "nothing raised, which is right")),
    "something, wrongly": (
        TOO_MANY,
        raised("26 letters"),
        False,
        ("run", "ValueError", "<n> letters"),
    ),
}


@pytest.mark.parametrize(
    ("situation", "answer", "silent", "essence"), ESSENCES.values(), ids=ESSENCES
)
def test_what_is_said_is_kept(situation, answer, silent, essence):
    found = survey(Speaking(lambda *_: answer, ["one"]), situations=[situation.name])
    for message in found.messages:
        assert (message.raised, message.is_silent) == (answer, silent)
        assert message.essence == essence


def test_what_is_beyond_a_target_is_not_asked():
    found = survey(CallableTarget(rd.dot, "dot"), situations=["dims-repeated"])
    for message in found.messages:
        assert message.not_checked == "dims that break R1 cannot reach it: NamedTensor refuses them"
        assert not message.is_silent
        assert message.essence == ("-", "-", f"not asked: {message.not_checked}")


GRADIENTS = {
    "refused": (Outcome(discrete_gradient_raised=raised("no", "lower")), False, "no"),
    "given": (Outcome(discrete_gradients=("x",)), True, "NOTHING RAISED"),
    "the dot itself fails": (Outcome(raised=raised("early")), False, "early"),
    "not known": (Outcome(), False, "not asked: no gradients of integers are asked of this target"),
}


@pytest.mark.parametrize(("outcome", "silent", "said"), GRADIENTS.values(), ids=GRADIENTS)
def test_the_gradient_of_an_integer_is_asked_for_too(outcome, silent, said):
    found = survey(Speaking(lambda *_: outcome, ["one"]), situations=["gradient-of-integer"])
    assert {(message.is_silent, message.essence[2]) for message in found.messages} == {
        (silent, said)
    }


def test_messages_that_are_the_same_are_grouped_by_stage():
    said = {
        "one": raised("late"),
        "two": raised("soon 5", "build"),
        "slow": raised("soon 6", "build"),
    }
    target = Speaking(lambda backend, *_: said.get(backend))
    found = survey(target, situations=["batch-static"], backends=["one", "two", "slow", "gone"])
    groups = [(essence, [m.backend for m in group]) for essence, group in by_stage(found.messages)]
    assert groups == [
        (("-", "-", "NOTHING RAISED"), ["gone"]),
        (("build", "ValueError", "soon <n>"), ["two", "slow"]),
        (("run", "ValueError", "late"), ["one"]),
    ]


# JSON


def mixed(backend, lowering, case):
    """Answer each case in another way."""
    if backend == "two":
        return None
    return raised(f"{case.x}: é", "lower", KeyError, appended="\npages")


def test_a_survey_survives_json():
    found = survey(Speaking(mixed))
    text = json.dumps(found.to_json())
    read = Survey.from_json(text)
    assert read == found
    assert [m.raised and (m.raised.text, m.raised.bases) for m in read.messages] == [
        m.raised and (m.raised.text, m.raised.bases) for m in found.messages
    ]
    assert json.dumps(read.to_json()) == text


def test_the_json_has_just_these_fields():
    found = survey(Speaking(mixed, ["one"]), situations=["contracted-static"]).to_json()
    assert found == {
        "refdot": rd.__version__,
        "target": "speaking",
        "target_version": "1.2",
        "python": found["python"],
        "backends": ["one"],
        "lowerings": ["stock"],
        "absent_backends": {"gone": "it is not installed"},
        "messages": [
            {
                "situation": "contracted-static",
                "rule": "R4",
                "case": case_to_json(STATIC.cases[0]),
                "backend": "one",
                "lowering": "stock",
                "unjudged": "",
                "nothing_raised": False,
                "stage": "lower",
                "type": "KeyError",
                "bases": [
                    "builtins.KeyError",
                    "builtins.LookupError",
                    "builtins.Exception",
                    "builtins.BaseException",
                    "builtins.object",
                ],
                "message": "float64(r: 2, b: 3): é",
                "appended": "\npages",
                "normalised": "float64(<dim>: <n>, <dim>: <n>): é",
            }
        ],
    }


def test_a_situation_that_is_gone_can_still_be_read():
    found = survey(Speaking(mixed, ["one"]), situations=["contracted-static"]).to_json()
    found["messages"][0] |= {"situation": "gone", "rule": "R11"}
    (message,) = Survey.from_json(json.dumps(found)).messages
    assert message.situation == ErrorScenario("gone", "R11", "", ())


UNREADABLE = {
    "{": "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    "[]": "not written by refdot errors: list indices must be integers or slices, not str",
    "{}": "not written by refdot errors: it lacks 'target'",
    "5": "not written by refdot errors: 'int' object is not subscriptable",
}


@pytest.mark.parametrize(("text", "message"), UNREADABLE.items(), ids=UNREADABLE)
def test_what_is_no_survey_is_refused(text, message):
    with pytest.raises(SurveyError) as caught:
        Survey.from_json(text)
    assert str(caught.value) == message


def test_a_survey_with_a_broken_case_is_refused():
    found = survey(Speaking(mixed, ["one"]), situations=["contracted-static"]).to_json()
    found["messages"][0]["case"] = {"x": 5}
    with pytest.raises(
        SurveyError,
        match=r"^not written by refdot errors: Expected `object`, got `int` - at `\$\.x`$",
    ):
        Survey.from_json(json.dumps(found))


# What changed


def said(*texts, backends=("one", "two"), lowerings=("stock",)):
    """Give a survey of one case in which backends say, in turn, the texts."""
    answers = dict(zip(backends, map(raised, texts), strict=True))
    target = Speaking(lambda backend, *_: answers[backend], backends, lowerings)
    return survey(target, situations=["contracted-static"])


def test_what_is_said_in_other_words_is_a_change():
    found = changes(said("size 3", "no"), said("size 4", "never"))
    assert [(c.before.raised.message, c.after.raised.message) for c in found] == [("no", "never")]
    assert [(c.before.backend, c.after.backend) for c in found] == [("two", "two")]


@pytest.mark.parametrize("other", [raised("no", "build"), raised("no", kind=TypeError), None])
def test_another_stage_or_type_or_silence_is_a_change(other):
    before = survey(Speaking(lambda *_: raised("no"), ["one"]), situations=["batch-static"])
    after = survey(Speaking(lambda *_: other, ["one"]), situations=["batch-static"])
    (change,) = changes(before, after)
    assert (change.before.raised, change.after.raised) == (raised("no"), other)
    assert changes(before, before) == ()


def test_one_backend_or_lowering_is_compared_with_another():
    one, two = said("no", backends=["one"]), said("never", backends=["two"])
    (change,) = changes(one, two)
    assert (change.before.backend, change.after.backend) == ("one", "two")
    inlined = said("never", backends=["one"], lowerings=["inlined"])
    (change,) = changes(one, inlined)
    assert (change.before.lowering, change.after.lowering) == ("stock", "inlined")


def test_of_several_backends_those_in_common_are_compared():
    (change,) = changes(said("one", "two"), said("three", "four", backends=("two", "three")))
    assert (change.before.raised.message, change.after.raised.message) == ("two", "three")


def test_surveys_with_nothing_in_common_are_refused():
    others = said("no", "never", backends=("three", "four"))
    with pytest.raises(SurveyError) as caught:
        changes(said("no", "never"), others)
    assert str(caught.value) == "they have no case, backend and lowering in common"


def test_a_survey_is_named_by_what_was_asked():
    found = said("no", "never")
    assert str(found) == (
        f"speaking 1.2 on Python {found.python}, backends one, two, lowerings stock"
    )
    plain = survey(CallableTarget(rd.dot, "dot"), situations=["batch-static"])
    assert str(plain).startswith("dot on Python ")


def test_a_message_is_data():
    message = Message(STATIC, STATIC.cases[0], "one", "stock", raised("no"))
    assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message
