"""Read the words of the command line."""

from __future__ import annotations

import argparse
import builtins
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeGuard

from refdot.display.operands import read_names, split_words, underline
from refdot.errors import SizeMismatchError
from refdot.lowering import Lowering
from refdot.text import did_you_mean

if TYPE_CHECKING:
    from refdot.check import Shard

__all__ = [
    "UsageError",
    "check_choices",
    "exception",
    "layer_counts",
    "positive_number",
    "read_dim",
    "read_sizes",
    "shard",
    "whole_number",
]


class UsageError(Exception):
    """Bad usage: the message says in one line what is wrong and what is accepted."""


def whole_number(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text!r}")
        return int(text)

    return read


def layer_counts(text: str) -> tuple[int, ...]:
    """Read positive whole numbers separated by commas."""
    return tuple(sorted({whole_number(1)(part.strip()) for part in text.split(",")}))


def positive_number(text: str) -> float:
    """Read a positive, finite number."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return number


def shard(text: str) -> Shard:
    """Read a shard, such as 2/8."""
    from refdot.check import Shard

    number, _, of = text.partition("/")
    with suppress(ValueError):
        return Shard(int(number), int(of))
    raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, got {text!r}")


def exception(name: str) -> type[BaseException]:
    """Read the name of an exception: a built-in one, or one with its module."""
    module_name, _, class_name = name.rpartition(".")
    try:
        found = getattr(import_module(module_name or "builtins"), class_name, None)
    except ImportError:
        found = None
    if _is_exception(found):
        return found
    built_in = [each for each, value in vars(builtins).items() if _is_exception(value)]
    hint = "" if module_name else did_you_mean(name, built_in)
    raise argparse.ArgumentTypeError(f"no exception {name!r}{hint}")


def _is_exception(found: object) -> TypeGuard[type[BaseException]]:
    return isinstance(found, type) and issubclass(found, BaseException)


def check_choices(option: str, names: Iterable[str], choices: Iterable[str]) -> None:
    """Raise a `UsageError` for a name that is not one of the choices."""
    accepted = tuple(choices)
    for name in names:
        if name not in accepted:
            shown = ", ".join(accepted) or "nothing"
            raise UsageError(f"{option} {name}: choose from {shown}{did_you_mean(name, accepted)}")


def read_dim(text: str | None, dims: Iterable[str] = ()) -> Any:
    """Read the `dim` argument: names separated by commas or spaces, one of `dims`, or `...`."""
    if text is None:
        return None
    if text.strip() == "...":
        return ...
    if text in dims:  # it may have spaces
        return text
    try:
        return read_names(text)
    except ValueError as error:
        raise UsageError(f"--dim {text}: {error}") from None


def read_sizes(text: str, lowering: Lowering) -> dict[str, int]:
    """Read sizes such as `a=2,b=3`; two sizes for a shared dim are one in each operand."""
    sizes: dict[str, int] = {}
    for name, size in _names_and_sizes(text):
        try:
            check_choices("--sizes", [name], lowering.all_dims)
        except UsageError as error:
            raise UsageError(f"{error}\n{underline('--sizes', text, name)}") from None
        if sizes.setdefault(name, size) == size:
            continue
        if name in lowering.contracted + lowering.batch:
            raise SizeMismatchError(sizes, {name: size})
        raise UsageError(
            f"--sizes gives {name} two sizes\n{underline('--sizes', text, name, occurrence=1)}"
        )
    return sizes


def _names_and_sizes(text: str) -> Iterator[tuple[str, int]]:
    words = [word for word in split_words(text, ",=") if word.name != ","]
    while words:
        part, words = words[:3], words[3:]
        match [word.name for word in part]:
            case [name, "=", size] if name != "=" and size.isdecimal():
                yield name, int(size)
            case _:
                shown = text[part[0].start : part[-1].end]
                raise UsageError(
                    f"--sizes takes name=size separated by commas or spaces, not {shown!r}"
                )
