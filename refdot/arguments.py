"""What the words on the command line mean, and how they are refused."""

from __future__ import annotations

import argparse
import builtins
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeGuard

from refdot.errors import SizeMismatchError, nearest_name
from refdot.explanation import underlined
from refdot.lowering import Lowering

if TYPE_CHECKING:
    from refdot.batches import Shard

__all__ = [
    "UsageError",
    "exception",
    "layer_counts",
    "natural",
    "positive",
    "positive_number",
    "read_dim",
    "read_sizes",
    "require",
    "shard",
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
    return whole_number(text, 1)


def natural(text: str) -> int:
    """Read a whole number from 0 on."""
    return whole_number(text, 0)


def whole_number(text: str, least: int) -> int:
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
    from refdot.batches import Shard

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
    if is_exception(found):
        return found
    own = [known for known, found in vars(builtins).items() if is_exception(found)]
    nearest = nearest_name(name, own)
    hint = f"; did you mean {nearest}?" if nearest and not module_name else ""
    raise argparse.ArgumentTypeError(f"no exception {name!r}{hint}")


def is_exception(found: object) -> TypeGuard[type[BaseException]]:
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
