"""Tests of surveys: the cases that are run, the messages, their JSON, and comparisons."""

import json

import pytest

import refdot as rd
from refdot.cases.codec import case_to_json
from refdot.messages.codec import survey_from_json, survey_to_json
from refdot.messages.scenarios import SCENARIOS, ErrorScenario
from refdot.messages.survey import SurveyError, changes, group_by_summary, survey
from refdot.targets.callable import CallableTarget
from refdot.targets.environment import environment_of
from refdot.targets.outcome import Outcome, Raised
from refdot.targets.protocol import Backend


class ScriptedTarget:
    """A target that gives scripted answers and records its calls."""

    name, version, stages, unsupported, not_checked = "scripted", "1.2", ("build", "run"), (), {}

    def __init__(self, answer, backends=("one", "two"), lowerings=("stock",)):
        self.answer, self.lowerings, self.calls = answer, lowerings, []
        self.default_lowerings = lowerings
        self.available = (*map(Backend, backends), Backend("slow", default=False))
        self.available += (Backend("gone", "it is not installed"),)

    def backends(self):
        return self.available

    def run(self, case, backend, lowering, until="run"):
        self.calls.append((case, backend, lowering))
        answer = self.answer(backend, lowering, case)
        return answer if isinstance(answer, Outcome) else Outcome(raised=answer)


def raised(message, stage="run", kind=ValueError, appended=""):
    bases = tuple(f"builtins.{base.__name__}" for base in kind.__mro__)
    expected = issubclass(kind, ValueError | TypeError)
    return Raised(stage, kind.__name__, message, expected, appended, bases)


def test_a_slow_backend_is_surveyed_if_it_has_messages_of_its_own():
    target = ScriptedTarget(lambda *_: raised("no"))
    target.available = (
        Backend("fast"),
        Backend("slow", slow_to_compile=True),
        Backend("strict", slow_to_compile=True, has_own_messages=True),
        Backend("gone", "it is not installed", has_own_messages=True),
    )
    assert survey(target, scenarios=["batch-static"]).backends == ("fast", "strict")


def test_every_case_is_run_on_every_backend_and_lowering():
    target = ScriptedTarget(lambda *_: raised("no"), lowerings=("stock", "inlined"))
    progress = []
    found = survey(target, progress=lambda *call: progress.append(call))
    cases = [case for scenario in SCENARIOS.values() for case in scenario.cases]
    pairs = [(b, low) for b in ("one", "two") for low in ("stock", "inlined")]
    assert target.calls == [(case, *pair) for case in cases for pair in pairs]
    assert [(m.case, m.backend, m.lowering) for m in found.messages] == target.calls
    assert progress == [("surveying", number, len(cases)) for number in range(1, len(cases) + 1)]
    assert (found.target, found.version) == ("scripted", "1.2")
    assert (found.backends, found.lowerings) == (("one", "two"), ("stock", "inlined"))
    assert found.absent == {"gone": "it is not installed"}


def test_only_the_requested_scenarios_and_configurations_are_run():
    target = ScriptedTarget(lambda *_: raised("no"), lowerings=("stock", "inlined"))
    found = survey(
        target,
        scenarios=["dim-misspelt", "batch-static"],
        backends=["slow"],
        lowerings=["inlined"],
    )
    assert [m.scenario.name for m in found.messages] == ["dim-misspelt", "batch-static"]
    assert {call[1:] for call in target.calls} == {("slow", "inlined")}


def test_unknown_scenario_is_rejected():
    with pytest.raises(ValueError, match=r"^unknown error scenario 'zebra'$"):
        survey(ScriptedTarget(lambda *_: None), scenarios=["zebra"])


STATIC = SCENARIOS["contracted-static"]
TOO_MANY = SCENARIOS["dims-too-many"]
# Each: a scenario, the error, whether an error is missing, and the summary.
SUMMARIES = {
    "an error": (
        STATIC,
        raised("dim 'b' is 3", "build"),
        False,
        ("build", "ValueError", "dim 'b' is <n>"),
    ),
    "appended text is not part of it": (
        STATIC,
        raised("no", kind=TypeError, appended="\nApply node 3"),
        False,
        ("run", "TypeError", "no"),
    ),
    "no error": (STATIC, None, True, ("-", "-", "NO ERROR RAISED")),
    "no error, correctly": (TOO_MANY, None, False, ("-", "-", "no error raised (correct)")),
    "an error for a valid case": (
        TOO_MANY,
        raised("26 letters"),
        False,
        ("run", "ValueError", "<n> letters"),
    ),
}


@pytest.mark.parametrize(
    ("scenario", "answer", "is_missing", "summary"), SUMMARIES.values(), ids=SUMMARIES
)
def test_message_keeps_the_error(scenario, answer, is_missing, summary):
    found = survey(ScriptedTarget(lambda *_: answer, ["one"]), scenarios=[scenario.name])
    for message in found.messages:
        assert (message.raised, message.is_missing_error) == (answer, is_missing)
        assert message.summary == summary


