"""Assertions and strategies for tests of dots, of programs and of regexes for errors.

The extra `testing` has what this needs.
"""

from refdot.cases.case import DotCase, Operand
from refdot.cases.dim_argument import DimArgument
from refdot.cases.labels import case_id
from refdot.cases.notation import dot_case
from refdot.cases.strategies import dim_arguments, dot_cases
from refdot.targets.names import names_of
from refdot.testing.dots import assert_dot_matches, check_case, check_dot, smoke_cases
from refdot.testing.patterns import assert_error_pattern, mismatch_pattern
from refdot.testing.programs import check_program, check_programs

__all__ = [
    "DimArgument",
    "DotCase",
    "Operand",
    "assert_dot_matches",
    "assert_error_pattern",
    "case_id",
    "check_case",
    "check_dot",
    "check_program",
    "check_programs",
    "dim_arguments",
    "dot_case",
    "dot_cases",
    "mismatch_pattern",
    "names_of",
    "smoke_cases",
]
