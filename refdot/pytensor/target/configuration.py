"""Temporary configuration of PyTensor for a backend and a lowering."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from typing import Any
from unittest.mock import patch

import pytensor
from pytensor.compile.mode import Mode, optdb
from pytensor.graph.basic import Apply
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.tensor.shape import Reshape
from pytensor.tensor.type import tensor

from refdot.pytensor.deviations.trials import DEDUCES_SIZES
from refdot.pytensor.lowerings.install import use_lowering
from refdot.pytensor.target.backends import PyTensorBackend
from refdot.pytensor.target.blas import quiet_blas

__all__ = ["configured", "without_parts", "without_repetition", "without_rewrites"]

# With these, a user may have PyTensor reject what is right.
_CHECKS_OF_USERS = {"warn_float64": "ignore", "check_stack_trace": "off"}


@contextmanager
def configured(backend: PyTensorBackend, lowering: str, **flags: Any) -> Iterator[Mode]:
    """Configure PyTensor for a backend and a lowering, and yield the mode.

    Its warnings, logging and printing are silenced: an outcome holds the same information as data.
    """
    compiler = pytensor.config.cxx if backend.compiles_c else ""
    logger = logging.getLogger("pytensor")
    with (
        quiet_blas() if backend.links_blas else nullcontext(),
        warnings.catch_warnings(action="ignore"),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
        ExitStack() as restore,
    ):
        restore.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
        mode = backend.make_mode()
        # PyTensor always compiles the inner graph of an OpFromGraph in the default mode.
        flags |= {"cxx": compiler, "blas__ldflags": backend.blas_flags, "mode": mode}
        flags |= _CHECKS_OF_USERS
        with pytensor.config.change_flags(**flags), use_lowering(lowering):
            yield mode


@contextmanager
def without_repetition() -> Iterator[None]:
    """Let PyTensor collect the rewrites of a mode once, and store no call stacks.

    It would collect them, and what each of them tracks, for each graph. No outcome needs the call
    stacks, which say in an error where a variable was created.
    """
    query = optdb.query
    rewriters: dict[str, Any] = {}

    def query_once(*tags: Any, **named: Any) -> Any:
        if named or len(tags) != 1 or not isinstance(tags[0], RewriteDatabaseQuery):
            return query(*tags, **named)
        # The text of a query has all of its parts.
        text = str(tags[0])
        if text not in rewriters:
            rewriters[text] = query(tags[0])
        return rewriters[text]

    with (
        patch.object(optdb, "query", query_once),
        pytensor.config.change_flags(traceback__limit=0),
    ):
        yield


@contextmanager
def without_rewrites(*names: str) -> Iterator[None]:
    """Leave rewrites out of every mode, since inner graphs may have a mode of their own."""
    query = optdb.query

    def query_others(*tags: Any, **named: Any) -> Any:
        if tags and isinstance(tags[0], RewriteDatabaseQuery):
            tags = (tags[0].excluding(*names), *tags[1:])
        return query(*tags, **named)

    with patch.object(optdb, "query", query_others):
        yield


@contextmanager
def without_parts(*names: str) -> Iterator[None]:
    """Leave parts of PyTensor out: rewrites, and `DEDUCES_SIZES`."""
    rewrites = [name for name in names if name != DEDUCES_SIZES]
    reshapes = _without_deduced_sizes() if DEDUCES_SIZES in names else nullcontext()
    with without_rewrites(*rewrites), reshapes:
        yield


def _without_deduced_sizes() -> AbstractContextManager[Any]:
    """Have a reshape deduce no size from a number of elements and a known size that are both 0."""
    make_node = Reshape.make_node

    def make_node_without_deduction(op: Reshape, x: Any, shape: Any) -> Any:
        node = make_node(op, x, shape)
        of_any_size = tensor(dtype=node.inputs[0].dtype, shape=(None,) * node.inputs[0].ndim)
        known = make_node(op, of_any_size, shape).outputs[0].type
        is_deduced = 0 in known.shape and known.shape.count(None) == 1
        return Apply(op, node.inputs, [known()]) if is_deduced else node

    return patch.object(Reshape, "make_node", make_node_without_deduction)
