"""Faults in names, roles and the `dim` argument."""

from planted.places import (
    DOT,
    MATRICES,
    NODE,
    fault,
)
from refdot.cases.case import DimArgument, DotCase
from refdot.cases.notation import dot_case, operand

__all__ = ["FAULTS"]

METHOD = "pytensor.xtensor.type:XTensorVariable.dot"
OPERATOR = "pytensor.xtensor.type:XTensorVariable.__matmul__"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("y's dims come first", "values", dot_case("a? b?", "b? c?"),
          NODE, "{**x_shape_dict, **y_shape_dict}", "{**y_shape_dict, **x_shape_dict}"),
    fault("output dims are sorted by name", "values", dot_case("c? b?", "b? a?"),
          NODE, "tuple(d for d in shape_dict if d not in self.dims)",
          "tuple(sorted(d for d in shape_dict if d not in self.dims))"),
    fault("output dims are in the order of a set", "structure", dot_case("a? b? c?", "c? d?"),
          NODE, "for d in shape_dict if", "for d in set(shape_dict) if"),
    fault("batch dims are summed", "values", dot_case("a? b?", "a? b?", "b"),
          NODE, "if d not in self.dims)",
          "if d not in self.dims and not (d in x_shape_dict and d in y_shape_dict))"),
    fault("summed dims are kept", "values", dot_case("a? b?", "b? c?", ("a", "b")),
          NODE, "if d not in self.dims)",
          "if d not in self.dims or not (d in x_shape_dict and d in y_shape_dict))"),
    fault("dim=None contracts nothing", "values", MATRICES,
          DOT, "dim_set = intersection", "dim_set = set()"),
    fault("dim=None contracts only one dim", "values", dot_case("a? b?", "b? a?"),
          DOT, "dim_set = intersection", "dim_set = set(sorted(intersection)[:1])"),
    fault("dim=None sums everything", "values", MATRICES,
          DOT, "dim_set = intersection", "dim_set = union"),
    fault("dim=... means the shared dims", "values", dot_case("a? b?", "b? c?", ...),
          DOT, "dim_set = union", "dim_set = intersection"),
    fault("dim=... means the dims of x", "values", dot_case("a? b?", "b? c?", ...),
          DOT, "dim_set = union", "dim_set = x_dims"),
    fault("a str is read as its characters", "values", dot_case("time:2?", "time:2?", "time"),
          DOT, "dim_set = {dim}", "dim_set = set(dim)"),
    fault("an empty dim means None", "values", dot_case("a?", "a?", ()),
          DOT, "dim_set = set(dim)", "dim_set = set(dim) or intersection"),
    fault("only the first of several dims is used", "values",
          dot_case("a? b?", "a? b?", ("a", "b")),
          DOT, "dim_set = set(dim)", "dim_set = set(list(dim)[:1])"),
    fault("an iterator is read twice", "values",
          DotCase(operand("a?"), operand("a?"), DimArgument("iterator", ("a",))),
          DOT, "dim_set = set(dim)", "dim_set = set(dim) and set(dim)"),
    fault("repeated names are rejected", "values", dot_case("a?", "a?", ("a", "a")),
          DOT, "dim_set = set(dim)",
          "dim = list(dim); dim_set = set(dim); assert len(dim) == len(dim_set)"),
    fault("only a list or tuple of dims is accepted", "values", dot_case("a?", "a?", {"a"}),
          DOT, "isinstance(dim, Iterable)", "isinstance(dim, (list, tuple))"),
    fault("dims that only y has are not found", "values", dot_case("a?", "a? b?", ("a", "b")),
          DOT, "if d not in union", "if d not in x_dims"),
    fault("only shared dims are accepted", "values", dot_case("a? b?", "b?", ("a", "b")),
          DOT, "if d not in union", "if d not in intersection"),
    fault("x.dot(y, dim) ignores dim", "values",
          dot_case("a? b?", "b? c?", ("a", "b"), call="method"),
          METHOD, ", dim=dim", ""),
    fault("x.dot(y) is dot(y, x)", "values", dot_case("a? b?", "b? c?", call="method"),
          METHOD, "dot(self, other, dim=dim)", "dot(other, self, dim=dim)"),
    fault("x @ y is y @ x", "values", dot_case("a? b?", "b? c?", call="operator"),
          OPERATOR, "px.math.dot(self, other)", "px.math.dot(other, self)"),
    fault("x @ y sums every dim", "values", dot_case("a? b?", "b? c?", call="operator"),
          OPERATOR, "px.math.dot(self, other)", "px.math.dot(self, other, dim=...)"),
    fault("dots over different dims are equal", "structure", dot_case("a?", "a? b?"),
          "pytensor.xtensor.math:Dot.__init__", "self.dims = dims",
          "self.dims = type('Dims', (tuple,), dict(__eq__=lambda x, y: True,"
          " __hash__=lambda x: 0))(dims)"),
]
# fmt: on
