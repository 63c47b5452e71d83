"""Writes a mismatch as a script for a bug report: PyTensor and NumPy alone, and an exit code."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from textwrap import dedent, indent
from typing import Any

import numpy as np

from refdot.cases.case import DimArgument, Operand
from refdot.errors import DimNotFoundError, SizeMismatchError
from refdot.judging.expected import correct_gradient, correct_value, expected_error
from refdot.judging.rounding import CorrectAnswers
from refdot.lowering import lower_dot
from refdot.pytensor.lowerings.install import without_inner_graphs
from refdot.pytensor.target.determinism import over_other_dims
from refdot.pytensor.target.structure import unlowered_nodes
from refdot.rules import STAGES
from refdot.targets.mismatch import Mismatch, as_comment
from refdot.tensor import Array

__all__ = ["reproducer"]


_LAYOUT = {
    "c": "{}",
    "fortran": 'np.array({}, order="F")',
    "reversed": "np.flip(np.flip({}).copy())",
    "strided": "np.stack([{0}, {0}], axis=-1)[..., 0]",
    "read-only": "np.broadcast_to({0}, {0}.shape)",
}
_HASHED = {
    "str": "{}[0]",
    "tuple": "{}",
    "list": "list({})",
    "set": "set({})",
    "frozenset": "frozenset({})",
    "keys": "dict.fromkeys({})",
    "iterator": "iter({})",
}


def reproducer(mismatch: Mismatch, mode: str, lowering: str) -> str:
    """Write a standalone script that shows a mismatch.

    Parameters
    ----------
    mismatch : Mismatch
    mode : str
        The compilation mode, as PyTensor code.
    lowering : str
        "stock", "inlined" or "direct"; the last is refdot's own, and the script imports it.

    Returns
    -------
    str
        A script that prints what is expected and what it got, and exits 1 while they differ.
    """
    parts = []
    if lowering == "inlined" and not _built_alone(mismatch):
        parts.append(_INLINED.format(source=inspect.getsource(without_inner_graphs)))
    direct = lowering == "direct" and not _built_alone(mismatch)
    if direct:
        parts.append(_DIRECT)
    if mismatch.kind == "structure" and not _rewrite_fails(mismatch):
        parts.append(_UNLOWERED.format(source=inspect.getsource(unlowered_nodes)))
    if mismatch.kind == "nondeterminism":
        parts.append(_NAMES)
    elif not _built_alone(mismatch):
        parts.append(_values(mismatch))
    parts += [_steps(mismatch, mode), _verdict(mismatch, lowering)]
    body = "\n".join(parts)
    groups = [
        [line for name, line in group.items() if re.search(rf"\b{name}\b", body)]
        for group in (_STANDARD_LIBRARY, _PACKAGES)
    ]
    imports = "\n\n".join("\n".join(group) for group in groups)
    needs = "PyTensor, NumPy and refdot" if direct else "PyTensor and NumPy alone"
    return _HEAD.format(mismatch=as_comment(mismatch), needs=needs, imports=imports) + body


def _built_alone(mismatch: Mismatch) -> bool:
    """Whether a mismatch shows when the graph is built, without any numbers."""
    return mismatch.stage == "build" and mismatch.kind != "accepted-invalid"


def _literal(array: Array) -> str:
    """Write an array as code: flat, then shaped, so that sizes 0 and many dims read well."""
    if array.dtype.kind == "c":
        parts = array.ravel().view(array.real.dtype)
        return f'{_literal(parts)}.view("{array.dtype}").reshape({array.shape})'
    flat = ", ".join(repr(value) for value in array.ravel().tolist())
    code = f'np.array([{flat}], dtype="{array.dtype}")'
    return code if array.ndim == 1 else f"{code}.reshape({array.shape})"


def _values(mismatch: Mismatch) -> str:
    """Write the operands' values, and what is drawn beside them for gradients."""
    case, replicate = mismatch.case, mismatch.replicate
    named = dict(zip(_operands(mismatch), case.arrays(replicate), strict=False))
    lines = []
    for (name, array), operand in zip(named.items(), (case.x, case.y), strict=False):
        lines.append(f"{name}_value = {_literal(np.ascontiguousarray(array).reshape(array.shape))}")
        if operand.layout != "c":
            lines.append(f"{name}_value = {_LAYOUT[operand.layout].format(f'{name}_value')}")
    if mismatch.kind == "side-effect":
        lines += [f"{name}_before = {name}_value.copy()" for name in named]
    if _about_gradient(mismatch):
        drawn = zip(("cotangent", "v", "w"), case.cotangents(replicate), strict=True)
        lines += [f"{name}_value = {_literal(tensor.data)}" for name, tensor in drawn]
    return "\n".join(lines) + "\n"


