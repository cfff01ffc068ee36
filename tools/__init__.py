"""Generators: fault matrix, pages, client evidence, captures."""
