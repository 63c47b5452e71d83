"""The campaign: what is right comes out clean, and every planted fault is found and shrunk."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import count

import numpy as np
import pytest
from distributed import Client, LocalCluster

import refdot as rd
from refdot import check
from refdot.cases.case import LAYOUTS, DimArgument, DotCase, Operand
from refdot.check import plan as batches
from refdot.check.batch import judge_apart
from refdot.check.findings import Finding, Report
from refdot.check.merge import merged
from refdot.check.plan import Batch, Configuration, Shard
from refdot.check.pool import WorkerPool
from refdot.judging.reference import dot_by_definition
from refdot.lowering import Lowering
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Deviation
from refdot.targets.protocol import Backend, Target, Unsupported, unsupported_reason
from refdot.targets.registry import find_target
from refdot.tensor import NamedTensor

CALL = Configuration("call", "stock")
case_at = cache(batches.case_at)


@pytest.fixture(autouse=True)
def _cases_drawn_once(monkeypatch):
    """Let all campaigns of this module share their cases, which take longest to draw."""
    monkeypatch.setattr(batches, "case_at", case_at)


def campaign(fn: Callable, cases: int = 300, **options) -> Report:
    """Hold a function against the oracle."""
    target = CallableTarget(fn, "fn", gradients=hasattr(fn, "vjp"))
    return check.run(target, cases=cases, **options)


def signatures(report: Report) -> list[str]:
    """Give the signatures of what was found."""
    return [finding.mismatch.signature for finding in report.findings]


# Right in other ways


def validated(compute: Callable[[NamedTensor, NamedTensor, Lowering], NamedTensor]) -> Callable:
    """Give a dot that checks its input by itself and computes as it likes."""

    def dot(x: NamedTensor, y: NamedTensor, dim=None) -> NamedTensor:
        low = rd.lower_dot(x.dims, y.dims, dim)
        for name in low.contracted + low.batch:
            if x.sizes[name] != y.sizes[name]:
                raise ValueError(f"{name} is {x.sizes[name]} long, or {y.sizes[name]}")
        with np.errstate(all="ignore"):
            return compute(x, y, low)

    return dot


def summed_over(low: Lowering) -> set[str]:
    """Give every dim that a lowering sums over."""
    return {*low.contracted, *low.x_summed, *low.y_summed}


def by_definition(x, y, low):
    return dot_by_definition(x, y, summed_over(low))


def from_the_other_end(x, y, low):
    def flipped(tensor):
        return NamedTensor(np.flip(tensor.data), tensor.dims)

    return flipped(rd.dot(flipped(x), flipped(y), summed_over(low)))


def the_other_way_round(x, y, low):
    return rd.dot(y, x, summed_over(low)).transpose(*low.out_dims)


def in_fortran_order(x, y, low):
    result = rd.dot(x, y, summed_over(low))
    return NamedTensor(np.array(result.data, order="F"), result.dims)


def in_higher_precision(x, y, low):
    dtype = np.result_type(x.data, y.data)
    wider = {"f": np.longdouble, "c": np.clongdouble}.get(dtype.kind, dtype)
    result = rd.dot(*(NamedTensor(t.data.astype(wider), t.dims) for t in (x, y)), summed_over(low))
    return NamedTensor(result.data.astype(dtype), result.dims)


def by_tensordot(x, y, low):
    """Sum alone first, then give each place along the batch dims its own `np.tensordot`."""
    dtype, sizes = np.result_type(x.data, y.data), x.sizes | y.sizes
    kept = low.batch + low.x_free + low.y_free
    out = np.zeros([sizes[name] for name in kept], dtype)
    if all(sizes[name] for name in summed_over(low)):
        x, y = (
            NamedTensor(t.data.astype(dtype), t.dims).sum(*names) if names else t
            for t, names in ((x, low.x_summed), (y, low.y_summed))
        )
        for place in np.ndindex(*(sizes[name] for name in low.batch)):
            here = dict(zip(low.batch, place, strict=True))
            at_x, at_y = x.isel(**here), y.isel(**here)
            axes = [[t.dims.index(name) for name in low.contracted] for t in (at_x, at_y)]
            out[place] = np.tensordot(at_x.data, at_y.data, axes)
    return NamedTensor(NamedTensor(out, kept).transpose(*low.out_dims).data, low.out_dims)


def pairwise(x, y, low):
    """Multiply every record, then add halves of the sums, down to single products."""
    summed = sorted(summed_over(low))
    products = rd.dot(x, y, ()).transpose(*low.out_dims, *summed).data

    def total(terms):
        length = terms.shape[-1]
        if length < 2:
            return terms.sum(axis=-1, dtype=terms.dtype)
        return total(terms[..., : length // 2]) + total(terms[..., length // 2 :])

    sizes = x.sizes | y.sizes
    shape = [sizes[name] for name in low.out_dims]
    length = int(np.prod([sizes[name] for name in summed], dtype=int))
    return NamedTensor(np.asarray(total(products.reshape(*shape, length))), low.out_dims)


RIGHT = [
    by_definition,
    from_the_other_end,
    the_other_way_round,
    in_fortran_order,
    in_higher_precision,
    by_tensordot,
    pairwise,
]


@pytest.mark.parametrize("compute", RIGHT, ids=lambda compute: compute.__name__)
def test_what_is_right_in_another_way_is_clean(compute):
    assert signatures(campaign(validated(compute))) == []


def test_the_oracle_is_clean_and_so_are_its_gradients():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    assert signatures(campaign(dot)) == []
    dot.vjp = rd.dot_vjp
    assert signatures(campaign(dot)) == []


def test_xarray_is_clean():
    report = check.run(find_target("xarray"), cases=300)
    assert signatures(report) == []
    assert (report.target, report.cases, report.absent_backends) == ("xarray", 300, {})
    assert report.skipped > 20


# Planted faults


def after(change: Callable[[NamedTensor, NamedTensor, NamedTensor, object], object]) -> Callable:
    """Give a dot that returns `change(result, x, y, dim)`."""

    def dot(x, y, dim=None):
        dim = list(dim) if isinstance(dim, Iterator) else dim
        return change(rd.dot(x, y, dim), x, y, dim)

    return dot


def before(change: Callable[[NamedTensor, NamedTensor, object], tuple]) -> Callable:
    """Give a dot of the arguments that `change(x, y, dim)` gives instead."""

    def dot(x, y, dim=None):
        return rd.dot(*change(x, y, list(dim) if isinstance(dim, Iterator) else dim))

    return dot


def on(condition: Callable[..., object], change: Callable[[NamedTensor], object]) -> Callable:
    """Give a dot whose result is changed where `condition(x, y, dim)` holds."""
    return after(lambda out, x, y, dim: change(out) if condition(x, y, dim) else out)


def data(change: Callable[[np.ndarray], object]) -> Callable[[NamedTensor], NamedTensor]:
    """Make a change of values one of tensors."""

    def changed(tensor: NamedTensor) -> NamedTensor:
        with np.errstate(all="ignore"):
            return NamedTensor(np.asarray(change(tensor.data)), tensor.dims)

    return changed


def as_dtype(found: str, given: str) -> Callable:
    """Give a dot that returns answers of dtype `given` where `found` is right."""
    return after(lambda out, x, y, dim: cast(given)(out) if out.dtype == found else out)


def cast(dtype: str) -> Callable[[NamedTensor], NamedTensor]:
    """Give a cast to `dtype`."""
    return data(lambda values: values.astype(dtype))


def less_precisely(found: str, used: str) -> Callable:
    """Give a dot that computes answers of dtype `found` in `used`."""

    def dot(x, y, dim=None):
        if np.result_type(x.data, y.data) != found:
            return rd.dot(x, y, dim)
        with np.errstate(all="ignore"):
            return cast(found)(rd.dot(cast(used)(x), cast(used)(y), dim))

    return dot


def nudged(values: np.ndarray) -> np.ndarray:
    """Move the first element by four times its last place."""
    flat = values.ravel()
    if flat.dtype.kind == "f" and flat.size and np.isfinite(flat[0]):
        flat[0] += 4 * np.spacing(np.abs(flat[0]))
    return flat.reshape(values.shape)


def cut_to_the_smaller(x, y, dim):
    """Ignore it where sizes differ."""
    smaller = {name: slice(min(x.sizes[name], y.sizes[name])) for name in x.dims if name in y.dims}
    return x.isel(**smaller), y.isel(**smaller), dim


def with_ones_broadcast(x, y, dim):
    """Repeat what is of size 1 in one operand alone."""

    def repeated(tensor, other):
        values = tensor.data
        for axis, name in enumerate(tensor.dims):
            if values.shape[axis] == 1 and other.sizes.get(name, 1) > 1:
                values = values.repeat(other.sizes[name], axis)
        return NamedTensor(values, tensor.dims)

    return repeated(x, y), repeated(y, x), dim


def known_names(x, y, dim):
    """Ignore names that nobody has."""
    if dim is None or dim is ...:
        return x, y, dim
    names = [dim] if isinstance(dim, str) else dim
    return x, y, [name for name in names if not isinstance(name, str) or name in x.dims + y.dims]


def raising(kind: type[BaseException], message: str = "no") -> Callable:
    """Give a function that raises."""

    def raises(*_):
        raise kind(message)

    return raises


def instead_of(caught: type[Exception], instead: Callable) -> Callable:
    """Give a dot that does something else where it should raise `caught`."""

    def dot(x, y, dim=None):
        try:
            return rd.dot(x, y, dim)
        except caught:
            return instead(x, y, dim)

    return dot


def written_to(out, x, y, dim):
    """Write to an input."""
    if x.data.size and x.data.flags.writeable:
        first = (0,) * x.ndim
        x.data[first] = not x.data[first]
    return out


def alias(out, x, y, dim):
    """Take what a scale of 1 leaves unchanged."""
    return y if x.ndim == 0 and x.data == 1 and out == y else out


def one_buffer() -> Callable:
    """Give a dot that puts every answer of one shape into the same memory."""
    buffers: dict[tuple, np.ndarray] = {}

    def kept(out, x, y, dim):
        buffer = buffers.setdefault((out.shape, out.dtype), np.empty_like(out.data))
        buffer[...] = out.data
        return NamedTensor(buffer, out.dims)

    return after(kept)


def squeezed(out: NamedTensor) -> NamedTensor:
    """Drop dims of size 1."""
    return NamedTensor(out.data.squeeze(), [name for name in out.dims if out.sizes[name] != 1])


def read_as_c(tensor: NamedTensor) -> NamedTensor:
    """Read an array in the order of its memory."""
    return NamedTensor(tensor.data.ravel("K").reshape(tensor.shape), tensor.dims)


def first_alone(x, y, dim):
    """Take the first along each dim that should be summed alone."""
    low = rd.lower_dot(x.dims, y.dims, dim)

    def firsts(tensor, names):
        return tensor.isel(**{name: slice(1) for name in names})

    return firsts(x, low.x_summed), firsts(y, low.y_summed), dim


def contracted_alone(x, y, dim):
    """Leave out the dims that one operand has."""
    if dim is None or dim is ...:
        return x, y, None
    named = [dim] if isinstance(dim, str) else dim
    return x, y, [name for name in named if name not in x.dims or name in y.dims]


def of_kind(kinds: str) -> Callable:
    """Tell whether the result's dtype is of some kind."""
    return lambda x, y, dim: np.result_type(x.data, y.data).kind in kinds


