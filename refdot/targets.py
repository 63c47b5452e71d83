"""What can be held against the oracle: the protocol of a target, and the two plain ones."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Protocol

import numpy as np

from refdot.case import DotCase
from refdot.errors import DotError
from refdot.lowering import lower_dot
from refdot.oracle import drawn_cotangents
from refdot.tensor import Array, NamedTensor

__all__ = [
    "STAGES",
    "Backend",
    "CallableTarget",
    "Declared",
    "Deviation",
    "Gradient",
    "Limit",
    "Mismatch",
    "Outcome",
    "Raised",
    "Target",
    "TargetError",
    "XarrayTarget",
    "deviation_of",
    "find_target",
    "limit_of",
]

STAGES = ("build", "lower", "compile", "run")
DRAWS = 2  # How often one case is run, each time on other numbers.


@dataclass(frozen=True)
class Raised:
    """An exception, as data.

    Attributes
    ----------
    stage : str
        Where it was raised, one of `STAGES`.
    type : str
        The name of its class.
    message : str
    expected_type : bool
        Whether it is a `ValueError` or a `TypeError`.
    appended : str
        What comes after the message: pages about the target's own affairs, and notes.
    bases : tuple of str
        Its class and all that this is derived from, each with its module.
    """

    stage: str
    type: str
    message: str
    expected_type: bool
    # Two exceptions that say the same are equal, wherever the target was when it raised them.
    appended: str = field(default="", compare=False)
    bases: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def at(cls, stage: str, error: BaseException) -> Raised:
        """Record `error` as raised at `stage`."""
        return cls(
            stage,
            type(error).__name__,
            str(error),
            isinstance(error, ValueError | TypeError),
            "".join(f"\n{note}" for note in getattr(error, "__notes__", ())),
            tuple(map(qualified_name, type(error).__mro__)),
        )

    @property
    def text(self) -> str:
        """The exception's whole `str` and its notes: what `pytest.raises` matches with a regex."""
        return self.message + self.appended

    def __str__(self) -> str:
        return f"{self.type} at {self.stage}: {' '.join(self.message.split())}"


def qualified_name(class_: type) -> str:
    """Name a class with its module.

    Examples
    --------
    >>> qualified_name(ValueError)
    'builtins.ValueError'
    """
    return f"{class_.__module__}.{class_.__qualname__}"


@dataclass(frozen=True)
class Declared:
    """What a target that builds graphs says of its output before anything is computed."""

    dims: tuple[str, ...]
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Gradient:
    """A cotangent that a target computed.

    Attributes
    ----------
    order : int
        1: of the dot. 2: of the first gradients, each paired with a tangent.
    operand : str
        "x" or "y"; "x" where both are one variable.
    draw : int
        Which of the runs of the case it is from.
    value : ndarray
        Axes as the operand's dims.
    """

    order: int
    operand: str
    draw: int
    value: Array


