"""PyTensor as a target."""

from refdot.pytensor.target.target import PyTensorTarget

__all__ = ["PyTensorTarget"]
