"""Conversion of surveys to JSON and back; msgspec checks what is read against a schema."""

from __future__ import annotations

from typing import Any

import msgspec

from refdot import __version__
from refdot.cases.codec import CaseRecord, case_to_json
from refdot.messages.scenarios import SCENARIOS, ErrorScenario
from refdot.messages.survey import Message, Survey, SurveyError

__all__ = ["survey_from_json", "survey_to_json"]


# `msgspec.convert` fills the fields of `Message`, `Raised` and `Survey` from the attributes and
# properties of these records. In JSON, some fields keep the names that earlier files have.
class _MessageRecord(
    msgspec.Struct, rename={"not_checked": "unjudged", "normalised_message": "normalised"}
):
    situation: str
    rule: str
    case: CaseRecord
    backend: str
    lowering: str
    not_checked: str
    # The fields of `Raised`; null if nothing was raised.
    stage: str | None
    type: str | None
    bases: list[str] | None
    message: str | None
    appended: str | None
    normalised_message: str | None

    @property
    def normalised(self) -> str:
        return self.normalised_message or ""

    @property
    def scenario(self) -> ErrorScenario:
        # It may have been removed, or have another rule, since the file was written.
        return SCENARIOS.get(self.situation) or ErrorScenario(self.situation, self.rule, "", ())

    @property
    def raised(self) -> _MessageRecord | None:
        return None if self.type is None else self

    @property
    def expected_type(self) -> bool:
        return not {"builtins.ValueError", "builtins.TypeError"}.isdisjoint(self.bases or ())


class _SurveyRecord(
    msgspec.Struct, rename={"version": "target_version", "absent": "absent_backends"}
):
    target: str
    version: str
    python: str
    backends: list[str]
    lowerings: list[str]
    absent: dict[str, str]
    messages: list[_MessageRecord]
    environment: dict[str, str] = {}


def survey_to_json(survey: Survey) -> dict[str, Any]:
    """Return a survey as an object that `json.dump` can write."""
    return {
        "refdot": __version__,
        "target": survey.target,
        "target_version": survey.version,
        "python": survey.python,
        "backends": list(survey.backends),
        "lowerings": list(survey.lowerings),
        "absent_backends": survey.absent,
        "environment": survey.environment,
        "messages": list(map(_message_to_json, survey.messages)),
    }


def _message_to_json(message: Message) -> dict[str, Any]:
    raised = message.raised
    return {
        "situation": message.scenario.name,
        "rule": message.scenario.rule,
        "case": case_to_json(message.case),
        "backend": message.backend,
        "lowering": message.lowering,
        "unjudged": message.not_checked,
        "nothing_raised": message.is_missing_error,
        "stage": raised and raised.stage,
        "type": raised and raised.type,
        "bases": list(raised.bases) if raised else None,
        "message": raised and raised.message,
        "appended": raised and raised.appended,
        "normalised": message.normalised if raised else None,
    }


def survey_from_json(text: str) -> Survey:
    """Return the survey that `survey_to_json` wrote, or raise a `SurveyError` with the location."""
    try:
        record = msgspec.json.decode(text, type=_SurveyRecord)
        return msgspec.convert(record, Survey, from_attributes=True)
    except msgspec.MsgspecError as error:
        raise SurveyError(f"not written by refdot errors: {error}") from None