LETTERS = iter("xyz")
# Each: what the target says about the case, and the same with placeholders.
NAMED = {
    "a word of the text": (lambda case: "in np.dot(a, b) of r", "in np.dot(a, b) of r"),
    "a dim": (lambda case: f"dim {case.x.dims[1]}", "dim <dim>"),
    "both": (
        lambda case: f"np.dot(a, b): size of dim '{case.x.dims[1]}' is {case.x.shape[1]}",
        "np.dot(a, b): size of dim '<dim>' is <n>",
    ),
    "more than a name changes": (
        lambda case: f"b is {'ASCII' if case.x.dims[0].isascii() else 'not ASCII'}",
        "<dim> is ASCII",
    ),
    "unlike at each call": (lambda case: f"b {next(LETTERS)}", "<dim> x"),
}


@pytest.mark.parametrize(("message", "line"), NAMED.values(), ids=NAMED)
def test_only_names_that_change_with_a_dim_are_replaced(message, line):
    target = ScriptedTarget(lambda backend, lowering, case: raised(message(case)), ["one"])
    found = survey(target, scenarios=["contracted-static"])
    assert found.messages[0].normalised == line


def test_a_message_is_read_with_other_names_once_for_each_backend():
    target = ScriptedTarget(
        lambda backend, lowering, case: raised(f"np.dot(a, b) of {case.x.dims}")
    )
    found = survey(target, scenarios=["contracted-unknown"])
    again = [case for case, *_ in target.calls if not "".join(case.x.dims).isascii()]
    lines = {message.normalised for message in found.messages}
    assert len(again) == 2 * len(lines)
    assert all(line.startswith("np.dot(a, b) of ('<dim>',") for line in lines)


def test_an_older_survey_has_its_own_normalised_messages():
    found = survey(ScriptedTarget(mixed, ["one"]), scenarios=["contracted-static"])
    data = survey_to_json(found)
    data["messages"][0]["normalised"] = "its own"
    assert survey_from_json(json.dumps(data)).messages[0].normalised == "its own"


def test_unsupported_case_is_not_run():
    found = survey(CallableTarget(rd.dot, "dot"), scenarios=["dims-repeated"])
    for message in found.messages:
        assert message.not_checked == "NamedTensor does not accept dims that break R1"
        assert not message.is_missing_error
        assert message.summary == ("-", "-", f"not run: {message.not_checked}")


GRADIENTS = {
    "refused": (Outcome(discrete_gradient_raised=raised("no", "lower")), False, "no"),
    "given": (Outcome(discrete_gradients=("x",)), True, "NO ERROR RAISED"),
    "the dot itself raises": (Outcome(raised=raised("early")), False, "early"),
    "not computed": (Outcome(), False, "not run: this target computes no gradients of integers"),
}


@pytest.mark.parametrize(("outcome", "is_missing", "line"), GRADIENTS.values(), ids=GRADIENTS)
def test_error_of_the_gradient_of_an_integer_is_kept(outcome, is_missing, line):
    found = survey(ScriptedTarget(lambda *_: outcome, ["one"]), scenarios=["gradient-of-integer"])
    assert {(message.is_missing_error, message.summary[2]) for message in found.messages} == {
        (is_missing, line)
    }


def test_messages_with_one_summary_are_grouped_by_stage():
    answers = {
        "one": raised("late"),
        "two": raised("soon 5", "build"),
        "slow": raised("soon 6", "build"),
    }
    target = ScriptedTarget(lambda backend, *_: answers.get(backend))
    found = survey(target, scenarios=["batch-static"], backends=["one", "two", "slow", "gone"])
    groups = [
        (summary, [m.backend for m in group]) for summary, group in group_by_summary(found.messages)
    ]
    assert groups == [
        (("-", "-", "NO ERROR RAISED"), ["gone"]),
        (("build", "ValueError", "soon <n>"), ["two", "slow"]),
        (("run", "ValueError", "late"), ["one"]),
    ]


# JSON


def mixed(backend, lowering, case):
    """Return no error on one backend, and an error with the case on the others."""
    if backend == "two":
        return None
    return raised(f"{case.x}: é", "lower", KeyError, appended="\nnotes")


def test_survey_survives_json():
    found = survey(ScriptedTarget(mixed))
    text = json.dumps(survey_to_json(found))
    read = survey_from_json(text)
    assert read == found
    assert [m.raised and (m.raised.text, m.raised.bases) for m in read.messages] == [
        m.raised and (m.raised.text, m.raised.bases) for m in found.messages
    ]
    assert json.dumps(survey_to_json(read)) == text


