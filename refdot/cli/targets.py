"""The target that a command is about."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import Any

from refdot.cli.arguments import UsageError, check_choices
from refdot.text import listed

__all__ = ["CHECK_PACKAGES", "check_installed", "requested_target"]

# What every command but `explain` imports, of the extra `check`.
CHECK_PACKAGES = ("hypothesis", "jinja2", "msgspec", "rich")


def check_installed(*packages: str, extra: str = "check") -> None:
    """Raise a `UsageError` if a package of an extra is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UsageError(f"{listed(missing)} not installed; pip install 'refdot[{extra}]'")


def requested_target(arguments: argparse.Namespace) -> Any:
    """Return the target, after checking that it has the requested backends and lowerings.

    Raises
    ------
    UsageError
        There is no such target, backend or lowering, or it cannot run here.
    """
    from refdot.targets import TargetError, find_target

    name = arguments.target or ("pytensor" if find_spec("pytensor") else "xarray")
    try:
        target = find_target(name)
    except TargetError as error:
        raise UsageError(str(error)) from None
    absent = {backend.name: backend.absent for backend in target.backends()}
    check_choices("--backend", arguments.backend, absent)
    for backend in arguments.backend:
        if absent[backend]:
            raise UsageError(f"--backend {backend}: {absent[backend]}")
    check_choices("--lowering", arguments.lowering, target.lowerings)
    return target
