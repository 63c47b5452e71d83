"""Compare the outcome of a case with the oracle's answer, rule by rule."""

from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np

from refdot.cases.case import DotCase
from refdot.errors import DimNotFoundError, DotError, SizeMismatchError
from refdot.evaluation import dot
from refdot.judging.expected import correct_gradient, expected_answer, expected_error
from refdot.judging.fingerprints import fingerprint
from refdot.judging.naming import names_dim, with_rare_names, wrong_and_right_names
from refdot.judging.rounding import CorrectAnswers, correct_answers
from refdot.rules import STAGES
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Declared, Gradient, Outcome, Raised
from refdot.targets.protocol import Target
from refdot.tensor import Array, NamedTensor, silent

__all__ = ["compare", "every_mismatch", "judge_answer"]

_FAMILIES = {"b": "bool", "i": "integer", "u": "integer", "f": "float", "c": "complex"}


def compare(
    case: DotCase,
    outcome: Outcome,
    target: Target,
    run: Callable[[DotCase], Outcome] | None = None,
) -> tuple[Mismatch, ...]:
    """Return the distinct mismatches in the outcome of a case: the first of each signature.

    See `every_mismatch`.
    """
    first: dict[str, Mismatch] = {}
    for mismatch in every_mismatch(case, outcome, target, run):
        first.setdefault(mismatch.signature, mismatch)
    return tuple(first.values())


@silent
def every_mismatch(
    case: DotCase,
    outcome: Outcome,
    target: Target,
    run: Callable[[DotCase], Outcome] | None = None,
) -> tuple[Mismatch, ...]:
    """Return the mismatches in the outcome of a case that the target supports.

    Several replicates may have the same one. Mismatches that follow from another one are left out.
    `run` runs another case in the same way: one with other names, if a message may hold a name by
    accident.
    """
    error = expected_error(case)
    if error is None:
        found = _judge_valid(case, outcome)
    else:
        found = _judge_error(case, outcome, error, target, run)
    return tuple(
        mismatch
        for mismatch in [*found, *_judge_conduct(case, outcome)]
        if mismatch.kind not in target.not_checked
    )


def _mismatch(
    case: DotCase,
    rule: str,
    kind: str,
    stage: str,
    detail: str,
    expected: object,
    got: object,
    **more: Any,
) -> Mismatch:
    return Mismatch(rule, kind, stage, detail, str(expected), str(got), case, **more)


def _unexpected_error(
    case: DotCase, rule: str, kind: str, raised: Raised, expected: object, context: str = ""
) -> Mismatch:
    """Return the mismatch for an error in a valid case."""
    detail = f"{context}{raised.type}: {fingerprint(raised, case)}"
    return _mismatch(case, rule, kind, raised.stage, detail, expected, raised)


# Cases that break a rule of input: R1 to R4, and R13


def _judge_error(
    case: DotCase,
    outcome: Outcome,
    error: DotError,
    target: Target,
    run: Callable[[DotCase], Outcome] | None,
) -> Iterator[Mismatch]:
    earliest, mismatched = _earliest(case, error, target.stages)
    base = "ValueError" if isinstance(error, ValueError) else "TypeError"
    expected = f"{base} at {earliest}: {error}"
    mismatch = partial(_mismatch, case, expected=expected, earliest_stage=earliest)
    cause, raised = _cause(case, error, mismatched), outcome.raised
    # When the graph is built, everything but a size is known.
    missed_at_build = outcome.declared is not None and not isinstance(error, SizeMismatchError)
    if raised is None or missed_at_build:
        got = f"no error, but {show(outcome.values[0])}" if outcome.values else "no error"
        yield mismatch(error.rule, "accepted-invalid", earliest, cause, got=got)
    elif STAGES.index(raised.stage) > STAGES.index(earliest):
        yield mismatch("R13", "late-error", raised.stage, cause, got=raised)
    elif not raised.expected_type:
        yield mismatch("R13", "wrong-error", raised.stage, f"{cause}: {raised.type}", got=raised)
    else:
        wrong, right = wrong_and_right_names(case, error)
        if wrong and not names_dim(raised.message, wrong, right):
            verb = "say which" if names_dim(raised.message, wrong) else "name the"
            detail = f"{cause}: the message does not {verb} dim"
            yield mismatch("R13", "wrong-error", raised.stage, detail, got=raised)
        elif wrong and run is not None and case != (renamed := with_rare_names(case)):
            # The message may contain the name by accident.
            error = expected_error(renamed) or error
            yield from _judge_error(renamed, run(renamed), error, target, run)


def _earliest(
    case: DotCase, error: DotError, stages: tuple[str, ...]
) -> tuple[str, dict[str, tuple[int, int]]]:
    """Return the earliest stage that can raise an error, and the mismatched sizes known there."""
    if not isinstance(error, SizeMismatchError):
        return "build" if "build" in stages else stages[-1], {}
    x, y = case.x.static_sizes, case.y.static_sizes
    static = {dim: pair for dim, pair in error.sizes.items() if None not in (x[dim], y[dim])}
    if static and "build" in stages:
        return "build", static
    return "run" if "run" in stages else stages[-1], error.sizes