def _operands(mismatch: Mismatch) -> dict[str, Operand]:
    """Name the variables of a case: one where both operands are the same."""
    case = mismatch.case
    return {"x": case.x} if case.same_variable else {"x": case.x, "y": case.y}


def _steps(mismatch: Mismatch, mode: str) -> str:
    """Write the stages, as far as the mismatch needs them."""
    case = mismatch.case
    names = _operands(mismatch)
    y = "x" if case.same_variable else "y"
    hashed = mismatch.kind == "nondeterminism"
    case = replace(case, call="function") if _is_merged(mismatch) else case
    dims = {name: _dims_code(operand.dims, hashed) for name, operand in names.items()}
    lines = [
        f'{name} = pt.tensor("{name}", dtype="{operand.dtype}", shape={operand.static_shape})'
        for name, operand in names.items()
    ]
    lines += [f"{name}_named = as_xtensor({name}, dims={dims[name]})" for name in names]
    dim = "dim=dim" if hashed else f"dim={case.dim}"
    calls = {
        "function": f"dot(x_named, {y}_named, {dim})",
        "method": f"x_named.dot({y}_named, {dim})",
        "operator": f"x_named @ {y}_named",
    }
    lines.append(f"out = {calls[case.call]}")
    if hashed:
        code = indent("\n".join(lines), "    ")
        if _is_merged(mismatch):
            return _MERGED.format(
                steps=code, dim=_hashed_dim(case.dim), other=over_other_dims(case).dim
            )
        return _SPELLED.format(
            steps=code, dim=_hashed_dim(case.dim), backwards=_backwards(case.dim)
        )
    if _built_alone(mismatch):
        return _BUILT.format(steps=indent("\n".join(lines), "    "))
    lines += [
        'stage = "lower"',
        'lowered = rewrite_graph(out.values, include=("lower_xtensor",), clone=True)',
    ]
    inputs, fed, outputs = list(names), [f"{name}_value" for name in names], "lowered"
    unused = ""
    if _about_gradient(mismatch):
        unused = ', on_unused_input="ignore"'
        more, lines_of_gradient, outputs = _gradient_code(mismatch, list(names))
        lines += lines_of_gradient
        inputs += more
        outputs = "[lowered, *bars]" if _rewrite_fails(mismatch) else outputs
        fed += [f"{name}_value" for name in more]
    if mismatch.kind == "structure" and mismatch.stage == "lower":
        return _STEPS.format(flags=_flags_code(mismatch, mode), steps=_indented(lines))
    lines += [
        'stage = "compile"',
        f"function = pytensor.function([{', '.join(inputs)}], {outputs}, mode={mode}{unused})",
        'stage = "run"',
        f"answer = {'' if _rewrite_fails(mismatch) else 'np.asarray'}(function({', '.join(fed)}))",
    ]
    return _STEPS.format(flags=_flags_code(mismatch, mode), steps=_indented(lines))


def _indented(lines: list[str]) -> str:
    """Indent the stages to where they stand in a script."""
    return indent("\n".join(lines), " " * 8)


def _flags_code(mismatch: Mismatch, mode: str) -> str:
    """Write PyTensor's configuration as the check has it."""
    # A rewrite that fails is what this is about, or else it is left out, as it is for users.
    on_error = "raise" if mismatch.stage == "lower" or mismatch.kind == "structure" else "ignore"
    flags = f'on_opt_error="{on_error}", mode={mode}'
    return flags if "cvm" in mode else f'cxx="", {flags}'


def _is_merged(mismatch: Mismatch) -> bool:
    """Whether a mismatch is that dots over other dims are one operation."""
    return mismatch.detail == "the op is that of other dims"


