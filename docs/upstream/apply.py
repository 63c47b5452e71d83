"""Apply the edit that pull-request.md proposes to a copy of PyTensor's sources.

    python docs/upstream/apply.py path/to/pytensor

`path/to/pytensor` is the package, the folder that contains `xtensor/`. The code comes from refdot's
own modules, so refdot tests the same code. The edited PyTensor does not need refdot.

- `xtensor/rewriting/math.py`, which only contains the lowering of dot, is replaced.
- `xtensor/rewriting/ops.py` and `link/numba/dispatch/xtensor.py` are new.
- `link/numba/dispatch/__init__.py` imports the latter.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from refdot.pytensor.lowerings import direct, numba_ops, ops

# The parts of the lowering that are copied unchanged.
PARTS = (
    direct.dot,
    direct.Operand,
    direct.ungrouped,
    direct.sizes_of,
    direct.with_checked_sizes,
    direct.matrix_product,
    direct.elementwise_product,
    direct.zero_if_empty,
    direct.total_size,
    direct.reshaped,
    direct.softmax_replacement,
    direct.stable_softmax,
)

HEAD = '''\
"""Lowering of xtensor's dot and softmax to operations on tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import mul
from typing import Any

import numpy as np

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.graph import node_rewriter
from pytensor.scalar import upcast
from pytensor.tensor.shape import Shape_i
from pytensor.tensor.type import discrete_dtypes
from pytensor.xtensor.basic import tensor_from_xtensor, xtensor_from_tensor
from pytensor.xtensor.math import Dot
from pytensor.xtensor.reduction import XReduce
from pytensor.xtensor.rewriting.ops import EqualSizes, discrete_matmul
from pytensor.xtensor.rewriting.utils import register_lower_xtensor
from pytensor.xtensor.vectorization import XElemwise


Dims = tuple[str, ...]
# Elemwise.perform cannot run an operation of more than 32 operands, and a product may be fused.
MAX_FACTORS = {max_factors}


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


@register_lower_xtensor
@node_rewriter(tracks=[Dot])
def lower_dot(fgraph, node):
    """Replace xtensor's dot by operations on tensors."""
    [out] = node.outputs
    lowering = Lowering(*(operand.type.dims for operand in (*node.inputs, out)))
    x, y = map(tensor_from_xtensor, node.inputs)
    return [xtensor_from_tensor(dot(lowering, x, y), lowering.out_dims)]


# Registered before the lowering of other elementwise operations, and so tried first.
@register_lower_xtensor
@node_rewriter(tracks=[XElemwise])
def lower_softmax(fgraph, node):
    """Lower softmax as a whole, since later rewrites may not recognize it in its parts."""
    return softmax_replacement(node)
'''


def apply(package: Path) -> list[Path]:
    """Write the edit into a copy of PyTensor's package, and return the files."""
    dispatch = package / "link" / "numba" / "dispatch"
    rewriting = package / "xtensor" / "rewriting"
    written = {
        rewriting / "math.py": lowering_module(),
        rewriting / "ops.py": operations_module(),
        dispatch / "xtensor.py": inspect.getsource(numba_ops).replace(
            "refdot.pytensor.lowerings.ops", "pytensor.xtensor.rewriting.ops"
        ),
        dispatch / "__init__.py": (dispatch / "__init__.py").read_text(encoding="utf-8")
        + "\nimport pytensor.link.numba.dispatch.xtensor\n",
    }
    for path, text in written.items():
        path.write_text(without_rules(text), encoding="utf-8")
    return list(written)


def lowering_module() -> str:
    """Return the source of the lowering."""
    head = HEAD.replace("{max_factors}", str(direct.MAX_FACTORS))
    parts = map(inspect.getsource, PARTS)
    module = "\n\n".join([head, *parts])
    # The example in the docstring of `dot` needs refdot.
    before, _, rest = module.partition("\n    Examples\n")
    return before + '    """' + rest.partition('"""')[2]


def without_rules(text: str) -> str:
    """Remove the numbers of refdot's rules, which mean nothing in PyTensor."""
    return re.sub(r" \(R\d+\)|\bR\d+: | of R4\b", "", text)


def operations_module() -> str:
    """Return the source of the operations, without the comments for refdot's type checker."""
    return re.sub(r"  # type: ignore.*", "", inspect.getsource(ops))


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "xtensor" / "rewriting").is_dir():
        sys.exit("usage: apply.py path/to/pytensor, the folder that contains xtensor/rewriting")
    for file in apply(Path(sys.argv[1])):
        print(file)