def _cause(case: DotCase, error: DotError, mismatched: dict[str, tuple[int, int]]) -> str:
    """Describe coarsely how a case breaks its rule: one description for each likely cause."""
    if isinstance(error, SizeMismatchError):
        low = case.lowering
        role = low.role(next(iter(mismatched)))
        sizes = [pair for dim, pair in mismatched.items() if low.role(dim) == role]
        if all(1 in pair for pair in sizes):
            return f"{role}, size 1 vs n"
        x_product, y_product = (prod(column) for column in zip(*sizes, strict=True))
        same = " but not their product" if x_product == y_product else ""
        return f"{role}, sizes differ{same}"
    if isinstance(error, DimNotFoundError):
        return "unknown name"
    if error.rule == "R2":
        causes = {"object": "is not iterable", "array": "is an array", "bytes": "is bytes"}
        return f"dim {causes.get(case.dim.spelling, 'has members that are not str')}"
    if len(set(case.x.dims)) < len(case.x.dims):
        return "repeated dim"
    return "empty dim name" if "" in case.x.dims else "dim name that is not a str"


# Valid cases


def _judge_valid(case: DotCase, outcome: Outcome) -> Iterator[Mismatch]:
    if outcome.declared is not None:
        yield from _judge_declaration(case, outcome.declared)
    if outcome.raised is not None:
        rule, expected = "R11" if len(case.dims) > 26 else "R6", show(expected_answer(case))
        cause = outcome.cause or outcome.raised
        yield _unexpected_error(case, rule, "rejected-valid", cause, expected)
    else:
        for replicate, answer in enumerate(outcome.values):
            yield from judge_answer(answer, *case.tensors(replicate), case, replicate)
        yield from _judge_gradients(case, outcome)
    for raised in outcome.logged:
        if raised != outcome.cause:
            context = "a rewrite fails: "
            yield _unexpected_error(case, "R14", "structure", raised, "no failing rewrite", context)


def _judge_declaration(case: DotCase, declared: Declared) -> Iterator[Mismatch]:
    """Judge the properties of the output that a graph declares: R5, R7 and R9."""
    mismatch = partial(_mismatch, case)
    dims, dtype = case.lowering.out_dims, str(case.result_dtype)
    if declared.dims != dims:
        yield mismatch("R5", "wrong-dims", "build", "declared dims", dims, declared.dims)
        return
    if declared.dtype != dtype:
        detail = f"declared dtype of {case.x.dtype} and {case.y.dtype}"
        yield mismatch("R7", "wrong-dtype", "build", detail, dtype, declared.dtype)
    for dim, size in zip(dims, declared.shape, strict=True):
        x_size, y_size = (operand.static_sizes.get(dim) for operand in (case.x, case.y))
        static, owner = (y_size, "y") if x_size is None else (x_size, "x")
        if size == static:
            continue
        role = case.lowering.role(dim)
        forgotten = f"static size of a {role} dim forgotten ({owner} has it)"
        detail = forgotten if size is None else f"wrong static size of a {role} dim"
        shown = f"{dim}: {static}", f"{dim}: {size}"
        yield mismatch("R9", "wrong-shape", "build", detail, *shown)
        return


@silent
def judge_answer(
    answer: NamedTensor, x: NamedTensor, y: NamedTensor, case: DotCase, replicate: int = 0
) -> list[Mismatch]:
    """Judge an answer to `dot(x, y, dim)`: R5, R6, R7 and R9.

    A valid case describes `x`, `y` and `dim`; `x` and `y` are from one of its replicates.
    """
    mismatch = partial(_mismatch, case, replicate=replicate)
    oracle = dot(x, y, case.dim.names)
    if answer.dims != oracle.dims:
        return [mismatch("R5", "wrong-dims", "run", "dims", oracle.dims, answer.dims)]
    if answer.shape != oracle.shape:
        return [mismatch("R9", "wrong-shape", "run", "shape", oracle.shape, answer.shape)]
    found = []
    if answer.dtype != oracle.dtype:
        detail = _dtype_detail(oracle.dtype, answer.dtype)
        found = [mismatch("R7", "wrong-dtype", "run", detail, oracle.dtype, answer.dtype)]
        if answer.dtype.kind not in "biufc":
            return found
    data = answer.data
    if data.dtype.kind in "biu" and oracle.dtype.kind in "biu":
        data = data.astype(oracle.dtype)  # that a wider integer does not wrap is no other mistake
    correct = correct_answers(x, y, case.dim.names)
    if wrong := _first_wrong(correct, data, oracle.data):
        manner, *shown = wrong
        detail = f"{_FAMILIES[oracle.dtype.kind]} {manner}"
        found.append(mismatch("R6", "wrong-value", "run", detail, *shown))
    return found


