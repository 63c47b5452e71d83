"""Every faulty dot is found, and its case shrunk."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from faulty_dots import FAULTS, LAYOUT_FAULTS, raising
from running import campaign, signatures

import refdot as rd
from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.check import plan
from refdot.check.batch import judge_batch
from refdot.check.findings import Finding
from refdot.check.plan import Configuration
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Target, unsupported_reason
from refdot.testing import check_dot

CALL = Configuration("call", "stock")


@pytest.mark.parametrize(("fn", "rule", "kind"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found_within_600_cases_and_shrunk(fn, rule, kind):
    target = CallableTarget(fn, "fn", gradients=hasattr(fn, "vjp"))
    first = next(
        (i for i in range(600) if (rule, kind) in mismatches(target, plan.case_at(0, i))),
        None,
    )
    assert first is not None
    report = check.run(target, cases=first + 1, fixed=False)
    assert (rule, kind) in {(f.mismatch.rule, f.mismatch.kind) for f in report.findings}
    for finding in report.findings:
        case = finding.mismatch.case
        simpler = [str(other) for other in simplifications(case) if shows(target, finding, other)]
        assert simpler == [], finding.mismatch


@pytest.mark.parametrize("fn", LAYOUT_FAULTS.values(), ids=LAYOUT_FAULTS)
def test_a_fault_of_a_memory_layout_is_found_by_check_dot(fn):
    with pytest.raises(AssertionError, match="R6 wrong-value at run"):
        check_dot(fn)


def mismatches(target: Target, case: DotCase) -> set[tuple[str, str]]:
    """Return the rule and the kind of each mismatch of a case."""
    if unsupported_reason(target, case):
        return set()
    return {(found.rule, found.kind) for found in check.judge(target, case, CALL)}


def shows(target: Target, finding: Finding, case: DotCase) -> bool:
    """Return whether a case has the mismatch of a finding."""
    if unsupported_reason(target, case):
        return False
    return finding.mismatch.signature in {
        mismatch.signature for mismatch in check.judge(target, case, CALL)
    }


SIMPLE_SIZES = (1, 2, 3, 0)


def simplifications(case: DotCase) -> Iterator[DotCase]:
    """Yield every case that is one step simpler: without a dim, or with one simpler value."""
    for name in case.dims:
        yield rebuilt(case, {name: None})
        size = case.x.sizes.get(name, case.y.sizes.get(name))
        simpler = SIMPLE_SIZES[: SIMPLE_SIZES.index(size)] if size in SIMPLE_SIZES else SIMPLE_SIZES
        if case.x.sizes.get(name, size) == case.y.sizes.get(name, size):
            yield from (rebuilt(case, {name: other}) for other in simpler)
    for changes in (
        {"regime": "exact"},
        {"seed": 0},
        {"call": "function"},
        {"dim": DimArgument()},
        {"same_variable": False},
        {"x": replace(case.x, layout="c"), "y": replace(case.y, layout="c")},
        {"x": replace(case.x, dtype="float64"), "y": replace(case.y, dtype="float64")},
        {"x": replace(case.x, static=()), "y": replace(case.y, static=())},
    ):
        simpler_case = replace(case, **changes)
        if simpler_case != case:
            yield simpler_case


def rebuilt(case: DotCase, sizes: dict[object, int | None]) -> DotCase:
    """Return the case with other sizes; None removes the dim."""

    def of(operand: Operand) -> Operand:
        kept = [i for i, dim in enumerate(operand.dims) if sizes.get(dim, 0) is not None]
        return replace(
            operand,
            dims=tuple(operand.dims[i] for i in kept),
            shape=tuple(sizes.get(operand.dims[i], operand.shape[i]) for i in kept),
            static=tuple(operand.static[i] for i in kept),
        )

    items = tuple(item for item in case.dim.items if sizes.get(item, 0) is not None)
    dim = replace(case.dim, items=items) if items else DimArgument("tuple")
    dim = dim if case.dim.items else case.dim
    return replace(case, x=of(case.x), y=of(case.y), dim=dim)


def unshrunk(fn: Callable, cases: int) -> set[str]:
    """Return the signatures of the mismatches of a function, without shrinking."""
    target, profile = CallableTarget(fn, "fn"), plan.Profile(cases, fixed=False)
    own = plan.Campaign(profile, 0, (CALL.backend,), (CALL.lowering,))
    return {
        finding.mismatch.signature
        for batch in own.batches(target)
        for finding in judge_batch(target, batch).findings
    }


def test_one_fault_does_not_hide_another():
    ignoring, reversing = FAULTS["sizes ignored"][0], FAULTS["dims reversed"][0]

    def dot(x, y, dim=None):
        dim = list(dim) if isinstance(dim, Iterator) else dim
        try:
            return reversing(x, y, dim)
        except rd.SizeMismatchError:
            return ignoring(x, y, dim)

    alone = unshrunk(reversing, 50) | unshrunk(ignoring, 50)
    report = campaign(dot, 50)
    assert set(signatures(report)) == alone
    rules = [finding.mismatch.rule for finding in report.findings]
    assert rules == sorted(rules)
    assert set(rules) == {"R4", "R5"}


GARBAGE = {
    "None": lambda x, y, dim=None: None,
    "an array": lambda x, y, dim=None: rd.dot(x, y, dim).data,
    "itself": lambda x, y, dim=None: x.dot,
    "an error": raising(OSError),
}


@pytest.mark.parametrize("fn", GARBAGE.values(), ids=GARBAGE)
def test_one_defect_gives_one_finding_on_valid_input(fn):
    kinds = [finding.mismatch.kind for finding in campaign(fn, cases=150).findings]
    assert kinds.count("rejected-valid") == 1
