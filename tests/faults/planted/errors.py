"""Faults in errors: invalid input that is accepted, and messages that do not help."""

from planting import Edit

from planted.places import (
    BATCHED_DOT,
    DOT,
    LOWER,
    NODE,
    fault,
    product,
)
from refdot.cases.case import DimArgument, DotCase
from refdot.cases.notation import dot_case, operand

__all__ = ["FAULTS"]

ASSERT = "pytensor.raise_op:CheckAndRaise.perform"
SPECIFY_SHAPE = "pytensor.tensor.shape:SpecifyShape.perform"
TYPE = "pytensor.xtensor.type:XTensorType.__init__"

ELEMWISE_CHECK = "pytensor.tensor.elemwise:Elemwise._check_runtime_broadcast"
BLOCKWISE_CHECK = "pytensor.tensor.blockwise:Blockwise._check_runtime_broadcast"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("an unknown name is accepted", "errors", dot_case("a?", "a?", ("a", "z")),
          DOT, "if d not in union", "if False"),
    fault("the error does not name the unknown dim", "errors", dot_case("a?", "a?", "z"),
          DOT, "Dimension {d} not", "Dimension not"),
    fault("an unknown name raises KeyError", "errors", dot_case("a?", "a?", "z"),
          DOT, "raise ValueError", "raise KeyError"),
    fault("dim of another type means None", "errors", dot_case("a?", "a?", 5),
          DOT, "dim_set = set(dim)",
          "dim_set = set(dim)\n    else:\n        dim_set = intersection"),
    fault("a repeated dim is accepted", "errors", dot_case("a? a?", "a?"),
          TYPE, "if len(set(dims)) < len(dims)", "if False"),
    fault("static sizes are not compared", "errors", dot_case("a:2", "a:3"),
          NODE, "and x_shape != y_shape", "and False"),
    fault("a static size of 1 fits any size", "errors", dot_case("a:1", "a:3"),
          NODE, "and x_shape != y_shape", "and x_shape != y_shape and 1 not in (x_shape, y_shape)"),
    fault("a static size of 0 fits any size", "errors", dot_case("a:0", "a:3"),
          NODE, "and x_shape != y_shape", "and x_shape != y_shape and x_shape and y_shape"),
    fault("x may be smaller than y", "errors", dot_case("a:2", "a:3"),
          NODE, "x_shape != y_shape", "x_shape > y_shape"),
    fault("only the first dim is compared", "errors",
          dot_case("a b:2", "a b:3", ("a", "b")),
          NODE, "for dim in self.dims:", "for dim in sorted(self.dims)[:1]:"),
    fault("the error does not name the dim of other size", "errors", dot_case("a:2", "a:3"),
          NODE, "Size of dim '{dim}' does", "Sizes do"),
    fault("the error names the wrong dim", "errors", dot_case("a b:2", "b:3"),
          NODE, "Size of dim '{dim}'", "Size of dim '{x.type.dims[0]}'"),
    fault("the error has the name of a dim by accident", "errors", dot_case("a:2", "a:3"),
          NODE, "Size of dim '{dim}' does", "There is a mismatch: b or c or e does"),
    fault("the error lists all dims", "errors", dot_case("a:2 b:3", "a:2 b:4"),
          NODE, "Size of dim '{dim}' does", "{x.type.dims} and {y.type.dims} do"),
    fault("the error for an unknown name lists the known ones", "errors", dot_case("a?", "a?", "z"),
          DOT, "Dimension {d} not found", "A dim is none of {sorted(union)}: not found"),
    fault("sizes that differ raise AssertionError", "errors", dot_case("a:2", "a:3"),
          NODE, "raise ValueError", "raise AssertionError"),
    fault("the assertion on run-time sizes is missing", "errors",
          dot_case("a:2? b:3?", "a:3? b:2?"),
          ASSERT, "if not all(conds)", "if False"),
    fault("a product stops at the shorter operand", "errors", dot_case("a:2?", "a:3?"),
          *product("np.matmul(x[..., : y.shape[-2]], y[..., : x.shape[-1], :])")),
    fault("declared sizes are not checked", "errors",
          dot_case("a:3? b?", "a:1 b", "b"),
          SPECIFY_SHAPE, "if not all(", "if False and not all("),
    fault("None among the names is left out", "errors", dot_case("a?", "a?", [None]),
          DOT, "dim_set = set(dim)", "dim_set = {d for d in dim if d is not None}"),
    fault("the start of a name is accepted", "errors", dot_case("time:2?", "time:2?", "tim"),
          DOT, "if d not in union", "if not any(str(u).startswith(str(d)) for u in union)"),
    fault("names that continue a name are accepted", "errors", dot_case("a?", "a?", "a_"),
          DOT, "if d not in union", "if not any(str(d).startswith(str(u)) for u in union)"),
    fault("unknown names are accepted beside known ones", "errors",
          dot_case("a?", "a?", ("a", "z")),
          DOT, "if d not in union", "if not dim_set & union"),
    fault("bytes are the name of a dim", "errors",
          DotCase(operand("a?"), operand("a?"), DimArgument("bytes", ("a",))),
          DOT, "dim_set = set(dim)",
          "dim_set = {dim.decode()} if isinstance(dim, bytes) else set(dim)"),
    fault("static sizes are compared only between vectors", "errors", dot_case("a:2 b", "a:3"),
          NODE, "and x_shape != y_shape", "and x_shape != y_shape and x.type.ndim == 1"),
    fault("sizes that differ by one are accepted", "errors", dot_case("a:2", "a:3"),
          NODE, "x_shape != y_shape", "abs(x_shape - y_shape) > 1"),
    fault("a product of operands that do not fit is zero", "errors",
          dot_case("a:2? b:3?", "b:4? c?"),
          *product("np.matmul(x, y) if x.shape[-1] == y.shape[-2] else"
                   " np.zeros((*x.shape[:-1], y.shape[-1]), x.dtype)")),
    fault("a size of 1 is repeated at run time", "errors", dot_case("a:1?", "a:3?", ()),
          ELEMWISE_CHECK, "if any(d != 1", "if False and any(d != 1"),
    fault("a batch of one fits any batch", "errors",
          dot_case("a:1? b? c?", "a:2? c? d?", "c"),
          Edit(BLOCKWISE_CHECK, "_check_runtime_broadcast_core(", "(lambda *sizes: None)("),
          Edit(BATCHED_DOT, "if x.shape[0] != y.shape[0]:", "if 1 not in (x.shape[0], y.shape[0])"
               " and x.shape[0] != y.shape[0]:")),
    fault("sizes that differ raise StopIteration", "errors", dot_case("a:2? b:3?", "b:4? c?"),
          *product("np.matmul(x, y) if x.shape[-1] == y.shape[-2] else next(iter(()))")),
    fault("an error in the lowering leaves the dot as it is", "errors",
          dot_case("a? b:2", "a? b:3", "a"),
          LOWER, "out_tensor = einsum(einsum_str, x_tensor, y_tensor)",
          "try:\n        out_tensor = einsum(einsum_str, x_tensor, y_tensor)\n"
          "    except ValueError:\n        return None"),
    fault("a message holds the whole array", "errors", dot_case("a:2? b:3?", "b:4? c?"),
          *product("np.matmul(x, y) if x.shape[-1] == y.shape[-2] else"
                   " (_ for _ in ()).throw(ValueError(f'{x} and {y} do not fit'))")),
    fault("the message lists the dims in the order of a set", "structure",
          dot_case("a? b?", "c?", "z"),
          DOT, "not found in either input\"", "not found in either input: {union}\""),
]
# fmt: on
