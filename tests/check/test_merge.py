"""Reports of all shards of one campaign are merged, and no others."""

import re
from dataclasses import replace
from operator import attrgetter

import pytest

from refdot.cases.case import DotCase, Operand
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.merge import MergeError, merge_reports
from refdot.check.plan import Configuration, Profile, Shard
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramFinding
from refdot.programs.judgement import Difference
from refdot.programs.notation import program
from refdot.targets.mismatch import Mismatch

PROFILE = Profile(30, 1, thorough=False, sample=5)


def mismatch(size: int, rule: str = "R5", detail: str = "dims") -> Mismatch:
    """Return a mismatch whose case has a dim of the given size."""
    case = DotCase(Operand(("a",), (size,)), Operand((), ()))
    return Mismatch(rule, "wrong-dims", "run", detail, "one", str(size), case)


def finding(size: int, backend: str, lowering: str = "stock", known=None, **changes) -> Finding:
    """Return a finding with four occurrences."""
    where = Configuration(backend, lowering)
    return Finding(mismatch(size, **changes), where, [backend], [lowering], 4, known)


def shard(number: int, *findings: Finding, **fields) -> Report:
    """Return the report of one of two shards."""
    report = Report(
        target="fn",
        target_version="1.2",
        seed=5,
        backends=("c", "numba"),
        lowerings=("stock", "inlined"),
        absent_backends={},
        python="3.11.9",
        profile=PROFILE,
        shard=Shard(number, 2),
        cases=20 * number,
        skipped=3,
        lost=number,
        unsupported={"numba": {"no float16": number}},
        coverage={
            "c": Coverage(20, [(0, 1), (5, 10)], kernels={"Dot": number, "Gemm": 0}),
            "numba": Coverage(number, [(0, 1), (0, 10)]),
        },
        seconds=1.5,
        findings=list(findings),
    )
    return replace(report, **fields)


def test_counts_are_added():
    found = merge_reports([shard(2), shard(1)])
    assert found == shard(
        1,
        shard=Shard(1, 1),
        cases=60,
        skipped=6,
        lost=3,
        unsupported={"numba": {"no float16": 3}},
        coverage={
            "c": Coverage(40, [(0, 1), (10, 10)], kernels={"Dot": 3, "Gemm": 0}),
            "numba": Coverage(3, [(0, 1), (0, 10)]),
        },
        seconds=3.0,
    )
    assert merge_reports([shard(1), shard(2, interrupted=True)]).interrupted


def test_environments_are_joined_where_they_differ():
    environments = [{"numpy": "2.5", "BLAS": name} for name in ("MKL", "OpenBLAS")]
    parts = [shard(n, environment=each) for n, each in enumerate(environments, 1)]
    assert merge_reports(parts).environment == {"numpy": "2.5", "BLAS": "MKL or OpenBLAS"}


def test_the_smallest_case_of_each_mismatch_is_kept_and_its_backends_are_in_order():
    parts = [shard(1, finding(7, "c", "inlined")), shard(2, finding(5, "c"), finding(2, "numba"))]
    for reports in (parts, parts[::-1]):
        (found,) = merge_reports(reports).findings
        assert found == Finding(
            mismatch(5), Configuration("c", "stock"), ["c", "numba"], ["stock", "inlined"], 12
        )
    assert parts[0].findings == [finding(7, "c", "inlined")]


def test_findings_with_another_signature_or_deviation_are_not_merged():
    own, known, other = finding(2, "c"), finding(2, "c", known="an-id"), finding(2, "c", detail="b")
    assert merge_reports([shard(1, known, other), shard(2, own)]).findings == [other, own, known]


def program_finding(steps: int, got: str) -> ProgramFinding:
    """Return a finding about a program of so many steps."""
    lines = [f"v{n + 1} = negative(v{n})" for n in range(steps)]
    case = ProgramCase(program("\n".join(["v0: float64(a: 2)", *lines, f"return v{steps}"])))
    wrong = Difference(f"v{steps}", "R6", "wrong-value", "a=0: 1.0", got)
    return ProgramFinding(Observation(case, wrong, "c", "stock"), count=3)


def test_findings_about_programs_of_all_shards_are_kept():
    number, nan = program_finding(2, "a=0: 7.0"), program_finding(1, "a=0: nan")
    smaller = program_finding(1, "a=0: 8.0")
    parts = [
        shard(1, program_findings=[number]),
        shard(2, program_findings=[smaller, nan]),
    ]
    for reports in (parts, parts[::-1]):
        found = merge_reports(reports).program_findings
        assert sorted(found, key=attrgetter("signature")) == [nan, replace(smaller, count=6)]
    assert parts[0].program_findings == [number]


def test_a_finding_about_many_dims_is_counted_with_that_about_few_dims():
    many, few = finding(9, "c", rule="R11"), finding(2, "c", rule="R6")
    (found,) = merge_reports([shard(1, many), shard(2, few)]).findings
    assert (found.mismatch, found.count) == (few.mismatch, 8)


# Each: the message, and the fields in which the second report differs.
DIFFERENT = {
    "the reports have different targets: fn and g": {"target": "g"},
    "the reports have different versions of the target: 1.2 and 1.3": {"target_version": "1.3"},
    "the reports have different versions of Python: 3.11.9 and 3.13.0": {"python": "3.13.0"},
    "the reports have different seeds: 5 and 6": {"seed": 6},
    "the reports have different profiles: "
    "Profile(cases=30, exhaustive=1, thorough=False, sample=5, fixed=True, programs=0, "
    "sample_cases=None, look=False) and "
    "Profile(cases=9, exhaustive=None, thorough=True, sample=None, fixed=True, programs=0, "
    "sample_cases=None, look=False)": {"profile": Profile(9)},
    "the reports have different aspects: () and ('values',)": {"only": ("values",)},
    "the reports have different backends: ('c', 'numba') and ('c',)": {"backends": ("c",)},
    "the reports have different lowerings: ('stock', 'inlined') and ('stock',)": {
        "lowerings": ("stock",)
    },
    "the reports have different numbers of shards: 2 and 3": {"shard": Shard(2, 3)},
    "shard 1/2 is given twice": {"shard": Shard(1, 2)},
}


@pytest.mark.parametrize(("message", "changes"), DIFFERENT.items(), ids=DIFFERENT)
def test_reports_of_different_campaigns_are_rejected(message, changes):
    with pytest.raises(MergeError, match=f"^{re.escape(message)}$"):
        merge_reports([shard(1), shard(2, **changes)])


def test_missing_shards_are_named():
    with pytest.raises(MergeError, match=r"^missing shards: 1/4, 4/4$"):
        merge_reports([shard(1, shard=Shard(number, 4)) for number in (3, 2)])
