"""A pure-NumPy oracle for the dot of named-dimension arrays.

>>> import numpy as np, refdot as rd
>>> x = rd.NamedTensor(np.arange(6.0).reshape(2, 3), ("time", "embd"))
>>> w = rd.NamedTensor(np.eye(3)[:, :2], ("embd", "head"))
>>> (x @ w).dims
('time', 'head')
>>> rd.lower_dot(x.dims, w.dims).subscripts
'ab,bc->ac'

This module needs only NumPy.
"""

from refdot.errors import (
    CotangentError,
    DimNameError,
    DimNotFoundError,
    DimTypeError,
    DotError,
    DTypeError,
    NoGradientError,
    SizeMismatchError,
)
from refdot.evaluation import dot, dot_jvp, dot_vjp
from refdot.lowering import Lowering, lower_dot
from refdot.tensor import NamedTensor

__version__ = "0.1.0"

__all__ = [
    "CotangentError",
    "DTypeError",
    "DimNameError",
    "DimNotFoundError",
    "DimTypeError",
    "DotError",
    "Lowering",
    "NamedTensor",
    "NoGradientError",
    "SizeMismatchError",
    "dot",
    "dot_jvp",
    "dot_vjp",
    "lower_dot",
]
