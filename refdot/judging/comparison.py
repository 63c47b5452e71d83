"""Holds a target's outcome against the oracle, rule by rule."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

import numpy as np

from refdot.cases.case import DotCase
from refdot.errors import DimNotFoundError, DotError, SizeMismatchError
from refdot.evaluation import dot
from refdot.judging.expected import correct_gradient, expected_answer, expected_error
from refdot.judging.fingerprints import fingerprint
from refdot.judging.rounding import CorrectAnswers, correct_answers
from refdot.lowering import Dim, dim_set, lower_dot
from refdot.rules import STAGES
from refdot.targets.mismatch import Mismatch
from refdot.targets.outcome import Outcome, Raised
from refdot.targets.protocol import Target
from refdot.tensor import Array, NamedTensor

__all__ = ["compare", "flaws"]


def compare(case: DotCase, outcome: Outcome, target: Target) -> tuple[Mismatch, ...]:
    """Judge what a target did with a case.

    Parameters
    ----------
    case : DotCase
        One that the target supports.
    outcome : Outcome
    target : Target

    Returns
    -------
    tuple of Mismatch
        Empty if no rule is broken. At most one for each rule and part of the outcome: what
        follows from a mismatch already found is left out.
    """
    error = expected_error(case)
    if error is not None:
        found = _judge_error(case, outcome, error, target.stages)
    else:
        found = _judge_answer(case, outcome) + _judge_log(case, outcome)
    found += _judge_conduct(case, outcome)
    return tuple(mismatch for mismatch in found if mismatch.kind not in target.not_checked)


def _judge_error(
    case: DotCase, outcome: Outcome, error: DotError, stages: tuple[str, ...]
) -> list[Mismatch]:
    """Judge the outcome of a case that breaks R1 to R4."""
    earliest, culprits = "build", {}
    if isinstance(error, SizeMismatchError):
        x_known, y_known = (
            dict(zip(operand.dims, operand.static, strict=True)) for operand in (case.x, case.y)
        )
        known = {dim: error.sizes[dim] for dim in error.dims if x_known[dim] and y_known[dim]}
        earliest = "build" if known and "build" in stages else "run"
        culprits = known if earliest == "build" else error.sizes
    earliest = earliest if earliest in stages else stages[-1]
    expected = f"{type(error).__mro__[2].__name__} at {earliest}: {error}"
    raised, what = outcome.raised, _circumstances(case, error, culprits)

    def mismatch(rule: str, kind: str, stage: str, detail: str, got: str) -> list[Mismatch]:
        return [Mismatch(rule, kind, stage, detail, expected, got, case, earliest)]

    not_noticed = outcome.declared is not None and not isinstance(error, SizeMismatchError)
    if raised is None or not_noticed:
        got = f"no error, but {show(outcome.values[0])}" if outcome.values else "no error there"
        return mismatch(error.rule, "accepted-invalid", earliest, what, got)
    if STAGES.index(raised.stage) > STAGES.index(earliest):
        return mismatch("R13", "late-error", raised.stage, what, str(raised))
    if not raised.expected_type:
        detail = f"{what}: {raised.type}"
        return mismatch("R13", "wrong-error", raised.stage, detail, str(raised))
    if not _names_culprit(error, raised):
        detail = f"{what}: the message does not name the dim"
        return mismatch("R13", "wrong-error", raised.stage, detail, str(raised))
    return []


def _circumstances(case: DotCase, error: DotError, culprits: dict[str, tuple[int, int]]) -> str:
    """Say under which circumstances a case breaks its rule, coarsely: it names the cause."""
    if isinstance(error, SizeMismatchError):
        low = lower_dot(case.x.dims, case.y.dims, case.dim.names)
        role = low.role(next(iter(culprits)))
        sizes = [pair for dim, pair in culprits.items() if low.role(dim) == role]
        how = "sizes differ"
        if all(1 in pair for pair in sizes):
            how = "1 against n"
        elif prod(x for x, _ in sizes) == prod(y for _, y in sizes):
            how = "products agree"
        return f"{role}, {how}"
    if isinstance(error, DimNotFoundError):
        return "a name that is not there"
    if error.rule == "R2":
        causes = {"object": "not iterable", "array": "an array", "bytes": "bytes"}
        return f"dim is {causes.get(case.dim.spelling, 'of members that are not str')}"
    if len(set(case.x.dims)) < len(case.x.dims):
        return "a dim twice"
    return "an empty dim" if "" in case.x.dims else "a dim that is not a str"


def _names_culprit(error: DotError, raised: Raised) -> bool:
    """Whether a message says which dim it is about."""
    if isinstance(error, SizeMismatchError):
        return any(mentions(dim, raised.message) for dim in error.dims)
    if isinstance(error, DimNotFoundError):
        return any(mentions(dim, raised.message) for dim in error.missing)
    return True


def mentions(dim: str, message: str) -> bool:
    """Whether a message names a dim as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(dim)}(?!\w)", message) is not None


