"""Cases: tests of a dot as plain data, and the generators of cases."""

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["DimArgument", "DotCase", "Operand"]
