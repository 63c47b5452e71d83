"""How fast a campaign checks beside the naive way, and what each of them finds; never asserted.

Run with `pytest tests/benchmarks --benchmark-only -n 0`: a line for each backend that can run here.
A check is an answer compared with the oracle. Naively that is one for each case, which is built,
lowered, differentiated, compiled and run anew; refdot calls what it compiled once for a graph on
all the cases that are this graph, each with several draws of numbers.
"""

from __future__ import annotations

from itertools import chain
from statistics import median
from time import perf_counter
from unittest.mock import patch

import pytest
from planted import FAULTS, planted

import refdot.pytensor.target as target_module
from refdot.cases.patterns import Pattern, disagreeing_cases_of, forward_cases_of, gradient_cases_of
from refdot.check.batch import judge_cases
from refdot.check.plan import Configuration
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
# Where a graph takes seconds to compile: the first of them alone.
SLOW = ("numba", "torch")
LOWERING = "inlined"
RUNS = 3
# One of each part of the way: dims, static shapes, the einsum, its structure, its gradient.
SOME_FAULTS = [
    fault
    for fault in FAULTS
    if fault.name
    in (
        "y's dims come first",
        "batch dims are summed",
        "known sizes are forgotten",
        "dim=None sums everything",
        "an unknown size is taken for 1",
    )
]


def batches(backend):
    """Give the cases of each pattern."""
    for pattern in PATTERNS[:1] if backend in SLOW else PATTERNS:
        yield [
            *forward_cases_of(pattern),
            *gradient_cases_of(pattern),
            *disagreeing_cases_of(pattern),
        ]


def as_refdot_does(backend):
    """Judge all cases of a pattern together."""
    target, configuration = PyTensorTarget(), Configuration(backend, LOWERING)
    for batch in batches(backend):
        yield from judge_cases(target, batch, configuration)


def naively(backend):
    """Judge each case by itself, on one draw of numbers."""
    target, configuration = PyTensorTarget(), Configuration(backend, LOWERING)
    for case in chain.from_iterable(batches(backend)):
        with patch.object(target_module, "REPLICATES", 1):
            yield from judge_cases(target, [case], configuration)


WAYS = {"refdot": (as_refdot_does, REPLICATES), "naive": (naively, 1)}


def checks_per_second(way, backend):
    judge, draws = WAYS[way]
    checks = draws * sum(map(len, batches(backend)))
    started = perf_counter()
    signatures = {mismatch.signature for mismatch in judge(backend)}
    return checks / (perf_counter() - started), signatures


def faults_found(way, backend, released):
    """Count the faults that show anything new; judging one ends with that."""
    found = 0
    for fault in SOME_FAULTS:
        with planted(fault):
            found += any(mismatch.signature not in released for mismatch in WAYS[way][0](backend))
    return found


@pytest.mark.parametrize("backend", [backend.name for backend in HERE])
def test_checks_per_second(backend, benchmark, capsys):
    list(zip(range(1), naively(backend), strict=False))  # what is imported and made once
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
