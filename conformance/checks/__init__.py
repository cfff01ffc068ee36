"""The checks, one area a file: bare generators of findings over recorded answers."""
