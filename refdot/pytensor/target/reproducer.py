"""Write a mismatch as a standalone script for a bug report.

The text of the scripts is in `templates`; this module computes the values to fill in.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.judging.expected import correct_gradient, correct_value, expected_error
from refdot.judging.naming import names_dim, wrong_and_right_names
from refdot.judging.rounding import CorrectAnswers
from refdot.pytensor.target.determinism import over_other_dims, reordered
from refdot.pytensor.target.graph import operands
from refdot.pytensor.target.resources import small_and_large
from refdot.pytensor.target.scripts import (
    complete_script,
    layout_sources,
    script_templates,
    sources,
)
from refdot.rules import STAGES
from refdot.targets.mismatch import Mismatch
from refdot.tensor import Array

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["reproducer"]


def reproducer(mismatch: Mismatch, mode: str, lowering: str, blas_flags: str = "") -> str:
    """Return a standalone script that shows a mismatch.

    The script prints the expected and the actual answer, and exits 1 while they differ. It imports
    refdot only if the lowering is "direct", which is refdot's own. `mode` is the compilation mode
    as PyTensor code, and `blas_flags` the value of `config.blas__ldflags`.
    """
    script = _Script(mismatch, mode, lowering, blas_flags)
    body = (
        _templates()
        .get_template("body.py.jinja")
        .render(
            mismatch=mismatch,
            script=script,
            operands=operands(mismatch.case),
            source_of_names_dim=inspect.getsource(names_dim),
            **sources(),
        )
    )
    needs_refdot = lowering == "direct" and not script.is_build_only
    return complete_script(body, str(mismatch), needs_refdot)


@cache
def _templates() -> Environment:
    jinja = script_templates()
    jinja.filters.update(
        names_literal=_names_literal,
        hashed_literal=_hashed_literal,
        reordered=reordered,
        over_other_dims=over_other_dims,
    )
    return jinja


def _names_literal(names: Sequence[Any]) -> str:
    return f"names({list(names)!r})"  # a function that the template "determinism" defines


def _hashed_literal(dim: DimArgument) -> str:
    """Write a `dim` argument whose names have chosen hashes."""
    names = _names_literal(dim.items)
    codes = {
        "str": f"{names}[0]",
        "tuple": names,
        "keys": f"dict.fromkeys({names})",
        "iterator": f"iter({names})",
        **{type_: f"{type_}({names})" for type_ in ("list", "set", "frozenset")},
    }
    return codes.get(dim.spelling, str(dim))


@dataclass(frozen=True)
class _Script:
    """The values that the templates fill in."""

    mismatch: Mismatch
    mode: str
    lowering: str
    blas_flags: str

    @property
    def is_build_only(self) -> bool:
        """Whether building the graph shows the mismatch, without values."""
        return self.mismatch.stage == "build" and self.mismatch.kind != "accepted-invalid"

    @property
    def has_values(self) -> bool:
        """Whether the script needs the values of the operands."""
        origins = {operand.origin for operand in operands(self.mismatch.case).values()}
        kind = self.mismatch.kind
        if kind == "resources":
            return False
        needs_no_call = self.is_build_only or kind == "nondeterminism"
        return not needs_no_call or origins != {"input"}

    @property
    def layout_sources(self) -> list[str]:
        """The sources of the functions that give the operands their layouts."""
        return layout_sources(operands(self.mismatch.case).values())

    @property
    def inputs(self) -> list[str]:
        """The operands that are arguments of the function."""
        named = operands(self.mismatch.case).items()
        return [name for name, operand in named if operand.origin == "input"]

    @property
    def ones_of_inputs(self) -> str:
        """The arguments for another call."""
        return ", ".join(f"np.ones_like({name}_value)" for name in self.inputs)

    @property
    def is_merged(self) -> bool:
        """Whether the mismatch is that dots over different dims are equal operations."""
        return self.mismatch.detail == "the op is that of other dims"

    @property
    def rewrite_fails(self) -> bool:
        """Whether the mismatch is a rewrite that raises, which PyTensor only logs."""
        return self.mismatch.detail.startswith("a rewrite fails")

    @property
    def graph_at_fault(self) -> tuple[str, str]:
        """The graph that has nodes that it must not have, and its outputs as code."""
        graphs = {
            "the compiled forward graph": "function.maker.fgraph.outputs[:1]",
            "the compiled gradient graph": "function.maker.fgraph.outputs[1:]",
            "the forward graph": "[lowered]",
            "the gradient graph": "bars",
        }
        return next(each for each in graphs.items() if self.mismatch.detail.endswith(each[0]))

    @property
    def sized_cases(self) -> tuple[DotCase, DotCase]:
        """The cases whose costs are compared (R15)."""
        return small_and_large(self.mismatch.case)

    @property
    def sized_operands(self) -> dict[str, dict[str, Operand]]:
        """The operands of these cases."""
        return dict(zip(("small", "large"), map(operands, self.sized_cases), strict=True))

    @property
    def differentiates(self) -> bool:
        mismatch = self.mismatch
        if mismatch.kind != "structure":
            return mismatch.kind == "wrong-gradient" or mismatch.order > 0
        of_rewrite = self.rewrite_fails and mismatch.case.gradient_order > 0
        return "gradient graph" in mismatch.detail or (of_rewrite and bool(self.differentiated))

    @property
    def differentiated(self) -> list[str]:
        """The operands to differentiate: the continuous ones, or the discrete one at fault."""
        named, wanted = operands(self.mismatch.case), self.mismatch.operand
        kinds = {
            name: np.dtype(operand.dtype).kind
            for name, operand in named.items()
            if operand.origin != "constant"
        }
        if wanted and kinds[wanted] not in "fc":
            return [wanted]
        return [name for name, kind in kinds.items() if kind in "fc"]

    @property
    def later_stages(self) -> tuple[str, ...]:
        """The stages at which an error is too late."""
        return STAGES[STAGES.index(self.mismatch.earliest_stage) + 1 :]

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of which an error message must contain one, and less often the others (R13)."""
        error = expected_error(self.mismatch.case)
        return wrong_and_right_names(self.mismatch.case, error) if error else ((), ())

    @property
    def correct_type(self) -> tuple[tuple[str, ...], str, tuple[int | None, ...]]:
        """The dims, dtype and static shape that the graph should declare (R5, R7, R9)."""
        case = self.mismatch.case
        static = [*case.x.static_sizes.items(), *case.y.static_sizes.items()]
        sizes = {dim: size for dim, size in static if size is not None}
        dims = case.lowering.out_dims
        return dims, str(case.result_dtype), tuple(map(sizes.get, dims))

    @property
    def correct_answer(self) -> tuple[CorrectAnswers, Array, Array]:
        """The correct answers, one of them, and the distance from it that is allowed."""
        mismatch, case, replicate = self.mismatch, self.mismatch.case, self.mismatch.replicate
        if mismatch.kind == "wrong-gradient":
            operand = mismatch.operand or self.differentiated[0]
            order = mismatch.order or 1
            correct = correct_gradient(case, order, operand, replicate, conjugates=True)
        else:
            correct = correct_value(case, replicate)
        with np.errstate(all="ignore"):
            reference = correct.reference.astype(correct.dtype)
        bound = np.zeros(reference.shape)
        if correct.dtype.kind in "fc":
            bound = correct.bound(np.finfo(correct.dtype)).astype(float)
        return correct, np.asarray(reference), np.asarray(bound)