def _dims_code(dims: tuple[Any, ...], hashed: bool) -> str:
    """Write dims as code, as plain names or as names whose hash is chosen."""
    return f"names({list(dims)!r})" if hashed else repr(dims)


def _hashed_dim(dim: DimArgument) -> str:
    """Write the `dim` argument as code, of names whose hash is chosen."""
    if dim.spelling not in _HASHED:
        return str(dim)
    return _HASHED[dim.spelling].format(f"names({list(dim.items)!r})")


def _backwards(dim: DimArgument) -> str:
    """Write the same `dim` argument backwards, with a name twice."""
    if dim.spelling not in _HASHED or dim.spelling == "str":
        return _hashed_dim(dim)
    return _hashed_dim(DimArgument("list", (*dim.items[::-1], *dim.items[:1])))


def _gradient_code(mismatch: Mismatch, names: list[str]) -> tuple[list[str], list[str], str]:
    """Write the gradient: its inputs, its lines, and the output that is wrong."""
    wanted = _differentiated(mismatch)
    wrt = ", ".join(wanted)
    lines = [
        'cotangent = pt.tensor("cotangent", dtype=lowered.dtype, shape=lowered.type.shape)',
        f"bars = pytensor.grad(None, [{wrt}], known_grads={{lowered: cotangent}})",
    ]
    inputs = ["cotangent"]
    which = wanted.index(mismatch.operand) if mismatch.operand else 0
    if (mismatch.order or mismatch.case.gradient_order) < 2:
        return inputs, lines, f"bars[{which}]"
    tangents = ["v", "w"][: len(names)]
    lines += [
        f'{tangent} = pt.tensor("{tangent}", dtype=bars[{i}].dtype, shape=bars[{i}].type.shape)'
        for i, tangent in enumerate(tangents)
    ]
    known = ", ".join(f"bars[{i}]: {tangent}" for i, tangent in enumerate(tangents))
    lines.append(f"bars = pytensor.grad(None, [{wrt}], known_grads={{{known}}})")
    return inputs + tangents, lines, f"bars[{which}]"


def _about_gradient(mismatch: Mismatch) -> bool:
    """Whether a mismatch is about a gradient rather than the dot itself."""
    of_gradient = "gradient graph" in mismatch.detail or (
        _rewrite_fails(mismatch)
        and bool(_differentiated(mismatch))
        and mismatch.case.gradient_order
    )
    in_graph = mismatch.kind == "structure" and of_gradient
    return mismatch.kind == "wrong-gradient" or mismatch.order > 0 or bool(in_graph)


def _rewrite_fails(mismatch: Mismatch) -> bool:
    """Whether a mismatch is that a rewrite raises, which PyTensor only logs."""
    return mismatch.detail.startswith("a rewrite fails")


def _differentiated(mismatch: Mismatch) -> list[str]:
    """Name the operands to differentiate by: the continuous ones, or the one that is not."""
    kinds = {name: np.dtype(operand.dtype).kind for name, operand in _operands(mismatch).items()}
    if mismatch.operand and kinds[mismatch.operand] != "f":
        return [mismatch.operand]
    return [name for name, kind in kinds.items() if kind == "f"]


def _verdict(mismatch: Mismatch, lowering: str) -> str:
    """Write how the script tells whether the defect is there."""
    code = _VERDICTS.get("rejected-valid" if _rewrite_fails(mismatch) else mismatch.kind)
    code = _MERGED_VERDICT if _is_merged(mismatch) else code
    fields: dict[str, Any] = {}
    if code is None and mismatch.stage == "build":
        code, fields = _DECLARED, _declared(mismatch)
    elif code is None:
        code, fields = _NUMBERS, _numbers(mismatch)
    later = STAGES[STAGES.index(mismatch.earliest_stage) + 1 :] if mismatch.earliest_stage else ()
    gradient = "gradient graph" in mismatch.detail
    names = list(_operands(mismatch))
    return dedent(code).format(
        later=later,
        culprits=_culprits(mismatch),
        expected=repr(mismatch.expected),
        detail=mismatch.detail,
        looked_at="bars" if gradient else "[lowered]",
        lowering=lowering,
        where="the gradient graph" if gradient else "the forward graph",
        fed=", ".join(f"{name}_value" for name in names),
        before=", ".join(f"{name}_before" for name in names),
        **fields,
    )


