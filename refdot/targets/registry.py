"""Targets by name: targets of installed packages, and objects of modules and of files."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from refdot.cases.notation import dot_case
from refdot.targets.callable import CallableTarget
from refdot.targets.interrupt import is_interrupt
from refdot.targets.outcome import Raised
from refdot.targets.protocol import Target, TargetError, TargetNameError
from refdot.text import did_you_mean, extra_hint, nearest_name

__all__ = ["check_result", "find_target", "is_built_in"]

# A package provides a target by an entry point of this group, which it calls without arguments.
_GROUP = "refdot.targets"
_MEMBERS = (
    *Target.__annotations__,
    *(name for name, value in vars(Target).items() if inspect.isfunction(value) and name[0] != "_"),
)


def find_target(name: str) -> Target:
    """Return a target by its name.

    Parameters
    ----------
    name : str
        An entry point, such as "xarray"; or an object in a module or in a file, such as
        "module:dot" or "path/to/file.py:dot". The object is a function of two `NamedTensor`s and a
        `dim` argument, or a `Target`.

    Raises
    ------
    TargetNameError
        The name has another form, or names something else.
    TargetError
        The target cannot be imported.
    """
    if name in entry_points(group=_GROUP).names:
        return _installed_target(name)
    place, _, path = name.rpartition(":")
    if correction := _correction(name, place, path):
        raise TargetNameError(correction)
    with _import_errors(name):
        return _named(_target_of(_object(place, path), name), name)


def check_result(target: Target) -> None:
    """Raise a `TargetNameError` for a function that returns no `NamedTensor` for two numbers."""
    if isinstance(target, CallableTarget):
        raised = target.run(dot_case("", ""), "call", "stock").raised
        if raised is not None and not raised.bases:  # no exception was raised
            raise TargetNameError(f"{target.name} {raised.message}")


def is_built_in(name: str) -> bool:
    """Return whether refdot itself provides the target of a name."""
    found = entry_points(group=_GROUP, name=name)
    return any(each.dist is not None and each.dist.name == "refdot" for each in found)


def _installed_target(name: str) -> Target:
    entry_point, *others = entry_points(group=_GROUP, name=name)
    if others:
        packages = sorted(each.dist.name for each in (entry_point, *others) if each.dist)
        raise TargetError(f"several packages provide the target {name!r}: {', '.join(packages)}")
    missing = (ModuleNotFoundError, PackageNotFoundError)
    try:
        with _import_errors(f"the target {name!r}", passed=missing):
            target: Target = entry_point.load()()
    except missing as error:
        hint = ""
        if entry_point.dist and entry_point.extras:
            hint = f"; {extra_hint(*entry_point.extras, package=entry_point.dist.name)}"
        reason = f"{error.name} is not installed" if error.name else str(error)
        raise TargetError(f"cannot import the target {name!r}: {reason}{hint}") from None
    return target


# Objects in modules and in files


def _correction(name: str, place: str, path: str) -> str:
    """Return one line about how to write a name that has a wrong form, or "" if it is right."""
    if not (place or path):
        return f"no target {name!r}: {_choices()}"
    if not place:
        return (
            _without_object(name, path) if name == path else f"no module in {name!r}: {_choices()}"
        )
    if not path:
        return f"no object in {name!r}: write {place}:NAME, with the name of a function or a target"
    if path.endswith(".py"):
        return f"{name!r} names the object first: write {path}:{place}"
    if ":" in place[2:]:  # not that of a drive on Windows
        module, *parts = filter(None, name.split(":"))
        return f"{name!r} has too many colons: write {module}:{'.'.join(parts)}"
    if path.endswith(")"):
        return f"{name!r} is a call: write {place}:{path.partition('(')[0]}"
    if _is_path(place) and not place.endswith(".py"):
        return f"{place!r} is not a Python file: write {place}.py:{path}"
    return ""


def _without_object(name: str, path: str) -> str:
    """Return one line about how to write a name without a colon."""
    if _is_path(path):
        return f"{name!r} is a file: write {name}:NAME, with the name of a function or a target"
    if Path(f"{name}.py").is_file():
        return f"{name!r} is a module: write {name}:NAME, with the name of a function or a target"
    module, _, attribute = path.rpartition(".")
    hint = did_you_mean(name, sorted(entry_points(group=_GROUP).names))
    hint = f"; for {attribute} in {module}, write {module}:{attribute}" if module else hint
    return f"unknown target {name!r}: {_choices()}{hint}"


def _choices() -> str:
    names = ", ".join(sorted(entry_points(group=_GROUP).names))
    return f"choose from {names}, module:object or path/to/file.py:object"


def _is_path(place: str) -> bool:
    return place.endswith(".py") or "/" in place or "\\" in place


def _object(place: str, path: str) -> Any:
    """Return the object at a dotted path in a module or in a file."""
    with _import_errors(place):
        module = _module_of_file(Path(place)) if _is_path(place) else _module(place)
    try:
        with _import_errors(f"{place}:{path}", passed=(AttributeError,)):
            return attrgetter(path)(module)
    except AttributeError:
        kind = "file" if _is_path(place) else "module"
        nearest = nearest_name(path, list(vars(module))) if "." not in path else None
        hint = f"; did you mean {place}:{nearest}?" if nearest else ""
        raise TargetNameError(f"{kind} {place!r} has no attribute {path!r}{hint}") from None


def _module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")  # the working directory, as for `python -m`
    return import_module(name)


def _module_of_file(path: Path) -> ModuleType:
    """Run a file as Python runs a script: it can import the modules beside it."""
    if not path.is_file():
        raise TargetNameError(f"no file {str(path)!r}")
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.insert(0, folder)
    # The name of the module is that of no other module, so that a file may be called `numpy.py`.
    name = str(path.resolve())
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _import_errors(name: str, passed: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Raise a `TargetError` for every exception but some: what a target runs may raise anything."""
    try:
        yield
    except BaseException as error:
        if is_interrupt(error) or issubclass(type(error), (TargetError, *passed)):
            raise
        raised = Raised.at("run", error)
        text = f"cannot import {name}: {raised.type}: {raised.message}"
        raise TargetError(" ".join(text.split())) from None


def _target_of(found: Any, name: str) -> Target:
    """Return an object as a target, if it is one or a function."""
    place, _, path = name.rpartition(":")
    if isinstance(found, type):
        raise TargetNameError(
            f"{name} is a class: write the name of a function or of an instance, such as "
            f"{path.lower()} = {path}() in {place}"
        )
    missing = [member for member in _MEMBERS if not hasattr(found, member)]
    if not missing:
        target: Target = found
        return target
    if callable(found):
        _check_parameters(found, name)
        return CallableTarget(found, name, gradients=hasattr(found, "vjp"))
    if len(missing) < len(_MEMBERS):
        raise TargetNameError(f"{name} is not a target: it has no {', '.join(missing)}")
    raise TargetNameError(
        f"{name} is of type {type(found).__name__}: write the name of a function or a target"
    )


def _check_parameters(function: Any, name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function of C code may have none
        return
    try:
        signature.bind("x", "y", "dim")
    except TypeError as error:
        raise TargetNameError(f"{name} cannot be called with x, y and dim: {error}") from None


def _named(target: Target, name: str) -> Target:
    """Return a copy of a target with the name by which other processes find it."""
    kind = type(target)
    methods = {"__reduce__": lambda self: (find_target, (name,))}
    copy: Target = object.__new__(type(kind.__name__, (kind,), methods))
    vars(copy).update(vars(target), name=name)
    return copy
