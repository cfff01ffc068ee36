"""The pytest plugin: options, collection, reports."""
