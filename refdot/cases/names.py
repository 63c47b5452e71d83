"""The names of dims that random cases choose from."""

__all__ = ["NAME_POOLS"]


# One case takes all its names from one pool. Importing them must not import Hypothesis.
NAME_POOLS = (
    ("a", "b", "c", "d", "e", "f", "g", "h"),
    ("time", "time_k", "t", "tim", "time_q", "k", "q", "batch"),
    ("embd", "head", "é", "dim 0", "x", "y", "Head", "dim"),
)
