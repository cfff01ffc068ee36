"""Glue to pytest: options, collection, reports."""
