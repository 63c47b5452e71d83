"""Measure the bounds on the errors of programs: the largest ratio of an error to its bound.

`python tests/programs/bound_table.py` writes the table of `docs/programs.md`: for each operation,
the number of steps in 1,000 random programs and their gradients, and the largest ratio in each
arithmetic. Above 1 the bound would be wrong, and far below 1 it would miss errors.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from arithmetic import CONTEXT, Exact, Perturbed, Plain, Rearranged, run

from refdot.programs.case import ProgramCase
from refdot.programs.estimates import Estimate
from refdot.programs.program import Program
from refdot.programs.random_programs import program_at

__all__ = ["ARITHMETICS", "ratios", "table"]

ARITHMETICS = ("exact", "plain", "rearranged", "perturbed")
# A little less than the unit roundoff, since the perturbed arithmetic rounds as well.
UNIT = 2.0**-53 * (1 - 2.0**-8)
PROGRAMS = 1000
PAGE = Path(__file__).parents[2] / "docs" / "programs.md"
BLOCK = re.compile(
    r"(?<=<!-- written by tests/programs/bound_table\.py -->\n).*?(?=\n<!-- end -->)", re.DOTALL
)


def arithmetics(case: ProgramCase, program: Program) -> dict[str, Plain]:
    """Return the arithmetics that can run a program."""
    found: dict[str, Plain] = {"plain": Plain(), "rearranged": Rearranged()}
    if all(operand.dtype != "float32" for operand in program.types.values()):
        found["perturbed"] = Perturbed(UNIT, case.seed)
    if case.regime != "special":  # the numbers of mpmath have no NaN to compute with
        found["exact"] = Exact()
    return found


def ratios(case: ProgramCase) -> Iterator[tuple[str, str, float]]:
    """Yield for each step the operation, the arithmetic and the largest ratio of error to bound."""
    for program in (case.program, *case.derivatives):
        values, estimates = case.values(program), case.estimates(program)
        for name, arithmetic in arithmetics(case, program).items():
            arrays = run(program, values, arithmetic)
            for step in program.steps:
                yield step.operation, name, ratio(arrays[step.name], estimates[step.name])


def ratio(answer, estimate: Estimate) -> float:
    """Return the largest ratio of an error to its bound, infinity if the bound is 0."""
    judged = estimate.judged
    if not judged.any():
        return 0.0
    answer, value, bound = answer[judged], estimate.value[judged], estimate.bound[judged]
    if answer.dtype == object:
        error = np.array(list(map(difference, answer, value)), np.longdouble)
    else:
        error = np.abs(answer.astype(np.longdouble) - value)
    with np.errstate(all="ignore"):
        quotients = np.where(error == 0, 0, error / bound)
    return float(np.where(np.isnan(quotients), np.inf, quotients).max())


def difference(exact, value) -> np.longdouble:
    """Return |exact − value| for numbers of 50 digits and of the widest dtype."""
    high = float(value)
    exact_value = CONTEXT.mpf(high) + CONTEXT.mpf(float(value - high))
    return np.longdouble(float(abs(exact - exact_value)))


def table(programs: int, seed: int = 0) -> tuple[Counter[str], dict[tuple[str, str], float]]:
    """Return the number of steps of each operation, and the largest ratios."""
    steps: Counter[str] = Counter()
    worst: dict[tuple[str, str], float] = defaultdict(float)
    for index in range(programs):
        for operation, arithmetic, largest in ratios(program_at(seed, index)):
            steps[operation] += arithmetic == "plain"
            key = operation, arithmetic
            worst[key] = max(worst[key], largest)
    return steps, worst


def main() -> None:
    steps, worst = table(PROGRAMS)
    lines = [
        f"| operation | steps | {' | '.join(ARITHMETICS)} |",
        f"|---|--:|{'--:|' * len(ARITHMETICS)}",
    ]
    for operation, number in steps.most_common():
        cells = (f"{worst[operation, arithmetic]:.2g}" for arithmetic in ARITHMETICS)
        lines.append(f"| {operation} | {number:,} | {' | '.join(cells)} |")
    text = "\n".join(["", *lines, ""])
    PAGE.write_text(BLOCK.sub(lambda _: text, PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