@dataclass(frozen=True)
class Outcome:
    """What a target did with a case.

    Attributes
    ----------
    raised : Raised, optional
        What ended it.
    declared : Declared, optional
        What it said beforehand.
    values : tuple of NamedTensor
        Its answers, one for each draw of numbers.
    gradients : tuple of Gradient
    gradient_raised : Raised, optional
        What ended the computation of gradients alone.
    discrete_gradients : tuple of str
        The operands of integer or bool dtype that it gave a gradient of.
    discrete_gradient_raised : Raised, optional
        What refused the gradient of such an operand.
    leftovers : tuple of str
        What its lowered graph should not contain.
    side_effects : tuple of str
        What it changed, or shares, that is not its own.
    variations : tuple of str
        What came out otherwise although the same was asked in other words.
    logged : tuple of Raised
        What went wrong inside and was logged, but did not end it.
    """

    raised: Raised | None = None
    declared: Declared | None = None
    values: tuple[NamedTensor, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    gradient_raised: Raised | None = None
    discrete_gradients: tuple[str, ...] = ()
    discrete_gradient_raised: Raised | None = None
    leftovers: tuple[str, ...] = ()
    side_effects: tuple[str, ...] = ()
    variations: tuple[str, ...] = ()
    logged: tuple[Raised, ...] = ()


@dataclass(frozen=True)
class Mismatch:
    """One rule, broken by one outcome.

    Attributes
    ----------
    rule : str
        "R1" to "R14".
    kind : str
        One of `refdot.compare.KINDS`.
    stage : str
        Where it showed, one of `STAGES`.
    detail : str
        What tells this cause from others of the same rule, kind and stage.
    expected, got : str
        One line each, for people.
    case : DotCase
    earliest_stage : str
        For errors, the stage that could have raised it.
    draw : int
        Which draw of numbers showed it.
    order : int
        For gradients, their order.
    operand : str
        For gradients, the operand that they are of.
    """

    rule: str
    kind: str
    stage: str
    detail: str
    expected: str
    got: str
    case: DotCase
    earliest_stage: str = ""
    draw: int = 0
    order: int = 0
    operand: str = ""

    @property
    def signature(self) -> str:
        """What is the same for all mismatches of one cause."""
        return f"{self.rule} {self.kind} at {self.stage}: {self.detail}"

    def __str__(self) -> str:
        return f"{self.signature}\n  {self.case}\n  expected {self.expected}\n  got      {self.got}"

    def _repr_html_(self) -> str:
        rows = {"case": str(self.case), "expected": self.expected, "got": self.got}
        table = "".join(
            f'<tr><th style="text-align: left">{name}</th>'
            f'<td style="text-align: left"><code>{escape(text)}</code></td></tr>'
            for name, text in rows.items()
        )
        return f"<b>{escape(self.signature)}</b><table>{table}</table>{picture_of(self.case)}"


def picture_of(case: DotCase) -> str:
    """Draw the lowering of a case with its sizes, or nothing if it has no lowering."""
    try:
        lowering = lower_dot(case.x.dims, case.y.dims, case.dim.value)
    except DotError:
        return ""
    x_sizes, y_sizes = case.x.sizes, case.y.sizes
    disagreeing = {
        dim: f"{size} in x, {y_sizes[dim]} in y"
        for dim, size in x_sizes.items()
        if y_sizes.get(dim, size) != size
    }
    return lowering.to_svg({**x_sizes, **y_sizes, **disagreeing})


@dataclass(frozen=True)
class Limit:
    """What a target, or a backend of it, does not claim to do: such cases are not judged on it."""

    reason: str
    applies: Callable[[DotCase], bool]


@dataclass(frozen=True)
class Backend:
    """One way in which a target executes.

    Attributes
    ----------
    name : str
    absent : str
        Why it cannot run here; empty if it can.
    default : bool
        Whether it runs unless others are asked for.
    dear : bool
        Whether it is given a sample of graphs alone, since a graph takes it long to compile or
        what it does with each graph is much the same.
    limits : tuple of Limit
        What it does not claim to do, beside the limits of its target.
    """

    name: str
    absent: str = ""
    default: bool = True
    dear: bool = False
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Deviation:
    """A mismatch on record: one cause, understood, in some versions of a target.

    Attributes
    ----------
    id : str
        Short words with hyphens between them.
    title : str
        One sentence: what goes wrong.
    rules : tuple of str
        Those that it breaks, of "R1" to "R14".
    kinds : tuple of str
        In which ways, of `refdot.compare.KINDS`.
    versions : str
        A PEP 440 specifier.
    backends : tuple of str
        Where it shows; empty if on every one.
    explains : callable
        Whether such a mismatch, found in an outcome, comes from this cause. It is as narrow as the
        cause: what is wrong beside it must still be seen.
    witness : DotCase
        A case that shows it.
    cause : str
        Where in the target's source it comes from, and why.
    upstream : str
        The address of what the target's own tracker has about it, or nearest to it, if anything.
    """

    id: str
    title: str
    rules: tuple[str, ...]
    kinds: tuple[str, ...]
    versions: str
    backends: tuple[str, ...]
    explains: Callable[[Mismatch, Outcome], bool]
    witness: DotCase
    cause: str
    upstream: str = ""


class Target(Protocol):
    """What is judged.

    Attributes
    ----------
    name, version : str
    stages : tuple of str
        Which of `STAGES` it tells apart.
    lowerings : tuple of str
        Its lowerings by name, the standard one first.
    default_lowerings : tuple of str
        Those that run unless others are asked for.
    limits : tuple of Limit
        What it does not claim to do.
    unjudged : mapping of str to str
        Kinds of mismatch that say nothing about it, each with the reason.
    deviations : tuple of Deviation
        Those on record for this version of it.
    """

    name: str
    version: str
    stages: tuple[str, ...]
    lowerings: tuple[str, ...]
    default_lowerings: tuple[str, ...]
    limits: tuple[Limit, ...]
    unjudged: Mapping[str, str]
    deviations: tuple[Deviation, ...]

    def backends(self) -> tuple[Backend, ...]:
        """List every way in which it can execute, those absent here included."""

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Run a case as far as a stage. Whatever the target raises is part of the outcome."""

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn, and share between them what is the same for several."""

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a standalone script that shows a mismatch, and exits 1 while it is there."""


class TargetError(Exception):
    """A target that was asked for cannot be had; the message says why, in one line."""


def breaks_r1(case: DotCase) -> bool:
    """Whether the dims of an operand break R1."""
    return not are_names(case.x.dims) or not are_names(case.y.dims)


def are_names(dims: tuple[Any, ...]) -> bool:
    """Whether dims obey R1."""
    return len(set(dims)) == len(dims) and all(isinstance(dim, str) and dim for dim in dims)


@dataclass
class CallableTarget:
    """Any callable `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`.

    Parameters
    ----------
    function : callable
        If it has an attribute `vjp`, then `vjp(x, y, cotangent, dim) -> (x_bar, y_bar)` is what
        gradients are taken with. Otherwise they are read off the function: it should be bilinear,
        so its values on basis vectors are its derivative.
    name : str
    gradients : bool, optional
        Whether to judge gradients too.
    """

    function: Callable[..., Any]
    name: str
    gradients: bool = False
    version: str = ""
    stages: tuple[str, ...] = ("run",)
    lowerings: tuple[str, ...] = ("stock",)
    default_lowerings: tuple[str, ...] = ("stock",)
    limits: tuple[Limit, ...] = (
        Limit("dims that break R1 cannot reach it: NamedTensor refuses them", breaks_r1),
    )
    unjudged: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[Deviation, ...] = ()

    def __post_init__(self) -> None:
        said, kinds = "it is called, and has no graph", ("nondeterminism", "structure")
        no_graph = {} if "build" in self.stages else dict.fromkeys(kinds, said)
        no_gradient = {} if self.gradients else {"wrong-gradient": "it has no gradient"}
        self.unjudged = {**no_graph, **no_gradient, **self.unjudged}

    def backends(self) -> tuple[Backend, ...]:
        """One: calling it."""
        return (Backend("call"),)

    def run(self, case: DotCase, backend: str, lowering: str, until: str = "run") -> Outcome:
        """Call the function on each draw of numbers."""
        values: list[NamedTensor] = []
        gradients: list[Gradient] = []
        side_effects: list[str] = []
        for draw in range(DRAWS):
            x, y = case.tensors(draw)
            before = x.data.copy(), y.data.copy()
            try:
                # What overflows or is not a number is meant to, and no reason to warn.
                with np.errstate(all="ignore"):
                    value = self.function(x, y, case.dim.value)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever it raises is its answer
                return Outcome(raised=Raised.at("run", error), values=tuple(values))
            if not isinstance(value, NamedTensor):
                said = f"it returned a {type(value).__name__}, which is not a NamedTensor"
                return Outcome(raised=Raised("run", type(value).__name__, said, False))
            side_effects += effects((x.data, y.data), before, value.data)
            values.append(NamedTensor.trusted(value.data.copy(), value.dims))
            if draw == 0:
                first, first_copy = value.data, value.data.copy()
            if self.gradients and case.gradient_order:
                try:
                    with np.errstate(all="ignore"):
                        gradients += self.differentiate(case, x, y, draw)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    raised = Raised.at("run", error)
                    return Outcome(values=tuple(values), gradient_raised=raised)
        if not np.array_equal(first, first_copy, equal_nan=first.dtype.kind in "fc"):
            side_effects.append("a second call changed the first answer")
        return Outcome(
            values=tuple(values),
            gradients=tuple(gradients),
            side_effects=tuple(dict.fromkeys(side_effects)),
        )

    def run_all(
        self, cases: Iterable[DotCase], backend: str, lowering: str, until: str = "run"
    ) -> tuple[Outcome, ...]:
        """Run cases in turn: there is nothing to share."""
        return tuple(self.run(case, backend, lowering, until) for case in cases)

    def differentiate(
        self, case: DotCase, x: NamedTensor, y: NamedTensor, draw: int
    ) -> list[Gradient]:
        """Give the first gradients of both operands, if they are continuous."""
        vjp = getattr(self.function, "vjp", None)
        # Read off basis vectors, 0 times inf would be NaN where there should be nothing.
        if not differentiable(case) or (vjp is None and case.tier == "special"):
            return []
        cotangent, _, _ = drawn_cotangents(case, draw)
        if vjp is not None:
            x_bar, y_bar = vjp(x, y, cotangent, case.dim.value)
        else:
            x_bar = self.read_off(x, cotangent, lambda basis: (basis, y), case)
            y_bar = self.read_off(y, cotangent, lambda basis: (x, basis), case)
        if case.same_variable:
            return [Gradient(1, "x", draw, np.asarray(x_bar.data + y_bar.data))]
        return [
            Gradient(1, "x", draw, np.asarray(x_bar.data)),
            Gradient(1, "y", draw, np.asarray(y_bar.data)),
        ]

    def read_off(
        self,
        operand: NamedTensor,
        cotangent: NamedTensor,
        operands: Callable[[NamedTensor], tuple[NamedTensor, NamedTensor]],
        case: DotCase,
    ) -> NamedTensor:
        """Read the gradient of one operand off the function's values on basis vectors."""
        gradient = np.zeros(operand.shape, operand.dtype)
        for index in np.ndindex(*operand.shape):
            basis = np.zeros(operand.shape, operand.dtype)
            basis[index] = 1
            image = self.function(*operands(NamedTensor(basis, operand.dims)), case.dim.value)
            gradient[index] = (image.data * cotangent.transpose(*image.dims).data).sum()
        return NamedTensor(gradient, operand.dims)

    def reproducer(self, mismatch: Mismatch, backend: str, lowering: str) -> str:
        """Write a script that replays the case on the function."""
        return CALLABLE_REPRODUCER.format(
            mismatch=as_comment(mismatch), json=mismatch.case.to_json(), target=self.name
        )


class FoundTarget(CallableTarget):
    """A callable that was found by its name, and is found by it again in another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return find_target, (self.name,)


class XarrayTarget(FoundTarget):
    """`xarray.dot`, which the rules were taken from: the control that must come out clean."""

    XARRAY_LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit(
            "np.einsum, which xarray calls, may multiply an empty sum by what is not finite",
            lambda case: case.tier == "special" and 0 in case.x.shape + case.y.shape,
        ),
        Limit(
            "xarray spells dims with 26 letters",
            lambda case: len({*case.x.dims, *case.y.dims}) > 26,
        ),
        Limit(
            "in xarray any hashable is a dim, and an array or mapping a list of dims",
            lambda case: (
                case.dim.spelling in ("object", "array", "bytes", "keys", "iterator")
                or not all(isinstance(item, str) for item in case.dim.items)
            ),
        ),
    )

    def __init__(self) -> None:
        super().__init__(xarray_dot, "xarray", version=version("xarray"))
        self.limits = (*self.limits, *self.XARRAY_LIMITS)
        self.unjudged = {**self.unjudged, "wrong-error": "xarray's errors are of types of its own"}


def xarray_dot(x: NamedTensor, y: NamedTensor, dim: Any = None) -> NamedTensor:
    """Give xarray's answer."""
    import xarray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return NamedTensor.from_xarray(xarray.dot(x.to_xarray(), y.to_xarray(), dim=dim))


def as_comment(mismatch: Mismatch) -> str:
    """Write a mismatch as a comment of a script: what it quotes may be anything."""
    lines = str(mismatch).splitlines()
    return "\n".join(f"# {line}".rstrip() for line in lines)


def limit_of(target: Target, case: DotCase, backend: str | None = None) -> str | None:
    """Say why a case is not judged on a target, or on a backend of it, if it is not."""
    limits = target.limits
    if backend is not None:
        limits += next(there.limits for there in target.backends() if there.name == backend)
    return next((limit.reason for limit in limits if limit.applies(case)), None)


def deviation_of(
    target: Target, mismatch: Mismatch, outcome: Outcome, backend: str
) -> Deviation | None:
    """Find the known deviation that a mismatch is, if it is one."""
    for deviation in target.deviations:
        there = not deviation.backends or backend in deviation.backends
        such = mismatch.rule in deviation.rules and mismatch.kind in deviation.kinds
        if there and such and deviation.explains(mismatch, outcome):
            return deviation
    return None


def effects(inputs: tuple[Array, ...], before: tuple[Array, ...], output: Array) -> list[str]:
    """Tell what a call did to its inputs, and whether its output shares their memory."""
    found = []
    for name, array, copy in zip("xy", inputs, before, strict=False):
        if not np.array_equal(array, copy, equal_nan=array.dtype.kind in "fc"):
            found.append(f"{name} was written to")
        if np.may_share_memory(array, output) and np.shares_memory(array, output):
            found.append(f"the output shares memory with {name}")
    return found


def differentiable(case: DotCase) -> bool:
    """Whether both operands are real and continuous."""
    return all(np.dtype(operand.dtype).kind == "f" for operand in (case.x, case.y))


def find_target(name: str) -> Target:
    """Find a target by name: "pytensor", "xarray", or "module:function".

    Raises
    ------
    TargetError
        There is no such target, or it cannot be imported.
    """
    if name == "xarray":
        try:
            return XarrayTarget()
        except PackageNotFoundError:
            raise TargetError("xarray is not installed") from None
    if name == "pytensor":
        try:
            # By name: this module must not need PyTensor, and the room that does is above it.
            room: Any = importlib.import_module("refdot.pytensor.target")
            target: Target = room.PyTensorTarget()
            return target
        except ModuleNotFoundError as error:
            raise TargetError(
                f"pytensor cannot be imported ({error}); pip install 'refdot[check]'"
            ) from None
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise TargetError(f"no target {name!r}: it must be pytensor, xarray or module:function")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: modules of the folder one stands in
    try:
        found: Any = importlib.import_module(module_name)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, when imported or when asked
        if isinstance(error, AttributeError) and module_name in sys.modules:
            raise TargetError(f"{module_name} has no {path}") from None
        what = name if module_name in sys.modules else module_name
        said = f"cannot import {what}: {type(error).__name__}: {error}"
        raise TargetError(" ".join(said.split())) from None
    if not callable(found):
        raise TargetError(f"{name} is not callable")
    return FoundTarget(found, name, gradients=hasattr(found, "vjp"))


CALLABLE_REPRODUCER = """\
{mismatch}
#
# Runs this case on {target}, and exits 1 while it is answered wrongly.

import sys

from refdot.case import DotCase
from refdot.compare import compare
from refdot.targets import find_target

CASE = {json}

case, target = DotCase.from_json(CASE), find_target("{target}")
mismatches = compare(case, target.run(case, "call", "stock"), target)
for mismatch in mismatches:
    print(mismatch)
sys.exit(1 if mismatches else 0)
"""