def has_size(size: int) -> Callable:
    """Tell whether x has a dim of a size."""
    return lambda x, y, dim: size in x.shape


# Each: a faulty dot, and of its mismatch the rule and the kind.
FAULTS: dict[str, tuple[Callable, str, str]] = {
    "the other operand's dims first": (before(lambda x, y, dim: (y, x, dim)), "R5", "wrong-dims"),
    "dims reversed": (
        after(lambda out, *_: out.transpose(*reversed(out.dims))),
        "R5",
        "wrong-dims",
    ),
    "dims sorted": (after(lambda out, *_: out.transpose(*sorted(out.dims))), "R5", "wrong-dims"),
    "dims of size 1 dropped": (after(lambda out, *_: squeezed(out)), "R5", "wrong-dims"),
    "a set for dim ignored": (
        before(lambda x, y, dim: (x, y, None if isinstance(dim, set) else dim)),
        "R5",
        "wrong-dims",
    ),
    "an empty dim taken for None": (
        before(lambda x, y, dim: (x, y, dim or None)),
        "R5",
        "wrong-dims",
    ),
    "... taken for None": (
        before(lambda x, y, dim: (x, y, None if dim is ... else dim)),
        "R5",
        "wrong-dims",
    ),
    "a str taken for its letters": (
        before(
            lambda x, y, dim: (x, y, tuple(dim) if isinstance(dim, str) and x.ndim < 9 else dim)
        ),
        "R6",
        "rejected-valid",
    ),
    "an iterator read twice": (
        lambda x, y, dim=None: rd.dot(x, y, known_names(x, y, dim)[2] and dim),
        "R5",
        "wrong-dims",
    ),
    "no dims summed alone": (before(contracted_alone), "R5", "wrong-dims"),
    "a size too many": (
        on(has_size(3), data(lambda v: np.concatenate([v, v]) if v.ndim else v)),
        "R9",
        "wrong-shape",
    ),
    "float32 upcast": (as_dtype("float32", "float64"), "R7", "wrong-dtype"),
    "float64 downcast": (as_dtype("float64", "float32"), "R7", "wrong-dtype"),
    "int8 summed as int64": (as_dtype("int8", "int64"), "R7", "wrong-dtype"),
    "bools counted": (as_dtype("bool", "int64"), "R7", "wrong-dtype"),
    "complex made real": (
        on(of_kind("c"), data(np.real)),
        "R7",
        "wrong-dtype",
    ),
    "float64 computed in float32": (less_precisely("float64", "float32"), "R6", "wrong-value"),
    "float32 computed in float16": (less_precisely("float32", "float16"), "R6", "wrong-value"),
    "int64 computed in float64": (less_precisely("int64", "float64"), "R6", "wrong-value"),
    "complex conjugated": (on(of_kind("c"), data(np.conj)), "R6", "wrong-value"),
    "one element off by 4 in the last place": (
        after(lambda out, *_: data(nudged)(out)),
        "R6",
        "wrong-value",
    ),
    "a negative number made positive": (on(of_kind("f"), data(np.abs)), "R6", "wrong-value"),
    "NaN made 0": (
        after(lambda out, *_: data(np.nan_to_num)(out) if out.dtype.kind == "f" else out),
        "R6",
        "wrong-value",
    ),
    "infinity made NaN": (
        on(of_kind("f"), data(lambda v: np.where(np.isinf(v), np.nan, v).astype(v.dtype))),
        "R6",
        "wrong-value",
    ),
    "an empty sum made 1": (
        on(lambda x, y, dim: 0 in x.shape + y.shape, data(lambda v: v + v.dtype.type(1))),
        "R6",
        "wrong-value",
    ),
    "size 1 taken for 0": (on(has_size(1), data(np.zeros_like)), "R6", "wrong-value"),
    "x read in its memory's order": (
        before(lambda x, y, dim: (read_as_c(x), y, dim)),
        "R6",
        "wrong-value",
    ),
    "the first instead of the sum alone": (before(first_alone), "R6", "wrong-value"),
    "a value repeated is 0": (
        after(lambda out, x, y, dim: data(np.zeros_like)(out) if x.data is y.data else out),
        "R6",
        "wrong-value",
    ),
    "1 broadcast": (before(with_ones_broadcast), "R4", "accepted-invalid"),
    "sizes ignored": (before(cut_to_the_smaller), "R4", "accepted-invalid"),
    "unknown names ignored": (before(known_names), "R3", "accepted-invalid"),
    "a wrong type ignored": (
        instead_of(rd.DimTypeError, lambda x, y, dim: rd.dot(x, y)),
        "R2",
        "accepted-invalid",
    ),
    "a KeyError for a dim that is not there": (
        instead_of(rd.DimNotFoundError, raising(KeyError)),
        "R13",
        "wrong-error",
    ),
    "a size error that names no dim": (
        instead_of(rd.SizeMismatchError, raising(ValueError, "sizes differ")),
        "R13",
        "wrong-error",
    ),
    "more dims than einsum has letters": (
        before(
            lambda x, y, dim: raising(IndexError)() if x.ndim + y.ndim > 52 else (x, y, dim),
        ),
        "R11",
        "rejected-valid",
    ),
    "0-d operands refused": (
        before(lambda x, y, dim: (x, y, dim) if x.ndim and y.ndim else raising(IndexError)()),
        "R6",
        "rejected-valid",
    ),
    "an input returned": (after(alias), "R12", "side-effect"),
    "an input written to": (after(written_to), "R12", "side-effect"),
    "one buffer for all answers": (one_buffer(), "R12", "side-effect"),
    "None returned": (lambda x, y, dim=None: None, "R6", "rejected-valid"),
    "an array returned": (after(lambda out, *_: out.data), "R6", "rejected-valid"),
    "text returned": (
        after(lambda out, *_: data(lambda v: v.astype(str))(out)),
        "R7",
        "wrong-dtype",
    ),
    "objects returned": (
        after(lambda out, *_: data(lambda v: v.astype(object))(out)),
        "R7",
        "wrong-dtype",
    ),
    "SystemExit raised": (raising(SystemExit, "3"), "R6", "rejected-valid"),
    "GeneratorExit raised": (raising(GeneratorExit), "R6", "rejected-valid"),
}