def _judge_answer(case: DotCase, outcome: Outcome) -> list[Mismatch]:
    """Judge the outcome of a valid case."""
    found = _judge_declaration(case, outcome)
    if (raised := outcome.raised) is not None:
        rule = "R11" if len({*case.x.dims, *case.y.dims}) > 26 else "R6"
        detail = f"{raised.type}: {fingerprint(raised, case)}"
        expected = show(expected_answer(case))
        kind = "rejected-valid"
        found.append(Mismatch(rule, kind, raised.stage, detail, expected, str(raised), case))
        return found
    for replicate, value in enumerate(outcome.values):
        wrong = _judge_value(case, value, replicate)
        found += [mismatch for mismatch in wrong if mismatch.signature not in _signatures(found)]
    return found + _judge_gradients(case, outcome)


def _signatures(found: list[Mismatch]) -> set[str]:
    """Give the signatures of what was found."""
    return {mismatch.signature for mismatch in found}


def _judge_declaration(case: DotCase, outcome: Outcome) -> list[Mismatch]:
    """Judge what was said of the output beforehand: R5, R7 and R9."""
    declared = outcome.declared
    if declared is None:
        return []
    found = []
    low = lower_dot(case.x.dims, case.y.dims, case.dim.names)
    dtype = np.result_type(np.dtype(case.x.dtype), np.dtype(case.y.dtype))
    if declared.dims != low.out_dims:
        detail, expected, got = "declared dims", str(low.out_dims), str(declared.dims)
        return [Mismatch("R5", "wrong-dims", "build", detail, expected, got, case)]
    if declared.dtype != str(dtype):
        detail = f"declared dtype of {case.x.dtype} and {case.y.dtype}"
        found.append(
            Mismatch("R7", "wrong-dtype", "build", detail, str(dtype), declared.dtype, case)
        )
    x_static = dict(zip(case.x.dims, case.x.static_shape, strict=True))
    y_static = dict(zip(case.y.dims, case.y.static_shape, strict=True))
    for dim, length in zip(declared.dims, declared.shape, strict=True):
        known = x_static.get(dim)
        known = y_static.get(dim) if known is None else known
        if length == known:
            continue
        role = low.role(dim)
        if length is None:
            where = "x" if x_static.get(dim) is not None else "y"
            detail = f"a {role} dim's length that {where} knows is forgotten"
        else:
            detail = f"a {role} dim's length is contradicted"
        expected, got = f"{dim}: {known}", f"{dim}: {length}"
        found.append(Mismatch("R9", "wrong-shape", "build", detail, expected, got, case))
        break
    return found


def _judge_value(case: DotCase, value: NamedTensor, replicate: int) -> list[Mismatch]:
    """Judge one answer to a valid case."""
    x, y = case.tensors(replicate)
    return [
        Mismatch(
            flaw.rule,
            flaw.kind,
            "run",
            flaw.detail,
            flaw.expected,
            flaw.got,
            case,
            replicate=replicate,
        )
        for flaw in flaws(value, x, y, case.dim.names)
    ]


class _Flaw(NamedTuple):
    """What is wrong with an answer; the fields are those of `Mismatch`."""

    rule: str
    kind: str
    detail: str
    expected: str
    got: str


def flaws(value: NamedTensor, x: NamedTensor, y: NamedTensor, dim: Dim = None) -> list[_Flaw]:
    """List what is wrong with an answer to `dot(x, y, dim)`: R5, R6, R7 and R9.

    Parameters
    ----------
    value : NamedTensor
        The answer.
    x, y, dim
        Valid arguments of `refdot.dot`.
    """
    dim = dim_set(dim)  # an iterator can be read once only
    oracle = dot(x, y, dim)
    if value.dims != oracle.dims:
        return [_Flaw("R5", "wrong-dims", "dims", str(oracle.dims), str(value.dims))]
    if value.shape != oracle.shape:
        return [_Flaw("R9", "wrong-shape", "shape", str(oracle.shape), str(value.shape))]
    found = []
    if value.dtype != oracle.dtype:
        detail = f"{x.dtype} and {y.dtype} gave {value.dtype}"
        found = [_Flaw("R7", "wrong-dtype", detail, str(oracle.dtype), str(value.dtype))]
        if value.dtype.kind not in "biufc":
            return found
    correct = correct_answers(x, y, dim)
    wrong = correct.wrong(value.data)
    if wrong.any():
        detail = f"{_family(oracle.dtype)} {_manner(correct, value.data, wrong)}"
        expected, got = _first_wrong(oracle.dims, oracle.data, value.data, wrong)
        found.append(_Flaw("R6", "wrong-value", detail, expected, got))
    return found


