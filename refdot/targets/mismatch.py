"""Mismatches, and the known deviations that explain some of them."""

from collections.abc import Callable
from dataclasses import dataclass

from refdot.cases.case import DotCase
from refdot.errors import DotError
from refdot.targets.outcome import Outcome
from refdot.targets.rendering import render
from refdot.text import printable

__all__ = ["Deviation", "Mismatch", "as_comment", "picture_of"]


@dataclass(frozen=True)
class Mismatch:
    """A rule that the outcome of a case breaks.

    Attributes
    ----------
    rule, kind, stage : str
        Terms of `refdot.rules`, such as "R6", "wrong-value" and "run".
    detail : str
        A text that distinguishes its cause from others of the same rule, kind and stage.
    expected, got : str
        One line each, for people.
    earliest_stage : str
        For errors, the earliest stage that could have raised them.
    replicate : int
        The replicate of the case that shows it.
    order, operand : int, str
        For gradients, their order, and the operand that they are gradients of.
    """

    rule: str
    kind: str
    stage: str
    detail: str
    expected: str
    got: str
    case: DotCase
    earliest_stage: str = ""
    replicate: int = 0
    order: int = 0
    operand: str = ""

    @property
    def signature(self) -> str:
        """The text that all mismatches with the same cause share."""
        return f"{self.rule} {self.kind} at {self.stage}: {self.detail}"

    def __str__(self) -> str:
        details = f"  {self.case}", f"  expected {self.expected}", f"  got      {self.got}"
        return "\n".join(map(printable, (self.signature, *details)))

    def _repr_html_(self) -> str:
        return render("mismatch.html.jinja", mismatch=self, picture=picture_of(self.case))


def picture_of(case: DotCase) -> str:
    """Return the lowering of a case with its sizes as SVG, or "" if there is no lowering."""
    try:
        lowering = case.lowering
    except DotError:
        return ""
    x_sizes, y_sizes = case.x.sizes, case.y.sizes
    disagreeing = {
        dim: f"{size} in x, {y_sizes[dim]} in y"
        for dim, size in x_sizes.items()
        if y_sizes.get(dim, size) != size
    }
    return lowering.to_svg({**x_sizes, **y_sizes, **disagreeing})


def as_comment(text: str) -> str:
    """Return a text as a Python comment, with unprintable characters escaped."""
    return "\n".join(f"# {printable(line)}".rstrip() for line in text.splitlines())


@dataclass(frozen=True)
class Deviation:
    """A known deviation: mismatches with a known cause in some versions of a target."""

    id: str  # short words with hyphens between them
    title: str  # the defect, in one sentence
    rules: tuple[str, ...]
    kinds: tuple[str, ...]
    versions: str  # a PEP 440 specifier
    backends: tuple[str, ...]  # that have it; empty if all do
    # Whether a mismatch of these rules and kinds, given with its outcome, has this cause. It is as
    # narrow as the cause, so that it hides no other defect.
    matches: Callable[[Mismatch, Outcome], bool]
    example: DotCase  # a case that has the mismatch
    cause: str  # its place in the source of the target, and why it has this effect
    upstream: str = ""  # the address of the most relevant page of the target's issue tracker
    lowerings: tuple[str, ...] = ()  # that have it; empty if all do
    # Cases that show it elsewhere in the source. A target has it as long as one of all these does.
    further_examples: tuple[DotCase, ...] = ()

    @property
    def examples(self) -> tuple[DotCase, ...]:
        """Return the example and the further ones."""
        return (self.example, *self.further_examples)
