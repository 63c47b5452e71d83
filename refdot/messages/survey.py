"""Survey the errors of a target: every error scenario, on every backend and lowering."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from string import ascii_letters
from typing import NamedTuple, TypeAlias

from refdot.cases.case import DotCase
from refdot.judging.fingerprints import normalise
from refdot.messages.scenarios import SCENARIOS, ErrorScenario, check_scenarios
from refdot.rules import STAGES
from refdot.targets.environment import environment_of
from refdot.targets.outcome import Raised, qualified_name
from refdot.targets.protocol import Target, unsupported_reason
from refdot.text import named

__all__ = ["Change", "Message", "Survey", "SurveyError", "changes", "group_by_summary", "survey"]

_Summary: TypeAlias = tuple[str, str, str]
_CYRILLIC = {ord(letter): ord(letter) + 0x3CF for letter in ascii_letters}


class SurveyError(ValueError):
    """A stored survey cannot be read or compared; the message says why, in one line."""


@dataclass(frozen=True)
class Message:
    """The error of a target for one case, on one backend with one lowering."""

    scenario: ErrorScenario
    case: DotCase
    backend: str
    lowering: str
    raised: Raised | None = None
    normalised: str = ""  # the message with placeholders for what varies, without appended text
    not_checked: str = ""  # why the case was not run

    @property
    def text(self) -> str:
        """The whole text, including notes; empty if nothing was raised."""
        return self.raised.text if self.raised else ""

    @property
    def is_missing_error(self) -> bool:
        """Whether the case is invalid but raised nothing."""
        return self.raised is None and not self.not_checked and not self.scenario.is_valid

    @property
    def summary(self) -> _Summary:
        """The stage, the type and the normalised message: equal for equal errors."""
        if self.raised is not None:
            return self.raised.stage, self.raised.type, self.normalised
        if self.not_checked:
            return "-", "-", f"not run: {self.not_checked}"
        return "-", "-", "NO ERROR RAISED" if self.is_missing_error else "no error raised (correct)"

    def is_instance(self, exception: type[BaseException]) -> bool:
        """Return whether an exception of this class was raised."""
        return self.raised is not None and qualified_name(exception) in self.raised.bases


@dataclass(frozen=True)
class Survey:
    """The messages of a target, and where they are from."""

    target: str
    version: str
    python: str
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    absent: dict[str, str]  # the backends that cannot run here, each with the reason
    messages: tuple[Message, ...]  # by scenario, then by case, backend and lowering
    environment: dict[str, str] = field(default_factory=dict)  # what the messages depend on

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return (
            f"{self.target}{version} on Python {self.python}, "
            f"{named('backend', self.backends)}, {named('lowering', self.lowerings)}"
        )

    @property
    def has_choice(self) -> bool:
        """Whether it has several backends or lowerings."""
        return len(self.backends) > 1 or len(self.lowerings) > 1


def survey(
    target: Target,
    *,
    scenarios: Sequence[str] = (),
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Survey:
    """Run the cases of error scenarios on a target, and return its messages.

    By default, all scenarios run with the target's default lowerings, on the default backends that
    can run here and either do not compile slowly or have messages of their own. `progress` is
    called after each case with the name of the stage, the number of cases that are done, and their
    total.

    Examples
    --------
    >>> import refdot
    >>> from refdot.targets.callable import CallableTarget
    >>> found = survey(CallableTarget(refdot.dot, "dot"), scenarios=["contracted-static"])
    >>> found.messages[0].raised.message
    "Size of dim 'b' does not match: 3 in x, 4 in y"
    """
    check_scenarios(scenarios)
    available = target.backends()
    backends = tuple(backends) or tuple(
        b.name
        for b in available
        if b.default and not b.absent and (b.has_own_messages or not b.slow_to_compile)
    )
    lowerings = tuple(lowerings) or target.default_lowerings
    cases = [
        (SCENARIOS[name], case) for name in scenarios or SCENARIOS for case in SCENARIOS[name].cases
    ]
    normaliser = _Normaliser(target)
    messages = []
    for number, (scenario, case) in enumerate(cases, 1):
        for backend, lowering in product(backends, lowerings):
            raised, not_checked = _run(target, case, backend, lowering)
            line = normaliser(raised, case, backend, lowering) if raised else ""
            messages.append(Message(scenario, case, backend, lowering, raised, line, not_checked))
        progress("surveying", number, len(cases))
    return Survey(
        target=target.name,
        version=target.version,
        python=platform.python_version(),
        backends=backends,
        lowerings=lowerings,
        absent={b.name: b.absent for b in available if b.absent},
        messages=tuple(messages),
        environment=environment_of(target),
    )


def _run(target: Target, case: DotCase, backend: str, lowering: str) -> tuple[Raised | None, str]:
    """Return the error that a case raises, if any, or why the case is not run."""
    if reason := unsupported_reason(target, case):
        return None, reason
    outcome = target.run(case, backend, lowering)
    if outcome.raised is not None or not case.gradient_order:
        return outcome.raised, ""
    if outcome.discrete_gradients or outcome.discrete_gradient_raised:
        return outcome.discrete_gradient_raised, ""
    return None, "this target computes no gradients of integers"


class _Normaliser:
    """Normalises messages: finds out which words are names of dims, and which only equal one.

    The `b` of "np.dot(a, b)" is part of the text. A name of a dim changes if the dim is renamed.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[tuple[str, str], str] = {}

    def __call__(self, raised: Raised, case: DotCase, backend: str, lowering: str) -> str:
        line = normalise(raised.message, case)
        if "<dim>" not in line:
            return line
        if (line, backend) not in self._known:
            renamed = _in_another_alphabet(case)
            again, _ = _run(self._target, renamed, backend, lowering)
            fixed = normalise(again.message, renamed) if again else ""
            # If more than the names has changed, every word that equals one may be one.
            is_same = normalise(fixed, case) == line
            self._known[line, backend] = fixed if is_same else line
        return self._known[line, backend]