def _numbers(mismatch: Mismatch) -> dict[str, Any]:
    """Give what the answer is compared with."""
    case, replicate = mismatch.case, mismatch.replicate
    correct: CorrectAnswers
    if mismatch.kind == "wrong-gradient":
        operand = mismatch.operand or _differentiated(mismatch)[0]
        correct = correct_gradient(case, mismatch.order or 1, operand, replicate)
    else:
        correct = correct_value(case, replicate)
    with np.errstate(all="ignore"):
        reference = correct.reference.astype(correct.dtype)
    bound = np.zeros(reference.shape)
    if correct.dtype.kind in "fc":
        precision = np.finfo(correct.dtype)
        bound = correct.bound(
            float(precision.eps) / 2, precision.nmant + 1, float(precision.smallest_subnormal)
        ).astype(float)
    return {
        "reference": _literal(np.asarray(reference)),
        "bound": _literal(np.asarray(bound)),
        "dtype": repr(str(correct.dtype)),
        "dims": correct.dims,
        "about_the_dot": not _about_gradient(mismatch),
    }


def _declared(mismatch: Mismatch) -> dict[str, Any]:
    """Give what is declared of the output, and what should be."""
    case = mismatch.case
    lowering = lower_dot(case.x.dims, case.y.dims, case.dim.names)
    x = dict(zip(case.x.dims, case.x.static_shape, strict=True))
    y = dict(zip(case.y.dims, case.y.static_shape, strict=True))
    known = [x[dim] if x.get(dim) is not None else y.get(dim) for dim in lowering.out_dims]
    dtype = np.result_type(np.dtype(case.x.dtype), np.dtype(case.y.dtype))
    return {"should_be": repr((lowering.out_dims, str(dtype), tuple(known)))}


def _culprits(mismatch: Mismatch) -> tuple[str, ...]:
    """Name the dims of which an error message must mention one."""
    error = expected_error(mismatch.case)
    if isinstance(error, SizeMismatchError):
        return error.dims
    return error.missing if isinstance(error, DimNotFoundError) else ()


