"""Measurements of speed and accuracy: ``python -m benchmarks`` lists them, docs/benchmarks.md has results."""
