"""Benchmarks of LS: every figure is checked for its result before it is timed."""
