"""Targets by name: targets of installed packages, and functions."""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points
from operator import attrgetter
from typing import Any

from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Target, TargetError

__all__ = ["find_target", "is_built_in"]

# A package provides a target by an entry point of this group, which it calls without arguments.
_GROUP = "refdot.targets"


class _FoundTarget(CallableTarget):
    """A callable that another process finds again by its name."""

    def __reduce__(self) -> tuple[Any, ...]:
        return find_target, (self.name,)


def find_target(name: str) -> Target:
    """Return a target by its name: an entry point, such as "xarray", or "module:function".

    Raises
    ------
    TargetError
        There is no such target, or it cannot be imported.
    """
    installed = entry_points(group=_GROUP).names
    if name in installed:
        return _installed_target(name)
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        choices = ", ".join(sorted(installed))
        raise TargetError(f"unknown target {name!r}: choose from {choices} or module:function")
    function = _imported(module_name, path)
    if not callable(function):
        raise TargetError(f"{name} is not callable")
    return _FoundTarget(function, name, gradients=hasattr(function, "vjp"))


def is_built_in(name: str) -> bool:
    """Return whether refdot itself provides the target of a name."""
    found = entry_points(group=_GROUP, name=name)
    return any(each.dist is not None and each.dist.name == "refdot" for each in found)


def _installed_target(name: str) -> Target:
    entry_point, *others = entry_points(group=_GROUP, name=name)
    if others:
        packages = sorted(each.dist.name for each in (entry_point, *others) if each.dist)
        raise TargetError(f"several packages provide the target {name!r}: {', '.join(packages)}")
    try:
        target: Target = entry_point.load()()
    except (ModuleNotFoundError, PackageNotFoundError) as error:
        hint = ""
        if entry_point.dist and entry_point.extras:
            hint = f"; pip install '{entry_point.dist.name}[{','.join(entry_point.extras)}]'"
        raise TargetError(f"cannot import the target {name!r}: {error}{hint}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a package may raise anything
        raise _import_error(f"the target {name!r}", error) from None
    return target


def _imported(module_name: str, path: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")  # the working directory, as for `python -m`
    try:
        return attrgetter(path)(import_module(module_name))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything
        if module_name not in sys.modules:
            raise _import_error(module_name, error) from None
        if isinstance(error, AttributeError):
            raise TargetError(f"module {module_name!r} has no attribute {path!r}") from None
        raise _import_error(f"{module_name}:{path}", error) from None


def _import_error(name: str, error: BaseException) -> TargetError:
    return TargetError(" ".join(f"cannot import {name}: {type(error).__name__}: {error}".split()))
