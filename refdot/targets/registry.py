"""Targets by name: those of installed packages, and any function by its module and name."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, entry_points
from typing import Any

from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Target, TargetError

__all__ = ["find_target", "target_names"]

# A package brings a target by an entry point of this group: a class without arguments.
_GROUP = "refdot.targets"


class _FoundTarget(CallableTarget):
    """A callable that was found by its name, and is found by it again in another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return find_target, (self.name,)


def target_names() -> tuple[str, ...]:
    """Return the names of the targets that installed packages bring."""
    return tuple(sorted(entry_points(group=_GROUP).names))


def find_target(name: str) -> Target:
    """Return a target by its name.

    Parameters
    ----------
    name : str
        The name of an entry point of the group `refdot.targets`, such as "pytensor" or "xarray",
        or "module:function".

    Raises
    ------
    TargetError
        There is no such target, or it cannot be imported.
    """
    if name in entry_points(group=_GROUP).names:
        return _installed_target(name)
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        choices = ", ".join(target_names())
        raise TargetError(f"no target {name!r}: it must be {choices} or module:function")
    found = _imported(name, module_name, path)
    if not callable(found):
        raise TargetError(f"{name} is not callable")
    return _FoundTarget(found, name, gradients=hasattr(found, "vjp"))


def _installed_target(name: str) -> Target:
    (entry_point,) = entry_points(group=_GROUP, name=name)
    try:
        target: Target = entry_point.load()()
    except (ModuleNotFoundError, PackageNotFoundError) as error:
        extras = ",".join(entry_point.extras)
        package = entry_point.dist.name if entry_point.dist else name
        hint = f"; pip install '{package}[{extras}]'" if extras else ""
        raise TargetError(f"{name} cannot be imported: {error}{hint}") from None
    return target


def _imported(name: str, module_name: str, path: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: modules in the working directory
    try:
        found: Any = importlib.import_module(module_name)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, when imported or when asked
        if isinstance(error, AttributeError) and module_name in sys.modules:
            raise TargetError(f"{module_name} has no {path}") from None
        what = name if module_name in sys.modules else module_name
        message = f"cannot import {what}: {type(error).__name__}: {error}"
        raise TargetError(" ".join(message.split())) from None
    return found
