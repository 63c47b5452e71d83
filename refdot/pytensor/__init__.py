"""The part of refdot that imports PyTensor."""

from refdot.pytensor.lowerings import LOWERINGS, use_lowering

__all__ = ["LOWERINGS", "use_lowering"]
