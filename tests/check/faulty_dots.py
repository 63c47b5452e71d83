"""Faulty dots, each with the rule that it breaks and the kind of the mismatch."""

from collections.abc import Callable, Iterator

import numpy as np

import refdot as rd
from refdot.tensor import NamedTensor


def after(change: Callable[[NamedTensor, NamedTensor, NamedTensor, object], object]) -> Callable:
    """Return a dot that returns `change(result, x, y, dim)`."""

    def dot(x, y, dim=None):
        dim = list(dim) if isinstance(dim, Iterator) else dim
        return change(rd.dot(x, y, dim), x, y, dim)

    return dot


def before(change: Callable[[NamedTensor, NamedTensor, object], tuple]) -> Callable:
    """Return a dot of the arguments that `change(x, y, dim)` returns."""

    def dot(x, y, dim=None):
        return rd.dot(*change(x, y, list(dim) if isinstance(dim, Iterator) else dim))

    return dot


def on(condition: Callable[..., object], change: Callable[[NamedTensor], object]) -> Callable:
    """Return a dot whose result is changed where `condition(x, y, dim)` holds."""
    return after(lambda out, x, y, dim: change(out) if condition(x, y, dim) else out)


def data(change: Callable[[np.ndarray], object]) -> Callable[[NamedTensor], NamedTensor]:
    """Turn a function of arrays into one of tensors."""

    def changed(tensor: NamedTensor) -> NamedTensor:
        with np.errstate(all="ignore"):
            return NamedTensor(np.asarray(change(tensor.data)), tensor.dims)

    return changed


def as_dtype(found: str, given: str) -> Callable:
    """Return a dot that returns answers of dtype `given` where `found` is right."""
    return after(lambda out, x, y, dim: cast(given)(out) if out.dtype == found else out)


def cast(dtype: str) -> Callable[[NamedTensor], NamedTensor]:
    """Return a cast to `dtype`."""
    return data(lambda values: values.astype(dtype))


def less_precisely(found: str, used: str) -> Callable:
    """Return a dot that computes answers of dtype `found` in `used`."""

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
    """Cut dims whose sizes differ to the smaller size."""
    smaller = {name: slice(min(x.sizes[name], y.sizes[name])) for name in x.dims if name in y.dims}
    return x.isel(**smaller), y.isel(**smaller), dim


def with_ones_broadcast(x, y, dim):
    """Broadcast a dim of size 1 to the size in the other operand."""

    def repeated(tensor, other):
        values = tensor.data
        for axis, name in enumerate(tensor.dims):
            if values.shape[axis] == 1 and other.sizes.get(name, 1) > 1:
                values = values.repeat(other.sizes[name], axis)
        return NamedTensor(values, tensor.dims)

    return repeated(x, y), repeated(y, x), dim


def known_names(x, y, dim):
    """Ignore names that are not in the operands."""
    if dim is None or dim is ...:
        return x, y, dim
    names = [dim] if isinstance(dim, str) else dim
    return x, y, [name for name in names if not isinstance(name, str) or name in x.dims + y.dims]


def raising(kind: type[BaseException], message: str = "no") -> Callable:
    """Return a function that raises."""

    def raises(*_):
        raise kind(message)

    return raises


def instead_of(caught: type[Exception], instead: Callable) -> Callable:
    """Return a dot that does something else where it should raise `caught`."""

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
    """Return y itself if x is a scale of 1."""
    return y if x.ndim == 0 and x.data == 1 and out == y else out


def one_buffer() -> Callable:
    """Return a dot that puts every answer of one shape into the same memory."""
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
    """Read an array in memory order as if it were in C order."""
    return NamedTensor(tensor.data.ravel("K").reshape(tensor.shape), tensor.dims)


def first_of_summed(x, y, dim):
    """Take the first element along each summed dim."""
    low = rd.lower_dot(x.dims, y.dims, dim)

    def firsts(tensor, names):
        return tensor.isel(**{name: slice(1) for name in names})

    return firsts(x, low.x_summed), firsts(y, low.y_summed), dim


def without_summed_dims(x, y, dim):
    """Drop the summed dims from `dim`."""
    if dim is None or dim is ...:
        return x, y, None
    named = [dim] if isinstance(dim, str) else dim
    return x, y, [name for name in named if name not in x.dims or name in y.dims]


def of_kind(kinds: str) -> Callable:
    """Return a condition on the kind of the result's dtype."""
    return lambda x, y, dim: np.result_type(x.data, y.data).kind in kinds


