"""Judging: the comparison of what a target does with the oracle's answers."""
