"""The checks, one file for each area: generators of findings over recorded responses."""
