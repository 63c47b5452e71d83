"""The target of an assertion, which may be given in three ways."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Target, TargetNameError
from refdot.targets.registry import check_result, find_target

__all__ = ["AnyTarget", "as_target"]

AnyTarget: TypeAlias = str | Target | Callable[..., Any]


def as_target(target: AnyTarget, gradients: bool = False) -> Target:
    """Return a target that is given by its name, as itself, or as a function of `NamedTensor`s."""
    if isinstance(target, str):
        return find_target(target)
    if hasattr(target, "backends"):
        return cast(Target, target)
    if not callable(target):
        raise TypeError(f"expected a function or a target, got {target!r}")
    function = CallableTarget(target, getattr(target, "__qualname__", repr(target)), gradients)
    try:
        check_result(function)
    except TargetNameError as error:
        raise AssertionError(str(error)) from None
    return function
