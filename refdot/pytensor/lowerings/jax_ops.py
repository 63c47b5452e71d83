"""The operations of `ops.py` on JAX, registered at import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from pytensor.link.jax.dispatch import jax_funcify

from refdot.pytensor.lowerings.contraction import Contraction
from refdot.pytensor.lowerings.ops import DiscreteDot, EqualSizes


@jax_funcify.register(EqualSizes)  # type: ignore[untyped-decorator]  # PyTensor's types are skipped
def funcify_equal_sizes(op: EqualSizes, **_: Any) -> Callable[..., Any]:
    """Compare the sizes when JAX traces, which it repeats for other sizes."""

    def equal_sizes(x: Any, y: Any) -> Any:
        op.compare(x.shape, y.shape)
        return x, y

    return equal_sizes


@jax_funcify.register(DiscreteDot)  # type: ignore[untyped-decorator]  # as above
def funcify_discrete_dot(op: DiscreteDot, **_: Any) -> Callable[..., Any]:
    """Use JAX's product, which wraps integers, and of bools is `any` of `and`."""
    product: Callable[..., Any] = jnp.matmul
    return product


@jax_funcify.register(Contraction)  # type: ignore[untyped-decorator]  # as above
def funcify_contraction(op: Contraction, node: Any, **_: Any) -> Callable[..., Any]:
    """Use JAX's einsum, in a mode that does not expand contractions."""
    # With numbers as labels, there are more than 52.
    x, y, out = (list(map(ord, letters)) for letters in (op.x, op.y, op.out))
    dtype = node.outputs[0].dtype

    def contraction(x_value: Any, y_value: Any) -> Any:
        operands = x_value.astype(dtype), x, y_value.astype(dtype), y, out
        return jnp.einsum(*operands, preferred_element_type=dtype)

    return contraction