class Unheard(BaseException):
    """Neither an `Exception` nor one that Python knows."""


FAULTS["a BaseException raised"] = (raising(Unheard), "R6", "rejected-valid")


def with_vjp(change: Callable) -> Callable:
    """Give a right dot whose cotangents `change(x_bar, y_bar, x, y, cotangent, dim)` changes."""

    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    def vjp(x, y, cotangent, dim=None):
        dim = list(dim) if isinstance(dim, Iterator) else dim
        return change(*rd.dot_vjp(x, y, cotangent, dim), x, y, cotangent, dim)

    dot.vjp = vjp
    return dot


def x_summed_once(x_bar, y_bar, x, y, cotangent, dim):
    """Give the cotangent to the first alone of what was summed alone."""
    values = x_bar.data.copy()
    for name in rd.lower_dot(x.dims, y.dims, dim).x_summed:
        index = [slice(None)] * x.ndim
        index[x.dims.index(name)] = slice(1, None)
        values[tuple(index)] = 0
    return NamedTensor(values, x.dims), y_bar


def batch_summed(x_bar, y_bar, x, y, cotangent, dim):
    """Sum over batch dims as well."""
    low = rd.lower_dot(x.dims, y.dims, dim)
    axes = tuple(y.dims.index(name) for name in low.batch)
    with np.errstate(all="ignore"):
        total = y_bar.data.sum(axis=axes, keepdims=True, dtype=y.dtype)
    return x_bar, NamedTensor(np.broadcast_to(total, y.shape), y.dims)


