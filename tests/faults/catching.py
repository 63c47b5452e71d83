"""Judge PyTensor with a planted fault, and count the cases that refdot needs to catch it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import ClassVar

from planted.places import PRODUCTS
from planting import Fault, planted
from pytensor.printing import debugprint

from refdot import check
from refdot.cases.case import DotCase
from refdot.check.batch import possible_kinds
from refdot.check.plan import PROFILES, Batch, Campaign, Configuration
from refdot.pytensor.target.backends import BACKENDS
from refdot.pytensor.target.configuration import configured
from refdot.pytensor.target.graph import build, graph_key, lower
from refdot.pytensor.target.runner import Runner
from refdot.pytensor.target.target import PyTensorTarget
from refdot.rules import ASPECTS
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome
from refdot.targets.protocol import Target

__all__ = ["can_run", "cases_needed", "new_mismatches", "released"]

TARGET = PyTensorTarget()


def can_run(fault: Fault) -> bool:
    """Return whether the backend of a fault can run here."""
    return fault.backend in [backend.name for backend in TARGET.backends() if not backend.absent]


def new_mismatches(fault: Fault) -> list[Mismatch]:
    """Return the mismatches of a fault's example, in its aspect, that are not on record."""
    with planted(fault):
        return _new_mismatches(_example(fault))


def released(fault: Fault) -> tuple[Mismatch, ...]:
    """Return the mismatches of a fault's example that are not on record, without the fault."""
    return _released(_example(fault))


@cache  # faults of a backend that compiles slowly have examples in common
def _released(batch: Batch) -> tuple[Mismatch, ...]:
    return tuple(_new_mismatches(batch))


def _example(fault: Fault) -> Batch:
    configuration = Configuration(fault.backend, fault.lowering)
    return Batch(((configuration, (fault.example,)),), only=(fault.aspect,))


def _new_mismatches(batch: Batch, target: Target | None = None) -> list[Mismatch]:
    findings = check.judge_batch(target or PyTensorTarget(), batch).findings
    return [finding.mismatch for finding in findings if finding.known is None]


def cases_needed(fault: Fault, seed: int = 0) -> tuple[int, Mismatch] | None:
    """Return the number of the first case that shows a fault, and the mismatch that it shows.

    The cases are those of `refdot check` for the backend of the fault.
    """
    judged, kinds = 0, {*ASPECTS[fault.aspect]}
    for batch in _quick_batches(seed, fault.backend):
        for configuration, cases in batch.work:
            # To run the other cases only takes time. A variant may be valid where its case is not.
            relevant = [
                case
                for case in cases
                if (batch.size_variants or kinds & possible_kinds(case))
                and _may_show(fault, case, configuration.lowering)
            ]
            # Most faults are caught by the first function that is compiled.
            for _, same_graph in groupby(relevant, graph_key):
                work = ((configuration, tuple(same_graph)),)
                part = replace(batch, work=work, only=(fault.aspect,))
                with planted(fault):
                    found = _new_mismatches(part, _target_for(fault, part))
                if found:
                    # A size variant is not in the batch: it counts as the case that it varies.
                    place = cases.index(found[0].case) if found[0].case in cases else 0
                    return judged + place + 1, found[0]
        judged += len({case for _, cases in batch.work for case in cases})
    return None


@cache
def _quick_batches(seed: int, backend: str) -> list[Batch]:
    """Return what `refdot check` judges on one backend, in order."""
    backends = tuple(b.name for b in TARGET.backends() if b.default and not b.absent)
    backends = tuple(dict.fromkeys((*backends, backend)))
    campaign = Campaign(PROFILES["quick"], seed, backends, TARGET.default_lowerings)
    return [
        replace(batch, work=tuple(part for part in batch.work if part[0].backend == backend))
        for batch in campaign.batches(TARGET)
    ]


class _TargetThatKeepsFunctions(PyTensorTarget):
    """PyTensor, with one compiled function for all faults that only change what it calls."""

    runners: ClassVar[dict[str, Runner]] = {}

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        with self.configured(backend, lowering) as mode:
            new = Runner(mode, lowering, until, checks_determinism=False)
            runner = self.runners.setdefault(lowering, new)
            return tuple(map(runner.run, cases))


def _target_for(fault: Fault, batch: Batch) -> Target:
    """Return a target that keeps its functions, if a fault changes only products that these call.

    PyTensor computes the product of a constant when it compiles.
    """
    ((_, cases),) = batch.work
    has_inputs = all(operand.origin == "input" for case in cases for operand in (case.x, case.y))
    if has_inputs and {edit.where for edit in fault.edits} <= PRODUCTS:
        return _TargetThatKeepsFunctions()
    return PyTensorTarget()


def _may_show(fault: Fault, case: DotCase, lowering: str) -> bool:
    """Return False if a fault is in code that builds graphs, and builds the same one of a case."""
    if fault.aspect not in ("values", "errors"):
        return True
    if not all(edit.where.startswith(_BUILDING) for edit in fault.edits):
        return True
    before = _graph(case, lowering)
    with planted(fault):
        return before != _graph.__wrapped__(case, lowering)


_BUILDING = ("pytensor.xtensor.", "pytensor.tensor.einsum:", "pytensor.tensor.math:tensordot")


@cache
def _graph(case: DotCase, lowering: str) -> str:
    """Return the lowered graph of a case as text, or the exception that it raises."""
    try:
        with configured(BACKENDS["python"], lowering, on_opt_error="raise"):
            graph = build(case)
            lowered = debugprint(lower(graph), print_type=True, file="str")
    except Exception as error:
        return repr(error)
    return f"{graph.out.type} {lowered}"
