"""A run without pytest: set up, plan, send, evaluate."""
