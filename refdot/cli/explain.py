"""The command explain."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from refdot.cli.arguments import UsageError, read_dim, read_sizes
from refdot.cli.files import case_in, read_text, usage_errors, write_text
from refdot.cli.targets import check_installed
from refdot.display.explanation import explain
from refdot.display.operands import message_with_underline, parse_operands
from refdot.errors import DotError
from refdot.lowering import Lowering, lower_dot
from refdot.programs.case import ProgramCase
from refdot.programs.explanation import explain_program
from refdot.programs.named import PROGRAMS, named_program
from refdot.programs.picture import program_svg
from refdot.text import nearest_name

if TYPE_CHECKING:
    from refdot.programs.program import Program

__all__ = ["run_explain"]


def run_explain(arguments: argparse.Namespace) -> int:
    """Run `refdot explain`."""
    operands = " ".join(arguments.operands)
    if operands.endswith(".json"):
        _explain_file(Path(operands), arguments)
    elif _names_program(operands):
        with usage_errors(operands):
            program = named_program(operands)
        _explain_program(program, arguments)
    else:
        _explain_dot(operands, arguments)
    return 0


def _names_program(text: str) -> bool:
    """Whether a text is the name of a program, perhaps misspelt, with or without sizes."""
    name, _, sizes = text.partition(":")
    is_name = re.fullmatch(r"[\w-]+", name) and not re.search(r"[\s]", sizes)
    return bool(is_name and nearest_name(name, list(PROGRAMS)))


def _explain_dot(operands: str, arguments: argparse.Namespace) -> None:
    texts = {"operands": operands, "--dim": arguments.dim or "", "--sizes": arguments.sizes}
    try:
        x_dims, y_dims = parse_operands(operands)
        lowering = lower_dot(x_dims, y_dims, read_dim(arguments.dim, x_dims + y_dims))
        sizes = read_sizes(arguments.sizes, lowering)
    except DotError as error:
        raise UsageError(message_with_underline(error, texts)) from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    _show_lowering(lowering, sizes, arguments)


def _show_lowering(
    lowering: Lowering, sizes: Mapping[str, int], arguments: argparse.Namespace
) -> None:
    _write_picture(lowering.to_svg(sizes), arguments)
    print(explain(lowering, sizes))


def _explain_file(path: Path, arguments: argparse.Namespace) -> None:
    """Explain the case in a JSON file, of a program or of a dot."""
    check_installed("msgspec")
    with usage_errors(path):
        case = case_in(json.loads(read_text(path)))
    if isinstance(case, ProgramCase):
        _explain_program(case.program, arguments)
        return
    _refuse_options(arguments)
    try:
        lowering = lower_dot(case.x.dims, case.y.dims, case.dim.value)
    except DotError as error:
        raise UsageError(f"{path}: {error}") from None
    _show_lowering(lowering, case.x.sizes | case.y.sizes, arguments)


def _explain_program(program: Program, arguments: argparse.Namespace) -> None:
    _refuse_options(arguments)
    _write_picture(program_svg(program), arguments)
    print(explain_program(program))


def _refuse_options(arguments: argparse.Namespace) -> None:
    for option in ("dim", "sizes"):
        if getattr(arguments, option):
            raise UsageError(f"--{option} is only for the operands of a dot")


def _write_picture(svg: str, arguments: argparse.Namespace) -> None:
    if arguments.svg is not None:
        write_text(arguments.svg, svg, "--svg")
