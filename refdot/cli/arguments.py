"""What the words on the command line mean, and how they are refused."""

from __future__ import annotations

import argparse
import builtins
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeGuard

from refdot.display.explanation import underlined
from refdot.errors import SizeMismatchError
from refdot.lowering import Lowering
from refdot.text import nearest_name

if TYPE_CHECKING:
    from refdot.check.plan import Shard

__all__ = [
    "INTERRUPTED",
    "UsageError",
    "chosen_target",
    "exception",
    "layer_counts",
    "make_folder",
    "natural",
    "open_for",
    "positive",
    "positive_number",
    "read_dim",
    "read_sizes",
    "require",
    "require_check_extra",
    "shard",
    "write",
]


class UsageError(Exception):
    """Something asked for that cannot be had: what is wrong, and what is accepted."""


def layer_counts(text: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them."""
    return tuple(sorted({positive(part.strip()) for part in text.split(",")}))


def positive_number(text: str) -> float:
    """Read a positive number."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"a positive number, not {text!r}")
    return number


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    return _whole_number(text, 1)


def natural(text: str) -> int:
    """Read a whole number from 0 on."""
    return _whole_number(text, 0)


def _whole_number(text: str, least: int) -> int:
    """Read a whole number."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"a whole number from {least} on, not {text!r}")
    return number


def shard(text: str) -> Shard:
    """Read which part of a campaign is asked for."""
    from refdot.check.plan import Shard

    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"I/N with I from 1 to N, not {text!r}")
    return Shard(int(number), int(of))


def exception(name: str) -> type[BaseException]:
    """Read the name of an exception: one of Python's own, or one with its module."""
    module_name, _, class_name = name.rpartition(".")
    try:
        found = getattr(import_module(module_name or "builtins"), class_name, None)
    except ImportError:
        found = None
    if _is_exception(found):
        return found
    own = [known for known, found in vars(builtins).items() if _is_exception(found)]
    nearest = nearest_name(name, own)
    hint = f"; did you mean {nearest}?" if nearest and not module_name else ""
    raise argparse.ArgumentTypeError(f"no exception {name!r}{hint}")


def _is_exception(found: object) -> TypeGuard[type[BaseException]]:
    """Whether something is a class of exceptions."""
    return isinstance(found, type) and issubclass(found, BaseException)


def read_dim(text: str | None) -> Any:
    """Read the `dim` argument from the shell."""
    if text is None:
        return None
    if text.strip() == "...":
        return ...
    return tuple(text.replace(",", " ").split())


def read_sizes(text: str, lowering: Lowering) -> dict[str, int]:
    """Read sizes from the shell; a dim of both operands that is given two has one in each."""
    sizes: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, size = (piece.strip() for piece in part.partition("="))
        if not (name and size.isdecimal()):
            raise UsageError(f"--sizes takes name=size with commas between, not {part!r}")
        try:
            require([name], lowering.all_dims, "--sizes")
        except UsageError as error:
            raise UsageError(f"{error}\n{underlined('--sizes', text, name)}") from None
        if sizes.setdefault(name, int(size)) == int(size):
            continue
        if name in lowering.contracted + lowering.batch:
            raise SizeMismatchError(sizes, {name: int(size)})
        raise UsageError(
            f"--sizes gives {name} two sizes\n{underlined('--sizes', text, name, occurrence=1)}"
        )
    return sizes


def require(names: Sequence[str], accepted: Sequence[str], option: str) -> None:
    """Refuse names that are not among those accepted."""
    for name in names:
        if name not in accepted:
            nearest = nearest_name(name, accepted)
            hint = f" (did you mean {nearest}?)" if nearest else ""
            raise UsageError(
                f"{option} {name}: there is only {', '.join(accepted) or 'none'}{hint}"
            )


INTERRUPTED = 130


def write(text: str, path: Path, option: str) -> None:
    """Write a file that an option asks for."""
    with open_for(path, "w", option) as file:
        file.write(text)


def open_for(path: Path | str, mode: str, option: str) -> IO[str]:
    """Open a file that an option names."""
    try:
        return Path(path).open(mode, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None


def make_folder(folder: Path | None, option: str = "--report") -> None:
    """Make the folder that an option names, if it names one that is not there."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{option} {folder}: not a folder") from None
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}") from None


def require_check_extra() -> None:
    """Refuse what needs more than the core where that is not installed."""
    missing = [name for name in ("hypothesis", "rich") if find_spec(name) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} not installed; pip install 'refdot[check]'")


def chosen_target(arguments: argparse.Namespace) -> Any:
    """Find the target, and check that it has the backends and lowerings asked for."""
    from refdot.targets.protocol import TargetError
    from refdot.targets.registry import find_target

    name = arguments.target
    if name is None:
        name = "pytensor" if find_spec("pytensor") else "xarray"
    try:
        target = find_target(name)
    except TargetError as error:
        raise UsageError(str(error)) from None
    backends = target.backends()
    require(arguments.backend, tuple(backend.name for backend in backends), "--backend")
    absent = {backend.name: backend.absent for backend in backends if backend.absent}
    for backend in arguments.backend:
        if backend in absent:
            raise UsageError(f"--backend {backend}: {absent[backend]}")
    require(arguments.lowering, target.lowerings, "--lowering")
    return target
