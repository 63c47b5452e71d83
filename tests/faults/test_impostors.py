"""A fault with the symptom of a known deviation, beside it, is reported as new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from catching import TARGET, can_run
from impostors import IMPOSTORS, OPERATOR_WITHOUT_TRANSPOSE
from planting import Fault, planted

from refdot.cases.case import DotCase
from refdot.cases.size_variants import size_variants
from refdot.cases.smoke import smoke_cases
from refdot.check.batch import judge_cases
from refdot.check.findings import Finding
from refdot.check.plan import Configuration
from refdot.judging.expected import expected_error
from refdot.pytensor.deviations import DEVIATIONS, known_deviations
from refdot.pytensor.target import PyTensorTarget
from refdot.targets import Deviation

ON_RECORD = {deviation.id: deviation for deviation in known_deviations(TARGET.version)}


def findings(case: DotCase, fault: Fault) -> list[Finding]:
    """Judge a case where a fault would show.

    Each target has a cache of its own: no code in it was compiled without the fault.
    """
    return [*judge_cases(PyTensorTarget(), [case], Configuration(fault.backend, fault.lowering))]


def test_every_known_deviation_has_an_impostor() -> None:
    assert {*IMPOSTORS} == {deviation.id for deviation in DEVIATIONS}


def test_an_impostor_could_be_taken_for_its_deviation() -> None:
    for deviation in DEVIATIONS:
        impostor = IMPOSTORS[deviation.id]
        assert not deviation.backends or impostor.backend in deviation.backends


@pytest.mark.parametrize("deviation", ON_RECORD.values(), ids=ON_RECORD)
def test_an_impostor_is_new(deviation: Deviation) -> None:
    fault = IMPOSTORS[deviation.id]
    if not can_run(fault):
        pytest.skip(f"{fault.backend} cannot run here")
    released = {finding.key for finding in findings(fault.example, fault)}
    with planted(fault):
        found = findings(fault.example, fault)
    new = [finding.mismatch for finding in found if finding.known is None]
    assert any(
        mismatch.rule in deviation.rules and mismatch.kind in deviation.kinds for mismatch in new
    ), [finding.key for finding in found]
    # What is known is there without the fault.
    assert {finding.key for finding in found if finding.known is not None} <= released


def operator_cases() -> Iterator[DotCase]:
    """Yield the valid smoke cases that `x @ y` can express, and others of their graphs."""
    for case in smoke_cases():
        for variant in (case, *size_variants(case)):
            if case.dim.value is None and expected_error(variant) is None:
                yield replace(variant, call="operator")


def test_a_fast_path_without_a_transpose_hides_behind_nothing() -> None:
    fault, cases = OPERATOR_WITHOUT_TRANSPOSE, [*operator_cases()]
    configuration = Configuration("python", "stock")
    released = {(f.mismatch.case, f.key) for f in judge_cases(TARGET, cases, configuration)}
    with planted(fault):
        found = [*judge_cases(TARGET, cases, configuration)]
    known = {(f.mismatch.case, f.key) for f in found if f.known is not None}
    assert known <= released
    new = [f.mismatch.case for f in found if f.known is None]
    assert any(0 in case.x.shape for case in new)
