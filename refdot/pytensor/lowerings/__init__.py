"""Lowerings of PyTensor's dot: stock, inlined and direct."""

from refdot.pytensor.lowerings.install import LOWERINGS, use_lowering

__all__ = ["LOWERINGS", "use_lowering"]
