"""A run without pytest: which cases in which order, what is sent, the evaluation, and what is written at the end."""
