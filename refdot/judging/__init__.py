"""Judging: hold what a target did against the oracle."""
