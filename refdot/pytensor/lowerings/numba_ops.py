"""The operations of `ops.py` on Numba, registered at import."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key
from pytensor.link.utils import compile_function_src

from refdot.pytensor.lowerings.ops import DiscreteDot, EqualSizes

# Of the code of `product` below: Numba's cache on disk does not notice edits.
VERSION = 2


@register_funcify_default_op_cache_key(EqualSizes)  # type: ignore[untyped-decorator]  # PyTensor's types are skipped
def funcify_equal_sizes(op: EqualSizes, **_: Any) -> tuple[Callable[..., Any], int]:
    """Compare the sizes one after the other. Also return the version of the code for Numba's cache.

    The message lacks the sizes, since a function from Numba's cache on disk can only raise constant
    messages. The version is that of the whole code, since the names of the dims are in no property.
    """
    comparisons = [
        f"    if x.shape[{i}] != y.shape[{j}]:\n        raise ValueError({message!r})"
        for dim, (i, j) in zip(op.dims, op.axes, strict=True)
        for message in [f"Size of dim '{dim}' does not match"]
    ]
    source = "\n".join(["def equal_sizes(x, y):", *comparisons, "    return x, y"])
    function = compile_function_src(source, "equal_sizes", {})
    version = int(sha256(source.encode("utf-8", "backslashreplace")).hexdigest(), 16)
    return numba_basic.numba_njit(function), version


@register_funcify_default_op_cache_key(DiscreteDot)  # type: ignore[untyped-decorator]  # as above
def funcify_discrete_dot(op: DiscreteDot, **_: Any) -> tuple[Callable[..., Any], int]:
    """Multiply in loops, the innermost along rows of memory.

    Each element is stored in the operands' dtype, so integers wrap and a sum of bools is `any`.
    """

    def product(x: Any, y: Any) -> Any:
        out = np.zeros((x.shape[0], y.shape[1]), x.dtype)
        for row in range(x.shape[0]):
            for k in range(x.shape[1]):
                for column in range(y.shape[1]):
                    out[row, column] += x[row, k] * y[k, column]
        return out

    return numba_basic.numba_njit(product), VERSION
