"""The command line: check, merge, replay, errors, regex, explain, compile-time."""

import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from shutil import get_terminal_size

from refdot.cli.arguments import UsageError
from refdot.cli.output import INTERRUPTED
from refdot.cli.parser import parser
from refdot.cli.targets import check_installed, needed_packages
from refdot.targets import TargetError
from refdot.targets.protocol import TargetNameError
from refdot.text import printable, wrapped

__all__ = ["FAILED", "main"]

FAILED = 3
OUTPUT_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in this process.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0 if there are only known deviations, 1 if there are other mismatches (for `errors --diff`:
        if a message changed), 2 for bad usage or if nothing was judged, 3 if the target cannot be
        imported or refdot itself failed, 130 if interrupted before a mismatch was found, 141 if
        nobody reads the output any more, as for `refdot check --list | head`.
    """
    arguments = None
    try:
        arguments = parser().parse_args(argv)
        arguments.line = shlex.join(["refdot", *(sys.argv[1:] if argv is None else argv)])
        check_installed(*needed_packages(arguments))
        result: int = arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes the output once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUTPUT_CLOSED
    except (UsageError, TargetError) as error:
        _print_error(f"refdot: {error}")
        return 2 if isinstance(error, UsageError | TargetNameError) else FAILED
    except KeyboardInterrupt:
        print("refdot: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BaseException as error:  # a target may raise anything
        if isinstance(error.__context__, BrokenPipeError):  # rich leaves after one
            return OUTPUT_CLOSED
        if arguments is None and isinstance(error, SystemExit):  # after --help or --version
            return int(error.code or 0)
        if _output_is_closed():
            print("refdot: the output was closed, so the results are not shown", file=sys.stderr)
            return FAILED
        traceback.print_exc()
        print("refdot: an internal error; please report it with the lines above", file=sys.stderr)
        return FAILED
    return result


def _print_error(text: str) -> None:
    lines = [printable(line) for line in text.splitlines()]
    if sys.stderr.isatty():
        width = get_terminal_size().columns
        lines = [part for line in lines for part in wrapped(line, width)]
    print(*lines, sep="\n", file=sys.stderr)


def _output_is_closed() -> bool:
    """Return whether something, such as a target, has closed the output of this process."""
    try:
        if sys.stdout.closed:
            return True
        os.fstat(sys.stdout.fileno())
    except io.UnsupportedOperation:  # it is in memory
        return False
    except ValueError:  # it has lost its buffer
        return True
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        return True
    return False
