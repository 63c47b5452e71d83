"""The speed of a campaign and of a naive loop, and the faults that each of them finds.

Run `pytest tests/benchmarks --benchmark-only -n 0` to print a line for each backend that can run
here; nothing is asserted. A check is the comparison of one answer with the oracle. The naive loop
builds, lowers, differentiates, compiles and runs each case separately, for one answer. refdot
compiles each graph once, and calls it on all cases with this graph, with several replicates.

The cases are some of those that a run judges on the backend: of dim patterns on backends that run
in Python, and of kernels on those that compile code. PyTensor stores what Numba compiles, and most
of the time on this backend is for the first function of each kind, which both ways compile.
"""

from __future__ import annotations

from itertools import chain
from statistics import median
from time import perf_counter
from unittest.mock import patch

import pytest
from planted import FAULTS
from planting import planted

from refdot.cases.kernels import kernel_cases_of
from refdot.cases.patterns import Pattern, disagreeing_cases_of, forward_cases_of, gradient_cases_of
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
from refdot.pytensor.target import runner
from refdot.pytensor.target.target import PyTensorTarget
from refdot.targets.outcome import REPLICATES

HERE = [backend for backend in PyTensorTarget().backends() if not backend.absent]
# A matrix product, a batched one, a sum of one operand alone, and a product of elements.
PATTERNS = (
    Pattern(("c", "a"), ("a", "d"), ("a",)),
    Pattern(("c", "a"), ("a", "c"), ("a",)),
    Pattern(("c", "a"), ("c",), ("a",)),
    Pattern(("c", "a"), ("c", "a"), ()),
)
IN_PYTHON = ("python", "python-minimum", "fast-compile")
SOME_KERNELS = ("two vectors", "a matrix and a vector")
LOWERING = "inlined"
RUNS = 3
# One fault in each part: dims, static shapes, the einsum, its structure, its gradient.
NAMES = (
    "y's dims come first",
    "static sizes are lost",
    "batch dims are summed",
    "dim=None sums everything",
    "an unknown size is declared as 1",
)
SOME_FAULTS = [{fault.name: fault for fault in FAULTS}[name] for name in NAMES]


def batches(backend):
    """Return the cases of each pattern, or of each kernel."""
    if backend not in IN_PYTHON:
        return [[*kernel_cases_of(name, every_layout=False)] for name in SOME_KERNELS]
    return [
        [*forward_cases_of(pattern), *gradient_cases_of(pattern), *disagreeing_cases_of(pattern)]
        for pattern in PATTERNS
    ]


def by_refdot(backend):
    """Judge all cases of a batch together."""
    target, configuration = PyTensorTarget(), Configuration(backend, LOWERING)
    for batch in batches(backend):
        yield from judge_cases(target, batch, configuration)


def naively(backend):
    """Judge each case separately, with one replicate."""
    target, configuration = PyTensorTarget(), Configuration(backend, LOWERING)
    for case in chain.from_iterable(batches(backend)):
        with patch.object(runner, "REPLICATES", 1):
            yield from judge_cases(target, [case], configuration)


WAYS = {"refdot": (by_refdot, REPLICATES), "naive": (naively, 1)}


def checks_per_second(way, backend):
    judge, replicates = WAYS[way]
    checks = replicates * sum(map(len, batches(backend)))
    started = perf_counter()
    signatures = {finding.mismatch.signature for finding in judge(backend)}
    return checks / (perf_counter() - started), signatures


def faults_found(way, backend, released):
    """Return the number of faults with a new mismatch; the first one ends each run."""
    found = 0
    for fault in SOME_FAULTS:
        with planted(fault):
            found += any(
                finding.mismatch.signature not in released for finding in WAYS[way][0](backend)
            )
    return found


@pytest.mark.parametrize("backend", [backend.name for backend in HERE])
def test_checks_per_second(backend, benchmark, capsys):
    list(zip(range(1), naively(backend), strict=False))  # import and set up what later runs share
    speeds, released = {way: [] for way in WAYS}, set()

    def both_ways():
        for way in WAYS:
            speed, signatures = checks_per_second(way, backend)
            speeds[way].append(speed)
            released.update(signatures)

    benchmark.pedantic(both_ways, rounds=RUNS)
    found = {way: faults_found(way, backend, released) for way in WAYS}
    ratio = median(ours / naive for ours, naive in zip(*speeds.values(), strict=True))
    shown = ", ".join(
        f"{way} {median(speeds[way]):.1f} checks/s and {found[way]} of {len(SOME_FAULTS)} faults"
        for way in WAYS
    )
    with capsys.disabled():
        print(f"\n{backend}: {ratio:.1f} times as fast ({shown})")
