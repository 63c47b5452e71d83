"""The command explain."""

import argparse

from refdot.cli.arguments import UsageError, read_dim, read_sizes
from refdot.cli.files import write_text
from refdot.cli.programs import explain_named_program, names_program
from refdot.display.explanation import explain
from refdot.display.operands import message_with_underline, parse_operands
from refdot.errors import DotError
from refdot.lowering import lower_dot

__all__ = ["run_explain"]


def run_explain(arguments: argparse.Namespace) -> int:
    """Run `refdot explain`."""
    operands = " ".join(arguments.operands)
    if names_program(operands):
        return explain_named_program(operands)
    texts = {"operands": operands, "--dim": arguments.dim or "", "--sizes": arguments.sizes}
    try:
        x_dims, y_dims = parse_operands(operands)
        lowering = lower_dot(x_dims, y_dims, read_dim(arguments.dim))
        sizes = read_sizes(arguments.sizes, lowering)
    except DotError as error:
        raise UsageError(message_with_underline(error, texts)) from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    if arguments.svg is not None:
        write_text(arguments.svg, lowering.to_svg(sizes), "--svg")
    print(explain(lowering, sizes))
    return 0