def test_json_has_exactly_these_fields():
    found = survey(ScriptedTarget(mixed, ["one"]), scenarios=["contracted-static"])
    assert survey_to_json(found) == {
        "refdot": rd.__version__,
        "target": "scripted",
        "target_version": "1.2",
        "python": found.python,
        "backends": ["one"],
        "lowerings": ["stock"],
        "absent_backends": {"gone": "it is not installed"},
        "environment": environment_of(ScriptedTarget(mixed, ["one"])),
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
                "appended": "\nnotes",
                "normalised": "float64(<dim>: <n>, <dim>: <n>): é",
            }
        ],
    }


def test_unknown_scenario_in_json_is_kept():
    data = survey_to_json(survey(ScriptedTarget(mixed, ["one"]), scenarios=["contracted-static"]))
    data["messages"][0] |= {"situation": "gone", "rule": "R11"}
    (message,) = survey_from_json(json.dumps(data)).messages
    assert message.scenario == ErrorScenario("gone", "R11", "", ())


INVALID = {
    "{": "Input data was truncated",
    "[]": "Expected `object`, got `array`",
    "{}": "Object missing required field `target`",
    '{"target": 5}': "Expected `str`, got `int` - at `$.target`",
}


@pytest.mark.parametrize(("text", "error"), INVALID.items(), ids=INVALID)
def test_invalid_json_is_rejected_with_its_location(text, error):
    with pytest.raises(SurveyError) as caught:
        survey_from_json(text)
    assert str(caught.value) == f"not written by refdot errors: {error}"


INVALID_MESSAGES = {
    "no text": ({"message": 5}, "Expected `str | null`, got `int` - at `$.messages[0].message`"),
    "no case": ({"case": {"x": 5}}, "Expected `object`, got `int` - at `$.messages[0].case.x`"),
    "no stage": ({"stage": None}, "Expected `str`, got `null` - at `$.messages[0].raised.stage`"),
}


@pytest.mark.parametrize(("fields", "error"), INVALID_MESSAGES.values(), ids=INVALID_MESSAGES)
def test_survey_with_an_invalid_message_is_rejected(fields, error):
    data = survey_to_json(survey(ScriptedTarget(mixed, ["one"]), scenarios=["contracted-static"]))
    data["messages"][0] |= fields
    with pytest.raises(SurveyError) as caught:
        survey_from_json(json.dumps(data))
    assert str(caught.value) == f"not written by refdot errors: {error}"


# Comparisons


def survey_of(*texts, backends=("one", "two"), lowerings=("stock",)):
    """Return a survey of one case with one text for each backend."""
    answers = dict(zip(backends, map(raised, texts), strict=True))
    target = ScriptedTarget(lambda backend, *_: answers[backend], backends, lowerings)
    return survey(target, scenarios=["contracted-static"])


def test_different_text_is_a_change():
    found = changes(survey_of("size 3", "no"), survey_of("size 4", "never"))
    assert [(c.before.raised.message, c.after.raised.message) for c in found] == [("no", "never")]
    assert [(c.before.backend, c.after.backend) for c in found] == [("two", "two")]


@pytest.mark.parametrize("other", [raised("no", "build"), raised("no", kind=TypeError), None])
def test_different_stage_or_type_or_no_error_is_a_change(other):
    before = survey(ScriptedTarget(lambda *_: raised("no"), ["one"]), scenarios=["batch-static"])
    after = survey(ScriptedTarget(lambda *_: other, ["one"]), scenarios=["batch-static"])
    (change,) = changes(before, after)
    assert (change.before.raised, change.after.raised) == (raised("no"), other)
    assert changes(before, before) == ()


def test_single_backends_or_lowerings_are_compared():
    one, two = survey_of("no", backends=["one"]), survey_of("never", backends=["two"])
    (change,) = changes(one, two)
    assert (change.before.backend, change.after.backend) == ("one", "two")
    inlined = survey_of("never", backends=["one"], lowerings=["inlined"])
    (change,) = changes(one, inlined)
    assert (change.before.lowering, change.after.lowering) == ("stock", "inlined")


def test_common_ones_of_several_backends_are_compared():
    (change,) = changes(
        survey_of("one", "two"), survey_of("three", "four", backends=("two", "three"))
    )
    assert (change.before.raised.message, change.after.raised.message) == ("two", "three")


def test_surveys_with_nothing_in_common_are_rejected():
    others = survey_of("no", "never", backends=("three", "four"))
    with pytest.raises(SurveyError) as caught:
        changes(survey_of("no", "never"), others)
    assert str(caught.value) == "no case, backend and lowering in common"


def test_text_of_a_survey_names_its_target_backends_and_lowerings():
    found = survey_of("no", "never")
    assert str(found) == (
        f"scripted 1.2 on Python {found.python}, backends one, two, lowering stock"
    )
    plain = survey(CallableTarget(rd.dot, "dot"), scenarios=["batch-static"])
    assert str(plain).startswith("dot on Python ")