def scaled(tensor: NamedTensor, factor: float) -> NamedTensor:
    """Multiply every value."""
    return NamedTensor(tensor.data * tensor.dtype.type(factor), tensor.dims)


GRADIENT_FAULTS: dict[str, Callable] = {
    "the cotangent of x negated": with_vjp(lambda x_bar, y_bar, *_: (scaled(x_bar, -1), y_bar)),
    "the cotangent of y doubled": with_vjp(lambda x_bar, y_bar, *_: (x_bar, scaled(y_bar, 2))),
    "the two exchanged": with_vjp(lambda x_bar, y_bar, *_: (y_bar, x_bar)),
    "the dims of y reversed": with_vjp(
        lambda x_bar, y_bar, *_: (x_bar, y_bar.transpose(*reversed(y_bar.dims)))
    ),
    "summed alone, not spread": with_vjp(x_summed_once),
    "batch dims summed": with_vjp(batch_summed),
    "the cotangent taken for 1": with_vjp(
        lambda x_bar, y_bar, x, y, cotangent, dim: rd.dot_vjp(
            x, y, data(np.ones_like)(cotangent), dim
        )
    ),
    "float16 upcast": with_vjp(
        lambda x_bar, y_bar, *_: (
            cast("float32")(x_bar) if x_bar.dtype == "float16" else x_bar,
            y_bar,
        )
    ),
    "an error": with_vjp(raising(LookupError)),
}
FAULTS |= {name: (dot, "R8", "wrong-gradient") for name, dot in GRADIENT_FAULTS.items()}


