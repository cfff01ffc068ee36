"""How fast the suite is, as ratios to what cannot be faster: ``python -m benchmarks``."""