def _judge_gradients(case: DotCase, outcome: Outcome) -> list[Mismatch]:
    """Judge the gradients that there are: R8."""
    if (raised := outcome.gradient_raised) is not None:
        detail = f"{raised.type}: {fingerprint(raised, case)}"
        return [
            Mismatch("R8", "wrong-gradient", raised.stage, detail, "a gradient", str(raised), case)
        ]
    found = [
        Mismatch(
            "R8",
            "accepted-invalid",
            "lower",
            f"the gradient of {_family_of(case, name)} operand",
            f"an error: {name} has no gradient",
            "a gradient",
            case,
            earliest_stage="lower",
            order=1,
            operand=name,
        )
        for name in outcome.discrete_gradients
    ]
    for gradient in outcome.gradients:
        x, y = case.tensors(gradient.replicate)
        operand = x if gradient.operand == "x" else y
        correct = correct_gradient(case, gradient.order, gradient.operand, gradient.replicate)
        order = "first" if gradient.order == 1 else "second"
        one = ", one variable" if case.same_variable else ""
        which = f"{order} order, of {gradient.operand}{one}"
        wrong: Array | None = None
        if gradient.value.shape != operand.shape:
            detail, expected, got = "shape", str(operand.shape), str(gradient.value.shape)
        elif _is_wrong_dtype(gradient.value.dtype, operand.dtype, x.dtype == y.dtype):
            detail, expected, got = "dtype", str(operand.dtype), str(gradient.value.dtype)
        else:
            wrong = correct.wrong(gradient.value)
            detail = _manner(correct, gradient.value, wrong)
            with np.errstate(over="ignore"):
                reference = correct.reference.astype(operand.dtype)
            expected, got = _first_wrong(operand.dims, reference, gradient.value, wrong)
        if wrong is None or wrong.any():
            mismatch = Mismatch(
                "R8",
                "wrong-gradient",
                "run",
                f"{which}: {detail}",
                expected,
                got,
                case,
                replicate=gradient.replicate,
                order=gradient.order,
                operand=gradient.operand,
            )
            if mismatch.signature not in _signatures(found):
                found.append(mismatch)
    return found


def _is_wrong_dtype(dtype: np.dtype[Any], own: np.dtype[Any], alike: bool) -> bool:
    """Whether a gradient has lost precision, or where both operands are alike has any other dtype.

    Of operands of two dtypes it may be left in the wider of them.
    """
    if alike or dtype.kind not in "fc":
        return dtype != own
    return bool(np.finfo(dtype).eps > np.finfo(own).eps)


def _family_of(case: DotCase, name: str) -> str:
    """Name the family of an operand's dtype, with its article."""
    operand = case.x if name == "x" else case.y
    return {"bool": "a bool", "integer": "an integer"}[_family(np.dtype(operand.dtype))]


def _judge_log(case: DotCase, outcome: Outcome) -> list[Mismatch]:
    """Judge what went wrong with a valid case and was logged, but did not end it."""
    found: list[Mismatch] = []
    for raised in outcome.logged:
        detail = f"a rewrite fails: {raised.type}: {fingerprint(raised, case)}"
        mismatch = Mismatch(
            "R14", "structure", raised.stage, detail, "no rewrite that fails", str(raised), case
        )
        if mismatch.signature not in _signatures(found):
            found.append(mismatch)
    return found


def _judge_conduct(case: DotCase, outcome: Outcome) -> list[Mismatch]:
    """Judge what a target left behind, changed, or did otherwise when asked in other words."""
    found = [
        Mismatch("R14", "structure", "lower", what, "tensor operations alone", what, case)
        for what in outcome.unlowered_nodes
    ]
    found += [
        Mismatch(
            "R12", "side-effect", "run", what, "inputs untouched, memory of its own", what, case
        )
        for what in outcome.side_effects
    ]
    found += [
        Mismatch("R10", "nondeterminism", "build", what.split(": ")[0], "the same", what, case)
        for what in outcome.nondeterminism
    ]
    return found


def _manner(correct: CorrectAnswers, answer: Array, wrong: Array) -> str:
    """Say in which manner an answer is wrong."""
    if correct.dtype.kind in "biu":
        return "wrong"
    finite = np.isfinite(correct.reference) & np.isfinite(answer)
    if not (wrong & finite).any():
        return "wrong where not finite"
    return "wrong by more than rounding"


def _first_wrong(
    dims: tuple[str, ...], expected: Array, got: Array, wrong: Array
) -> tuple[str, str]:
    """Show the first wrong element, its place named by its dims."""
    if not wrong.any():
        return "", ""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(f"{dim}={i}" for dim, i in zip(dims, index, strict=True))
    at = f" at {place}" if place else ""
    return f"{expected[index]!s}{at}", f"{got[index]!s}{at}"


def _family(dtype: np.dtype[Any]) -> str:
    """Name the family that a dtype belongs to."""
    names = {"b": "bool", "i": "integer", "u": "integer", "f": "float", "c": "complex"}
    return names[dtype.kind]


def show(tensor: NamedTensor) -> str:
    """Show a small tensor on one line."""
    shape = ", ".join(f"{dim}: {size}" for dim, size in tensor.sizes.items())
    data = str(tensor.data.tolist())
    data = data if len(data) <= 60 else data[:57] + "…"
    return f"{tensor.dtype}({shape}) {data}" if len(shape) < 60 else f"{tensor.ndim} dims"