@pytest.mark.parametrize(("fn", "rule", "kind"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found_in_600_cases_and_shrunk(fn, rule, kind):
    target = CallableTarget(fn, "fn", gradients=hasattr(fn, "vjp"))
    first = next(
        (number for number in range(600) if (rule, kind) in broken(target, case_at(0, number))),
        None,
    )
    assert first is not None
    report = check.run(target, cases=first + 1)
    assert (rule, kind) in {(f.mismatch.rule, f.mismatch.kind) for f in report.findings}
    for finding in report.findings:
        case = finding.mismatch.case
        simpler = [str(other) for other in simplifications(case) if shows(target, finding, other)]
        assert simpler == [], finding.mismatch


def broken(target: Target, case: DotCase) -> set[tuple[str, str]]:
    """Give the rules that a target breaks with a case, and how."""
    if unsupported_reason(target, case):
        return set()
    return {(found.rule, found.kind) for found in check.judge(target, case, CALL)}


def shows(target: Target, finding: Finding, case: DotCase) -> bool:
    """Tell whether a case has the same mismatch as a finding's."""
    if unsupported_reason(target, case):
        return False
    return finding.mismatch.signature in {
        mismatch.signature for mismatch in check.judge(target, case, CALL)
    }


SIMPLE_SIZES = (1, 2, 3, 0)


def simplifications(case: DotCase) -> Iterator[DotCase]:
    """Give every case that is one step simpler: a dim less, a simpler size, or a simpler word."""
    for name in dict.fromkeys(case.x.dims + case.y.dims):
        yield rebuilt(case, {name: None})
        size = case.x.sizes.get(name, case.y.sizes.get(name))
        simpler = SIMPLE_SIZES[: SIMPLE_SIZES.index(size)] if size in SIMPLE_SIZES else SIMPLE_SIZES
        if case.x.sizes.get(name, size) == case.y.sizes.get(name, size):
            yield from (rebuilt(case, {name: other}) for other in simpler)
    for words in (
        {"regime": "exact"},
        {"seed": 0},
        {"call": "function"},
        {"dim": DimArgument()},
        {"same_variable": False},
        {"x": replace(case.x, layout="c"), "y": replace(case.y, layout="c")},
        {"x": replace(case.x, dtype="float64"), "y": replace(case.y, dtype="float64")},
        {"x": replace(case.x, static=()), "y": replace(case.y, static=())},
    ):
        simpler_case = replace(case, **words)
        if simpler_case != case:
            yield simpler_case


def rebuilt(case: DotCase, sizes: dict[object, int | None]) -> DotCase:
    """Give a case other sizes; None drops the dim."""

    def of(operand: Operand) -> Operand:
        kept = [i for i, dim in enumerate(operand.dims) if sizes.get(dim, 0) is not None]
        return replace(
            operand,
            dims=tuple(operand.dims[i] for i in kept),
            shape=tuple(sizes.get(operand.dims[i], operand.shape[i]) for i in kept),
            static=tuple(operand.static[i] for i in kept),
        )

    items = tuple(item for item in case.dim.items if sizes.get(item, 0) is not None)
    dim = replace(case.dim, items=items) if items else DimArgument("tuple")
    dim = dim if case.dim.items else case.dim
    return replace(case, x=of(case.x), y=of(case.y), dim=dim)


def judged(fn: Callable, cases: int) -> set[str]:
    """Give the signatures of what a function breaks, not shrunk."""
    target = CallableTarget(fn, "fn")
    return {
        mismatch.signature
        for number in range(cases)
        if not unsupported_reason(target, case_at(0, number))
        for mismatch in check.judge(target, case_at(0, number), CALL)
    }


def test_one_fault_does_not_hide_another():
    ignoring, reversing = FAULTS["sizes ignored"][0], FAULTS["dims reversed"][0]

    def dot(x, y, dim=None):
        dim = list(dim) if isinstance(dim, Iterator) else dim
        try:
            return reversing(x, y, dim)
        except rd.SizeMismatchError:
            return ignoring(x, y, dim)

    alone = judged(reversing, 50) | judged(ignoring, 50)
    report = campaign(dot, 50)
    assert set(signatures(report)) == alone
    rules = [finding.mismatch.rule for finding in report.findings]
    assert rules == sorted(rules)
    assert set(rules) == {"R4", "R5"}


GARBAGE = {
    "None": lambda x, y, dim=None: None,
    "an array": lambda x, y, dim=None: rd.dot(x, y, dim).data,
    "itself": lambda x, y, dim=None: x.dot,
    "an error": raising(OSError),
}


@pytest.mark.parametrize("fn", GARBAGE.values(), ids=GARBAGE)
def test_one_defect_does_not_fill_the_page(fn):
    kinds = [finding.mismatch.kind for finding in campaign(fn, cases=150).findings]
    assert kinds.count("rejected-valid") == 1


# The campaign itself


def test_a_report_says_what_was_done():
    report = campaign(FAULTS["dims reversed"][0], cases=50)
    assert (report.target, report.target_version, report.seed) == ("fn", "", 0)
    assert (report.backends, report.lowerings, report.absent_backends) == (
        ("call",),
        ("stock",),
        {},
    )
    assert (report.cases, report.interrupted) == (50, False)
    assert report.python == ".".join(map(str, sys.version_info[:3]))
    (finding,) = report.findings
    assert (finding.backends, finding.lowerings, finding.known) == (["call"], ["stock"], None)
    assert 1 < finding.count < 50


def test_progress_is_told_to_the_end():
    told = []
    campaign(FAULTS["dims reversed"][0], cases=20, progress=lambda *steps: told.append(steps))
    assert told == [("judging", done, 20) for done in range(1, 21)] + [("shrinking", 1, 1)]


def test_no_case_is_judged_twice():
    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    judged = []
    target = CallableTarget(dot, "fn")
    run = target.run
    target.run = lambda case, *rest: judged.append(case) or run(case, *rest)
    report = check.run(target, cases=300)
    assert len(judged) == len(set(judged)) == report.cases == 300


def interrupting(fn: Callable, after: int) -> Callable:
    """Give a function that is interrupted from the keyboard at some call."""
    calls = count(1)

    def dot(x, y, dim=None):
        if next(calls) >= after:
            raise KeyboardInterrupt
        return fn(x, y, dim)

    return dot


# Each case is two calls, so the second number falls into the shrinking of 20 cases.
@pytest.mark.parametrize("calls", [25, 55])
def test_an_interrupt_leaves_a_report_of_what_was_found(calls):
    report = campaign(interrupting(FAULTS["dims reversed"][0], calls), cases=25)
    assert report.interrupted
    assert signatures(report) == ["R5 wrong-dims at run: dims"]
    assert report.cases == 25 if calls > 50 else report.cases < 25


def test_an_interrupt_before_anything_is_found_leaves_an_empty_report():
    report = campaign(interrupting(rd.dot, 1))
    assert (report.interrupted, report.findings, report.seconds < 60) == (True, [], True)


def test_the_same_seed_gives_the_same_findings():
    fn = FAULTS["sizes ignored"][0]
    first, second = (campaign(fn, cases=25, seed=7) for _ in range(2))
    assert first.findings == second.findings != []
    assert campaign(fn, cases=25, seed=8).findings != first.findings


# What is known


class Recorded(CallableTarget):
    """A target with deviations on record."""

    def __init__(self, fn: Callable, *deviations: Deviation) -> None:
        super().__init__(fn, "recorded", deviations=deviations)


def record(**changes) -> Deviation:
    """Give the record of dims that come out reversed from a matrix and a vector."""
    deviation = Deviation(
        id="reversed-beside-a-vector",
        title="With a vector, dims come out reversed.",
        rules=("R5",),
        kinds=("wrong-dims",),
        versions="",
        backends=(),
        matches=lambda mismatch, outcome: len(mismatch.case.y.dims) == 1,
        example=DotCase(Operand(("row", "column"), (2, 3)), Operand(("column",), (3,)), NO_DIM),
        cause="",
    )
    return replace(deviation, **changes)


NO_DIM = DimArgument("tuple")
REVERSED = "R5 wrong-dims at run: dims"


def found_with(*deviations: Deviation) -> dict[str | None, Finding]:
    """Give what is found of reversed dims: by the id of what is known, or None."""
    target = Recorded(FAULTS["dims reversed"][0], *deviations)
    findings = check.run(target, cases=200).findings
    assert {finding.mismatch.signature for finding in findings} == {REVERSED}
    return {finding.known: finding for finding in findings}


def test_what_is_known_does_not_hide_what_looks_alike():
    found, plain = found_with(record()), found_with()
    assert [*found] == [None, "reversed-beside-a-vector"]
    assert sum(finding.count for finding in found.values()) == plain[None].count
    assert plain[None].known is None


def test_what_is_new_stays_new_when_it_is_shrunk():
    case = found_with(record())[None].mismatch.case
    assert len(case.y.dims) != 1
    smallest = found_with()[None].mismatch.case
    assert len(smallest.x.dims) == len(smallest.y.dims) == 1


def test_the_case_of_what_is_known_is_its_witness():
    assert found_with(record())["reversed-beside-a-vector"].mismatch.case == record().example


def test_what_its_witness_does_not_show_has_the_smallest_case_seen():
    other = record(example=DotCase(Operand(("a",), (2,)), Operand(("a",), (2,))))
    found = found_with(other)[other.id]
    assert found.mismatch.case != other.example
    assert found.mismatch.case in {case_at(0, index) for index in range(300)}


@pytest.mark.parametrize(
    "changes",
    [{"rules": ("R6",)}, {"kinds": ("wrong-value",)}, {"backends": ("another",)}],
    ids=str,
)
def test_what_is_on_record_of_another_rule_kind_or_backend_is_not_known(changes):
    assert [*found_with(record(**changes))] == [None]


# What was judged


class Fleet(CallableTarget):
    """A target of three backends, of which one is dear and one is limited."""

    def backends(self) -> tuple[Backend, ...]:
        few = Unsupported("more than two dims", lambda case: len(case.x.dims) > 2)
        return (Backend("a"), Backend("b", unsupported=(few,)), Backend("c", slow_to_compile=True))


R1_LIMIT = "dims that break R1 cannot reach it: NamedTensor refuses them"


def test_a_report_says_what_each_backend_judged_and_what_was_kept_from_it():
    report = check.run(Fleet(rd.dot, "fleet"), cases=40, exhaustive=1, thorough=False, sample=3)
    everywhere = report.unsupported["a"][R1_LIMIT]
    few = report.unsupported["b"].pop("more than two dims")
    assert report.unsupported["a"] == report.unsupported["b"] == {R1_LIMIT: everywhere}
    assert report.skipped == everywhere
    a, b, c = (report.coverage[name] for name in "abc")
    assert (a.cases, b.cases) == (report.cases, report.cases - few)
    assert a.cases > 40
    assert 5 < few < a.cases / 2
    assert a.patterns == b.patterns == [(1, 1), (10, 10)]
    assert [there_are for _, there_are in c.patterns] == [1, 10]
    assert sum(judged for judged, _ in c.patterns) == 3
    assert 0 < c.cases < a.cases / 2
    assert [a.thorough, b.thorough, c.thorough] == [False] * 3


def test_a_sample_is_not_thorough_and_all_of_it_may_be():
    for sample, thorough in ((2, [True, False]), (None, [True, True])):
        report = check.run(
            Fleet(rd.dot, "fleet"), cases=3, exhaustive=0, backends=["a", "c"], sample=sample
        )
        assert [report.coverage[name].thorough for name in "ac"] == thorough


def test_a_finding_is_on_the_first_backend_and_names_all_in_their_order():
    target = Fleet(FAULTS["dims reversed"][0], "fleet")
    (finding,) = check.run(target, cases=120, backends=["c", "b", "a"], sample=None).findings
    assert (finding.configuration.backend, finding.backends) == ("c", ["c", "b", "a"])


# Wherever it is judged

PLANTED = """
import os
from pathlib import Path

import refdot


def wrong(x, y, dim=None):
    return refdot.dot(y, x, dim)


def dies_once(x, y, dim=None):
    if not Path("died").exists():
        Path("died").touch()
        os._exit(3)
    return wrong(x, y, dim)


def dies_of_uint8(x, y, dim=None):
    if x.dtype == "uint8":
        os._exit(3)
    return wrong(x, y, dim)
"""


@pytest.fixture(scope="module")
def _planted(tmp_path_factory):
    """Stand beside a module that other processes import."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted_dots.py").write_text(PLANTED, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        yield
    sys.modules.pop("planted_dots", None)


@pytest.fixture(scope="module")
def crew(_planted):
    with WorkerPool(2) as started:
        yield started


def report_of(name: str, **options) -> Report:
    """Give the report of a planted dot, without its seconds."""
    options = {"cases": 40, "exhaustive": 1, "thorough": False} | options
    return replace(check.run(find_target(f"planted_dots:{name}"), **options), seconds=0.0)


@pytest.mark.usefixtures("_planted")
def test_threads_give_the_same_report_as_one_process():
    with ThreadPoolExecutor(3) as executor:
        assert report_of("wrong", executor=executor) == report_of("wrong")


def test_processes_give_the_same_report_as_one(crew):
    assert report_of("wrong", executor=crew) == report_of("wrong")


@pytest.mark.usefixtures("_planted")
@pytest.mark.parametrize("of", [2, 5])
def test_shards_give_the_same_report_when_they_are_merged(of):
    shards = [report_of("wrong", shard=Shard(number, of)) for number in range(of, 0, -1)]
    assert replace(merged(shards), seconds=0.0) == report_of("wrong")


def test_a_process_that_dies_once_is_nothing_to_the_report(crew):
    died = report_of("dies_once", executor=crew)
    assert replace(died, target="planted_dots:wrong") == report_of("wrong")


def test_a_case_that_kills_is_a_finding_and_the_others_are_judged(crew):
    options = {"cases": 60, "exhaustive": None}
    fatal, wrong = (
        report_of("dies_of_uint8", executor=crew, **options),
        report_of("wrong", **options),
    )
    found = {finding.mismatch.signature: finding for finding in fatal.findings}
    finding = found.pop("R6 rejected-valid at run: the process died")
    assert finding.mismatch.case.x.dtype == "uint8"
    assert (finding.mismatch.expected, finding.mismatch.got) == (
        "an answer or an error",
        "the process died",
    )
    assert [*found] == signatures(wrong)
    assert (fatal.cases, fatal.lost) == (wrong.cases, 0)


def test_where_too_much_kills_the_rest_of_a_batch_is_lost(crew):
    of_floats = DotCase(Operand(("a", "b"), (2, 3)), Operand(("c",), (5,)))
    of_uint8 = [
        replace(of_floats, x=replace(of_floats.x, dtype="uint8", layout=layout))
        for layout in LAYOUTS
    ]
    batch = Batch(((CALL, (of_floats, *of_uint8)),))
    judged = judge_apart(find_target("planted_dots:dies_of_uint8"), batch)
    assert (judged.distinct, judged.lost) == (6, 2)
    assert [finding.mismatch.case for finding in judged.findings] == [of_floats, *of_uint8[:3]]


def test_a_death_is_no_finding_where_values_are_not_asked_for(crew):
    options = {"executor": crew, "cases": 12, "exhaustive": None, "only": ["errors"]}
    assert report_of("dies_of_uint8", **options).findings == []


@pytest.mark.usefixtures("_planted")
def test_a_cluster_of_dask_gives_the_same_report_as_one_process():
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        found = report_of("wrong", executor=client.get_executor())
    assert found == report_of("wrong")


# Size variants


class Staged(CallableTarget):
    """A target that is told sizes beforehand, and goes wrong at one that it is not told."""

    def __init__(self):
        super().__init__(wrong_from_sixteen_on, "staged", stages=("build", "run"))


def wrong_from_sixteen_on(x, y, dim=None):
    value = rd.dot(x, y, dim)
    large = max(value.shape, default=0) > 16
    return NamedTensor(value.data + 1, value.dims) if large else value


def test_a_drawn_case_is_judged_with_other_sizes_but_counted_once():
    found = check.run(Staged(), cases=30)
    assert found.cases == 30
    assert any(finding.mismatch.kind == "wrong-value" for finding in found.findings)
    assert check.run(CallableTarget(wrong_from_sixteen_on, "called"), cases=30).findings == []


# What is kept


def test_what_was_found_is_judged_first_by_the_next_run(tmp_path):
    wrong = FAULTS["float32 computed in float16"][0]
    first = campaign(wrong, cases=120, database=tmp_path)
    cases = {finding.mismatch.case for finding in first.findings}
    judged, told = [], []

    def dot(x, y, dim=None):
        judged.append(x.dtype)
        return wrong(x, y, dim)

    again = campaign(dot, cases=1, database=tmp_path, progress=lambda *steps: told.append(steps))
    assert str(judged[0]) in {case.x.dtype for case in cases}
    kept = ("judging what was kept", len(cases), len(cases))
    assert told[:2] == [kept, ("judging", 1, 1)]
    # The case of one finding may be the smallest of another, too.
    assert set() < {finding.mismatch.case for finding in again.findings} <= cases
    assert again.cases == len(cases) + 1


def test_hours_leave_out_what_is_left_and_draw_on_if_nothing_is():
    right = validated(by_definition)
    assert campaign(right, cases=2).cases == 2
    assert campaign(right, cases=2, hours=1 / 3600).cases > 2
    assert campaign(right, cases=2, hours=1e-9).cases == 0
