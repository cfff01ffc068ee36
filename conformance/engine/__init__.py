"""A run without pytest: the order of its cases, the requests, the evaluation and the output files."""
