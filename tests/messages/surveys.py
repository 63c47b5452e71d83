"""Surveys of error messages that are written out."""

from refdot.judging.fingerprints import normalise
from refdot.messages.scenarios import SCENARIOS
from refdot.messages.survey import Message, Survey
from refdot.targets.outcome import Raised, qualified_name

UNKNOWN = "contracted-unknown"


def survey_of(**answers_by_scenario) -> Survey:
    """Return a survey with some messages for each scenario.

    An answer is the text of a ValueError, an exception, a pair of a text and the notes appended
    to it, or None for no error.
    """
    messages = []
    for name, answers in answers_by_scenario.items():
        scenario = SCENARIOS[name.replace("_", "-")]
        for number, answer in enumerate(answers):
            raised = None
            if answer is not None:
                text, appended = answer if isinstance(answer, tuple) else (answer, "")
                error = text if isinstance(text, Exception) else ValueError(text)
                bases = tuple(map(qualified_name, type(error).__mro__))
                kind = type(error).__name__
                raised = Raised("run", kind, str(error), True, appended, bases)
            case = scenario.cases[0]
            line = normalise(raised.message, case) if raised else ""
            messages.append(Message(scenario, case, f"backend{number}", "stock", raised, line))
    return Survey("scripted", "1.2", "3.12.0", ("backend0",), ("stock",), {}, tuple(messages))


FOUND = survey_of(
    contracted_unknown=["shapes (2,3) and (4,5) not aligned", "gemm: operands have sizes 3 and 4"],
    batch_unknown=["Inputs have to be of one size", None],
    contracted_1_unknown=["shapes (2,1) and (4,5) not aligned", TypeError("no gemm for int8")],
    dim_not_found=["Dimension e not found"],
    dims_too_many=["more than 26 letters", None],
)


def reasons(verdict):
    return [(miss.message.backend, miss.reason) for miss in verdict.unmatched]


def texts(messages):
    return [message.raised.message for message in messages]