def _dtype_detail(expected: np.dtype[Any], got: np.dtype[Any]) -> str:
    """Describe coarsely how a dtype is wrong, so that one cause is not one for each dtype."""
    if got == np.empty(0, expected).sum().dtype:
        return "promoted as by np.sum"
    family, other = _FAMILIES[expected.kind], _FAMILIES.get(got.kind)
    if family != other:
        return f"{family} gave {other or got}"
    widths = {-1: "narrower", 0: "equally wide", 1: "wider"}
    return f"{family} gave {widths[np.sign(got.itemsize - expected.itemsize)]} {family}"


def _judge_gradients(case: DotCase, outcome: Outcome) -> Iterator[Mismatch]:
    """Judge the gradients of a valid case: R8."""
    if (raised := outcome.gradient_raised) is not None:
        yield _unexpected_error(case, "R8", "wrong-gradient", raised, "a gradient")
        return
    for name in outcome.discrete_gradients:
        dtype = case.x.dtype if name == "x" else case.y.dtype
        detail = f"the gradient of {'a bool' if dtype == 'bool' else 'an integer'} operand"
        expected, got = f"an error: {name} has no gradient", "a gradient"
        where = {"earliest_stage": "lower", "order": 1, "operand": name}
        yield _mismatch(case, "R8", "accepted-invalid", "lower", detail, expected, got, **where)
    yield from filter(None, (_judge_gradient(case, gradient) for gradient in outcome.gradients))


def _judge_gradient(case: DotCase, gradient: Gradient) -> Mismatch | None:
    order, name, replicate = gradient.order, gradient.operand, gradient.replicate
    x, y = case.tensors(replicate)
    operand, value = x if name == "x" else y, gradient.value
    wrong: tuple[str, object, object] | None
    if value.shape != operand.shape:
        wrong = "shape", operand.shape, value.shape
    elif not _is_gradient_dtype(value.dtype, operand.dtype, case.x.dtype == case.y.dtype):
        wrong = "dtype", operand.dtype, value.dtype
    else:
        correct = correct_gradient(case, order, name, replicate, gradient.conjugates)
        reference = correct.reference.astype(operand.dtype)
        wrong = _first_wrong(correct, value, reference)
    if wrong is None:
        return None
    manner, *shown = wrong
    same = ", same variable" if case.same_variable else ""
    detail = f"{'first' if order == 1 else 'second'} order, of {name}{same}: {manner}"
    where = {"replicate": replicate, "order": order, "operand": name}
    return _mismatch(case, "R8", "wrong-gradient", "run", detail, *shown, **where)


def _is_gradient_dtype(dtype: np.dtype[Any], own: np.dtype[Any], same_dtypes: bool) -> bool:
    """Whether a gradient may have `dtype`, where `own` is the dtype of its operand.

    If the operands have different dtypes, the gradient may have more precision than its operand.
    The byte order does not matter.
    """
    if same_dtypes or dtype.kind not in "fc":
        return dtype.newbyteorder("=") == own.newbyteorder("=")
    return dtype.kind == own.kind and bool(np.finfo(dtype).eps <= np.finfo(own).eps)


def _first_wrong(
    correct: CorrectAnswers, answer: Array, reference: Array
) -> tuple[str, str, str] | None:
    """Describe coarsely how an answer is wrong, if it is, and show its first wrong element.

    The result is the description, then that element of the reference and of the answer.
    """
    wrong = correct.wrong(answer)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    location = ", ".join(f"{dim}={i}" for dim, i in zip(correct.dims, index, strict=True))
    at = f" at {location}" if location else ""
    manner = "wrong"
    if correct.dtype.kind not in "biu":
        finite = wrong & np.isfinite(correct.reference) & np.isfinite(answer)
        manner += " by more than rounding" if finite.any() else " where not finite"
    return manner, f"{reference[index]!s}{at}", f"{answer[index]!s}{at}"


# Every case


def _judge_conduct(case: DotCase, outcome: Outcome) -> Iterator[Mismatch]:
    """Judge everything but the answer: R10, R12, R14 and R15."""
    mismatch = partial(_mismatch, case)
    for node in outcome.unlowered_nodes:
        yield mismatch("R14", "structure", "lower", node, "only tensor operations", node)
    for node in outcome.compiled_nodes if not outcome.unlowered_nodes else ():
        yield mismatch("R14", "structure", "compile", node, "only tensor operations", node)
    for growth in outcome.growth:
        expected = f"{growth.small or 'no error'}, as for small sizes"
        got = f"{growth.large} for {growth.case}"
        yield mismatch("R15", "resources", growth.stage, growth.what, expected, got)
    for effect in outcome.side_effects:
        expected = "unchanged inputs, and an output with its own memory"
        yield mismatch("R12", "side-effect", "run", effect, expected, effect)
    for difference in outcome.nondeterminism:
        aspect = difference.partition(": ")[0]
        yield mismatch("R10", "nondeterminism", "build", aspect, "no difference", difference)


def show(tensor: NamedTensor) -> str:
    """Show a tensor on one line, and only the start of a large one."""
    shape = ", ".join(f"{dim}: {size}" for dim, size in tensor.sizes.items())
    data = str(tensor.data.tolist())
    data = data if len(data) <= 60 else data[:57] + "…"
    return f"{tensor.dtype}({shape}) {data}" if len(shape) < 60 else f"{tensor.ndim} dims"
