"""The speed of the suite, as ratios to lower bounds: ``python -m benchmarks``."""
