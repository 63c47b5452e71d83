"""A broken rule, and a known deviation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from refdot.cases.case import DotCase
from refdot.errors import DotError
from refdot.lowering import lower_dot
from refdot.targets.outcome import Outcome

__all__ = ["Deviation", "Mismatch", "as_comment", "picture_of"]


@dataclass(frozen=True)
class Mismatch:
    """One rule, broken by one outcome.

    Attributes
    ----------
    rule : str
        "R1" to "R14".
    kind : str
        One of `refdot.compare.KINDS`.
    stage : str
        Where it showed, one of `STAGES`.
    detail : str
        What tells this cause from others of the same rule, kind and stage.
    expected, got : str
        One line each, for people.
    case : DotCase
    earliest_stage : str
        For errors, the stage that could have raised it.
    replicate : int
        Which replicate of numbers showed it.
    order : int
        For gradients, their order.
    operand : str
        For gradients, the operand that they are of.
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
        """What is the same for all mismatches of one cause."""
        return f"{self.rule} {self.kind} at {self.stage}: {self.detail}"

    def __str__(self) -> str:
        return f"{self.signature}\n  {self.case}\n  expected {self.expected}\n  got      {self.got}"

    def _repr_html_(self) -> str:
        rows = {"case": str(self.case), "expected": self.expected, "got": self.got}
        table = "".join(
            f'<tr><th style="text-align: left">{name}</th>'
            f'<td style="text-align: left"><code>{escape(text)}</code></td></tr>'
            for name, text in rows.items()
        )
        return f"<b>{escape(self.signature)}</b><table>{table}</table>{picture_of(self.case)}"


def picture_of(case: DotCase) -> str:
    """Draw the lowering of a case with its sizes, or nothing if it has no lowering."""
    try:
        lowering = lower_dot(case.x.dims, case.y.dims, case.dim.value)
    except DotError:
        return ""
    x_sizes, y_sizes = case.x.sizes, case.y.sizes
    disagreeing = {
        dim: f"{size} in x, {y_sizes[dim]} in y"
        for dim, size in x_sizes.items()
        if y_sizes.get(dim, size) != size
    }
    return lowering.to_svg({**x_sizes, **y_sizes, **disagreeing})


@dataclass(frozen=True)
class Deviation:
    """A mismatch on record: one cause, understood, in some versions of a target.

    Attributes
    ----------
    id : str
        Short words with hyphens between them.
    title : str
        One sentence: what goes wrong.
    rules : tuple of str
        Those that it breaks, of "R1" to "R14".
    kinds : tuple of str
        In which ways, of `refdot.compare.KINDS`.
    versions : str
        A PEP 440 specifier.
    backends : tuple of str
        Where it shows; empty if on every one.
    matches : callable
        Whether such a mismatch, found in an outcome, comes from this cause. It is as narrow as the
        cause: what is wrong beside it must still be seen.
    example : DotCase
        A case that shows it.
    cause : str
        Where in the target's source it comes from, and why.
    upstream : str
        The address of what the target's own tracker has about it, or nearest to it, if anything.
    """

    id: str
    title: str
    rules: tuple[str, ...]
    kinds: tuple[str, ...]
    versions: str
    backends: tuple[str, ...]
    matches: Callable[[Mismatch, Outcome], bool]
    example: DotCase
    cause: str
    upstream: str = ""


def as_comment(mismatch: Mismatch) -> str:
    """Write a mismatch as a comment of a script: what it quotes may be anything."""
    lines = str(mismatch).splitlines()
    return "\n".join(f"# {line}".rstrip() for line in lines)