_HEAD = """\
{mismatch}
#
# Needs {needs}; exits 1 while the defect is there.

{imports}

"""
# What a script imports, if it mentions the name.
_STANDARD_LIBRARY = {name: f"import {name}" for name in ("logging", "re", "sys", "warnings")}
_STANDARD_LIBRARY["defaultdict"] = "from collections import defaultdict"
_PACKAGES = {
    "np": "import numpy as np",
    "pytensor": "import pytensor",
    "pt": "import pytensor.tensor as pt",
    "Mode": "from pytensor.compile.mode import Mode",
    "get_mode": "from pytensor.compile.mode import get_mode",
    "rewrite_graph": "from pytensor.graph.rewriting.utils import rewrite_graph",
    "nan": "from numpy import nan",
    "inf": "from numpy import inf",
    "as_xtensor": "from pytensor.xtensor import as_xtensor, dot",
}
_INLINED = """\
# The lowering under test inlines the Einsum that PyTensor's own makes.
from collections.abc import Sequence
from typing import Any

from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Variable
from pytensor.xtensor.rewriting.utils import lower_xtensor_db

try:
    from pytensor.compile.rewriting import inline_ofg_node
except ImportError:
    from pytensor.tensor.rewriting.ofg import inline_ofg_node


{source}

stock = lower_xtensor_db["lower_dot"].fn
lower_xtensor_db["lower_dot"].fn = lambda fgraph, node: without_inner_graphs(
    stock(fgraph, node), node.inputs
)
"""
_DIRECT = """\
# The lowering under test is refdot's own; it stays installed for as long as this name is held.
from refdot.pytensor.lowerings.install import use_lowering

installed = use_lowering("direct")
installed.__enter__()
"""
_UNLOWERED = """\
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.blockwise import Blockwise
from pytensor.xtensor.basic import XOp, XTypeCastOp
from pytensor.xtensor.type import XTensorType
from collections.abc import Sequence
from typing import Any


{source}
"""
_NAMES = '''
class Name(str):
    """A dim whose hash is chosen, as if PYTHONHASHSEED were another."""

    def __hash__(self):
        return hashes[str(self)]

    __eq__ = str.__eq__


def names(dims):
    return tuple(Name(dim) for dim in dims)

'''
_MERGED = """\
def build(dim):
{steps}
    return out.owner.op, out.type.dims


hashes = defaultdict(int)
first, other = build({dim}), build({other})
"""
_SPELLED = """\
def build(dim):
{steps}
    return out.owner.op, out.type.dims


class Hashes(dict):
    def __missing__(self, name):
        self[name] = self["rule"](len(self))
        return self[name]


seen = []
for rule, dim in (
    (lambda i: i, lambda: {dim}),
    (lambda i: 0xFFFF - i, lambda: {dim}),
    (lambda i: 0, lambda: {backwards}),
):
    hashes = Hashes(rule=rule)
    try:
        seen.append(build(dim()))
    except Exception as error:
        seen.append(f"{{type(error).__name__}}: {{error}}")
"""
_BUILT = """\
out = raised = None
try:
{steps}
except BaseException as error:
    raised = error

got = f"{{type(raised).__name__}} at build: {{raised}}" if raised else out.type
"""
_STEPS = """\
warnings.simplefilter("ignore")
logging.getLogger("pytensor").setLevel(logging.CRITICAL + 1)
stage, raised, out, answer = "build", None, None, None
with pytensor.config.change_flags({flags}):
    try:
{steps}
    except BaseException as error:
        raised = error

got = f"{{type(raised).__name__}} at {{stage}}: {{raised}}" if raised else answer
"""
_FINISH = """
print("expected", {expected})
print("got     ", got)
sys.exit(1 if defect else 0)
"""
_NUMBERS = """\
expected = {reference}
bound = {bound}


def is_right(answer):
    if out.type.dims != {dims} and {about_the_dot}:
        return False
    if answer.dtype != {dtype} or answer.shape != expected.shape:
        return False
    with np.errstate(all="ignore"):
        near = np.abs(answer - expected) <= bound
    if expected.dtype.kind == "c":
        near |= ~np.isfinite(answer) & ~np.isfinite(expected)
    return np.all(near | (answer == expected) | ((answer != answer) & (expected != expected)))


defect = raised is not None or not is_right(answer)

print("expected", expected.dtype, expected)
print("got     ", got if raised else (out.type.dims, answer.dtype, answer))
sys.exit(1 if defect else 0)
"""
_DECLARED = """\
should_be = {should_be}
got = raised or (out.type.dims, out.type.dtype, out.type.shape)
defect = got != should_be

print("expected", should_be)
print("got     ", got)
sys.exit(1 if defect else 0)
"""
_MERGED_VERDICT = (
    """\
got = f"{{first[0]}} for the dims {{first[1]}} and for {{other[1]}}"
defect = first[0] == other[0] and first[1] != other[1]
"""
    + _FINISH
)
_VERDICTS = {
    "accepted-invalid": "defect = raised is None\n" + _FINISH,
    "late-error": "defect = raised is None or stage in {later}\n" + _FINISH,
    "wrong-error": """\
message = str(raised).split("\\nApply node that caused the error")[0]
names_the_dim = not {culprits} or any(
    re.search(rf"(?<!\\w){{re.escape(dim)}}(?!\\w)", message) for dim in {culprits}
)
defect = raised is not None and not (
    isinstance(raised, ValueError | TypeError) and names_the_dim
)
"""
    + _FINISH,
    "rejected-valid": "defect = raised is not None\n" + _FINISH,
    "structure": """\
got = raised or unlowered_nodes({looked_at}, {lowering!r}, {where!r})
defect = raised is None and {detail!r} in got
"""
    + _FINISH,
    "side-effect": """\
first, inputs = answer.copy(), [{fed}]
untouched = all(map(np.array_equal, inputs, [{before}], [True] * len(inputs)))
shared = any(np.shares_memory(answer, value) for value in inputs)
function(*map(np.ones_like, inputs))
defect = shared or not untouched or not np.array_equal(answer, first, equal_nan=True)
got = f"untouched {{untouched}}, shared memory {{shared}}, then {{answer}}"
"""
    + _FINISH,
    "nondeterminism": """\
got = "; ".join(map(str, seen))
defect = any(other != seen[0] for other in seen[1:])
"""
    + _FINISH,
}
