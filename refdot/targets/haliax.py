"""`haliax.dot`, which runs on JAX, as a target."""

from importlib.metadata import version
from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.cases.notation import dot_case
from refdot.targets.callable import CallableTarget
from refdot.targets.limits import NO_SUBNORMALS
from refdot.targets.mismatch import Deviation, Mismatch
from refdot.targets.names import names_of
from refdot.targets.outcome import Outcome
from refdot.targets.protocol import Unsupported
from refdot.tensor import NamedTensor

__all__ = ["HaliaxTarget"]

_MOST_AXES = 10  # so many have a number of one digit
_MANY = " ".join(f"d{number}:1?" for number in range(_MOST_AXES + 1))


def _has_axis_of_two_digits(mismatch: Mismatch, outcome: Outcome) -> bool:
    raised = outcome.raised
    # Of `jax.numpy.einsum`, about the operand or the output that has the axis.
    texts = ("does not contain the correct number of indices", "appeared more than once")
    return (
        len(mismatch.case.dims) > _MOST_AXES
        and raised is not None
        and any(text in raised.message for text in texts)
    )


_DEVIATIONS = (
    Deviation(
        id="axes-numbered-in-decimal",
        title="A dot with eleven distinct axes or more fails.",
        rules=("R6", "R11"),
        kinds=("rejected-valid",),
        versions="",
        backends=(),
        matches=_has_axis_of_two_digits,
        example=dot_case(_MANY, ""),
        cause="`dot` (haliax/_src/dot.py) writes the number of each axis into the subscripts of "
        "`jax.numpy.einsum`, which reads 10 as the axes 1 and 0.",
    ),
)


def _jax_promotes(case: DotCase) -> bool:
    from jax import numpy as jnp

    return bool(jnp.promote_types(case.x.dtype, case.y.dtype) != case.result_dtype)


_UNSUPPORTED = (
    NO_SUBNORMALS,
    Unsupported("JAX promotes two dtypes by rules of its own", _jax_promotes),
)


class HaliaxTarget(CallableTarget):
    """`haliax.dot` of the fork that is maintained, `marin-haliax`."""

    def __init__(self) -> None:
        versions = f"{version('marin-haliax')} with jax {version('jax')}"
        import haliax  # noqa: F401
        import jax

        jax.config.update("jax_enable_x64", True)
        super().__init__(
            _dot,
            "haliax",
            gradients=True,
            version=versions,
            unsupported=_UNSUPPORTED,
            deviations=_DEVIATIONS,
            is_slow=True,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


def _dot(x: NamedTensor, y: NamedTensor, dim: Any = None) -> NamedTensor:
    return _as_tensor(_named_dot(_as_named(x), _as_named(y), names_of(x, y, dim)))


def _vjp(
    x: NamedTensor, y: NamedTensor, cotangent: NamedTensor, dim: Any = None
) -> tuple[NamedTensor, NamedTensor]:
    import jax

    names = names_of(x, y, dim)
    _, pull_back = jax.vjp(lambda a, b: _named_dot(a, b, names), _as_named(x), _as_named(y))
    x_bar, y_bar = map(_as_tensor, pull_back(_as_named(cotangent)))
    return x_bar, y_bar


_dot.vjp = _vjp  # type: ignore[attr-defined]


def _named_dot(x: Any, y: Any, names: tuple[Any, ...]) -> Any:
    import haliax

    return haliax.dot(x, y, axis=names)


def _as_named(tensor: NamedTensor) -> Any:
    import haliax
    from jax import numpy as jnp

    # JAX takes no array in the other byte order.
    return haliax.named(jnp.asarray(np.asarray(tensor.data, tensor.dtype)), tensor.dims)


def _as_tensor(named: Any) -> NamedTensor:
    return NamedTensor(np.array(named.array), [axis.name for axis in named.axes])
