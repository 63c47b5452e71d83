"""What a target says when a dot goes wrong, in every situation, on every backend and lowering."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from refdot import __version__
from refdot.cases.case import DotCase
from refdot.cases.codec import case_from_json, case_to_json
from refdot.judging.fingerprints import normalised
from refdot.messages.scenarios import SCENARIOS, ErrorScenario, check_scenarios
from refdot.rules import STAGES
from refdot.targets.outcome import Outcome, Raised
from refdot.targets.protocol import Target, unsupported_reason

__all__ = ["Change", "Message", "Survey", "SurveyError", "by_stage", "changes", "survey"]


_Progress = Callable[[str, int, int], None]


class SurveyError(Exception):
    """Messages that were stored cannot be read or compared; the message says why, in one line."""


@dataclass(frozen=True)
class Message:
    """What a target said of one case, on one backend with one lowering.

    Attributes
    ----------
    situation : ErrorScenario
    case : DotCase
    backend, lowering : str
    raised : Raised, optional
        None where nothing was raised.
    not_checked : str
        Why the target was not asked; empty if it was.
    """

    situation: ErrorScenario
    case: DotCase
    backend: str
    lowering: str
    raised: Raised | None = None
    not_checked: str = ""

    @property
    def text(self) -> str:
        """All that was said, notes included; empty where nothing was."""
        return self.raised.text if self.raised else ""

    @property
    def normalised(self) -> str:
        """The message without what varies, and without pages about the target's own affairs."""
        return normalised(self.raised.message, self.case) if self.raised else ""

    @property
    def is_silent(self) -> bool:
        """Whether nothing was raised although something is wrong: the worst message of all."""
        return self.raised is None and not self.not_checked and not self.situation.is_valid

    @property
    def essence(self) -> tuple[str, str, str]:
        """The stage, the type and the normalised message: what counts as the same or as changed."""
        if self.raised is not None:
            return self.raised.stage, self.raised.type, self.normalised
        if self.not_checked:
            return "-", "-", f"not asked: {self.not_checked}"
        return "-", "-", "NOTHING RAISED" if self.is_silent else "nothing raised, which is right"

    def to_json(self) -> dict[str, Any]:
        """Give the message as what `json` can write."""
        raised = self.raised
        return {
            "situation": self.situation.name,
            "rule": self.situation.rule,
            "case": case_to_json(self.case),
            "backend": self.backend,
            "lowering": self.lowering,
            "unjudged": self.not_checked,
            "nothing_raised": self.is_silent,
            "stage": raised and raised.stage,
            "type": raised and raised.type,
            "bases": list(raised.bases) if raised else None,
            "message": raised and raised.message,
            "appended": raised and raised.appended,
            "normalised": self.normalised if raised else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Message:
        """Read a message from what `to_json` gave."""
        raised = None
        if data["type"] is not None:
            bases = tuple(map(str, data["bases"]))
            raised = Raised(
                data["stage"],
                data["type"],
                data["message"],
                not {"builtins.ValueError", "builtins.TypeError"}.isdisjoint(bases),
                data["appended"],
                bases,
            )
        name = data["situation"]
        # A situation may have gone, or have another rule, since the file was written.
        situation = SCENARIOS.get(name) or ErrorScenario(name, data["rule"], "", ())
        case = case_from_json(data["case"])
        return cls(situation, case, data["backend"], data["lowering"], raised, data["unjudged"])


@dataclass(frozen=True)
class Survey:
    """Every message of a target that was asked for.

    Attributes
    ----------
    target, version, python : str
    backends, lowerings : tuple of str
    absent : dict of str to str
        The backends that cannot run here, with the reason.
    messages : tuple of Message
        By situation, then by case, backend and lowering.
    """

    target: str
    version: str
    python: str
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    absent: dict[str, str]
    messages: tuple[Message, ...]

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return (
            f"{self.target}{version} on Python {self.python}, "
            f"backends {', '.join(self.backends)}, lowerings {', '.join(self.lowerings)}"
        )

    def to_json(self) -> dict[str, Any]:
        """Give the survey as what `json` can write."""
        return {
            "refdot": __version__,
            "target": self.target,
            "target_version": self.version,
            "python": self.python,
            "backends": list(self.backends),
            "lowerings": list(self.lowerings),
            "absent_backends": self.absent,
            "messages": [message.to_json() for message in self.messages],
        }

    @classmethod
    def from_json(cls, text: str) -> Survey:
        """Read a survey from the text of what `to_json` gave.

        Raises
        ------
        SurveyError
            The text is not that of a survey.
        """
        try:
            data = json.loads(text)
            return cls(
                data["target"],
                data["target_version"],
                data["python"],
                tuple(data["backends"]),
                tuple(data["lowerings"]),
                dict(data["absent_backends"]),
                tuple(map(Message.from_json, data["messages"])),
            )
        except json.JSONDecodeError as error:
            raise SurveyError(f"not JSON: {error}") from None
        except KeyError as error:
            raise SurveyError(f"not written by refdot errors: it lacks {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise SurveyError(f"not written by refdot errors: {error}") from None


def survey(
    target: Target,
    *,
    situations: Sequence[str] = (),
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
    progress: _Progress = lambda stage, done, total: None,
) -> Survey:
    """Ask a target what it says in each situation.

    Parameters
    ----------
    target : Target
    situations : sequence of str, optional
        Names of `refdot.situations.SCENARIOS`; by default all.
    backends, lowerings : sequence of str, optional
        By default every backend that can run here and is not slow_to_compile, and every lowering.
    progress : callable, optional
        Told what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        There is no such situation.

    Examples
    --------
    >>> import refdot
    >>> from refdot.targets.callable import CallableTarget
    >>> found = survey(CallableTarget(refdot.dot, "dot"), situations=["contracted-static"])
    >>> found.messages[0].raised.message
    "Size of dim 'b' does not match: 3 in x, 4 in y"
    """
    there = target.backends()
    chosen = tuple(backends) or tuple(
        b.name for b in there if b.default and not b.absent and not b.slow_to_compile
    )
    check_scenarios(situations)
    asked = [
        (SCENARIOS[name], case)
        for name in situations or SCENARIOS
        for case in SCENARIOS[name].cases
    ]
    messages = []
    for number, (situation, case) in enumerate(asked, 1):
        for backend, lowering in product(chosen, tuple(lowerings) or target.default_lowerings):
            messages.append(_ask(target, situation, case, backend, lowering))
        progress("asking", number, len(asked))
    return Survey(
        target.name,
        target.version,
        platform.python_version(),
        chosen,
        tuple(lowerings) or target.default_lowerings,
        {b.name: b.absent for b in there if b.absent},
        tuple(messages),
    )


def _ask(
    target: Target, situation: ErrorScenario, case: DotCase, backend: str, lowering: str
) -> Message:
    """Run one case, and keep what was said."""
    if reason := unsupported_reason(target, case):
        return Message(situation, case, backend, lowering, not_checked=reason)
    outcome = target.run(case, backend, lowering)
    raised, not_checked = outcome.raised, ""
    if raised is None and case.gradient_order:
        raised, not_checked = _raised_for_gradient(outcome)
    return Message(situation, case, backend, lowering, raised, not_checked)


def _raised_for_gradient(outcome: Outcome) -> tuple[Raised | None, str]:
    """Give what the gradient of a discrete operand raised, or why that is not known."""
    if outcome.discrete_gradients or outcome.discrete_gradient_raised:
        return outcome.discrete_gradient_raised, ""
    return None, "no gradients of integers are asked of this target"


@dataclass(frozen=True)
class Change:
    """A case that is answered in another way in a second survey."""

    before: Message
    after: Message


def changes(before: Survey, after: Survey) -> tuple[Change, ...]:
    """Compare two surveys: of two versions, or of two backends or lowerings.

    Messages are compared that are of one case and of one backend and lowering. Where each survey
    has one backend only, those two count as one, whatever their names; lowerings likewise.

    Raises
    ------
    SurveyError
        The surveys have nothing in common.
    """
    same_backend = _both_one(before.backends, after.backends)
    same_lowering = _both_one(before.lowerings, after.lowerings)

    def key(message: Message) -> tuple[str, DotCase, str, str]:
        backend = "" if same_backend else message.backend
        lowering = "" if same_lowering else message.lowering
        return message.situation.name, message.case, backend, lowering

    counterparts = {key(message): message for message in after.messages}
    pairs = [
        (message, counterparts[key(message)])
        for message in before.messages
        if key(message) in counterparts
    ]
    if not pairs:
        raise SurveyError("they have no case, backend and lowering in common")
    return tuple(Change(old, new) for old, new in pairs if old.essence != new.essence)


def _both_one(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether there is just one on either side, so that they can be compared as they are."""
    return len(before) == len(after) == 1


def by_stage(messages: Sequence[Message]) -> Iterator[tuple[tuple[str, str, str], list[Message]]]:
    """Group messages that are the same in essence, the earliest stage first."""
    groups: dict[tuple[str, str, str], list[Message]] = {}
    for message in messages:
        groups.setdefault(message.essence, []).append(message)
    order = {stage: number for number, stage in enumerate(STAGES)}
    yield from sorted(groups.items(), key=lambda group: order.get(group[0][0], -1))
