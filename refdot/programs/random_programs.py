"""Random test cases of programs by seed and index, the same on every machine."""

from functools import cache

from refdot.cases.random_cases import drawn_at
from refdot.programs.case import ProgramCase
from refdot.programs.strategies import program_cases

__all__ = ["program_at"]

_program_cases = cache(program_cases)  # creating the strategy is slow


def program_at(seed: int, index: int) -> ProgramCase:
    """Return the random program with an index below 2⁴⁰. It depends only on the two numbers."""
    return drawn_at(_program_cases(), seed, index)
