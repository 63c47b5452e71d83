"""The pools of names for the dims of random cases."""

__all__ = ["NAME_POOLS"]

# A case takes all its names from one pool. This module must not import Hypothesis, since
# `refdot.judging` imports it.
NAME_POOLS = (
    ("a", "b", "c", "d", "e", "f", "g", "h"),
    ("time", "time_k", "t", "tim", "time_q", "k", "q", "batch"),
    ("embd", "head", "é", "dim 0", "x", "y", "Head", "dim"),
)
