"""Write a mismatch as a standalone script for a bug report.

The text of the scripts is in `templates`; this module computes the values to fill in.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from refdot.cases.case import DimArgument, Operand
from refdot.errors import DimNotFoundError, SizeMismatchError
from refdot.judging.expected import correct_gradient, correct_value, expected_error
from refdot.judging.rounding import CorrectAnswers
from refdot.pytensor.lowerings.install import without_inner_graphs
from refdot.pytensor.target.determinism import over_other_dims
from refdot.pytensor.target.structure import unlowered_nodes
from refdot.rules import STAGES
from refdot.targets.mismatch import Mismatch, as_comment
from refdot.tensor import Array

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["reproducer"]

# The names that a script may use, and their imports: the standard library first, then packages.
_IMPORTS: tuple[dict[str, str], ...] = (
    {
        **{name: f"import {name}" for name in ("logging", "re", "sys", "warnings")},
        "defaultdict": "from collections import defaultdict",
        "Sequence": "from collections.abc import Sequence",
        "Any": "from typing import Any",
    },
    {
        "np": "import numpy as np",
        "pytensor": "import pytensor",
        "pt": "import pytensor.tensor as pt",
        "inf": "from numpy import inf",
        "nan": "from numpy import nan",
        "OpFromGraph": "from pytensor.compile.builders import OpFromGraph",
        "Mode": "from pytensor.compile.mode import Mode",
        "get_mode": "from pytensor.compile.mode import get_mode",
        "Variable": "from pytensor.graph.basic import Variable",
        "rewrite_graph": "from pytensor.graph.rewriting.utils import rewrite_graph",
        "ancestors": "from pytensor.graph.traversal import ancestors",
        "Blockwise": "from pytensor.tensor.blockwise import Blockwise",
        "as_xtensor": "from pytensor.xtensor import as_xtensor, dot",
        "XOp": "from pytensor.xtensor.basic import XOp, XTypeCastOp",
        "lower_xtensor_db": "from pytensor.xtensor.rewriting.utils import lower_xtensor_db",
        "XTensorType": "from pytensor.xtensor.type import XTensorType",
    },
)
# For each spelling of `dim`, how a script makes it from names with chosen hashes.
_HASHED_SPELLINGS = {
    "str": "{}[0]",
    "tuple": "{}",
    "list": "list({})",
    "set": "set({})",
    "frozenset": "frozenset({})",
    "keys": "dict.fromkeys({})",
    "iterator": "iter({})",
}


def reproducer(mismatch: Mismatch, mode: str, lowering: str) -> str:
    """Return a standalone script that shows a mismatch.

    Parameters
    ----------
    mismatch : Mismatch
    mode : str
        The compilation mode, as PyTensor code.
    lowering : str
        "stock", "inlined" or "direct". The script imports refdot only for "direct", which is
        refdot's own lowering.

    Returns
    -------
    str
        A script that prints the expected and the actual answer, and exits 1 while they differ.
    """
    script = _Script(mismatch, mode, lowering)
    body = _render(
        "body",
        mismatch=mismatch,
        script=script,
        source_of_unlowered_nodes=inspect.getsource(unlowered_nodes),
        source_of_without_inner_graphs=inspect.getsource(without_inner_graphs),
    )
    needs_refdot = lowering == "direct" and not script.is_build_only
    return _render(
        "script",
        comment=as_comment(mismatch),
        needs="PyTensor, NumPy and refdot" if needs_refdot else "only PyTensor and NumPy",
        imports=_imports_of(body),
        body=body,
    )


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(f"{template}.py.jinja").render(values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("refdot.pytensor.target"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the templates are Python
    )
    # Whatever comes from a case or a message enters a script through one of these.
    environment.filters.update(literal=repr, array_literal=_array_literal)
    return environment


def _imports_of(code: str) -> str:
    groups = (
        [line for name, line in group.items() if re.search(rf"\b{name}\b", code)]
        for group in _IMPORTS
    )
    return "\n\n".join(map("\n".join, groups))


def _array_literal(array: Array) -> str:
    """Write an array as flat code with a reshape: that suits empty arrays and many dims."""
    if array.dtype.kind == "c":
        parts = array.ravel().view(array.real.dtype)
        return f'{_array_literal(parts)}.view("{array.dtype}").reshape({array.shape})'
    code = f'np.array({array.ravel().tolist()!r}, dtype="{array.dtype}")'
    return code if array.ndim == 1 else f"{code}.reshape({array.shape})"


@dataclass(frozen=True)
class _Script:
    """The values that the templates fill in."""

    mismatch: Mismatch
    mode: str
    lowering: str

    # Which script it is.

    @property
    def is_build_only(self) -> bool:
        """Whether building the graph shows the mismatch, without any values."""
        return self.mismatch.stage == "build" and self.mismatch.kind != "accepted-invalid"

    @property
    def is_compiled(self) -> bool:
        """Whether the script goes on after lowering."""
        return self.mismatch.kind != "structure" or self.mismatch.stage != "lower"

    @property
    def is_merged(self) -> bool:
        """Whether the mismatch is that dots over different dims are equal operations."""
        return self.mismatch.detail == "the op is that of other dims"

    @property
    def rewrite_fails(self) -> bool:
        """Whether the mismatch is a rewrite that raises, which PyTensor only logs."""
        return self.mismatch.detail.startswith("a rewrite fails")

    @property
    def differentiates(self) -> bool:
        """Whether the mismatch is about a gradient."""
        mismatch = self.mismatch
        if mismatch.kind == "wrong-gradient" or mismatch.order > 0:
            return True
        if mismatch.kind != "structure":
            return False
        of_rewrite = self.rewrite_fails and mismatch.case.gradient_order > 0
        return "gradient graph" in mismatch.detail or (of_rewrite and bool(self.differentiated))

    @property
    def is_second_order(self) -> bool:
        """Whether the script differentiates twice."""
        return (self.mismatch.order or self.mismatch.case.gradient_order) == 2

    # The graph and its function.

    @property
    def operands(self) -> dict[str, Operand]:
        """The operands by name; only x if both are the same variable."""
        case = self.mismatch.case
        return {"x": case.x} if case.same_variable else {"x": case.x, "y": case.y}

    @property
    def call(self) -> str:
        """How the script calls the dot, one of `CALLS`."""
        return "function" if self.is_merged else self.mismatch.case.call

    def dims_code(self, operand: Operand) -> str:
        """Return the dims of an operand as code."""
        hashed = self.mismatch.kind == "nondeterminism"
        return _names_code(operand.dims) if hashed else repr(operand.dims)

    @property
    def dim_code(self) -> str:
        """The `dim` argument as code, where the script builds the graph."""
        return "dim" if self.mismatch.kind == "nondeterminism" else str(self.mismatch.case.dim)

    @property
    def hashed_dim(self) -> str:
        """The `dim` argument as code, with names whose hashes the script chooses."""
        return _hashed(self.mismatch.case.dim)

    @property
    def reversed_dim(self) -> str:
        """The `dim` argument as code, with its names in reverse order and one of them twice."""
        dim = self.mismatch.case.dim
        if dim.spelling not in _HASHED_SPELLINGS or dim.spelling == "str":
            return _hashed(dim)
        return _hashed(DimArgument("list", (*dim.items[::-1], *dim.items[:1])))

    @property
    def other_dim(self) -> str:
        """Another `dim` argument as code, which must not give an equal operation."""
        return str(over_other_dims(self.mismatch.case).dim)

    @property
    def flags(self) -> str:
        """PyTensor's configuration as in the check."""
        # Users get the answer without the rewrite that fails, unless the mismatch is about it.
        is_about_rewrites = self.mismatch.stage == "lower" or self.mismatch.kind == "structure"
        on_error = "raise" if is_about_rewrites else "ignore"
        flags = f'on_opt_error="{on_error}", mode={self.mode}'
        return flags if "cvm" in self.mode else f'cxx="", {flags}'

    @property
    def differentiated(self) -> list[str]:
        """The operands to differentiate: the floating-point ones, or the discrete one at fault."""
        kinds = {name: np.dtype(operand.dtype).kind for name, operand in self.operands.items()}
        operand = self.mismatch.operand
        if operand and kinds[operand] != "f":
            return [operand]
        return [name for name, kind in kinds.items() if kind == "f"]

    @property
    def output(self) -> str:
        """The output of the function, as code."""
        if not self.differentiates:
            return "lowered"
        if self.rewrite_fails:
            return "[lowered, *bars]"
        operand = self.mismatch.operand
        return f"bars[{self.differentiated.index(operand) if operand else 0}]"

    # Its inputs.

    @property
    def operand_values(self) -> Iterator[tuple[str, Operand, Array]]:
        """The name, the operand and the values of each input."""
        arrays = self.mismatch.case.arrays(self.mismatch.replicate)
        for (name, operand), array in zip(self.operands.items(), arrays, strict=False):
            yield name, operand, array

    @property
    def cotangent_values(self) -> Iterator[tuple[str, Array]]:
        """The names and the values of the further inputs of a gradient."""
        tensors = self.mismatch.case.cotangents(self.mismatch.replicate)
        for name, tensor in zip(("cotangent", "v", "w"), tensors, strict=True):
            yield name, tensor.data

    # Its verdict.

    @property
    def later_stages(self) -> tuple[str, ...]:
        """The stages at which an error is too late."""
        return STAGES[STAGES.index(self.mismatch.earliest_stage) + 1 :]

    @property
    def dims_to_name(self) -> tuple[str, ...]:
        """The dims of which an error message must name one."""
        error = expected_error(self.mismatch.case)
        if isinstance(error, SizeMismatchError):
            return error.dims
        return error.missing if isinstance(error, DimNotFoundError) else ()

    @property
    def correct_type(self) -> tuple[tuple[str, ...], str, tuple[int | None, ...]]:
        """The dims, dtype and static shape that the graph should declare (R5, R7, R9)."""
        case = self.mismatch.case
        x, y = case.x.static_sizes, case.y.static_sizes
        dims = case.lowering.out_dims
        shape = tuple(x[dim] if x.get(dim) is not None else y.get(dim) for dim in dims)
        return dims, str(case.result_dtype), shape

    @property
    def correct_answer(self) -> tuple[CorrectAnswers, Array, Array]:
        """The correct answers, one of them, and the distance from it that is allowed."""
        mismatch = self.mismatch
        correct: CorrectAnswers
        if mismatch.kind == "wrong-gradient":
            operand = mismatch.operand or self.differentiated[0]
            correct = correct_gradient(
                mismatch.case, mismatch.order or 1, operand, mismatch.replicate
            )
        else:
            correct = correct_value(mismatch.case, mismatch.replicate)
        with np.errstate(all="ignore"):
            reference = correct.reference.astype(correct.dtype)
        bound = np.zeros(reference.shape)
        if correct.dtype.kind in "fc":
            precision = np.finfo(correct.dtype)
            bound = correct.bound(
                float(precision.eps) / 2, precision.nmant + 1, float(precision.smallest_subnormal)
            ).astype(float)
        return correct, np.asarray(reference), np.asarray(bound)


def _names_code(names: tuple[Any, ...]) -> str:
    return f"names({list(names)!r})"


def _hashed(dim: DimArgument) -> str:
    if dim.spelling not in _HASHED_SPELLINGS:
        return str(dim)
    return _HASHED_SPELLINGS[dim.spelling].format(_names_code(dim.items))
