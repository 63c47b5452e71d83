"""The target of a command, and the packages that it needs."""

import argparse
from contextlib import chdir
from importlib.util import find_spec

from refdot.cli.arguments import UsageError, check_choices
from refdot.targets import Target, TargetError, find_target
from refdot.targets.registry import check_result, is_built_in
from refdot.text import extra_hint, listed

__all__ = [
    "CHECK_PACKAGES",
    "JUDGING_PACKAGES",
    "check_installed",
    "needed_packages",
    "requested_target",
    "target_of_report",
]

# What judging needs, of the extra `testing`.
JUDGING_PACKAGES = ("hypothesis", "rich")
# What the commands need that read or write cases and reports, of the extra `check`.
CHECK_PACKAGES = ("hypothesis", "jinja2", "msgspec", "rich")
# The options with which a command that judges does so; `--list ID` writes a script.
_FILE_OPTIONS = ("report", "baseline", "database", "json", "diff", "list")


def needed_packages(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the packages that a command needs with its options."""
    has_files = any(getattr(arguments, option, None) for option in _FILE_OPTIONS)
    packages: tuple[str, ...] = CHECK_PACKAGES if has_files else arguments.packages
    return packages


def check_installed(*packages: str, extra: str = "check") -> None:
    """Raise a `UsageError` if a package of an extra is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(f"{listed(missing)} {verb} not installed; {extra_hint(extra)}")


def target_of_report(name: str, requested: str | None) -> Target:
    """Return the target of a report; its module is imported only if the user names it."""
    if requested is None and not is_built_in(name):
        raise UsageError(f"--report also needs --target {name}, which writes the reproducers")
    target = find_target(requested or name)
    if target.name != name:
        raise UsageError(f"--target {requested}: the reports are about {name}")
    return target


def requested_target(arguments: argparse.Namespace) -> Target:
    """Return the target, after checking that its requested backends and lowerings can run here."""
    name = arguments.target or _default_target()
    with chdir("."):  # a module can change the working folder
        target = find_target(name)
    absent = {backend.name: backend.absent for backend in target.backends()}
    check_choices("--backend", arguments.backend, absent)
    for backend in arguments.backend:
        if absent[backend]:
            raise UsageError(f"--backend {backend}: {absent[backend]}")
    check_choices("--lowering", arguments.lowering, target.lowerings)
    if not getattr(arguments, "jobs", None):  # a function that hangs must do so in a worker
        check_result(target)
    return target


def _default_target() -> str:
    for name in ("pytensor", "xarray"):
        if find_spec(name):
            return name
    raise TargetError(
        "PyTensor is not installed; name a function to judge, such as "
        f"my_dot.py:dot, or {extra_hint('check')}"
    )
