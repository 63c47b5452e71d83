"""Apply the edit that contraction.md proposes to a copy of PyTensor's sources.

    python docs/upstream/apply_contraction.py path/to/pytensor

`path/to/pytensor` is the package, the folder that contains `xtensor/`. The code comes from refdot's
own modules, so refdot tests the same code. The edited PyTensor does not need refdot.

- `xtensor/rewriting/math.py`, which only contains the lowering of dot, is replaced.
- `xtensor/rewriting/contraction.py` and `xtensor/rewriting/ops.py` are new.
- `link/numba/dispatch/xtensor.py` and `link/jax/dispatch/xtensor.py` are new, and the `__init__.py`
  beside each of them imports it.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from pytensor.graph.rewriting.basic import NodeRewriter

from refdot import lowering
from refdot.pytensor.lowerings import (
    contraction,
    direct,
    expansion,
    ops,
    softmax,
    softmax_expansion,
)

LOWERING = '''\
"""Lowering of xtensor's dot and softmax to operations on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.gradient import disconnected_grad
from pytensor.graph.rewriting.basic import node_rewriter, out2in
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import FixedOpCAReduce, Max
from pytensor.tensor.special import Softmax
from pytensor.xtensor.basic import tensor_from_xtensor, xtensor_from_tensor
from pytensor.xtensor.math import Dot
from pytensor.xtensor.reduction import XReduce
from pytensor.xtensor.rewriting.contraction import (
    POSITION,
    Contraction,
    Lowering,
    subscripts,
)
from pytensor.xtensor.rewriting.ops import EqualSizes
from pytensor.xtensor.rewriting.utils import register_lower_xtensor
from pytensor.xtensor.vectorization import XElemwise


try:
    from pytensor.tensor.symbolic import FusibleSymbolicOp
except ImportError:
    FusibleSymbolicOp = None


@register_lower_xtensor
@node_rewriter(tracks=[Dot])
def lower_dot(fgraph, node):
    """Replace xtensor's dot by a contraction of tensors, whose sizes are checked."""
    [out] = node.outputs
    lowering = Lowering(*(operand.type.dims for operand in (*node.inputs, out)))
    x, y = with_equal_sizes(lowering, *map(tensor_from_xtensor, node.inputs))
    return [xtensor_from_tensor(Contraction(subscripts(lowering))(x, y), lowering.out_dims)]


# Registered before the lowering of other elementwise operations, and so tried first.
@register_lower_xtensor
@node_rewriter(tracks=[XElemwise])
def lower_softmax(fgraph, node):
    """Lower softmax as a whole, since later rewrites may not recognize it in its parts."""
    return softmax_replacement(node)
'''

CONTRACTION = '''\
"""A dot as one operation on tensors, which later becomes products of matrices.

A graph of reshapes to sizes that are not static takes long to rewrite, since each of the early
rewrites walks the graph of these sizes. A `Contraction` has no reshapes, and reads its shape off
its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import mul
from string import ascii_letters
from typing import Any

import numpy as np

import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.configdefaults import config
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node
from pytensor.graph.rewriting.basic import node_rewriter, out2in
from pytensor.scalar import upcast
from pytensor.tensor.shape import Shape_i
from pytensor.tensor.type import complex_dtypes, discrete_dtypes
from pytensor.xtensor.rewriting.ops import discrete_matmul


Dims = tuple[str, ...]
# Elemwise.perform cannot run an operation of more than 32 operands, and a product may be fused.
MAX_FACTORS = {max_factors}
# After `stabilize` (1.5), and before `reassociate_matmul_chain` (1.65) and `BlasOpt` (1.7).
POSITION = {position}


@dataclass(frozen=True)
class Lowering:
    """The role of each dim: contracted, batch, free, or summed alone."""

    x_dims: Dims
    y_dims: Dims
    out_dims: Dims

    @property
    def contracted(self) -> Dims:
        return tuple(d for d in self.x_dims if d in self.y_dims and d not in self.out_dims)

    @property
    def batch(self) -> Dims:
        return tuple(d for d in self.x_dims if d in self.y_dims and d in self.out_dims)

    @property
    def x_free(self) -> Dims:
        return tuple(d for d in self.x_dims if d not in self.y_dims and d in self.out_dims)

    @property
    def y_free(self) -> Dims:
        return tuple(d for d in self.y_dims if d not in self.x_dims and d in self.out_dims)

    @property
    def x_summed(self) -> Dims:
        return tuple(d for d in self.x_dims if d not in self.y_dims + self.out_dims)

    @property
    def y_summed(self) -> Dims:
        return tuple(d for d in self.y_dims if d not in self.x_dims + self.out_dims)


def lower(x_dims: Dims, y_dims: Dims, summed_over: frozenset[str]) -> Lowering:
    all_dims = dict.fromkeys(x_dims + y_dims)
    return Lowering(x_dims, y_dims, tuple(d for d in all_dims if d not in summed_over))


def subscripts(lowering: Lowering) -> str:
    """Return the einsum of a lowering."""
    letters = dict.fromkeys(lowering.x_dims + lowering.y_dims)
    letters = dict(zip(letters, symbols(len(letters)), strict=True))
    groups = lowering.x_dims, lowering.y_dims, lowering.out_dims
    x, y, out = ("".join(letters[dim] for dim in dims) for dims in groups)
    return f"{x},{y}->{out}"


def evaluate(lowering: Lowering, x: Any, y: Any) -> Any:
    """Compute a lowering by a product of matrices, for any number of dims."""
    dtype = np.result_type(x, y)
    sizes = dict(zip(lowering.x_dims + lowering.y_dims, x.shape + y.shape, strict=True))

    def matrices(array: Any, dims: Dims, summed: Dims, *groups: Dims) -> Any:
        array = array.sum(tuple(map(dims.index, summed)), dtype=dtype)
        left = [dim for dim in dims if dim not in summed]
        order = [left.index(dim) for group in groups for dim in group]
        return array.transpose(order).reshape([prod(map(sizes.get, group)) for group in groups])

    batch, contracted = lowering.batch, lowering.contracted
    x = matrices(x, lowering.x_dims, lowering.x_summed, batch, lowering.x_free, contracted)
    y = matrices(y, lowering.y_dims, lowering.y_summed, batch, contracted, lowering.y_free)
    dims = batch + lowering.x_free + lowering.y_free
    out = np.matmul(x, y).reshape([sizes[dim] for dim in dims])
    return out.transpose([dims.index(dim) for dim in lowering.out_dims])
'''


def apply(package: Path) -> list[Path]:
    """Write the edit into a copy of PyTensor's package, and return the files."""
    rewriting = package / "xtensor" / "rewriting"
    written = {
        rewriting / "math.py": lowering_module(),
        rewriting / "contraction.py": contraction_module(),
        rewriting / "ops.py": source(ops),
    }
    for backend in ("numba", "jax"):
        dispatch = package / "link" / backend / "dispatch"
        init = dispatch / "__init__.py"
        imported = f"\nimport pytensor.link.{backend}.dispatch.xtensor\n"
        written[dispatch / "xtensor.py"] = dispatch_module(backend)
        written[init] = init.read_text(encoding="utf-8") + imported
    for path, text in written.items():
        path.write_text(without_rules(text), encoding="utf-8")
    return list(written)