def _in_another_alphabet(case: DotCase) -> DotCase:
    """Return a case whose dims have Cyrillic letters, so that names stay as alike as they are."""
    names = [name for name in (*case.dims, *case.dim.items) if isinstance(name, str)]
    return case.renamed({name: name.translate(_CYRILLIC) for name in names})


class Change(NamedTuple):
    """A case whose message differs between two surveys."""

    before: Message
    after: Message


def changes(before: Survey, after: Survey) -> tuple[Change, ...]:
    """Compare two surveys: of two versions, or of two backends or lowerings.

    Messages of the same case, backend and lowering are compared. If each survey has a single
    backend, these two are compared even if they differ; the same holds for lowerings. Raise a
    `SurveyError` if nothing can be compared.
    """
    single_backend = len(before.backends) == len(after.backends) == 1
    single_lowering = len(before.lowerings) == len(after.lowerings) == 1

    def key(message: Message) -> tuple[str, DotCase, str, str]:
        backend = "" if single_backend else message.backend
        lowering = "" if single_lowering else message.lowering
        return message.scenario.name, message.case, backend, lowering

    counterparts = {key(message): message for message in after.messages}
    pairs = [Change(m, counterparts[key(m)]) for m in before.messages if key(m) in counterparts]
    if not pairs:
        raise SurveyError("no case, backend and lowering in common")
    return tuple(pair for pair in pairs if pair.before.summary != pair.after.summary)


def group_by_summary(messages: Sequence[Message]) -> list[tuple[_Summary, list[Message]]]:
    """Group messages that have the same summary, the earliest stage first."""
    groups: dict[_Summary, list[Message]] = {}
    for message in messages:
        groups.setdefault(message.summary, []).append(message)
    order = {stage: number for number, stage in enumerate(STAGES)}
    return sorted(groups.items(), key=lambda group: order.get(group[0][0], -1))
