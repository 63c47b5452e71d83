"""Plant a fault in PyTensor, and count the cases that refdot needs to catch it.

A fault edits the source text of PyTensor's functions in this process only, and is undone at the end
of a `with` block. The faults themselves are in `planted.py`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from textwrap import dedent
from types import CodeType
from typing import Any

from pytensor.printing import debugprint

from refdot import check
from refdot.cases.case import DotCase
from refdot.check.plan import PROFILES, Batch, Campaign, Configuration
from refdot.judging.expected import expected_error
from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.target import graph
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome

__all__ = ["Edit", "Fault", "cases_needed", "observed", "planted", "released"]


@dataclass(frozen=True)
class Edit:
    """Replace `old` by `new` in the source of a function.

    Attributes
    ----------
    where : str
        The function, such as "pytensor.xtensor.math:Dot.make_node".
    old, new : str
    """

    where: str
    old: str
    new: str

    @cache  # noqa: B019  (edits are constants of a table, so the cache keeps nothing else alive)
    def compiled(self) -> tuple[Any, CodeType]:
        """Return the function and its new code."""
        module, _, path = self.where.partition(":")
        function: Any = import_module(module)
        for name in path.split("."):
            function = getattr(function, name)
        source = inspect.getsource(function)
        assert self.old in source, f"the source of {self.where} does not contain {self.old!r}"
        tree = ast.parse(dedent(source.replace(self.old, self.new)))
        tree.body[0].decorator_list = []
        # An outer function provides the variables that a method closes over, such as its class.
        outer = ast.parse(f"def outer({', '.join(function.__code__.co_freevars)}): pass")
        outer.body[0].body = tree.body
        module_code = compile(outer, inspect.getfile(function), "exec")
        return function, _inner_code(_inner_code(module_code, "outer"), function.__name__)


def _inner_code(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)


@dataclass(frozen=True)
class Fault:
    """A mistake in PyTensor.

    Attributes
    ----------
    name : str
        What PyTensor does wrong.
    aspect : str
        The aspect of `refdot check --only` that must catch it.
    edits : tuple of Edit
    example : DotCase
        A case that PyTensor answers differently with the fault.
    lowering : str
        The lowering with which it does.
    """

    name: str
    aspect: str
    edits: tuple[Edit, ...]
    example: DotCase
    lowering: str = "stock"


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Plant a fault until the `with` block ends."""
    with ExitStack() as restore:
        for function, code in [edit.compiled() for edit in fault.edits]:
            restore.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = code
        yield


def cases_needed(fault: Fault, seed: int = 0) -> tuple[int, Mismatch] | None:
    """Return the number of cases until a fault is caught, and the mismatch that catches it."""
    judged = 0
    for batch in _default_batches(seed, fault.lowering):
        ((_, cases),) = batch.work
        if (mismatch := _first_new_mismatch(batch, fault)) is not None:
            # A size variant is not in the batch: it counts as the case that it varies.
            place = cases.index(mismatch.case) if mismatch.case in cases else 0
            return judged + place + 1, mismatch
        judged += len(cases)
    return None


@cache
def _first_new_mismatch(batch: Batch, fault: Fault) -> Mismatch | None:
    ((configuration, cases),) = batch.work
    if not batch.size_variants:
        cases = tuple(case for case in cases if _is_relevant(case, fault.aspect))
    batch = replace(batch, work=((configuration, cases),), only=(fault.aspect,))
    with planted(fault):
        findings = check.judge_batch(PyTensorTarget(), batch).findings
    return next((finding.mismatch for finding in findings if finding.known is None), None)


@cache
def _default_batches(seed: int, lowering: str) -> list[Batch]:
    """Return what `refdot check` judges of a lowering by default, in order."""
    target = PyTensorTarget()
    campaign = Campaign(PROFILES["quick"], seed, ("python",), target.default_lowerings)
    configuration = Configuration("python", lowering)
    smoke, *rest = [
        replace(batch, work=((configuration, dict(batch.work)[configuration]),))
        for batch in campaign.batches(target)
        if configuration in dict(batch.work)
    ]
    # Most faults are caught by one of the first smoke cases, so each of these is a batch.
    ((_, cases),) = smoke.work
    return [replace(smoke, work=((configuration, (case,)),)) for case in cases] + rest


def _is_relevant(case: DotCase, aspect: str) -> bool:
    """Return whether a case can show a mismatch of an aspect; to run others only takes time."""
    valid = expected_error(case) is None
    has_gradient = valid and case.gradient_order > 0
    return {"errors": not valid, "values": valid, "gradients": has_gradient}.get(aspect, True)


@cache
def released(case: DotCase, lowering: str) -> frozenset[str]:
    """Return the signatures of the mismatches of a case in PyTensor without a fault."""
    found = check.judge(PyTensorTarget(), case, Configuration("python", lowering))
    return frozenset(mismatch.signature for mismatch in found)


def observed(fault: Fault) -> list[Any]:
    """Return all that can be observed of PyTensor's answer to a fault's example, bit by bit."""
    try:
        with use_lowering(fault.lowering):
            lowered = debugprint(graph.lower(graph.build(fault.example)), file="str")
    except Exception as error:
        lowered = repr(error)
    outcome = PyTensorTarget().run(fault.example, "python", fault.lowering)
    arrays = [value.data for value in outcome.values] + [g.value for g in outcome.gradients]
    rest = [getattr(outcome, name) for name in Outcome.__dataclass_fields__]
    return [
        lowered,
        [(array.dtype, array.shape, array.tobytes()) for array in arrays],
        [part for part in rest if part not in (outcome.values, outcome.gradients)],
    ]
