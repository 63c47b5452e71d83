"""Reports that are written out."""

from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.check.findings import Coverage, Finding, Report
from refdot.check.plan import Configuration, Profile
from refdot.programs.case import ProgramCase
from refdot.programs.findings import Observation, ProgramFinding
from refdot.programs.judgement import Difference
from refdot.programs.named import named_program
from refdot.targets.mismatch import Mismatch

SMALL = DotCase(Operand(("b",), (1,)), Operand(("a",), (1,)), DimArgument("tuple"))
WRONG_DIMS = Mismatch("R5", "wrong-dims", "run", "dims", "('b', 'a')", "('a', 'b')", SMALL)
WRONG_VALUE = Mismatch("R6", "wrong-value", "run", "float [wrong]", "1.0", "2.0", SMALL)


def report_of(*mismatches: Mismatch, **fields) -> Report:
    """Return a report in which each mismatch was found three times."""
    findings = []
    for mismatch in mismatches:
        where = Configuration("c", "stock")
        findings.append(Finding(mismatch, where, ["c", "py"], ["stock", "inlined"], count=3))
    return Report(
        target="fn",
        target_version="1.2",
        seed=5,
        backends=("c", "py"),
        lowerings=("stock", "inlined"),
        absent_backends={"jax": "jax is not installed"},
        python="3.11.9",
        environment={"numpy": "2.5", "BLAS": "none"},
        other_backends=("mlx",),
        other_lowerings=("direct",),
        profile=Profile(100, 1, thorough=False, sample=5),
        cases=20,
        skipped=3,
        unsupported={"c": {"no float16": 3}, "py": {"no float16": 3, "no int8": 1}},
        coverage={
            "c": Coverage(20, [(1, 1), (10, 10)], thorough=True),
            "py": Coverage(
                19,
                [(1, 1), (2, 10)],
                kernels={"Dot": 5, "Gemm": 0},
                rewrites={"lower_dot": 4, "to_gemm": 0},
            ),
        },
        **{"seconds": 1.23456, "findings": findings} | fields,
    )


PROGRAM = ProgramFinding(
    Observation(
        ProgramCase(named_program("gram")),
        Difference("gram", "R6", "wrong-value", "a=0: 1.0", "a=0: 2.0", replicate=1),
        "py",
        "stock",
    ),
    count=2,
)