def has_size(size: int) -> Callable:
    """Return the condition that x has a dim of this size."""
    return lambda x, y, dim: size in x.shape


# Each: a faulty dot, and the rule and the kind of its mismatch.
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
    "an empty dim read as None": (
        before(lambda x, y, dim: (x, y, dim or None)),
        "R5",
        "wrong-dims",
    ),
    "... read as None": (
        before(lambda x, y, dim: (x, y, None if dim is ... else dim)),
        "R5",
        "wrong-dims",
    ),
    "a str read as its letters": (
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
    "summed dims kept": (before(without_summed_dims), "R5", "wrong-dims"),
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
    "size 1 read as 0": (on(has_size(1), data(np.zeros_like)), "R6", "wrong-value"),
    "x read in its memory's order": (
        before(lambda x, y, dim: (read_as_c(x), y, dim)),
        "R6",
        "wrong-value",
    ),
    "the first element instead of a sum": (before(first_of_summed), "R6", "wrong-value"),
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
    "a KeyError for a missing dim": (
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


def is_broadcast(array: np.ndarray) -> bool:
    """Return whether an array repeats elements with a stride of 0."""
    return any(
        stride == 0 and size > 1 for stride, size in zip(array.strides, array.shape, strict=True)
    )


def overlaps(array: np.ndarray) -> bool:
    """Return whether two axes of an array have the same stride, as overlapping windows have."""
    axes = zip(array.strides, array.shape, strict=True)
    strides = [stride for stride, size in axes if stride and size > 1]
    return len({*strides}) < len(strides)


def without_gaps(x, y, dim):
    """Read the rows of a part of a larger array as if they followed each other in memory."""

    def read(tensor: NamedTensor) -> NamedTensor:
        array = tensor.data
        base = array.base
        if not isinstance(base, np.ndarray) or not base.flags.c_contiguous or not array.size:
            return tensor
        if array.strides[-1:] != (array.itemsize,) or array.flags.c_contiguous:
            return tensor
        start = (array.ctypes.data - base.ctypes.data) // array.itemsize
        memory = base.reshape(-1).view(array.dtype)[start : start + array.size]
        fits = memory.size == array.size
        return NamedTensor(memory.reshape(array.shape) if fits else array, tensor.dims)

    return read(x), read(y), dim


def in_place(x, y, dim=None):
    """Scale x in its own memory for the time of the call, which also changes a y that is there."""
    dim = list(dim) if isinstance(dim, Iterator) else dim
    if not x.data.flags.writeable or x.dtype.kind != "f" or not np.isfinite(x.data).all():
        return rd.dot(x, y, dim)
    before = x.data.copy()
    x.data[...] *= 2
    try:
        return data(lambda values: values / 2)(rd.dot(x, y, dim))
    finally:
        x.data[...] = before


one_more = data(lambda values: values + np.ones((), values.dtype))


def on_operand(condition: Callable[[np.ndarray], object]) -> Callable:
    """Return a dot whose result is wrong where the array of an operand meets a condition."""
    return on(lambda x, y, dim: condition(x.data) or condition(y.data), one_more)


LAYOUT_FAULTS = {
    "broadcast operands": on_operand(is_broadcast),
    "overlapping windows": on_operand(overlaps),
    "swapped bytes": on_operand(lambda array: not array.dtype.isnative),
    "unaligned operands": on_operand(lambda array: not array.flags.aligned),
    "rows of a larger array": before(without_gaps),
    "operands that share memory": in_place,
}
FAULTS |= {name: (dot, "R6", "wrong-value") for name, dot in LAYOUT_FAULTS.items()}


class Unheard(BaseException):
    """A `BaseException` that is neither an `Exception` nor built in."""


FAULTS["a BaseException raised"] = (raising(Unheard), "R6", "rejected-valid")


def with_vjp(change: Callable) -> Callable:
    """Return a correct dot with its cotangents changed by `change`."""

    def dot(x, y, dim=None):
        return rd.dot(x, y, dim)

    def vjp(x, y, cotangent, dim=None):
        dim = list(dim) if isinstance(dim, Iterator) else dim
        return change(*rd.dot_vjp(x, y, cotangent, dim), x, y, cotangent, dim)

    dot.vjp = vjp
    return dot


def x_summed_once(x_bar, y_bar, x, y, cotangent, dim):
    """Pass the cotangent only to the first element along each summed dim."""
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
    "the gradient of a summed dim not broadcast": with_vjp(x_summed_once),
    "batch dims summed": with_vjp(batch_summed),
    "the cotangent read as 1": with_vjp(
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
