"""Benchmarks of PyTensor's lowerings."""
