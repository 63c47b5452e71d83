"""Faults in code that runs only where few rewrites do."""

from planted.places import fault
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

INNER_GRAPH = "pytensor.compile.builders:OpFromGraph.perform"
BLOCKWISE = "pytensor.tensor.blockwise:Blockwise.perform"
IN_FAST_COMPILE = {"backend": "fast-compile"}
IN_MINIMUM = {"backend": "python-minimum"}
BATCHED = dot_case("a:3? b? c?", "a:3? c? d?", "c")

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    fault("an inner graph that runs gets its inputs in reverse", "values",
          dot_case("a? d?", "d? e?"),
          INNER_GRAPH, "self.fn(*inputs)", "self.fn(*inputs[::-1])", **IN_FAST_COMPILE),
    fault("an inner graph that runs keeps its first answer", "values", dot_case("a? b?", "b? c?"),
          INNER_GRAPH, "variables = self.fn(*inputs)",
          "variables = vars(self).setdefault('first', self.fn(*inputs))", **IN_MINIMUM),
    fault("an inner graph that runs returns an input", "values", dot_case("a? d?", "d? e?"),
          INNER_GRAPH, "output[0] = variable",
          "output[0] = inputs[0] if inputs[0].shape == variable.shape else variable",
          **IN_MINIMUM),
    fault("a batched operation that runs doubles its result", "values", BATCHED,
          BLOCKWISE, "out_storage[0] = result", "out_storage[0] = result + result",
          **IN_FAST_COMPILE),
    fault("a batched operation that runs leaves out the last", "values", BATCHED,
          BLOCKWISE, "out_storage[0] = result",
          "out_storage[0] = result * (np.arange(len(result)) + 1 < max(2, len(result)))"
          ".reshape((-1,) + (1,) * (result.ndim - 1)).astype(result.dtype)", **IN_MINIMUM),
]
# fmt: on