def module(head: str, *parts: Any) -> str:
    """Return the source of a module: a head, and functions and classes of refdot."""
    return "\n\n".join([head, *map(source, parts)])


def source(part: Any) -> str:
    """Return the source of a function, class or module, without its examples."""
    return without_examples(inspect.getsource(part))


def without_examples(text: str) -> str:
    """Return the source of a module without the examples of its docstrings."""
    text = re.sub(r'\n\n *Examples\n *-+\n.*?(?=\n? *""")', "\n", text, flags=re.DOTALL)
    # For mypy in refdot, which skips PyTensor's types. Within PyTensor they would be unused.
    return re.sub(r"  # type: ignore.*", "", text)


def lowering_module() -> str:
    """Return the lowerings of dot and softmax."""
    parts = [each for each in definitions_of(softmax) if each.__name__ not in softmax.__all__]
    parts += definitions_of(softmax_expansion)
    return module(LOWERING, direct.with_equal_sizes, *parts) + registration(softmax_expansion)


def contraction_module() -> str:
    """Return the operation for a dot, and the rewrite that replaces it."""
    head = CONTRACTION.replace("{max_factors}", str(expansion.MAX_FACTORS))
    parts = (
        lowering.symbols,
        *definitions_of(contraction),
        *definitions_of(expansion),
    )
    head = head.replace("{position}", str(expansion.POSITION))
    return module(head, *parts) + registration(expansion)


def registration(of: Any) -> str:
    """Return the statement of a module that registers its rewrite."""
    (statement,) = re.findall(r"^optdb\.register\(.*?\)$", source(of), re.DOTALL | re.MULTILINE)
    return f"\n\n{statement}\n"


def definitions_of(of: Any) -> list[Any]:
    """Return the functions and classes that a module defines, in order."""
    own = [each for each in vars(of).values() if getattr(each, "__module__", "") == of.__name__]
    functions = [each.fn for each in vars(of).values() if isinstance(each, NodeRewriter)]
    parts = functions + [each for each in own if inspect.isfunction(each) or inspect.isclass(each)]
    return sorted(parts, key=lambda part: inspect.getsourcelines(part)[1])


def dispatch_module(backend: str) -> str:
    """Return how a backend, which need not be installed, runs the operations."""
    text = without_examples(Path(ops.__file__).with_name(f"{backend}_ops.py").read_text("utf-8"))
    for name in ("contraction", "ops"):
        text = text.replace(
            f"refdot.pytensor.lowerings.{name}", f"pytensor.xtensor.rewriting.{name}"
        )
    return text


def without_rules(text: str) -> str:
    """Remove the numbers of refdot's rules, which mean nothing in PyTensor."""
    return re.sub(r" \(R\d+\)|\bR\d+: | of R4\b", "", text)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "xtensor" / "rewriting").is_dir():
        name = Path(__file__).name
        sys.exit(f"usage: {name} path/to/pytensor, the folder that contains xtensor/rewriting")
    for file in apply(Path(sys.argv[1])):
        print(file)
