"""Cases: one problem for a dot as plain data, and where cases come from."""

from refdot.cases.case import DimArgument, DotCase, Operand

__all__ = ["DimArgument", "DotCase", "Operand"]
